"""Sessions of AI agents as scopes of leases: what was granted below an agent's process ends with the agent's session.

A session is opened by the agent's hook or MCP server, and bound to the agent's process as the kernel knows it. It can only
take away: it ends leases, and gives nobody one. Its name and its client's are that client's own words. A session is written
into the record with its first request for a lease; before that nothing happened that the record is about.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from locum.broker.agent_process import height, hold_agent, line_of
from locum.broker.audit_session import account
from locum.broker.core import Answered, Core, Method, Params, close_terminal
from locum.broker.leases import Lease, boot_clock
from locum.broker.pace import Pace
from locum.broker.peer import Peer
from locum.broker.person import has_own_terminal
from locum.errors import LocumError, NotAllowed, UsageProblem

if TYPE_CHECKING:
    from locum.broker.connection import Connection

MOST = 256
"""Open sessions."""
MOST_OF_ONE = 16
"""Open sessions of one agent's process: an editor's holds several conversations."""
LIVES = 24 * 3600
"""Seconds after which a session ends; the agent's next hook opens it anew."""
OPENED_A_MINUTE, OF_ALL_A_MINUTE = 30, 240
SESSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
CLIENT = re.compile(r"[a-z][a-z0-9-]{0,31}")


@dataclass(slots=True)
class AgentSession:
    """One open session."""

    id: str
    client: str
    process: Peer
    """The agent's process."""
    opened: datetime
    deadline: float
    """On `boot_clock`."""
    seen: float
    """When the agent last opened it, perhaps again; on `time.monotonic`."""
    recorded: bool = False
    """It is in the record."""

    @property
    def scope(self) -> dict[str, Any]:
        """What records of its leases say of it."""
        return {"session": self.id, "client": self.client}

    def shown(self) -> str:
        """Return it for the person who is asked, in a few words."""
        since = self.opened.astimezone().strftime("%H:%M")
        return f"{self.client} {self.id[:8]}, since {since} (its own words; process {self.process.pid})"

    def describe(self, leases: int) -> dict[str, Any]:
        """Return what may be shown of it, with the number of its live leases."""
        return {
            "session": self.id, "client": self.client, "pid": self.process.pid, "program": self.process.program,
            "opened": self.opened.isoformat(timespec="seconds").replace("+00:00", "Z"),
            "expires_in": max(0, round(self.deadline - boot_clock())), "leases": leases,
        }  # fmt: skip


