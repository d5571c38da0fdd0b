"""The vault file's bytes: read, checked, written. Knows the format (docs/vault-format.md), no path and no lock.

Every way in which the bytes can be wrong is one error, `vault.corrupt`, which holds none of them.
"""

from __future__ import annotations

import binascii
import hmac
import json
import os
import re
from dataclasses import dataclass, field
from typing import Any, cast

from locum.secret import SecretBytes
from locum.vaults.interface import VaultError
from locum.vaults.local.crypto import SALT_SIZE, SealBroken, authenticate, derive, pad, seal, unpad, unseal
from locum.vaults.local.keyslots import Slot

FORMAT = "locum-vault"
VERSION = 1
ALGORITHM = "aes-256-gcm"
MAX_FILE = 64 * 1024 * 1024
MAX_SLOTS = 16
"""Each passphrase slot costs a fifth of a second and 64 MiB to try: a planted header must not name thousands."""
_ID = re.compile(r"[a-z0-9-]{1,64}")
_MAX_COUNT = 1 << 62
_MAX_TEXT = 4096


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
            if _count(body["version"]) > VERSION:
                raise VaultError("vault.newer", "this vault was written by a newer Locum", "Update locum.")
            slots, records = [_slot(slot) for slot in body["slots"]], [_record(record) for record in body["records"]]
            if body["version"] != VERSION or len(slots) > MAX_SLOTS:
                raise corrupt()
            return cls(
                _id(body["vault"]), _count(body["epoch"]), _count(body["generation"]), slots, _record(body["index"]),
                {record.id: record for record in records},
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
        finally:
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
    return Record(
        _id(raw["id"]), _count(raw["version"]), _bytes(raw["salt"]), _bytes(raw["nonce"]), _bytes(raw["sealed"])
    )


def _slot(raw: dict[str, Any]) -> Slot:
    params = cast("dict[str, Any]", raw["params"])
    if not isinstance(raw["params"], dict) or len(params) > MAX_SLOTS:
        raise ValueError
    checked = {_id(name): _param(value) for name, value in params.items()}
    return Slot(_id(raw["id"]), _id(raw["type"]), checked, _bytes(raw["nonce"]), _bytes(raw["wrapped"]))


# What was read is shown to people and handed to the system before it can be authenticated: it has to be harmless.


def _id(raw: Any) -> str:
    if not isinstance(raw, str) or not _ID.fullmatch(raw):
        raise ValueError
    return raw


def _count(raw: Any) -> int:
    if type(raw) is not int or not 0 <= raw < _MAX_COUNT:
        raise ValueError
    return raw


def _param(raw: Any) -> str | int:
    if not isinstance(raw, str):
        return _count(raw)
    if len(raw) > _MAX_TEXT or not raw.isprintable():
        raise ValueError
    return raw


def _text(raw: bytes) -> str:
    return _encoded(raw).decode()


def _encoded(raw: bytes) -> bytes:
    return binascii.b2a_base64(raw, newline=False)


def _bytes(text: str) -> bytes:
    return binascii.a2b_base64(text, strict_mode=True)
