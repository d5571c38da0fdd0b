"""The anchor: how far the audit log had come, signed, in a file beside it. A log whose end was cut does not fit it.

SEQUENCE HASH MAC
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from locum.broker.audit_record import is_signed, sign
from locum.secret import SecretBytes
from locum.vaults.local.disk import open_private, read_all, sync, write_all

_MAX_SIZE = 256


@dataclass(frozen=True, slots=True)
class Anchor:
    """Number and hash of a record that the log must have."""

    sequence: int
    digest: str


def anchor_path(log: Path) -> Path:
    """Return where the anchor of a log is."""
    return log.with_suffix(".anchor")


def read_anchor(log: Path, key: SecretBytes) -> Anchor | str:
    """Return the log's anchor, or what is wrong with it. Never raises."""
    try:
        descriptor = open_private(anchor_path(log), os.O_RDONLY)
        try:
            raw = read_all(descriptor, _MAX_SIZE)
        finally:
            os.close(descriptor)
    except OSError:
        return "the anchor is gone"
    try:
        sequence, digest, mac = raw.decode("ascii").split()
        if is_signed(key, f"{sequence} {digest}", mac):
            return Anchor(int(sequence), digest)
    except ValueError:
        pass
    return "the anchor was changed"


def write_anchor(log: Path, key: SecretBytes, anchor: Anchor) -> None:
    """Replace the anchor. Raises OSError; the old one then stands."""
    text = f"{anchor.sequence} {anchor.digest}"
    place = anchor_path(log)
    temporary = place.with_name(place.name + ".tmp")
    temporary.unlink(missing_ok=True)
    descriptor = open_private(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        write_all(descriptor, f"{text} {sign(key, text)}\n".encode())
        sync(descriptor)  # else a power cut could leave an empty anchor, which looks like an attack
    finally:
        os.close(descriptor)
    temporary.replace(place)
