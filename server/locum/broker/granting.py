"""The broker's methods for leases: ask, redeem, end, list, revoke. Approving is not among them: `approval` asks a person."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from locum.broker import wire
from locum.broker.agent_sessions import AgentSession, AgentSessions
from locum.broker.approval import ANSWER_WITHIN
from locum.broker.core import Answered, Core, Method, Params, close_terminal
from locum.broker.fields import field_of
from locum.broker.judging import Judged, Judging
from locum.broker.leases import Lease, SleepDetector, no_lease
from locum.broker.pace import Cooldown, Pace
from locum.broker.peer import agent_of, ancestors, session_of
from locum.broker.person import ask, has_own_terminal, refusal, who
from locum.broker.question import lease_question
from locum.broker.scrub import scrub_argv
from locum.broker.session import SessionWatch
from locum.broker.upstream import issuer_of
from locum.errors import LocumError, NotAllowed, UsageProblem
from locum.paths import memory_dir, sweep_leases
from locum.refs.manifest import CHANNELS, MAX_TTL
from locum.refs.reference import parse
from locum.secret import SecretBytes

if TYPE_CHECKING:
    from locum.broker.connection import Connection


_IN_FILES = ("file", "fifo")


class Granting:
    """The methods `lease.*`, and the ends of leases."""

    def __init__(self, core: Core, judging: Judging, sessions: AgentSessions) -> None:
        self._core, self._judging, self._sessions = core, judging, sessions
        sessions.end_lease = lambda lease, reason: self.finish(lease, "lease.revoke", reason)
        self._pace, self._cooldown = Pace(), Cooldown()
        self._left_files = False
        self._sleep = SleepDetector()
        self._session: SessionWatch | None = None
        self.watchers: set[Connection] = set()
        self.on_leases: Callable[[list[dict[str, Any]]], None] | None = None
        """Tells the control channel."""

    def methods(self) -> dict[str, Method]:
        """Return the methods by name."""
        return {
            "lease.request": self._request,
            "lease.redeem": self._redeem,
            "lease.renew": self._renew,
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
        self._core.upstream.tick()
        if self._left_files:
            self._sweep()

    def _sweep(self) -> None:
        """Remove files that a launcher has left behind: it may have been killed."""
        folder = memory_dir(self._core.paths)
        if folder is not None:
            sweep_leases(folder)
        self._left_files = any(lease.request.channel in _IN_FILES for lease in self._core.leases)

    def end_standing(self, ids: Collection[str], reason: str) -> None:
        """Revoke what rests on standing yeses that are no more."""
        for lease in self._core.leases:
            if lease.standing in ids:
                self.finish(lease, "lease.revoke", reason)

    def end_all(self, reason: str) -> None:
        """Revoke every lease."""
        for lease in self._core.leases:
            self.finish(lease, "lease.revoke", reason)

    async def _request(self, connection: Connection, params: Params, payload: bytearray) -> Answered:  # noqa: ARG002 - one signature
        terminal = connection.take_terminal()
        try:
            request = wire.LeaseRequest.from_wire(params)
            names = local_names(request)
            self._core.leases.check_room(connection)
            await self._core.open_vault(connection)
            await self._core.known(names)
            self._watch_session()
            judged = await self._judging.judge(connection, request)
            if self._is_behind_proxy(connection.peer.pid):
                if judged.decision.kind == "allow":
                    judged = replace(judged, decision=replace(judged.decision, kind="ask", id=""))
                lease = await self._decide(connection, judged, terminal)
            else:
                lease = self._of_same_task(connection, judged) or await self._decide(connection, judged, terminal)
        finally:
            close_terminal(terminal)
        self._tell()
        files = [{"path": item.path, "digest": item.digest, "why": item.why} for item in judged.content.files]
        return {
            "lease": self._core.leases.describe_one(lease),
            "content": {"files": files, "frozen": judged.decision.kind == "allow" and not lease.parent},
        }, b""  # fmt: skip

    def _is_behind_proxy(self, pid: int) -> bool:
        """Say whether a process belongs to a task that has placeholders: it gets no value but by a new yes."""
        above = ancestors(pid)
        return any(lease.request.channel == "proxy" and lease.pid in above for lease in self._core.leases)

    def _of_same_task(self, connection: Connection, judged: Judged) -> Lease | None:
        """Grant to a process of a live task, without a question, what that task was granted already."""
        if judged.decision.kind == "deny":
            return None
        pid = connection.peer.pid
        above = ancestors(pid)
        for parent in self._core.leases:
            if parent.level != judged.level.name:
                continue  # what a sandboxed agent asks for is not what the task around its sandbox was allowed
            if parent.pid not in above or not _is_part(judged.request, parent.request):
                continue
            holder = cast("Connection", parent.holder)
            if not holder.peer.alive() or not connection.peer.alive() or parent.pid not in ancestors(pid):
                continue  # a pid that changed hands meanwhile proves nothing
            lease = self._core.leases.derive(parent, judged.request, judged.hash, pid=pid, holder=connection)
            self._write_grant(lease, connection, judged)
            return lease
        return None

    async def _decide(self, connection: Connection, judged: Judged, terminal: int | None) -> Lease:
        session = self._sessions.of(connection.peer)
        if session is not None:
            self._sessions.record(session)
        scope = {} if session is None else session.scope
        about, decision = self._about(connection, judged) | scope, judged.decision
        try:
            self._pace.take(connection.peer.pid)
            if judged.agent and not judged.request.die_with_broker:
                raise NotAllowed(
                    "denied.agent", "a task of an agent ends with the broker", "Leave out --survive-broker."
                )
            if decision.kind == "deny":
                raise NotAllowed("denied.policy", decision.why, "`locum policy explain` says more.")
            if decision.kind == "allow":
                approved_by = f"policy:{decision.id}"
            else:
                approved_by = await self._ask(connection, judged, terminal, about, session)
        except NotAllowed as error:
            if error.code != "denied.refused":
                self._core.record.write("lease.deny", ok=False, durable=True, reason=error.code, **about)
            raise
        except asyncio.CancelledError:
            self._core.record.write("lease.deny", ok=False, durable=True, reason="the asker left", **about)
            raise
        if not connection.peer.alive():
            raise NotAllowed("denied.peer", "the process that asked is gone")
        if session is not None and not self._sessions.is_open(session):
            raise NotAllowed("denied.session", "the agent's session has ended meanwhile", "Nothing was started.")
        request = judged.request
        if decision.max_ttl:  # renewals included
            request = replace(
                request, ttl=min(request.ttl, decision.max_ttl), max_ttl=min(request.max_ttl, decision.max_ttl)
            )
        lease = self._core.leases.grant(
            request, judged.hash, pid=connection.peer.pid, holder=connection, approved_by=approved_by,
            level=judged.level.name, ttl=request.ttl, **scope,
        )  # fmt: skip
        self._write_grant(lease, connection, judged)
        self._left_files = self._left_files or request.channel in _IN_FILES
        return lease

    async def _ask(
        self, connection: Connection, judged: Judged, terminal: int | None, about: dict[str, Any],
        agent: AgentSession | None,
    ) -> str:  # fmt: skip
        """Ask a person; return by which way the yes came. Raises NotAllowed."""
        pid = connection.peer.pid
        session = ("agent", agent_of(pid)) if judged.agent else ("session", session_of(pid))
        if not has_own_terminal(connection, terminal):
            self._cooldown.check(judged.hash, session, agent=bool(judged.agent))
        question = lease_question(
            judged, asked_by=who(connection), expires_in=ANSWER_WITHIN, session=agent.shown() if agent else ""
        )
        answer = await ask(self._core.approvals, connection, question, terminal)
        if not answer.allowed:
            if answer.by != "nobody":
                self._cooldown.refused(judged.hash, session)
            self._core.record.write(
                "lease.deny", ok=False, durable=True, reason="refused", approved_by=answer.by, **about
            )  # fmt: skip
            raise NotAllowed("denied.refused", refusal(answer), "Nothing was started.")
        if not await self._judging.still(judged):
            raise NotAllowed("denied.changed", "a file of the task changed while you were asked", "Run it again.")
        await self._judging.remember(judged)
        if not answer.stands_for or not judged.decision.may_stand_for:
            return answer.by
        standing = await self._judging.stand(judged, min(answer.stands_for, judged.decision.may_stand_for), answer.by)
        self._core.record.write(
            "policy.change", ok=True, durable=True, reason=f"stands: {standing.id}", approved_by=answer.by, **about
        )  # fmt: skip
        return f"policy:{standing.id}"

    def _watch_session(self) -> None:
        """From the first request on: end them when the machine goes to sleep or the screen is locked, where we are told."""
        if self._session is None:
            loop = asyncio.get_running_loop()

            def tell(reason: str) -> None:
                loop.call_soon_threadsafe(self.end_all, reason)

            self._session = SessionWatch(tell)

    def _write_grant(self, lease: Lease, connection: Connection, judged: Judged) -> None:
        try:
            self._core.record.write(
                "lease.grant", ok=True, durable=True, lease=lease.id, approved_by=lease.approved_by,
                **self._about(connection, judged), **lease.scope,
            )  # fmt: skip
        except LocumError:
            self._core.leases.end(lease)  # no record, no grant
            raise

    async def _redeem(self, connection: Connection, params: Params, payload: bytearray) -> Answered:  # noqa: ARG002 - one signature
        lease_id = str(params.get("id"))
        if connection.peer.sandboxed:
            raise NotAllowed(
                "denied.sandbox",
                "values do not go into a sandbox",
                "In `locum sandbox`, `locum run` runs tasks outside.",
            )
        lease = self._core.leases.use(lease_id, connection)
        grants = lease.request.grants
        values = bytearray()
        sizes: list[dict[str, Any]] = []
        try:
            for grant in grants:
                value = await self._value(lease, grant)
                with value.view() as view:
                    values += view
                    sizes.append({"env": grant.key, "size": len(view)})
                value.wipe()
            if not self._core.leases.is_live(lease_id, connection):
                raise no_lease()  # it was ended while the vault was read
            self._core.record.write(
                "lease.use", ok=True, durable=True, lease=lease_id, pid=connection.peer.pid,
                resources=[grant.key for grant in grants], references=[grant.reference for grant in grants],
                **lease.scope,
            )  # fmt: skip
        except BaseException:
            values[:] = bytes(len(values))
            raise
        return {"values": sizes}, values

    async def _value(self, lease: Lease, grant: wire.Grant) -> SecretBytes:
        """Return what a grant hands over: out of the vault, or issued for this lease. Raises LocumError."""
        if issuer_of(grant.source):
            leases, holder = self._core.leases, lease.holder
            return await self._core.upstream.issue(lease, grant, lambda: leases.is_live(lease.id, holder))
        return await self._core.in_worker(lambda: self._stored(grant))

    def _stored(self, grant: wire.Grant) -> SecretBytes:
        """Return what the vault holds for a grant. In the vault's thread. Raises LocumError."""
        reference = parse(grant.reference)
        value = self._core.vault.get(reference.item)
        if reference.field is None:
            return value
        try:
            return field_of(value, reference.field, grant.reference)
        finally:
            value.wipe()

    async def _renew(self, connection: Connection, params: Params, payload: bytearray) -> Answered:  # noqa: ARG002 - one signature
        lease = self._core.leases.renew(str(params.get("id")), connection)
        self._core.record.write(
            "lease.renew", ok=True, durable=True, lease=lease.id, pid=connection.peer.pid, **lease.scope
        )
        self._tell()
        return {"lease": self._core.leases.describe_one(lease)}, b""

    async def _end(self, connection: Connection, params: Params, payload: bytearray) -> Answered:  # noqa: ARG002 - one signature
        lease = self._core.leases.find(str(params.get("id")))
        if lease is None or lease.holder is not connection:
            raise NotAllowed("denied.lease", "no such lease for this process")
        code = params.get("exit_code")
        self.finish(lease, "lease.end", "the task has ended", exit_code=code if isinstance(code, int) else -1)
        return {}, b""

    async def _list(self, connection: Connection, params: Params, payload: bytearray) -> Answered:  # noqa: ARG002 - one signature
        upstream = self._core.upstream
        return {"leases": self._core.leases.describe(), "upstream": upstream.describe(), "unread": upstream.unread}, b""

    async def _revoke(self, connection: Connection, params: Params, payload: bytearray) -> Answered:  # noqa: ARG002 - one signature
        if params.get("all") is True:
            ended = list(self._core.leases)
        else:
            lease = self._core.leases.find(str(params.get("id")))
            if lease is None:
                raise UsageProblem("lease.unknown", "no live lease with this id", "See `locum lease list`.")
            ended = [lease]
        for lease in ended:
            self.finish(lease, "lease.revoke", "revoked")
        return {"revoked": [lease.id for lease in ended]}, b""

    def finish(self, lease: Lease, operation: str, reason: str, **fields: Any) -> None:
        """End a lease and those made of it, tell its task and whoever watches, and write it down."""
        if self._core.leases.find(lease.id) is not lease:
            return  # it ended with the one that it was made of
        for derived in self._core.leases.derived_of(lease):
            self.finish(derived, operation, reason)
        self._core.leases.end(lease)
        self._core.upstream.close(lease.id)
        cast("Connection", lease.holder).send({"event": "lease.ended", "id": lease.id, "reason": reason})
        self._tell()
        with contextlib.suppress(LocumError):  # a record that cannot be written must not keep a lease alive
            self._core.record.write(
                operation, ok=True, lease=lease.id, pid=lease.pid, reason=reason, **lease.scope, **fields
            )

    def _tell(self) -> None:
        leases = self._core.leases.describe()
        for watcher in list(self.watchers):
            watcher.send({"event": "leases", "leases": leases})
        if self.on_leases is not None:
            self.on_leases(leases)

    def _about(self, connection: Connection, judged: Judged) -> dict[str, Any]:
        request = judged.request
        return {
            "pid": connection.peer.pid, "task": request.task, "argv": [scrub_argv(request.argv)],
            "cwd": request.cwd, "resources": [grant.key for grant in request.grants],
            "references": [grant.reference for grant in request.grants], "ttl_s": request.ttl,
            "level": judged.level.name, "requester": who(connection),
        }  # fmt: skip

    async def _watch(self, connection: Connection, params: Params, payload: bytearray) -> Answered:  # noqa: ARG002 - one signature
        self.watchers.add(connection)
        connection.send({"event": "leases", "leases": self._core.leases.describe()})
        return {}, b""


