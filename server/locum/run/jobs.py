"""Job control for a task on its inner terminal: Ctrl-Z stops it, and whoever started us gets the prompt back.

The kernel ignores Ctrl-Z in a process group that nobody could continue (POSIX: an orphaned one), which is a group none
of whose members has its parent in the same session. A task that leads its own session is in such a group. So two
small processes stand beside it: one in a group of its own, and its child in the task's group. They run `cat` on a
pipe, hold nothing of ours, and are gone when the pipe is closed.

Knows processes; knows nothing of terminals and streams. Linux only.
"""

from __future__ import annotations

import contextlib
import os
import signal

from locum.run.children import fork_sibling

_CAT = b"/bin/cat"
_LIVES_ON = (
    signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM,
    signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU,
)  # fmt: skip


class Keepers:
    """The two processes that keep a task's group from being orphaned. `start` runs in the task's process, the rest in ours."""

    def __init__(self) -> None:
        """Make the pipes; the launcher must have adopted orphans, or the second could not be collected."""
        self._hold_reading, self._hold = os.pipe()
        self._names, self._names_writing = os.pipe()

    def start(self, report: int) -> None:
        """In the new process, the leader of its session, before it becomes the program: start both.

        `report` is the descriptor whose end says that the program runs; they let go of it. Never raises `OSError`.
        """
        with contextlib.suppress(OSError):  # without them the task runs as well, and Ctrl-Z does nothing
            leader = os.getpid()
            if fork_sibling() == 0:
                os.close(report)
                self._become_keepers(leader)

    def end(self) -> None:
        """Let both end, and collect them. Safe to call twice."""
        for fd in (self._hold, self._hold_reading, self._names_writing):
            _close(fd)
        with contextlib.suppress(OSError):  # called before
            names = b""
            while names.count(b"\n") < 2 and (
                name := os.read(self._names, 100)
            ):  # the end of the file: there are fewer
                names += name
            for name in names.split():  # the parent first: then the child is ours too
                _kill_child(int(name))
        _close(self._names)
        self._hold = self._hold_reading = self._names = self._names_writing = -1

    def let_go(self) -> None:
        """After the start: close the ends that are the keepers' own."""
        _close(self._hold_reading)
        _close(self._names_writing)
        self._hold_reading = self._names_writing = -1

    def _become_keepers(self, leader: int) -> None:
        """In the first of the two: start the second. Never returns, never raises."""
        try:
            os.write(self._names_writing, b"%d\n" % os.getpid())
            os.setpgid(0, 0)
            if os.fork() == 0:
                os.write(self._names_writing, b"%d\n" % os.getpid())  # before a signal to the task's group can stop us
                os.setpgid(0, leader)
            self._keep()
        finally:
            os._exit(0)

    def _keep(self) -> None:
        for number in _LIVES_ON:
            signal.signal(number, signal.SIG_IGN)
        null = os.open(os.devnull, os.O_RDWR)
        for target, fd in enumerate((self._hold_reading, null, null)):
            os.dup2(fd, target)
        for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - names only; what the task inherits is not for these
            if int(name) > 2:
                with contextlib.suppress(OSError):  # the listing's own
                    os.close(int(name))
        os.chdir("/")
        os.execve(_CAT, [b"cat"], {})


def stop_like(number: int) -> None:
    """Stop our whole process group as the task was stopped; return when we are continued, or when nobody could do that."""
    before = signal.signal(number, signal.SIG_DFL) if number != signal.SIGSTOP else None
    try:
        os.kill(0, number)
    finally:
        if before is not None:
            signal.signal(number, before)


def _kill_child(pid: int) -> None:
    with contextlib.suppress(ChildProcessError, ProcessLookupError):
        if os.waitpid(pid, os.WNOHANG) == (0, 0):  # it is ours and runs: the number is nobody else's
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _close(fd: int) -> None:
    if fd >= 0:
        os.close(fd)
