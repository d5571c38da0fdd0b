"""Who is asked, and what counts as a person's yes: for the broker's methods. Knows connections and questions, no vault."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locum.broker.approval import Answer, Approvals
from locum.broker.peer import agent_marker, controls_terminal, reopen_terminal
from locum.errors import NotAllowed

if TYPE_CHECKING:
    from locum.broker.connection import Connection
    from locum.broker.question import Question


async def ask(approvals: Approvals, connection: Connection, question: Question, terminal: int | None) -> Answer:
    """Ask where a person may be; an agent's own terminal proves nobody and is not asked. Raises NotAllowed."""
    marker = agent_marker(connection.peer.pid)
    usable = has_own_terminal(connection, terminal)
    own = reopen_terminal(terminal) if usable and terminal is not None else None
    if not usable and not approvals.has_control and marker:
        raise NotAllowed(
            "denied.agent", f"asked from inside an AI agent ({marker} is set), whose terminal is no proof of a person",
            "Approve in an editor with Locum, or run it in a terminal of your own.",
        )  # fmt: skip
    return await approvals.ask(question, own, connection)


def has_own_terminal(connection: Connection, terminal: int | None) -> bool:
    """Say whether the asker handed over its own terminal, in whose foreground it is, and is no agent's."""
    pid = connection.peer.pid
    return terminal is not None and not agent_marker(pid) and controls_terminal(pid, terminal)


async def confirm(
    approvals: Approvals, connection: Connection, question: Question, terminal: int | None, takes: str
) -> None:
    """Raise NotAllowed unless a person says yes to a change in the vault; `takes` says what it is that takes a person."""
    try:
        answer = await ask(approvals, connection, question, terminal)
    except NotAllowed as error:
        raise NotAllowed(
            "denied.person", f"{takes}, and {error.message}",
            "Choose another name, or answer in a terminal or an editor.",
        ) from None  # fmt: skip
    if not answer.allowed:
        raise NotAllowed("denied.refused", refusal(answer), f"{question.names[0]} stays as it was.")


def refusal(answer: Answer) -> str:
    """Say how a no came about."""
    return "nobody answered in time" if answer.by == "nobody" else "you said no"


def who(connection: Connection) -> str:
    """Return who asks, as far as the kernel tells: pid, program, and the agent marker if there is one."""
    pid = connection.peer.pid
    marker = agent_marker(pid)
    return f"{connection.peer.shown()}, process {pid}" + (f", inside an AI agent ({marker})" if marker else "")
