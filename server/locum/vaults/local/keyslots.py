"""Keyslots: several ways to one key. Each wraps the vault's data key under a key that only it can bring back.

Which kinds there are: the OS keyring, a passphrase (Argon2id, RFC 9106), a key file. No kind stands in for another
silently: a vault opens by the slots that a person gave it.
"""

from __future__ import annotations

import base64
import contextlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from locum.errors import UsageProblem
from locum.secret import SecretBytes
from locum.vaults.interface import VaultLocked
from locum.vaults.local.crypto import KEY_SIZE, SALT_SIZE, SealBroken, seal, unseal
from locum.vaults.local.disk import is_open_to_others, is_ours, open_private, read_all, sync, sync_folder, write_all

ARGON2_MEMORY_KIB = 64 * 1024
ARGON2_ITERATIONS = 3
ARGON2_LANES = 4
_ARGON2_BOUNDS = {"memory": (8 * 1024, 1024 * 1024), "iterations": (1, 16), "lanes": (1, 16)}
"""What is accepted on reading: a planted header must not make us eat all memory, nor weaken the derivation."""

_FORMAT = "locum-slot-1"


@dataclass(frozen=True, slots=True)
class KeyFileSlot:
    """A key in a 0600 file that is made at `path`."""

    path: Path


@dataclass(frozen=True, slots=True)
class PassphraseSlot:
    """A key that is derived from a passphrase."""

    passphrase: SecretBytes


@dataclass(frozen=True, slots=True)
class KeyringSlot:
    """A random key, kept as one item in the OS keyring."""


NewSlot = KeyFileSlot | PassphraseSlot | KeyringSlot


@dataclass(frozen=True, slots=True)
class Slot:
    """A keyslot as it stands in the file: kind, public parameters, the wrapped data key."""

    id: str
    type: str
    params: dict[str, Any]
    nonce: bytes
    wrapped: bytes


def new_slot(wanted: NewSlot, data_key: SecretBytes, vault: str, epoch: int) -> Slot:
    """Make the slot's own key, put it where it belongs and wrap the data key under it.

    Raises UsageProblem (a file is in the way), VaultLocked (the keyring does not answer).
    """
    identity = secrets.token_hex(8)
    if isinstance(wanted, KeyFileSlot):
        path = wanted.path.absolute()  # whoever opens the vault later may stand elsewhere
        kind, params, key = "key-file", {"path": str(path)}, _make_key_file(path)
    elif isinstance(wanted, PassphraseSlot):
        kind = "passphrase"
        if wanted.passphrase.is_empty():
            raise UsageProblem("passphrase.empty", "an empty passphrase protects nothing", "Type at least one word.")
        params = {
            "salt": secrets.token_hex(SALT_SIZE), "memory": ARGON2_MEMORY_KIB, "iterations": ARGON2_ITERATIONS,
            "lanes": ARGON2_LANES,
        }  # fmt: skip
        key = _from_passphrase(wanted.passphrase, params)
    else:
        from locum.vaults.local.keyring_slot import store_key

        # The slot's own id is in the account: a second slot must not overwrite the key of the first.
        kind, params, key = "keyring", {"account": f"{vault}-{epoch}-{identity}"}, SecretBytes(os.urandom(KEY_SIZE))
        store_key(params["account"], key)
    nonce, wrapped = seal(key, data_key, *_bound(identity, kind, params, vault, epoch))
    key.wipe()
    return Slot(identity, kind, params, nonce, wrapped)


def open_slot(slot: Slot, vault: str, epoch: int, passphrase: SecretBytes | None) -> SecretBytes:
    """Return the data key. Raises VaultLocked, whose message says why this slot does not open."""
    if slot.type == "key-file":
        key = _read_key_file(Path(str(slot.params.get("path"))))
    elif slot.type == "passphrase":
        if passphrase is None:
            raise VaultLocked("locked.passphrase", "it needs its passphrase", "Unlock it: locum vault unlock")
        key = _from_passphrase(passphrase, slot.params)
    elif slot.type == "keyring":
        from locum.vaults.local.keyring_slot import load_key

        key = load_key(str(slot.params.get("account")))
    else:
        raise VaultLocked("locked.slot", f"a keyslot of an unknown kind ({slot.type})", "Update locum.")
    try:
        return unseal(key, slot.nonce, slot.wrapped, *_bound(slot.id, slot.type, slot.params, vault, epoch))
    except SealBroken:
        what = "the passphrase is wrong" if slot.type == "passphrase" else f"its {slot.type} holds another key"
        raise VaultLocked("locked.wrong", what, "Try again.") from None
    finally:
        key.wipe()


