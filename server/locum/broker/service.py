"""What the broker does for its clients: one method a request. Holds the vault, the leases and the record.

No method here approves, reveals to a person or edits policy: approving happens on the control channel or on the
asker's terminal (`approval`), and values leave only through `lease.redeem`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TypeVar, cast

from locum import __version__
from locum.broker import wire
from locum.broker.approval import ANSWER_WITHIN, Approvals
from locum.broker.audit import AuditFailed, AuditLog, verify
from locum.broker.comparisons import BULK, Comparisons
from locum.broker.leases import Lease, LeaseTable, SleepDetector
from locum.broker.peer import agent_marker
from locum.broker.person import ask, confirm, refusal, who
from locum.broker.question import LEVEL, change_question, copy_question, lease_question, show_argv
from locum.errors import LocumError, NotAllowed, UsageProblem
from locum.refs.manifest import MAX_TTL
from locum.refs.reference import is_name, parse
from locum.secret import SecretBytes
from locum.vaults.interface import SecretInfo, VaultError
from locum.vaults.local.keyslots import KeyringSlot
from locum.vaults.local.store import LocalVault

if TYPE_CHECKING:
    from locum.broker.connection import Connection
    from locum.paths import Paths

Answered = tuple[dict[str, Any], bytearray | bytes]
Params = dict[str, Any]
T = TypeVar("T")


class Service:
    """One broker's state and methods. Lives on the event loop; vault work runs in one thread of its own."""

    def __init__(self, paths: Paths) -> None:
        self.approvals = Approvals()
        self.leases = LeaseTable()
        self.stopping = asyncio.Event()
        self.watchers: set[Connection] = set()
        self.on_leases: Callable[[list[dict[str, Any]]], None] | None = None
        """Tells the control channel."""
        self._paths = paths
        self._vault = LocalVault(paths.vault)
        self._audit: AuditLog | None = None
        self._unwritten: deque[tuple[str, dict[str, Any]]] = deque(maxlen=256)
        self._sleep = SleepDetector()
        self._comparisons = Comparisons(lambda fields: self._record("secret.match", ok=True, **fields))
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="vault")
        self._methods: dict[str, Callable[[Connection, Params, bytearray], Awaitable[Answered]]] = {
            "status": self._status,
            "vault.unlock": self._unlock,
            "vault.lock": self._lock,
            "secret.list": self._list_secrets,
            "secret.store": self._store,
            "secret.match": self._match,
            "secret.copy": self._copy,
            "secret.discard": self._discard,
            "secret.remove": self._remove,
            "lease.request": self._request_lease,
            "lease.redeem": self._redeem,
            "lease.end": self._end_lease,
            "lease.list": self._list_leases,
            "lease.revoke": self._revoke_lease,
            "audit.verify": self._verify_audit,
            "watch": self._watch,
            "broker.stop": self._stop,
        }
        self._record("broker.start", ok=True, pid=os.getpid(), level=LEVEL)

    async def call(self, connection: Connection, message: wire.Message, payload: bytearray) -> Answered:
        """Do what a frame asks. Raises LocumError."""
        method = self._methods.get(str(message.get("method")))
        params = message.get("params")
        if method is None or not isinstance(params, dict):
            raise UsageProblem(
                "wire.method", "the broker does not know this request", "Update locum, or stop the broker."
            )
        if not connection.peer.alive():
            raise NotAllowed("denied.peer", "the process that opened this connection is gone")
        return await method(connection, cast("Params", params), payload)

    def left(self, connection: Connection) -> None:
        """A connection closed: its leases end with it."""
        self.watchers.discard(connection)
        self._write_comparisons(only=connection)
        for lease in self.leases.of(connection):
            self._finish(lease, "lease.end", "the task's process is gone")

    def tick(self) -> None:
        """Once a second: end what is over, whose process is gone, or what a suspend has passed over."""
        slept = self._sleep.slept()
        self._write_comparisons(older_than=BULK)
        for lease in self.leases:
            if slept:
                self._finish(lease, "lease.revoke", "the machine was asleep")
            elif not cast("Connection", lease.holder).peer.alive():
                self._finish(lease, "lease.end", "the task's process is gone")
        for lease in self.leases.expired():
            self._finish(lease, "lease.end", "its time is over")

    def close(self) -> None:
        """End everything and write the last record."""
        for lease in self.leases:
            self._finish(lease, "lease.revoke", "the broker has stopped")
        self._write_comparisons()
        with contextlib.suppress(LocumError):
            self._record("broker.stop", ok=True, pid=os.getpid())
        if self._audit is not None:
            self._audit.close()
        self._vault.lock()
        self._worker.shutdown(wait=False, cancel_futures=True)

    # -- vault ------------------------------------------------------------------------------------------------

    async def _status(self, connection: Connection, params: Params, payload: bytearray) -> Answered:  # noqa: ARG002 - one signature
        about = await self._in_worker(self._vault.describe)
        vault = {
            "exists": about.exists,
            "unlocked": about.unlocked,
            "items": about.items,
            "slots": [{"type": slot.type, "detail": slot.detail} for slot in about.slots],
        }
        return {
            "locum": __version__, "protocol": wire.PROTOCOL, "pid": os.getpid(), "level": LEVEL, "vault": vault,
            "control": self.approvals.has_control, "leases": len(self.leases), "binding": connection.peer.binding,
        }, b""  # fmt: skip

    async def _unlock(self, connection: Connection, params: Params, payload: bytearray) -> Answered:  # noqa: ARG002 - one signature
        passphrase = _take(payload)
        try:
            await self._open_vault(connection, passphrase)
        finally:
            passphrase.wipe()
        return {}, b""

    async def _lock(self, connection: Connection, params: Params, payload: bytearray) -> Answered:  # noqa: ARG002 - one signature
        for lease in self.leases:
            self._finish(lease, "lease.revoke", "the vault was locked")
        self._write_comparisons()
        self._record("vault.lock", ok=True, pid=connection.peer.pid)
        if self._audit is not None:
            self._audit.close()  # its last signature needs the vault's key
            self._audit = None
        await self._in_worker(self._vault.lock)
        return {}, b""

    async def _open_vault(self, connection: Connection, passphrase: SecretBytes | None = None) -> None:
        """Unlock if need be and open the record. Raises VaultLocked, VaultError."""
        about = await self._in_worker(self._vault.describe)
        if not about.unlocked or passphrase is not None:
            try:
                slot = await self._in_worker(lambda: self._vault.unlock(passphrase))
            except LocumError as error:
                self._record("vault.unlock", ok=False, pid=connection.peer.pid, reason=error.code)
                raise
            self._record("vault.unlock", ok=True, pid=connection.peer.pid, reason=slot)
        self._open_audit()  # also when the vault was open already: without a record nothing is granted

    def _open_audit(self) -> None:
        if self._audit is None:
            self._audit = AuditLog(self._paths.audit, lambda salt: self._vault.derive("audit", salt))
        while self._unwritten:
            operation, fields = self._unwritten[0]
            self._audit.append(operation, **fields)
            self._unwritten.popleft()

    def _record(self, operation: str, *, ok: bool, durable: bool = False, **fields: Any) -> None:
        """Write to the record; before the vault is open (its key signs the record) keep the event until then."""
        if self._audit is None and durable and ok:
            raise AuditFailed("it is not open")
        if self._audit is None:
            self._unwritten.append((operation, {"ok": ok, "durable": durable, **fields}))
        else:
            self._audit.append(operation, ok=ok, durable=durable, **fields)

    async def _in_worker(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._worker, work)

    # -- secrets ----------------------------------------------------------------------------------------------

    async def _list_secrets(self, connection: Connection, params: Params, payload: bytearray) -> Answered:  # noqa: ARG002 - one signature
        await self._open_vault(connection)
        items = await self._in_worker(self._vault.list)
        found = [{"name": i.name, "created": i.created, "updated": i.updated, "version": i.version} for i in items]
        return {"secrets": found}, b""

    async def _store(self, connection: Connection, params: Params, payload: bytearray) -> Answered:
        value = _take(payload)
        terminal = connection.take_terminal()
        handed_over = False

        def put() -> SecretInfo:
            try:
                return self._vault.put(name, value, must_be_new=not exists)
            finally:
                value.wipe()

        try:
            name = _name(params)
            await self._open_or_create(connection)
            exists = await self._in_worker(lambda: self._vault.has(name))
            if exists and params.get("new") is True:  # the asker chose the name because nobody had it
                raise VaultError("secret.exists", f"{name} was stored by somebody else meanwhile", "Try again.")
            if exists:
                await self._confirm_change(connection, terminal, "Replace", name)
            handed_over = True  # from here on the worker wipes: this call may be cancelled while it still stores
            info = await self._in_worker(put)
        finally:
            if not handed_over:
                value.wipe()
            _close(terminal)
        self._record(
            "secret.store", ok=True, durable=True, pid=connection.peer.pid, resources=[name],
            reason=str(params.get("origin", ""))[:40], requester=who(connection),
        )  # fmt: skip
        undo = ""
        if not exists:
            undo = secrets.token_hex(16)
            connection.undo[undo] = info
        return {"undo": undo, "version": info.version}, b""

    async def _open_or_create(self, connection: Connection) -> None:
        """Open the vault; make one with a keyslot in the OS keyring when there is none yet and a keyring answers."""
        if not self._vault.exists():
            try:
                await self._in_worker(lambda: self._vault.create(KeyringSlot()))
            except LocumError as error:
                raise VaultError(
                    "vault.absent", f"there is no vault yet, and no keyring to make one with: {error.message}",
                    "Make one: `locum vault init` (passphrase) or `locum vault init --key-file`.",
                ) from None  # fmt: skip
            self._record("vault.create", ok=True, reason="keyring")
        await self._open_vault(connection)

    async def _match(self, connection: Connection, params: Params, payload: bytearray) -> Answered:  # noqa: ARG002 - one signature
        value = _take(payload)

        def about() -> dict[str, Any]:
            return {"pid": connection.peer.pid, "requester": who(connection)}

        try:
            await self._open_vault(connection)
            self._comparisons.take(connection, about)
            name = await self._in_worker(lambda: self._vault.name_of(value))
        finally:
            value.wipe()
        if name:
            self._comparisons.told(connection, about, name)
        return {"name": name}, b""

    def _write_comparisons(self, *, only: Connection | None = None, older_than: float = 0.0) -> None:
        with contextlib.suppress(LocumError):  # nothing more is compared until it is written
            self._comparisons.write_down(only=only, older_than=older_than)

    async def _copy(self, connection: Connection, params: Params, payload: bytearray) -> Answered:  # noqa: ARG002 - one signature
        terminal = connection.take_terminal()
        try:
            name, new_name = _name(params), _name(params, "new_name")
            await self._open_vault(connection)
            await self._known([name])
            if await self._in_worker(lambda: self._vault.has(new_name)):
                raise VaultError("secret.exists", f"your vault has {new_name} already", "Choose another name.")
            question = copy_question(name, new_name, asked_by=who(connection), expires_in=ANSWER_WITHIN)
            takes = f"to give {name} a second name takes a person"
            await confirm(self.approvals, connection, question, terminal, takes)
        finally:
            _close(terminal)
        await self._in_worker(lambda: self._vault.copy(name, new_name))
        self._record("secret.copy", ok=True, durable=True, pid=connection.peer.pid, resources=[name, new_name])
        return {}, b""

    async def _discard(self, connection: Connection, params: Params, payload: bytearray) -> Answered:  # noqa: ARG002 - one signature
        stored = connection.undo.pop(str(params.get("undo")), None)
        now = await self._in_worker(self._vault.list) if stored is not None else []
        if stored is None or stored not in now:  # also when somebody has replaced it meanwhile
            raise NotAllowed("denied.undo", "nothing of this connection to undo")
        await self._in_worker(lambda: self._vault.remove(stored.name))
        self._record("secret.discard", ok=True, pid=connection.peer.pid, resources=[stored.name])
        return {}, b""

    async def _remove(self, connection: Connection, params: Params, payload: bytearray) -> Answered:  # noqa: ARG002 - one signature
        terminal = connection.take_terminal()
        try:
            name = _name(params)
            await self._open_vault(connection)
            await self._known([name])
            await self._confirm_change(connection, terminal, "Delete", name)
        finally:
            _close(terminal)
        await self._in_worker(lambda: self._vault.remove(name))
        self._record("secret.remove", ok=True, durable=True, pid=connection.peer.pid, resources=[name])
        return {}, b""

    async def _confirm_change(self, connection: Connection, terminal: int | None, verb: str, name: str) -> None:
        question = change_question(verb, name, asked_by=who(connection), expires_in=ANSWER_WITHIN)
        takes = f"{name} is in your vault already; to {verb.lower()} it takes a person"
        await confirm(self.approvals, connection, question, terminal, takes)

    async def _known(self, names: list[str]) -> None:
        """Raise VaultError for the first name that the vault has not, with the nearest one it has."""
        stored = [item.name for item in await self._in_worker(self._vault.list)]
        for name in names:
            if name not in stored:
                near = get_close_matches(name, stored, 1)
                hint = f"Did you mean {near[0]}?" if near else f"Store it: locum secret set {name}"
                raise VaultError("secret.absent", f"your vault has no {name}", hint)

    # -- leases -----------------------------------------------------------------------------------------------

    async def _request_lease(self, connection: Connection, params: Params, payload: bytearray) -> Answered:  # noqa: ARG002 - one signature
        terminal = connection.take_terminal()
        try:
            request = wire.LeaseRequest.from_wire(params)
            names = _local_names(request)
            self.leases.check_room(connection)
            await self._open_vault(connection)
            await self._known(names)
            lease = await self._decide(connection, request, terminal)
        finally:
            _close(terminal)
        self._tell_leases()
        return {"lease": lease.describe(lease.deadline - request.ttl)}, b""

    async def _decide(self, connection: Connection, request: wire.LeaseRequest, terminal: int | None) -> Lease:
        about = self._about(connection, request)
        try:
            question = lease_question(request, asked_by=who(connection), expires_in=ANSWER_WITHIN)
            answer = await ask(self.approvals, connection, question, terminal)
        except NotAllowed as error:
            self._record("lease.deny", ok=False, durable=True, reason=error.code, **about)
            raise
        except asyncio.CancelledError:
            self._record("lease.deny", ok=False, durable=True, reason="the asker left", **about)
            raise
        if not answer.allowed:
            self._record("lease.deny", ok=False, durable=True, reason="refused", approved_by=answer.by, **about)
            raise NotAllowed("denied.refused", refusal(answer), "Nothing was started.")
        if not connection.peer.alive():
            raise NotAllowed("denied.peer", "the process that asked is gone")
        lease = self.leases.grant(request, pid=connection.peer.pid, holder=connection, approved_by=answer.by)
        try:
            self._record("lease.grant", ok=True, durable=True, lease=lease.id, approved_by=answer.by, **about)
        except LocumError:
            self.leases.end(lease)  # no record, no grant
            raise
        return lease

    async def _redeem(self, connection: Connection, params: Params, payload: bytearray) -> Answered:  # noqa: ARG002 - one signature
        grants = self.leases.use(str(params.get("id")), connection)
        values = bytearray()
        sizes: list[dict[str, Any]] = []
        for grant in grants:
            name = parse(grant.reference).name
            value = await self._in_worker(lambda name=name: self._vault.get(name))
            with value.view() as view:
                values += view
                sizes.append({"env": grant.key, "size": len(view)})
            value.wipe()
        if not self.leases.is_live(str(params.get("id")), connection):
            values[:] = bytes(len(values))  # it was ended while the vault was read
            raise NotAllowed("denied.lease", "no such lease for this process", "Ask for a new one: run the task again.")
        self._record(
            "lease.use", ok=True, durable=True, lease=str(params.get("id")), pid=connection.peer.pid,
            resources=[grant.key for grant in grants], references=[grant.reference for grant in grants],
        )  # fmt: skip
        return {"values": sizes}, values

    async def _end_lease(self, connection: Connection, params: Params, payload: bytearray) -> Answered:  # noqa: ARG002 - one signature
        lease = self.leases.find(str(params.get("id")))
        if lease is None or lease.holder is not connection:
            raise NotAllowed("denied.lease", "no such lease for this process")
        code = params.get("exit_code")
        self._finish(lease, "lease.end", "the task has ended", exit_code=code if isinstance(code, int) else -1)
        return {}, b""

    async def _list_leases(self, connection: Connection, params: Params, payload: bytearray) -> Answered:  # noqa: ARG002 - one signature
        return {"leases": self.leases.describe()}, b""

    async def _revoke_lease(self, connection: Connection, params: Params, payload: bytearray) -> Answered:  # noqa: ARG002 - one signature
        lease = self.leases.find(str(params.get("id")))
        if lease is None:
            raise UsageProblem("lease.unknown", "no live lease with this id", "See `locum lease list`.")
        self._finish(lease, "lease.revoke", "revoked")
        return {}, b""

    def _finish(self, lease: Lease, operation: str, reason: str, **fields: Any) -> None:
        """End a lease, tell its task and whoever watches, and write it down."""
        self.leases.end(lease)
        cast("Connection", lease.holder).send({"event": "lease.ended", "id": lease.id, "reason": reason})
        self._tell_leases()
        with contextlib.suppress(LocumError):  # a record that cannot be written must not keep a lease alive
            self._record(operation, ok=True, lease=lease.id, pid=lease.pid, reason=reason, **fields)

    def _tell_leases(self) -> None:
        leases = self.leases.describe()
        for watcher in list(self.watchers):
            watcher.send({"event": "leases", "leases": leases})
        if self.on_leases is not None:
            self.on_leases(leases)

    def _about(self, connection: Connection, request: wire.LeaseRequest) -> dict[str, Any]:
        return {
            "pid": connection.peer.pid, "task": request.task, "argv": [show_argv(request.argv)], "cwd": request.cwd,
            "resources": [g.key for g in request.grants], "references": [g.reference for g in request.grants],
            "ttl_s": request.ttl, "level": LEVEL, "requester": who(connection),
        }  # fmt: skip

    # -- the rest ---------------------------------------------------------------------------------------------

    async def _watch(self, connection: Connection, params: Params, payload: bytearray) -> Answered:  # noqa: ARG002 - one signature
        self.watchers.add(connection)
        connection.send({"event": "leases", "leases": self.leases.describe()})
        return {}, b""

    async def _verify_audit(self, connection: Connection, params: Params, payload: bytearray) -> Answered:  # noqa: ARG002 - one signature
        await self._open_vault(connection)
        verdict = await self._in_worker(
            lambda: verify(self._paths.audit, lambda salt: self._vault.derive("audit", salt))
        )
        return {
            "ok": verdict.ok, "records": verdict.records, "first_bad": verdict.first_bad, "reason": verdict.reason,
        }, b""  # fmt: skip

    async def _stop(self, connection: Connection, params: Params, payload: bytearray) -> Answered:  # noqa: ARG002 - one signature
        marker = agent_marker(connection.peer.pid)
        if marker and self.approvals.has_control:
            message = f"an editor holds the broker, and the asker is inside an AI agent ({marker})"
            raise NotAllowed("denied.agent", message, "Stop it from a terminal of your own.")
        self.stopping.set()
        return {}, b""


def _take(payload: bytearray) -> SecretBytes:
    """Move a payload into the type that holds values."""
    value = SecretBytes(payload)
    payload[:] = bytes(len(payload))
    return value


def _close(terminal: int | None) -> None:
    if terminal is not None:
        os.close(terminal)


def _name(params: Params, key: str = "name") -> str:
    name = str(params.get(key, ""))
    if not is_name(name):
        raise UsageProblem(
            "secret.name", "this cannot name a secret", "Use letters, digits and _ . -, not a digit first."
        )
    return name


def _local_names(request: wire.LeaseRequest) -> list[str]:
    """Return the local vault's names that a request needs. Raises UsageProblem for what is not served."""
    if not 0 < request.ttl <= MAX_TTL:
        raise UsageProblem("lease.ttl", "a lease lives between one second and 24 hours")
    names: list[str] = []
    for grant in request.grants:
        reference = parse(grant.reference)
        if not reference.is_declared or grant.source != "local":
            raise UsageProblem(
                "provider.absent", f"{grant.reference} is not in the local vault, the one provider that this version has",
                'Store the value with `locum secret set` and declare source = "local".',
            )  # fmt: skip
        names.append(reference.name)
    return names
