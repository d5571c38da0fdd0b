"""The control channel: who holds an end of it asks the person. The first holder inherits it; another one is let in by a yes.

No path leads here. A second editor hands over one end of a socket pair by a request on `agent.sock`, and the request can only
*ask*: whoever holds the channel already answers. Every open question goes to all holders, and the first answer counts.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from locum.broker import wire
from locum.broker.approval import ANSWER_WITHIN, Approvals
from locum.broker.aside import close_aside
from locum.broker.core import Answered, Core, Method, Params
from locum.broker.peer import agent_marker, ancestors
from locum.broker.person import ask, refusal, who
from locum.broker.question import Question, pair_question
from locum.errors import NotAllowed, UsageProblem

if TYPE_CHECKING:
    from locum.broker.connection import Connection

MOST_HOLDERS = 8


class Control:
    """All holders of the channel, and the method `control.pair`."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._holders: list[_Holder] = []

    def methods(self) -> dict[str, Method]:
        """Return the methods by name."""
        return {"control.pair": self._pair}

    @property
    def is_held(self) -> bool:
        """Say whether anybody holds the channel."""
        return bool(self._holders)

    def add(self, channel: socket.socket, pid: int) -> None:
        """Let the other end of a socket, which the process `pid` has, ask the person from now on."""
        holder = _Holder(channel, self._core.approvals, self._left, self._changed, pid)
        self._holders.append(holder)
        approvals = self._core.approvals
        approvals.send = self._ask
        approvals.cancel = lambda question: self.tell({"event": "approve.cancel", "id": question})
        holder.send({"event": "hello", "version": wire.PROTOCOL})

    def tell(self, message: dict[str, Any]) -> None:
        """Send an event to all holders."""
        for holder in list(self._holders):
            holder.send(message)

    def close(self) -> None:
        """Give the channel up."""
        for holder in list(self._holders):
            holder.close()

    def _ask(self, question: Question) -> None:
        """Ask all holders; for a value only those that have said that they can take one from a person."""
        event = "value" if question.value_for else "approve"
        for holder in list(self._holders):
            if holder.takes_values or not question.value_for:
                holder.send({"event": event, "question": question.to_wire()})

    def _changed(self) -> None:
        self._core.approvals.takes_values = any(holder.takes_values for holder in self._holders)

    def _left(self, holder: _Holder) -> None:
        self._holders.remove(holder)
        self._changed()
        if not self._holders:
            self._core.approvals.holder_left()

    async def _pair(self, connection: Connection, params: Params, payload: bytearray) -> Answered:  # noqa: ARG002 - one signature
        handed = connection.take_channel()
        channel = socket.socket(fileno=handed) if handed is not None else None
        try:
            if channel is None or channel.family != socket.AF_UNIX:
                raise UsageProblem("control.pair", "an end of a socket pair must come along")
            marker = agent_marker(connection.peer.pid)
            if marker:
                raise NotAllowed(
                    "denied.agent", f"an AI agent ({marker}) answers no questions", "Pair from an editor of yours."
                )
            if not self._holders:
                raise NotAllowed("denied.nobody", "no editor holds the channel", "Start the broker with the channel.")
            pid = connection.peer.pid
            if any(holder.pid != pid and 0 < _editor_of(pid) == _editor_of(holder.pid) for holder in self._holders):
                raise NotAllowed("denied.paired", "this editor answers questions already", "Nothing is to be done.")
            if len(self._holders) >= MOST_HOLDERS:
                raise NotAllowed("denied.limit", f"{MOST_HOLDERS} editors answer already", "Close one of them.")
            question = pair_question(asked_by=who(connection), expires_in=ANSWER_WITHIN)
            answer = await ask(self._core.approvals, connection, question, None)
            self._core.record.write(
                "control.pair",
                ok=answer.allowed,
                pid=connection.peer.pid,
                requester=who(connection),
                approved_by=answer.by,
            )
            if not answer.allowed:
                raise NotAllowed("denied.refused", refusal(answer), "Questions are asked in the other editor.")
            self.add(channel, connection.peer.pid)
            channel = None
        finally:
            if channel is not None:
                close_aside(channel)
        return {}, b""


def _editor_of(pid: int) -> int:
    """Return the process that runs a holder: an editor may run several servers of ours, and answers for all. 0: unknown."""
    above = ancestors(pid)
    return above[0] if above else 0


class _Holder:
    """One end of the channel: questions out, answers in."""

    def __init__(
        self, channel: socket.socket, approvals: Approvals, on_close: Callable[[_Holder], None],
        on_change: Callable[[], None], pid: int,
    ) -> None:  # fmt: skip
        self.pid = pid
        self.takes_values = False
        """Whether a person can type a value there, out of everybody's sight."""
        self._socket, self._approvals, self._on_close, self._on_change = channel, approvals, on_close, on_change
        self._reader = wire.FrameReader()
        self._loop = asyncio.get_running_loop()
        self._open = True
        channel.setblocking(False)
        self._loop.add_reader(channel, self._readable)

    def close(self) -> None:
        """Give this end up."""
        if self._open:
            self._open = False
            self._loop.remove_reader(self._socket)
            self._on_close(self)
            self._socket.close()

    def send(self, message: dict[str, Any]) -> None:
        """Send an event."""
        try:
            self._socket.sendall(b"".join(wire.encode(message)))
        except OSError:  # also a holder that does not read: it cannot ask anybody
            self.close()

    def _readable(self) -> None:
        try:
            data = self._socket.recv(65536)
            messages = [message for message, _ in self._reader.feed(data)]
        except (BlockingIOError, InterruptedError):
            return
        except (OSError, wire.WireProblem):
            data, messages = b"", list[wire.Message]()
        if not data:
            self.close()
        for message in messages:
            params = message.get("params")
            if message.get("method") == "control.takes_values":
                self.takes_values = True
                self._on_change()
            if message.get("method") == "approve.answer" and isinstance(params, dict):
                said = cast("dict[str, Any]", params)
                decision, stands_for = said.get("decision"), said.get("stands_for")
                seconds = stands_for if decision == "allow-content" and type(stands_for) is int else 0
                self._approvals.answer(str(said.get("id")), decision in {"allow", "allow-content"}, stands_for=seconds)
