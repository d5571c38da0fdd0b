"""The broker's methods for leases: ask, redeem, end, list, revoke. Approving is not among them: `approval` asks a person."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from locum.broker import wire
from locum.broker.approval import ANSWER_WITHIN
from locum.broker.core import Answered, Core, Method, Params, close_terminal
from locum.broker.leases import Lease, SleepDetector
from locum.broker.person import ask, refusal, who
from locum.broker.question import LEVEL, lease_question
from locum.broker.scrub import scrub_argv
from locum.errors import LocumError, NotAllowed, UsageProblem
from locum.refs.manifest import MAX_TTL
from locum.refs.reference import parse

if TYPE_CHECKING:
    from locum.broker.connection import Connection


class Granting:
    """The methods `lease.*`, and the ends of leases."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._sleep = SleepDetector()
        self.watchers: set[Connection] = set()
        self.on_leases: Callable[[list[dict[str, Any]]], None] | None = None
        """Tells the control channel."""

    def methods(self) -> dict[str, Method]:
        """Return the methods by name."""
        return {
            "lease.request": self._request,
            "lease.redeem": self._redeem,
            "lease.end": self._end,
            "lease.list": self._list,
            "lease.revoke": self._revoke,
            "watch": self._watch,
        }

    def left(self, connection: Connection) -> None:
        """A connection closed: its leases end with it."""
        self.watchers.discard(connection)
        for lease in self._core.leases.of(connection):
            self.finish(lease, "lease.end", "the task's process is gone")

    def tick(self) -> None:
        """Once a second: end what is over, whose process is gone, or what a suspend has passed over."""
        slept = self._sleep.slept()
        for lease in self._core.leases:
            if slept:
                self.finish(lease, "lease.revoke", "the machine was asleep")
            elif not cast("Connection", lease.holder).peer.alive():
                self.finish(lease, "lease.end", "the task's process is gone")
        for lease in self._core.leases.expired():
            self.finish(lease, "lease.end", "its time is over")

    def end_all(self, reason: str) -> None:
        """Revoke every lease."""
        for lease in self._core.leases:
            self.finish(lease, "lease.revoke", reason)

    async def _request(self, connection: Connection, params: Params, payload: bytearray) -> Answered:  # noqa: ARG002 - one signature
        terminal = connection.take_terminal()
        try:
            request = wire.LeaseRequest.from_wire(params)
            names = _local_names(request)
            self._core.leases.check_room(connection)
            await self._core.open_vault(connection)
            await self._core.known(names)
            lease = await self._decide(connection, request, terminal)
        finally:
            close_terminal(terminal)
        self._tell()
        return {"lease": lease.describe(lease.deadline - request.ttl)}, b""

    async def _decide(self, connection: Connection, request: wire.LeaseRequest, terminal: int | None) -> Lease:
        about = self._about(connection, request)
        try:
            question = lease_question(request, asked_by=who(connection), expires_in=ANSWER_WITHIN)
            answer = await ask(self._core.approvals, connection, question, terminal)
        except NotAllowed as error:
            self._core.record.write("lease.deny", ok=False, durable=True, reason=error.code, **about)
            raise
        except asyncio.CancelledError:
            self._core.record.write("lease.deny", ok=False, durable=True, reason="the asker left", **about)
            raise
        if not answer.allowed:
            self._core.record.write(
                "lease.deny", ok=False, durable=True, reason="refused", approved_by=answer.by, **about
            )
            raise NotAllowed("denied.refused", refusal(answer), "Nothing was started.")
        if not connection.peer.alive():
            raise NotAllowed("denied.peer", "the process that asked is gone")
        lease = self._core.leases.grant(request, pid=connection.peer.pid, holder=connection, approved_by=answer.by)
        try:
            self._core.record.write(
                "lease.grant", ok=True, durable=True, lease=lease.id, approved_by=answer.by, **about
            )
        except LocumError:
            self._core.leases.end(lease)  # no record, no grant
            raise
        return lease

    async def _redeem(self, connection: Connection, params: Params, payload: bytearray) -> Answered:  # noqa: ARG002 - one signature
        grants = self._core.leases.use(str(params.get("id")), connection)
        values = bytearray()
        sizes: list[dict[str, Any]] = []
        for grant in grants:
            name = parse(grant.reference).name
            value = await self._core.in_worker(lambda name=name: self._core.vault.get(name))
            with value.view() as view:
                values += view
                sizes.append({"env": grant.key, "size": len(view)})
            value.wipe()
        if not self._core.leases.is_live(str(params.get("id")), connection):
            values[:] = bytes(len(values))  # it was ended while the vault was read
            raise NotAllowed("denied.lease", "no such lease for this process", "Ask for a new one: run the task again.")
        self._core.record.write(
            "lease.use", ok=True, durable=True, lease=str(params.get("id")), pid=connection.peer.pid,
            resources=[grant.key for grant in grants], references=[grant.reference for grant in grants],
        )  # fmt: skip
        return {"values": sizes}, values

    async def _end(self, connection: Connection, params: Params, payload: bytearray) -> Answered:  # noqa: ARG002 - one signature
        lease = self._core.leases.find(str(params.get("id")))
        if lease is None or lease.holder is not connection:
            raise NotAllowed("denied.lease", "no such lease for this process")
        code = params.get("exit_code")
        self.finish(lease, "lease.end", "the task has ended", exit_code=code if isinstance(code, int) else -1)
        return {}, b""

    async def _list(self, connection: Connection, params: Params, payload: bytearray) -> Answered:  # noqa: ARG002 - one signature
        return {"leases": self._core.leases.describe()}, b""

    async def _revoke(self, connection: Connection, params: Params, payload: bytearray) -> Answered:  # noqa: ARG002 - one signature
        lease = self._core.leases.find(str(params.get("id")))
        if lease is None:
            raise UsageProblem("lease.unknown", "no live lease with this id", "See `locum lease list`.")
        self.finish(lease, "lease.revoke", "revoked")
        return {}, b""

    def finish(self, lease: Lease, operation: str, reason: str, **fields: Any) -> None:
        """End a lease, tell its task and whoever watches, and write it down."""
        self._core.leases.end(lease)
        cast("Connection", lease.holder).send({"event": "lease.ended", "id": lease.id, "reason": reason})
        self._tell()
        with contextlib.suppress(LocumError):  # a record that cannot be written must not keep a lease alive
            self._core.record.write(operation, ok=True, lease=lease.id, pid=lease.pid, reason=reason, **fields)

    def _tell(self) -> None:
        leases = self._core.leases.describe()
        for watcher in list(self.watchers):
            watcher.send({"event": "leases", "leases": leases})
        if self.on_leases is not None:
            self.on_leases(leases)

    def _about(self, connection: Connection, request: wire.LeaseRequest) -> dict[str, Any]:
        return {
            "pid": connection.peer.pid, "task": request.task, "argv": [scrub_argv(request.argv)], "cwd": request.cwd,
            "resources": [g.key for g in request.grants], "references": [g.reference for g in request.grants],
            "ttl_s": request.ttl, "level": LEVEL, "requester": who(connection),
        }  # fmt: skip

    async def _watch(self, connection: Connection, params: Params, payload: bytearray) -> Answered:  # noqa: ARG002 - one signature
        self.watchers.add(connection)
        connection.send({"event": "leases", "leases": self._core.leases.describe()})
        return {}, b""


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