def forget_slot(slot: Slot) -> None:
    """Take back the key that `new_slot` made, for a slot that came into no vault. Best effort, never raises."""
    if slot.type == "key-file":
        with contextlib.suppress(OSError):
            Path(str(slot.params["path"])).unlink()
    elif slot.type == "keyring":
        from locum.vaults.local.keyring_slot import forget_key

        forget_key(str(slot.params["account"]))


def _bound(identity: str, kind: str, params: dict[str, Any], vault: str, epoch: int) -> tuple[str | int, ...]:
    """Everything that a wrapped key is bound to: a slot cannot be moved, relabelled or weakened."""
    flat = [part for name in sorted(params) for part in (name, str(params[name]))]
    return (_FORMAT, vault, epoch, identity, kind, *flat)


def _from_passphrase(passphrase: SecretBytes, params: dict[str, Any]) -> SecretBytes:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    numbers: dict[str, int] = {}
    for name, (least, most) in _ARGON2_BOUNDS.items():
        value = params.get(name)
        if not isinstance(value, int) or not least <= value <= most:
            raise VaultLocked("locked.slot", f"the passphrase slot's {name} is out of bounds", "Restore a backup.")
        numbers[name] = value
    try:
        salt = bytes.fromhex(str(params.get("salt")))
        derivation = Argon2id(
            salt=salt, length=KEY_SIZE, iterations=numbers["iterations"], lanes=numbers["lanes"],
            memory_cost=numbers["memory"],
        )  # fmt: skip
        return SecretBytes(derivation.derive(bytes(passphrase.view())))
    except ValueError:
        raise VaultLocked("locked.slot", "the passphrase slot is damaged", "Restore a backup.") from None
    except MemoryError:
        need = f"a passphrase needs {numbers['memory'] // 1024} MiB of memory, which are not there"
        raise VaultLocked("locked.memory", need, "Close something, then try again.") from None
    except UnsupportedAlgorithm:
        hint = "Install a newer cryptography, or use a key file: locum vault init --key-file"
        raise VaultLocked("locked.slot", "this Python's OpenSSL has no Argon2id", hint) from None


def _make_key_file(path: Path) -> SecretBytes:
    if not str(path).isprintable():
        raise UsageProblem("key-file.path", "this cannot name a key file", "Use printable characters: --path FILE")
    key = SecretBytes(os.urandom(KEY_SIZE))
    try:
        descriptor = open_private(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    except FileExistsError:
        raise UsageProblem("key-file.exists", f"{path} is there already", "Name another: --path FILE") from None
    except OSError as error:
        raise _not_made(path, error) from None
    try:
        write_all(descriptor, base64.b64encode(key.view()) + b"\n")
        sync(descriptor)
        sync_folder(path.parent)  # a vault whose key did not outlive a power cut is lost
    except OSError as error:
        path.unlink(missing_ok=True)
        raise _not_made(path, error) from None
    finally:
        os.close(descriptor)
    return key


def _not_made(path: Path, error: OSError) -> UsageProblem:
    return UsageProblem("key-file.write", f"{path} cannot be made ({error.strerror})", "Name another: --path FILE")


def _read_key_file(path: Path) -> SecretBytes:
    try:
        descriptor = open_private(path, os.O_RDONLY)
        try:
            info = os.fstat(descriptor)
            if not is_ours(info):
                raise VaultLocked("locked.key-file", f"its key file {path} is not a file of yours")
            if is_open_to_others(info):
                raise VaultLocked("locked.key-file", f"its key file {path} is open to others", f"chmod 600 {path}")
            raw = read_all(descriptor, 256)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise VaultLocked("locked.key-file", f"its key file {path} cannot be read ({error.strerror})") from None
    try:
        key = base64.b64decode(raw.strip(), validate=True)
    except ValueError:
        key = b""
    if len(key) != KEY_SIZE:
        raise VaultLocked("locked.key-file", f"{path} holds no key")
    return SecretBytes(key)
