"""The tasks of one session: the launcher's processes, their output, their end. Nothing of them outlives this process.

Each is a `locum run` without a terminal: masking, channels, questions and leases are that command's own. Lives on one
asyncio loop, in the main thread: a launcher ends with the thread that started it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from locum.agents.mcp.asked import Asked
from locum.agents.mcp.output import Output
from locum.errors import EXIT_DENIED, EXIT_USAGE, UsageProblem

MOST_RUNNING = 8
_MOST_KEPT = 32
"""Tasks that have ended and can still be looked at."""
_GRACE = 5.0
"""Seconds that a task has between the request to end and its end."""
_TICK = 1.0
_OURS = "locum: "
"""How the launcher begins what it says itself."""

Tell = Callable[[float, str], Awaitable[None]]
"""Takes the seconds that a wait has lasted, and the task's state."""


@dataclass(slots=True)
class Task:
    """One started launcher."""

    id: str
    asked: Asked
    process: asyncio.subprocess.Process
    output: Output = field(default_factory=Output)
    exit_code: int | None = None
    had_lease: bool = False
    """Whether a person has allowed it, as far as we know."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set with every change, and made anew."""
    reader: asyncio.Task[None] | None = None

    @property
    def state(self) -> str:
        """As the results name it."""
        if self.exit_code is None:
            return "running" if self.had_lease or self.output.total else "asking"
        refused = self.exit_code in {EXIT_DENIED, EXIT_USAGE} and not self.had_lease
        return "refused" if refused and self.output.page(0, len(_OURS)).text == _OURS else "ended"

    def tell(self) -> None:
        """Wake who waits."""
        self.changed.set()
        self.changed = asyncio.Event()


class Tasks:
    """All tasks of one session."""

    def __init__(self, leases: Callable[[], Awaitable[list[dict[str, Any]]]]) -> None:
        """`leases` gives the broker's live leases; none when there is no broker to ask."""
        self._leases = leases
        self._tasks: dict[str, Task] = {}
        self._numbers = count(1)

    def get(self, task_id: str) -> Task:
        """Return a task. Raises UsageProblem."""
        if task_id not in self._tasks:
            raise UsageProblem("mcp.task", "this session has no such task", "lease_status without a task lists them.")
        return self._tasks[task_id]

    def all(self) -> list[Task]:
        """Return all that are known, the oldest first."""
        return list(self._tasks.values())

    async def start(self, asked: Asked) -> Task:
        """Start a launcher. Raises UsageProblem when too many run."""
        running = [task for task in self._tasks.values() if task.exit_code is None]
        if len(running) >= MOST_RUNNING:
            raise UsageProblem("mcp.tasks", f"{MOST_RUNNING} tasks are running already", "End one of them: end_task.")
        for old in [task.id for task in self._tasks.values() if task.exit_code is not None][:-_MOST_KEPT]:
            del self._tasks[old]
        process = await asyncio.create_subprocess_exec(
            *asked.command(os.getpid()), cwd=asked.cwd, env=os.environ | {"AI_AGENT": "locum-mcp"},
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,  # no terminal: what is typed there would prove no person
        )  # fmt: skip
        task = Task(f"t{next(self._numbers)}", asked, process)
        self._tasks[task.id] = task
        task.reader = asyncio.get_running_loop().create_task(_read(task))
        return task

    async def wait(self, task: Task, seconds: float, tell: Tell, *, beyond: int | None = None) -> None:
        """Wait for a task's end, for output after `beyond`, or until the time is over."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while task.exit_code is None and (beyond is None or task.output.total <= beyond):
            lasted = loop.time() - began
            if lasted >= seconds:
                return
            event = task.changed
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(event.wait(), min(_TICK, seconds - lasted))
            await self.look(task)
            await tell(loop.time() - began, task.state)

    async def look(self, task: Task) -> None:
        """Find out whether a task that is not known to be allowed has its lease."""
        if task.exit_code is None and not task.had_lease:
            task.had_lease = any(lease.get("pid") == task.process.pid for lease in await self._leases())

    async def end(self, task: Task) -> None:
        """End a task and what it holds."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if task.exit_code is not None or task.reader is None:
                return
            with contextlib.suppress(ProcessLookupError):
                task.process.send_signal(number)
            await asyncio.wait({task.reader}, timeout=_GRACE)

    async def close(self) -> None:
        """End all of them."""
        await asyncio.gather(*(self.end(task) for task in self._tasks.values()))


async def _read(task: Task) -> None:
    """Take a launcher's output until it has ended."""
    assert task.process.stdout is not None
    while data := await task.process.stdout.read(65536):
        task.output.add(data)
        task.tell()
    task.exit_code = await task.process.wait()
    task.output.add(b"", last=True)
    task.tell()
