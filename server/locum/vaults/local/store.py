"""`LocalVault`: names and values over the envelope. The broker is its only user while it runs.

Every write stores, re-reads the file from disk and compares before it returns (promise P2).
"""

from __future__ import annotations

import json
import os
import re
import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from locum.errors import UsageProblem
from locum.secret import SecretBytes
from locum.vaults.interface import Ready, SecretInfo, Status, Unavailable, VaultError, VaultLocked
from locum.vaults.local.crypto import KEY_SIZE, derive
from locum.vaults.local.envelope import MAX_FILE, MAX_SLOTS, Envelope, Record, corrupt
from locum.vaults.local.keyslots import NewSlot, forget_slot, new_slot, open_slot
from locum.vaults.local.place import Place
from locum.vaults.local.same_value import SameValue

MAX_VALUE = 256 * 1024
MAX_ITEMS = 10_000
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,127}")
_INDEX = "index"


@dataclass(frozen=True, slots=True)
class SlotInfo:
    """A keyslot as it may be shown."""

    id: str
    type: str
    detail: str


@dataclass(frozen=True, slots=True)
class VaultDescription:
    """What can be said of the vault. `items` only while it is unlocked."""

    exists: bool
    vault_id: str = ""
    generation: int = 0
    unlocked: bool = False
    slots: tuple[SlotInfo, ...] = ()
    items: int | None = None


