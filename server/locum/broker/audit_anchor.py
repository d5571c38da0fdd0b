"""The anchor: how far the audit log had come, signed. A log whose end was cut does not fit it.

    SEQUENCE HASH MAC

It stands in a file beside the log, and, where there is one, in the OS keyring (`audit_keyring`).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from locum.broker.audit_record import is_signed, sign
from locum.secret import SecretBytes
from locum.vaults.local.disk import open_private, read_all, replace_private

_MAX_SIZE = 256
GONE = "the anchor is gone"
CHANGED = "the anchor was changed"


@dataclass(frozen=True, slots=True)
class Anchor:
    """Number and hash of a record that the log must have."""

    sequence: int
    digest: str


def anchor_path(log: Path) -> Path:
    """Return where the anchor of a log is."""
    return log.with_suffix(".anchor")


def read_anchor(place: Path, key: SecretBytes) -> Anchor | str:
    """Return the anchor in a file, or what is wrong with it. Never raises."""
    try:
        descriptor = open_private(place, os.O_RDONLY)
        try:
            raw = read_all(descriptor, _MAX_SIZE)
        finally:
            os.close(descriptor)
    except OSError:
        return GONE
    return parse_anchor(raw, key)


def write_anchor(place: Path, key: SecretBytes, anchor: Anchor) -> None:
    """Replace the anchor in a file. Raises OSError; the old one then stands."""
    replace_private(place, signed_anchor(anchor, key))  # an empty one, as after a power cut, would look like an attack


def signed_anchor(anchor: Anchor, key: SecretBytes) -> bytes:
    """Return an anchor as it is kept."""
    text = f"{anchor.sequence} {anchor.digest}"
    return f"{text} {sign(key, text)}\n".encode()


def parse_anchor(raw: bytes, key: SecretBytes) -> Anchor | str:
    """Return the anchor that was kept, or what is wrong with it."""
    try:
        sequence, digest, mac = raw.decode("ascii").split()
        if is_signed(key, f"{sequence} {digest}", mac):
            return Anchor(int(sequence), digest)
    except ValueError:
        pass
    return CHANGED