class AgentSessions:
    """The open sessions, and the methods `session.*`."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._open: dict[str, AgentSession] = {}
        self._pace, self._pace_of_all = Pace(OPENED_A_MINUTE), Pace(OF_ALL_A_MINUTE)
        self.end_lease: Callable[[Lease, str], None] | None = None
        """Ends a lease for a reason."""

    def methods(self) -> dict[str, Method]:
        """Return the methods by name."""
        return {
            "session.open": self._opened,
            "session.close": self._closed,
            "session.list": self._list,
            "session.mine": self._mine,
            "session.account": self._account,
        }

    def __len__(self) -> int:
        return len(self._open)

    def of(self, asker: Peer) -> AgentSession | None:
        """Return the session that a process belongs to: the nearest agent's above it, of its sessions the one seen last."""
        line = line_of(asker.pid)
        heights = [(at, -one.seen, one) for one in self._open.values() if (at := height(one.process, line)) is not None]
        if not heights:
            return None
        nearest = min(heights, key=lambda item: item[:2])[2]
        # A number that changed hands while we looked proves nothing: what is above a live asker now is what it was.
        return nearest if self._is_above(nearest, asker) else None

    def is_open(self, session: AgentSession) -> bool:
        """Say whether a session has not ended."""
        if self._open.get(session.id) is session and not session.process.alive():
            self.end(session, "the agent's process is gone")
        return self._open.get(session.id) is session

    def record(self, session: AgentSession) -> None:
        """Write a session into the record, once. Raises LocumError."""
        if not session.recorded:
            self._core.record.write("session.open", ok=True, pid=session.process.pid, **session.scope)
            session.recorded = True

    def end(self, session: AgentSession, reason: str) -> list[str]:
        """End a session and its leases; return the ids of those."""
        if self._open.get(session.id) is not session:
            return []
        del self._open[session.id]
        ended = self._core.leases.of_session(session.id)
        for lease in ended:
            assert self.end_lease is not None
            self.end_lease(lease, f"the agent's session ended: {reason}")
        if session.recorded:
            with contextlib.suppress(LocumError):  # a record that cannot be written must not keep a session open
                self._core.record.write("session.end", ok=True, pid=session.process.pid, reason=reason, **session.scope)
        session.process.close()
        return [lease.id for lease in ended]

    def end_all(self, reason: str) -> None:
        """End every session."""
        for session in list(self._open.values()):
            self.end(session, reason)

    def tick(self) -> None:
        """Once a second: end those whose process is gone or whose time is over."""
        for session in list(self._open.values()):
            if self.is_open(session) and boot_clock() >= session.deadline:
                self.end(session, "its time is over")

    @staticmethod
    def _is_above(session: AgentSession, asker: Peer) -> bool:
        return height(session.process, line_of(asker.pid)) is not None and asker.alive()

    async def _opened(self, connection: Connection, params: Params, payload: bytearray) -> Answered:  # noqa: ARG002 - one signature
        name, client = _word(params, "session", SESSION), _word(params, "client", CLIENT)
        session = self._open.get(name)
        if session is None or not self.is_open(session):
            session = self._new(connection, name, client)
        elif not self._is_above(session, connection.peer):
            raise NotAllowed("denied.session", "another process has a session of this name open")
        session.seen = time.monotonic()
        return {"session": self._describe(session)}, b""

    def _new(self, connection: Connection, name: str, client: str) -> AgentSession:
        process = hold_agent(connection.peer)
        try:
            self._pace.take(process.pid)  # first: who is refused here takes nothing from the others
            self._pace_of_all.take("")
            self._make_room([one for one in self._open.values() if one.process.pid == process.pid], MOST_OF_ONE)
            self._make_room(list(self._open.values()), MOST)
        except NotAllowed:
            process.close()
            raise
        session = AgentSession(name, client, process, datetime.now(UTC), boot_clock() + LIVES, time.monotonic())
        self._open[name] = session
        return session

    def _make_room(self, sessions: list[AgentSession], most: int) -> None:
        """End the one that was not seen for longest and has no lease, when there are as many as may be."""
        if len(sessions) < most:
            return
        idle = [one for one in sessions if not self._core.leases.of_session(one.id)]
        if not idle:
            raise NotAllowed("denied.limit", f"{most} sessions with live leases are open", "End one of them.")
        self.end(min(idle, key=lambda one: one.seen), "too many were open")

    async def _closed(self, connection: Connection, params: Params, payload: bytearray) -> Answered:  # noqa: ARG002 - one signature
        terminal = connection.take_terminal()
        try:
            session = self._open.get(_word(params, "session", SESSION))
            if session is None:
                raise UsageProblem("session.unknown", "no open session of this name", "See `locum agent sessions`.")
            below = self._is_above(session, connection.peer)
            if not below and not has_own_terminal(connection, terminal):
                raise NotAllowed(
                    "denied.session", "this is another process's session",
                    "Its agent ends it, or you in a terminal of your own.",
                )  # fmt: skip
        finally:
            close_terminal(terminal)
        return {"ended": self.end(session, "the agent ended it" if below else "a person ended it")}, b""

    async def _list(self, connection: Connection, params: Params, payload: bytearray) -> Answered:  # noqa: ARG002 - one signature
        return {"sessions": [self._describe(one) for one in self._open.values()]}, b""

    async def _mine(self, connection: Connection, params: Params, payload: bytearray) -> Answered:  # noqa: ARG002 - one signature
        session = self.of(connection.peer)
        return {"session": None if session is None else self._describe(session)}, b""

    async def _account(self, connection: Connection, params: Params, payload: bytearray) -> Answered:  # noqa: ARG002 - one signature
        name = _word(params, "session", SESSION)
        said = await asyncio.to_thread(account, self._core.paths.audit, name)
        return {**said, "leases": [lease.id for lease in self._core.leases.of_session(name)]}, b""

    def _describe(self, session: AgentSession) -> dict[str, Any]:
        return session.describe(len(self._core.leases.of_session(session.id)))


def _word(params: Params, key: str, grammar: re.Pattern[str]) -> str:
    """Return a name that a request gives. Raises UsageProblem."""
    word = params.get(key)
    if not isinstance(word, str) or not grammar.fullmatch(word):
        raise UsageProblem(f"session.{key}", f"this cannot name a {key}", "Use at most 128 letters, digits and . _ : -")
    return word