class LocalVault:
    """The vault in one file. Not safe for several threads; safe for several processes."""

    name = "local"

    def __init__(self, path: Path) -> None:
        self._place = Place(path, MAX_FILE)
        self._data_key: SecretBytes | None = None
        self._loaded: tuple[bytes, Envelope, dict[str, Any]] | None = None
        """The file's bytes that were checked last, and what they hold: the same bytes need no second check."""
        self._same_value: SameValue | None = None

    # -- the vault --------------------------------------------------------------------------------------------

    def exists(self) -> bool:
        """Say whether there is a vault file."""
        return self._place.exists()

    def create(self, slot: NewSlot) -> None:
        """Make an empty vault that `slot` opens. Raises VaultError (`vault.exists`), UsageProblem, VaultLocked."""
        data_key = SecretBytes(os.urandom(KEY_SIZE))
        with self._place.locked():
            if self._place.exists():
                raise VaultError("vault.exists", f"there is a vault already: {self._place.path}")
            envelope = Envelope(secrets.token_hex(16), 1, 0, [], Record(_INDEX, 0, b"", b"", b""))
            self._write_slot(slot, envelope, {}, data_key)
        data_key.wipe()

    def add_slot(self, slot: NewSlot) -> None:
        """Let another slot open the vault too. Raises VaultLocked, UsageProblem."""
        with self._place.locked():
            envelope, index, data_key = self._load()
            if len(envelope.slots) >= MAX_SLOTS:
                raise VaultError("vault.full", f"a vault has at most {MAX_SLOTS} keyslots")
            self._write_slot(slot, envelope, index, data_key)

    def unlock(self, passphrase: SecretBytes | None = None) -> str:
        """Open the vault by the first slot that works; return that slot's kind.

        With a passphrase only the passphrase slots are tried. Raises VaultLocked, which says of each slot why not.
        """
        raw = self._place.read()
        envelope = Envelope.from_bytes(raw)
        failures: list[VaultLocked] = []
        for slot in envelope.slots:
            if passphrase is not None and slot.type != "passphrase":
                continue
            try:
                data_key = open_slot(slot, envelope.vault, envelope.epoch, passphrase)
            except VaultLocked as failure:
                failures.append(failure)
                continue
            try:
                envelope.check(raw, data_key)
            except VaultError:
                data_key.wipe()
                raise
            self.lock()
            self._data_key = data_key
            return slot.type
        if not failures:
            raise VaultLocked("locked.slot", "the vault has no such keyslot", "See: locum vault status")
        codes = {failure.code for failure in failures}
        code = "locked.passphrase" if "locked.passphrase" in codes else failures[0].code
        hint = next((failure.hint for failure in failures if failure.hint), "")
        raise VaultLocked(code, "the vault is locked: " + "; ".join(failure.message for failure in failures), hint)

    def lock(self) -> None:
        """Forget the key."""
        if self._data_key is not None:
            self._data_key.wipe()
            self._data_key = None
        if self._same_value is not None:
            self._same_value.wipe()
            self._same_value = None
        self._loaded = None

    def describe(self) -> VaultDescription:
        """Say what can be said; raises nothing for a vault that is not there. While it is locked, nothing of it is checked."""
        if not self.exists():
            return VaultDescription(False)
        unlocked = self._data_key is not None
        envelope = self._load()[0] if unlocked else Envelope.from_bytes(self._place.read())
        slots = tuple(SlotInfo(slot.id, slot.type, str(slot.params.get("path", ""))) for slot in envelope.slots)
        items = len(envelope.records) if unlocked else None
        return VaultDescription(True, envelope.vault, envelope.generation, unlocked, slots, items)

    def status(self) -> Status:
        """Say whether the vault can answer now."""
        try:
            about = self.describe()
        except VaultError as error:
            return Unavailable(error.message, error.hint)
        if not about.exists:
            return Unavailable("there is no vault yet", "Make one: locum vault init")
        return Ready() if about.unlocked else Unavailable("the vault is locked", "Unlock it: locum vault unlock")

    def derive(self, label: str, salt: bytes = b"") -> SecretBytes:
        """Derive a key for another purpose from the vault's key. Raises VaultLocked."""
        envelope, _, data_key = self._load()
        return derive(data_key, salt, "locum", label, envelope.vault)

    # -- secrets ----------------------------------------------------------------------------------------------

    def list(self) -> list[SecretInfo]:
        """Return all names, sorted. Raises VaultLocked, VaultError."""
        _, index, _ = self._load()
        return [_info(name, entry) for name, entry in sorted(index.items())]

    def has(self, name: str) -> bool:
        """Say whether there is a secret of this name. Raises VaultLocked, VaultError."""
        return name in self._load()[1]

    def get(self, name: str) -> SecretBytes:
        """Return a value. Raises VaultError (`secret.absent`), VaultLocked."""
        envelope, index, data_key = self._load()
        return self._value(envelope, index, data_key, name)

    def name_of(self, value: SecretBytes) -> str:
        """Return the name of the secret that has exactly this value, the first by name, "" for none.

        Values under 8 bytes have none. The first call opens every value, later ones those that are new. Raises
        VaultLocked, VaultError.
        """
        envelope, index, data_key = self._load()
        if self._same_value is None:
            self._same_value = SameValue(derive(data_key, b"", "locum", "same value", envelope.vault))
        stored = [(name, (entry["id"], entry["version"])) for name, entry in sorted(index.items())]
        return self._same_value.find(value, stored, lambda name: self._value(envelope, index, data_key, name))

    def copy(self, name: str, new_name: str) -> SecretInfo:
        """Store a value under a second name, which must be new. Raises as `get` and `put`."""
        value = self.get(name)
        try:
            return self.put(new_name, value, must_be_new=True)
        finally:
            value.wipe()

    def put(self, name: str, value: SecretBytes, *, must_be_new: bool) -> SecretInfo:
        """Store a value, read it back from the file and compare. Raises VaultError, VaultLocked, UsageProblem.

        After an error the vault is as it was, except `vault.unsure`: the new value may be there.
        """
        if not _NAME.fullmatch(name):
            raise UsageProblem("secret.name", "this cannot name a secret", "Use letters, digits and _ . -")
        with value.view() as view:
            if not 0 < len(view) <= MAX_VALUE:
                raise UsageProblem("value.size", "a value has between 1 byte and 256 KiB")
        with self._place.locked():
            envelope, index, data_key = self._load()
            old = index.get(name)
            if old is not None and must_be_new:
                raise VaultError("secret.exists", f"your vault has {name} already", "Choose another name.")
            if old is None and len(index) >= MAX_ITEMS:
                raise VaultError("vault.full", f"a vault holds at most {MAX_ITEMS} secrets")
            now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
            entry: dict[str, Any] = {
                "id": old["id"] if old else secrets.token_hex(16), "version": old["version"] + 1 if old else 1,
                "created": old["created"] if old else now, "updated": now,
            }  # fmt: skip
            record = envelope.seal_record(data_key, "item", entry["id"], entry["version"], value)
            envelope.records[record.id] = record
            self._write(envelope, index | {name: entry}, data_key, expected=(name, value))
        return _info(name, entry)

    def remove(self, name: str) -> None:
        """Delete a secret. Raises VaultError (`secret.absent`), VaultLocked.

        The generation before, with the value, stays in `.bak` (encrypted) until the next write.
        """
        with self._place.locked():
            envelope, index, data_key = self._load()
            entry = index.pop(name, None)
            if entry is None:
                raise _absent(name)
            envelope.records.pop(entry["id"], None)
            self._write(envelope, index, data_key)

    # -- inside -----------------------------------------------------------------------------------------------

    def _key(self) -> SecretBytes:
        if self._data_key is None:
            raise VaultLocked("locked.closed", "the vault is locked", "Unlock it: locum vault unlock")
        return self._data_key

    def _load(self) -> tuple[Envelope, dict[str, Any], SecretBytes]:
        """Read and check the file; return it with its index of names and the data key. Both are the caller's to change."""
        data_key = self._key()
        raw = self._place.read()
        if self._loaded is None or self._loaded[0] != raw:
            self._loaded = (raw, *_checked(raw, data_key))
        _, envelope, index = self._loaded
        return replace(envelope, slots=[*envelope.slots], records=dict(envelope.records)), dict(index), data_key

    def _write_slot(self, slot: NewSlot, envelope: Envelope, index: dict[str, Any], data_key: SecretBytes) -> None:
        """Make a slot and write it; its key is taken back when the slot is not in the file then."""
        made = new_slot(slot, data_key, envelope.vault, envelope.epoch)
        envelope.slots.append(made)
        try:
            self._write(envelope, index, data_key)
        except VaultError as error:
            if error.code != "vault.unsure":  # then the file may need the key
                forget_slot(made)
            raise

    def _write(
        self, envelope: Envelope, index: dict[str, Any], data_key: SecretBytes, *,
        expected: tuple[str, SecretBytes] | None = None,
    ) -> None:  # fmt: skip
        """Write the next generation and look into what comes back, before and after it counts. Call it under the lock."""
        envelope.generation += 1
        names = SecretBytes(json.dumps(index, sort_keys=True).encode())
        envelope.index = envelope.seal_record(data_key, _INDEX, _INDEX, envelope.generation, names)

        seen: tuple[bytes, Envelope, dict[str, Any]] | None = None

        def check(raw: bytes) -> None:
            nonlocal seen
            if seen is None or seen[0] != raw:  # the second time they should be the very bytes of the first
                seen = (raw, *_checked(raw, data_key))
            _, again, names_again = seen
            if expected is not None:
                name, value = expected
                found = self._value(again, names_again, data_key, name)
                same = found.same_as(value)
                found.wipe()
                if not same:
                    raise VaultError("vault.io", f"{name} did not read back as it was stored", "Check the disk.")

        self._loaded = None
        self._place.replace(envelope.to_bytes(data_key), check)
        if data_key is self._data_key:
            self._loaded = seen

    @staticmethod
    def _value(envelope: Envelope, index: dict[str, Any], data_key: SecretBytes, name: str) -> SecretBytes:
        if name not in index:
            raise _absent(name)
        record = envelope.records.get(index[name]["id"])
        if record is None or record.version != index[name]["version"]:
            raise corrupt()
        return envelope.open_record(data_key, "item", record)


def _checked(raw: bytes, data_key: SecretBytes) -> tuple[Envelope, dict[str, Any]]:
    """Read a file's bytes and its index of names, believing nothing that is not signed. Raises VaultError."""
    envelope = Envelope.from_bytes(raw)
    envelope.check(raw, data_key)
    plain = envelope.open_record(data_key, _INDEX, envelope.index)
    try:
        return envelope, json.loads(bytes(plain.view()))
    except ValueError:
        raise corrupt() from None


def _info(name: str, entry: dict[str, Any]) -> SecretInfo:
    return SecretInfo(name, entry["created"], entry["updated"], entry["version"])


def _absent(name: str) -> VaultError:
    return VaultError("secret.absent", f"your vault has no {name}", f"Store it: locum secret set {name}")
