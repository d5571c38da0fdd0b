"""The vault file's bytes: read, checked, written. Knows the format (docs/vault-format.md), no path and no lock.

Every way in which the bytes can be wrong is one error, `vault.corrupt`, which holds none of them.
"""

from __future__ import annotations

import base64
import hmac
import json
import os
from dataclasses import dataclass, field
from typing import Any

from locum.secret import SecretBytes
from locum.vaults.interface import VaultError
from locum.vaults.local.crypto import SALT_SIZE, SealBroken, authenticate, derive, pad, seal, unpad, unseal
from locum.vaults.local.keyslots import Slot

FORMAT = "locum-vault"
VERSION = 1
ALGORITHM = "aes-256-gcm"
MAX_FILE = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Record:
    """One sealed text: an item's value, or the index of names."""

    id: str
    version: int
    salt: bytes
    nonce: bytes
    sealed: bytes


@dataclass(slots=True)
class Envelope:
    """A vault file in memory. `records` are by id; nothing in it is secret."""

    vault: str
    epoch: int
    generation: int
    slots: list[Slot]
    index: Record
    records: dict[str, Record] = field(default_factory=dict[str, Record])

    def to_bytes(self, data_key: SecretBytes) -> bytes:
        """Return the file's bytes: one line of JSON, and a second line that authenticates the first byte for byte."""
        body = json.dumps(self._body(), separators=(",", ":")).encode()
        return body + b"\n" + _encoded(authenticate(self._mac_key(data_key), body)) + b"\n"

    @classmethod
    def from_bytes(cls, raw: bytes) -> Envelope:
        """Read a file's bytes. Nothing in it may be believed before `check`. Raises VaultError."""
        try:
            body = json.loads(raw.partition(b"\n")[0])
            if body["format"] != FORMAT:
                raise corrupt()
            if not isinstance(body["version"], int) or body["version"] > VERSION:
                raise VaultError("vault.newer", "this vault was written by a newer Locum", "Update locum.")
            return cls(
                str(body["vault"]), int(body["epoch"]), int(body["generation"]),
                [_slot(slot) for slot in body["slots"]], _record(body["index"]),
                {record["id"]: _record(record) for record in body["records"]},
            )  # fmt: skip
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise corrupt() from None

    def check(self, raw: bytes, data_key: SecretBytes) -> None:
        """Check the bytes that this was read from against their second line. Raises VaultError."""
        body, _, rest = raw.partition(b"\n")
        if not hmac.compare_digest(rest, _encoded(authenticate(self._mac_key(data_key), body)) + b"\n"):
            raise corrupt()

    def seal_record(self, data_key: SecretBytes, kind: str, identity: str, version: int, value: SecretBytes) -> Record:
        """Seal a text under a key that is used for this once. `kind` is `item` or `index`."""
        salt = os.urandom(SALT_SIZE)
        key, padded = derive(data_key, salt, *self._key_info(kind, identity, version)), pad(value)
        nonce, sealed = seal(key, padded, *self._bound(kind, identity, version))
        key.wipe()
        padded.wipe()
        return Record(identity, version, salt, nonce, sealed)

    def open_record(self, data_key: SecretBytes, kind: str, record: Record) -> SecretBytes:
        """Undo `seal_record`. Raises VaultError."""
        key = derive(data_key, record.salt, *self._key_info(kind, record.id, record.version))
        try:
            padded = unseal(key, record.nonce, record.sealed, *self._bound(kind, record.id, record.version))
            value = unpad(padded)
        except SealBroken:
            raise corrupt() from None
        key.wipe()
        padded.wipe()
        return value

    def _key_info(self, kind: str, identity: str, version: int) -> tuple[str | int, ...]:
        return (FORMAT, kind, self.vault, identity, version)

    def _bound(self, kind: str, identity: str, version: int) -> tuple[str | int, ...]:
        return (FORMAT, VERSION, ALGORITHM, self.vault, self.epoch, kind, identity, version)

    def _mac_key(self, data_key: SecretBytes) -> SecretBytes:
        return derive(data_key, self.vault.encode(), FORMAT, "manifest", self.epoch)

    def _body(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "version": VERSION,
            "vault": self.vault,
            "epoch": self.epoch,
            "generation": self.generation,
            "slots": [
                {"id": s.id, "type": s.type, "params": s.params, "nonce": _text(s.nonce), "wrapped": _text(s.wrapped)}
                for s in self.slots
            ],
            "index": _plain(self.index),
            "records": [_plain(self.records[identity]) for identity in sorted(self.records)],
        }


def corrupt() -> VaultError:
    """The one error for bytes that are not what they should be."""
    hint = "Nothing was changed. The generation before it lies beside it, ending in .bak."
    return VaultError("vault.corrupt", "the vault file is damaged or was changed by another hand", hint)


def _plain(record: Record) -> dict[str, Any]:
    return {
        "id": record.id, "version": record.version, "salt": _text(record.salt), "nonce": _text(record.nonce),
        "sealed": _text(record.sealed),
    }  # fmt: skip


def _record(raw: dict[str, Any]) -> Record:
    return Record(str(raw["id"]), int(raw["version"]), _bytes(raw["salt"]), _bytes(raw["nonce"]), _bytes(raw["sealed"]))


def _slot(raw: dict[str, Any]) -> Slot:
    return Slot(str(raw["id"]), str(raw["type"]), dict(raw["params"]), _bytes(raw["nonce"]), _bytes(raw["wrapped"]))


def _text(raw: bytes) -> str:
    return _encoded(raw).decode()


def _encoded(raw: bytes) -> bytes:
    return base64.b64encode(raw)


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