def local_names(request: wire.LeaseRequest) -> list[str]:
    """Return the local vault's names that a request needs. Raises UsageProblem for what is not served."""
    if not 0 < request.ttl <= MAX_TTL or not 0 <= request.max_ttl <= MAX_TTL:
        raise UsageProblem("lease.ttl", "a lease lives between one second and 24 hours")
    if request.channel not in CHANNELS:
        raise UsageProblem("lease.channel", "this version knows no such channel", f"One of: {', '.join(CHANNELS)}.")
    if request.channel == "proxy" and not all(grant.hosts or grant.file for grant in request.grants):
        raise UsageProblem("lease.hosts", "with the proxy each secret needs the hosts that it may go to")
    names: list[str] = []
    for grant in request.grants:
        if issuer_of(grant.source):
            continue
        reference = parse(grant.reference)
        if not reference.is_declared or grant.source != "local":
            raise UsageProblem(
                "provider.absent", f"{grant.reference} is not in the local vault, the one provider that this version has",
                'Store the value with `locum secret set` and declare source = "local".',
            )  # fmt: skip
        names.append(reference.item)
    return names


def _is_part(request: wire.LeaseRequest, of: wire.LeaseRequest) -> bool:
    """Say whether a task that was granted `of` has all of `request` already."""
    had = {(grant.reference, grant.source) for grant in of.grants}
    return {(grant.reference, grant.source) for grant in request.grants} <= had
