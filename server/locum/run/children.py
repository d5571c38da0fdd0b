"""The processes of a task: who they are, how they are told to end, and that none is left.

Knows Linux's process table and `prctl`; knows nothing of streams, terminals and secrets. Elsewhere than on Linux
there is no table to read and no orphan to adopt: then only the task's own process group is reached.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import signal
import sys
import time
from typing import NamedTuple

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36  # include/uapi/linux/prctl.h
_CLONE_PARENT = 0x8000  # include/uapi/linux/sched.h
_CLONE = {"x86_64": 56, "aarch64": 220, "riscv64": 220}  # the number of `clone`, by machine
_IS_LINUX = sys.platform == "linux"
CAN_ADOPT = _IS_LINUX
"""Whether orphans can be adopted."""
_libc = ctypes.CDLL(None) if _IS_LINUX else None
_LOOK_AGAIN = 0.02  # seconds


def adopt_orphans(adopt: bool) -> None:
    """Become (or cease to be) the parent of every process below us whose own parent ends, so that it can be found."""
    if _libc is not None:
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, int(adopt), 0, 0, 0)


def die_with_parent(parent: int) -> None:
    """In a new child: be killed when `parent` ends, however it ends. Exits at once when it has ended already."""
    if _libc is None:
        return
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it ended before the line above
        os._exit(128 + signal.SIGKILL)


def fork_sibling() -> int:
    """Fork, as `os.fork`, but the new process is a child of our parent: a program that takes our place does not find it.

    For a process with one thread. Raises `OSError`, also where the number of the system call is not known.
    """
    number = _CLONE.get(os.uname().machine)
    if _libc is None or number is None or sys.maxsize < 1 << 32:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    made = _libc.syscall(number, _CLONE_PARENT | signal.SIGCHLD, 0, 0, 0, 0)
    if made < 0:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    return made


class Process(NamedTuple):
    """One process, as the table tells."""

    parent: int
    started: int  # clock ticks since boot
    zombie: bool


class Task:
    """One started program and everything that it starts."""

    def __init__(self, pid: int, *, own_group: bool) -> None:
        """`own_group`: the program leads a process group of its own, as it does unless it shares our terminal."""
        self.pid = pid
        self.status: int | None = None
        """The exit code, negative for a signal; None while it runs."""
        self._own_group = own_group
        process = _look_up(pid)
        # Children of this process that are older than the task are none of it.
        self._started = process.started if process else 0

    def reap(self) -> None:
        """Take note of the ends of the program and of the orphans that were adopted."""
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                ended = None
            if ended is None or not self._is_ours(ended.si_pid):
                break
            self._collect(ended.si_pid)
        if self.status is None:  # a child that is none of ours may hide it from the loop above
            self._collect(self.pid)

    def stopped_by(self) -> int | None:
        """Return the signal that stopped the program since this was last asked, or None. Ask before `reap`."""
        with contextlib.suppress(ChildProcessError):
            stopped = os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WNOHANG)
            return stopped.si_status if stopped else None
        return None

    def signal(self, number: int) -> None:
        """Send a signal to the program's group, or to the program alone when the group is shared with us."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if self._own_group:
                os.killpg(self.pid, number)
            elif self.status is None:
                os.kill(self.pid, number)

    def signal_all(self, number: int) -> None:
        """Send a signal to every process of the task, whatever group or session it moved to."""
        self.signal(number)
        for pid in self.left():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)

    def left(self) -> list[int]:
        """Return the living processes of the task."""
        try:  # nearly always there is no child at all, and no table to read
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return []
        table = process_table()
        below = [pid for pid, process in table.items() if process.parent == os.getpid() and self._is_young(process)]
        for pid in below:  # grows while it is read: the tree, level by level
            below += [other for other, process in table.items() if process.parent == pid]
        return [pid for pid in below if not table[pid].zombie]

    def end_what_is_left(self, patience: float) -> int:
        """Send SIGTERM, wait up to `patience` seconds, then SIGKILL. Return how many processes were left."""
        found = self.left()
        if not found:
            return 0
        self.signal_all(signal.SIGTERM)
        self._wait_for_none(patience)
        for _ in range(10):  # one that forks while it is killed may need a second round
            if not self.left():
                break
            self.signal_all(signal.SIGKILL)
            self._wait_for_none(0.2)
        return len(found)

    def _wait_for_none(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while self.left() and time.monotonic() < until:
            time.sleep(_LOOK_AGAIN)
            self.reap()

    def _collect(self, pid: int) -> None:
        with contextlib.suppress(ChildProcessError):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended == self.pid:
                self.status = os.waitstatus_to_exitcode(status)

    def _is_ours(self, pid: int) -> bool:
        process = _look_up(pid)
        return pid == self.pid or (process is not None and self._is_young(process))

    def _is_young(self, process: Process) -> bool:
        return process.started >= self._started


def process_table() -> dict[int, Process]:
    """Return all processes by number (Linux: proc(5)); empty elsewhere."""
    if not _IS_LINUX:
        return {}
    found = {int(name): _look_up(int(name)) for name in os.listdir("/proc") if name.isdigit()}  # noqa: PTH208 - names only, and fast
    return {pid: process for pid, process in found.items() if process}


def _look_up(pid: int) -> Process | None:
    try:
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        stat = os.read(fd, 4096)
    except OSError:  # it ended in between
        return None
    finally:
        os.close(fd)
    state, parent, *rest = stat[stat.rindex(b")") + 2 :].split()  # the name before may hold spaces and brackets
    return Process(int(parent), int(rest[17]), state in b"ZX")
