"""How much stands between a task's values and other programs: said in the question, in the status and in the record.

The level is a fact about the asker, told by the kernel: nothing that a client says can raise it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from locum.broker.aside import in_time


@dataclass(frozen=True, slots=True)
class Level:
    """A level: `name` L0, L1 or L2, and what it means for a task's values, for people."""

    name: str
    text: str

    def __str__(self) -> str:
        return f"{self.name} {self.text}"


L0 = Level("L0", "hygiene: the task and programs of the same user can read the values while it runs")
L1 = Level("L1", "the agent that asks is in a sandbox: it cannot read the task; programs outside of it can")


def level_of(pid: int) -> Level:
    """Return the level of what a process asks for, outside of any sandbox."""
    from locum.broker.peer import LOOK_WITHIN

    return L1 if in_time(lambda: _supervises(pid), LOOK_WITHIN) else L0  # a look at a process may let us wait


def is_sandboxed(pid: int) -> bool:
    """Say whether a process lives in another PID namespace than this one (pid_namespaces(7)).

    Ask early: a process that hides its memory cannot be looked at any more, and counts as one.
    """
    return _pid_namespace(pid) != _pid_namespace(os.getpid())


def _supervises(pid: int) -> bool:
    """Say whether an ancestor is `locum sandbox`: below it, bubblewrap's child lives in another PID namespace."""
    from locum.broker.peer import ancestors, children

    return any(
        is_sandboxed(inner)
        for ancestor in ancestors(pid)
        if says_sandbox(ancestor)
        for child in children(ancestor)
        for inner in children(child)
    )


def says_sandbox(pid: int) -> bool:
    """Say whether a process says that it is `locum sandbox`. Anybody may say so: what it is worth is told in SECURITY.md."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return b"sandbox" in words[1:4]


def _pid_namespace(pid: int) -> tuple[int, int] | None:
    try:
        info = Path(f"/proc/{pid}/ns/pid").stat()
    except OSError:
        return None
    return info.st_dev, info.st_ino
