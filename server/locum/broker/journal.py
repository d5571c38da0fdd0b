"""What was issued elsewhere for a lease, on disk before it is handed out, so that a broker that dies can still take it back.

One sealed file an entry, made when the credential is, removed when its issuer has taken it back or its time is over.
Whatever lies here when a broker starts belongs to a lease that is no more. A file that does not open is left alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from locum.errors import LocumError, Unavailable
from locum.paths import private_dir
from locum.secret import SecretBytes
from locum.vaults.local.crypto import NONCE_SIZE, SALT_SIZE, SealBroken, seal, unseal
from locum.vaults.local.disk import open_private, read_all, sync, sync_folder, write_all

_NAME = re.compile(r"up_[0-9a-f]{32}")
_MAX_SIZE = 1 << 20


@dataclass(frozen=True, slots=True)
class Entry:
    """One credential that somebody else issued for a lease."""

    id: str
    """`up_` and 32 hexadecimal digits."""
    lease: str
    task: str
    issuer: str
    reference: str
    expires: int
    """When its issuer ends it by itself, in seconds since 1970."""
    revocable: bool
    handle: SecretBytes
    """What its issuer takes it back by. With some issuers that is the credential itself."""


class Journal:
    """A folder of entries. `derive` gives the key that belongs to a salt, and raises VaultLocked."""

    def __init__(self, folder: Path, derive: Callable[[bytes], SecretBytes]) -> None:
        self._folder, self._derive = folder, derive

    def add(self, entry: Entry) -> None:
        """Write an entry; it is on disk when this returns. Raises Unavailable, VaultLocked."""
        salt = os.urandom(SALT_SIZE)
        key = self._derive(salt)
        plain = _join(entry)
        try:
            nonce, sealed = seal(key, plain, "journal", entry.id)
        finally:
            key.wipe()
            plain.wipe()
        try:
            private_dir(self._folder)
            descriptor = open_private(self._folder / entry.id, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
            try:
                write_all(descriptor, salt + nonce + sealed)
                sync(descriptor)
            finally:
                os.close(descriptor)
            sync_folder(self._folder)
        except OSError as problem:
            reason = problem.strerror or "error"
            raise Unavailable(
                "unavailable.journal", f"what was issued cannot be written down ({reason})", "Nothing was handed out."
            ) from None

    def remove(self, entry_id: str) -> None:
        """Forget an entry. One that cannot be removed is found again at the next start: taking back twice does no harm."""
        with contextlib.suppress(OSError):
            (self._folder / entry_id).unlink()
            sync_folder(self._folder)

    def read(self, known: Collection[str]) -> tuple[list[Entry], int]:
        """Return the entries that are not `known`, and how many do not open. Raises VaultLocked."""
        try:
            names = sorted(path.name for path in self._folder.iterdir())
        except OSError:
            return [], 0
        found, closed = list[Entry](), 0
        for name in names:
            if name in known:
                continue
            entry = self._read_one(name) if _NAME.fullmatch(name) else None
            if entry is None:
                closed += 1
            else:
                found.append(entry)
        return found, closed

    def _read_one(self, name: str) -> Entry | None:
        try:
            descriptor = open_private(self._folder / name, os.O_RDONLY)
            try:
                raw = read_all(descriptor, _MAX_SIZE)
            finally:
                os.close(descriptor)
        except (OSError, LocumError):
            return None
        salt, nonce, sealed = raw[:SALT_SIZE], raw[SALT_SIZE : SALT_SIZE + NONCE_SIZE], raw[SALT_SIZE + NONCE_SIZE :]
        key = self._derive(salt)
        try:
            plain = unseal(key, nonce, sealed, "journal", name)
        except SealBroken:
            return None
        finally:
            key.wipe()
        try:
            return _split(name, plain)
        except (ValueError, KeyError, TypeError):
            return None
        finally:
            plain.wipe()


def _join(entry: Entry) -> SecretBytes:
    """A line of JSON, then the handle's bytes: a handle never goes through text."""
    about = {
        "lease": entry.lease, "task": entry.task, "issuer": entry.issuer, "reference": entry.reference,
        "expires": entry.expires, "revocable": entry.revocable,
    }  # fmt: skip
    buffer = bytearray(json.dumps(about).encode() + b"\n")
    with entry.handle.view() as handle:
        buffer += handle
    try:
        return SecretBytes(buffer)
    finally:
        buffer[:] = bytes(len(buffer))


def _split(name: str, plain: SecretBytes) -> Entry:
    with plain.view() as view:
        end = next((at for at, byte in enumerate(view) if byte == 10), len(view))
        about = json.loads(bytes(view[:end]))
        with view[end + 1 :] as rest:
            handle = SecretBytes(rest)
    return Entry(
        name, str(about["lease"]), str(about["task"]), str(about["issuer"]), str(about["reference"]), int(about["expires"]),
        bool(about["revocable"]), handle,
    )  # fmt: skip
