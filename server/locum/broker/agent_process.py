"""Which process is the agent: of those above the one that asks, the nearest that is no shell, no launcher and none of ours.

An agent starts a hook through a shell, or through something that starts programs, and waits for it; its MCP server it starts
in the same ways. What is left above those is the agent, or the part of an editor that the agent runs in. A shell that a
person types into (it leads a session with a terminal) is nobody's hook: then there is no agent. Linux (proc(5)); elsewhere
there is none.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from locum.broker.aside import in_time
from locum.broker.level import is_sandboxed, says_sandbox
from locum.broker.peer import LOOK_WITHIN, Peer, ancestors, has_terminal_of_its_own, program_of
from locum.errors import NotAllowed

PASSED_OVER = {
    "sh", "bash", "dash", "ash", "zsh", "fish", "ksh", "mksh", "csh", "tcsh", "nu", "pwsh", "busybox",
    "env", "timeout", "nice", "ionice", "nohup", "setsid", "stdbuf", "time", "uv", "uvx",
}  # fmt: skip
"""Programs that only start others."""
_SHELLS = {"sh", "bash", "dash", "ash", "zsh", "fish", "ksh", "mksh", "csh", "tcsh", "nu", "pwsh", "busybox"}
_OURS = re.compile(rb"(?:[^\0]*/)?(?:python[\d.]*\0(?:-[A-Za-z]+\0)*(?:-m\0locum|[^\0]*/locum)|locum)(?:\0|$)")
"""How a command line of ours begins."""
_MOST = 4096
"""Bytes of a command line that are read."""


def line_of(pid: int) -> list[int]:
    """Return a process and those above it, the nearest first."""
    return [pid, *ancestors(pid)]


def height(agent: Peer, line: list[int]) -> int | None:
    """Return how far up a line (`line_of`) a live agent's process is, None when it is not above.

    What a sandboxed agent asks for runs outside of its sandbox: there `locum sandbox`, above both, stands for the agent.
    """
    if not agent.alive():
        return None
    if agent.pid in line:
        return line.index(agent.pid)
    shared = set(ancestors(agent.pid)) & set(line) if agent.sandboxed else set[int]()
    outside = in_time(lambda: [pid for pid in shared if says_sandbox(pid)], LOOK_WITHIN) if shared else None
    return min(map(line.index, outside)) if outside else None


def hold_agent(asker: Peer) -> Peer:
    """Return a hold on the agent's process above `asker`. Raises NotAllowed (`denied.session`) when there is none."""
    pid = in_time(lambda: _agent_above(asker.pid), LOOK_WITHIN) or 0
    held = _hold(pid) if pid else None
    # A number may have changed hands while we looked: what lives, and is above a live asker now, is what we hold.
    if held is not None and not (held.alive() and asker.alive() and pid in ancestors(asker.pid)):
        held.close()
        held = None
    if held is None:
        raise NotAllowed(
            "denied.session", "no agent's process is above the one that asks",
            "A session is opened by the agent's own hook or MCP server.",
        )  # fmt: skip
    return held


def _agent_above(pid: int) -> int:
    for above in ancestors(pid):
        name = program_of(above).rpartition("/")[2].removesuffix(" (deleted)")
        if name in _SHELLS and has_terminal_of_its_own(above):
            return 0
        if name not in PASSED_OVER and not _is_ours(above):
            return above
    return 0


def _is_ours(pid: int) -> bool:
    """Say whether a process says that it is `locum`. Whoever lies gets a session of what is above it: one that ends more."""
    try:
        with Path(f"/proc/{pid}/cmdline").open("rb") as file:
            return _OURS.match(file.read(_MOST)) is not None
    except OSError:
        return False


def _hold(pid: int) -> Peer | None:
    """Open a process by its number; None when it is gone, or another user's."""
    try:
        if Path(f"/proc/{pid}").stat().st_uid != os.geteuid():
            return None
        return Peer(pid, os.geteuid(), os.pidfd_open(pid), "pidfd_open", program_of(pid), sandboxed=is_sandboxed(pid))
    except (AttributeError, OSError):
        return None
