"""What all methods of a broker share: the vault and its thread, the record, the questions, the live leases."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TypeVar

from locum.broker.approval import Approvals
from locum.broker.audit_keyring import state_account
from locum.broker.journal import Journal
from locum.broker.leases import LeaseTable
from locum.broker.record import Record
from locum.broker.upstream import Upstream
from locum.errors import LocumError, UsageProblem
from locum.refs.reference import is_name
from locum.secret import SecretBytes
from locum.vaults.interface import VaultError
from locum.vaults.local.keyslots import KeyringSlot
from locum.vaults.local.store import LocalVault

if TYPE_CHECKING:
    from locum.broker.connection import Connection
    from locum.paths import Paths

Params = dict[str, Any]
Answered = tuple[dict[str, Any], bytearray | bytes]
"""What a method answers: JSON-ready data, and values as raw bytes."""
Method = Callable[["Connection", Params, bytearray], Awaitable[Answered]]
T = TypeVar("T")


class Core:
    """One broker's state. Lives on the event loop; vault work runs in one thread of its own."""

    def __init__(self, paths: Paths) -> None:
        self.paths = paths
        self.vault = LocalVault(paths.vault)
        self.record = Record(
            paths.audit, lambda salt: self.vault.derive("audit", salt), account=self.keyring_account,
            secret=self.vault.get,
        )  # fmt: skip
        self.approvals = Approvals()
        self.leases = LeaseTable()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="vault")
        journal = Journal(paths.journal, lambda salt: self.vault.derive("journal", salt))
        self.upstream = Upstream(journal, self.in_worker, self.record.write)

    def keyring_account(self) -> str:
        """Return the keyring's account for the record's anchor, "" when no keyring opens this vault."""
        about = self.vault.describe()
        return state_account(about.vault_id) if any(slot.type == "keyring" for slot in about.slots) else ""

    async def in_worker(self, work: Callable[[], T]) -> T:
        """Do blocking work of the vault, one after the other."""
        return await asyncio.get_running_loop().run_in_executor(self._worker, work)

    async def open_vault(self, connection: Connection, passphrase: SecretBytes | None = None) -> None:
        """Unlock if need be and open the record. Raises VaultLocked, VaultError, AuditFailed."""
        about = await self.in_worker(self.vault.describe)
        if not about.unlocked or passphrase is not None:
            try:
                slot = await self.in_worker(lambda: self.vault.unlock(passphrase))
            except LocumError as error:
                self.record.write("vault.unlock", ok=False, pid=connection.peer.pid, reason=error.code)
                raise
            self.record.write("vault.unlock", ok=True, pid=connection.peer.pid, reason=slot)
        self.record.open()  # also when the vault was open already: without a record nothing is granted
        await self.upstream.replay()

    async def open_or_create(self, connection: Connection) -> None:
        """Open the vault; make one with a keyslot in the OS keyring when there is none yet and a keyring answers."""
        if not self.vault.exists():
            try:
                await self.in_worker(lambda: self.vault.create(KeyringSlot()))
            except LocumError as error:
                raise VaultError(
                    "vault.absent", f"there is no vault yet, and no keyring to make one with: {error.message}",
                    "Make one: `locum vault init` (passphrase) or `locum vault init --key-file`.",
                ) from None  # fmt: skip
            self.record.write("vault.create", ok=True, reason="keyring")
        await self.open_vault(connection)

    async def known(self, names: list[str]) -> None:
        """Raise VaultError for the first name that the vault has not, with the nearest one it has."""
        stored = [item.name for item in await self.in_worker(self.vault.list)]
        for name in names:
            if name not in stored:
                near = get_close_matches(name, stored, 1)
                hint = f"Did you mean {near[0]}?" if near else f"Store it: locum secret set {name}"
                raise VaultError("secret.absent", f"your vault has no {name}", hint)

    def close(self) -> None:
        """Close the record, forget the vault's key, end the thread."""
        self.upstream.shut()
        self.record.close(at_the_end=True)
        self.vault.lock()
        self._worker.shutdown(wait=False, cancel_futures=True)


def take_value(payload: bytearray) -> SecretBytes:
    """Move a payload into the type that holds values."""
    value = SecretBytes(payload)
    payload[:] = bytes(len(payload))
    return value


def close_terminal(terminal: int | None) -> None:
    """Close the descriptor that came with a request."""
    if terminal is not None:
        os.close(terminal)


def secret_name(params: Params, key: str = "name") -> str:
    """Return the name that a request gives. Raises UsageProblem for what cannot name a secret."""
    name = str(params.get(key, ""))
    if not is_name(name):
        raise UsageProblem(
            "secret.name", "this cannot name a secret", "Use letters, digits and _ . -, not a digit first."
        )
    return name
