"""Who is at the other end of a socket: the kernel's word, never the peer's.

Linux: SO_PEERCRED and, from 6.5, SO_PEERPIDFD (the number 77 is from `include/uapi/asm-generic/socket.h`); before that
`pidfd_open` followed by a second look at the credentials. A pid alone is never trusted: pids are reused within
milliseconds. Those are the credentials of whoever connected; who sends each message is told by SO_PASSCRED, and
`endpoint.posix_server` compares. macOS and Windows: `endpoint.darwin`, `endpoint.windows_server`.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from locum.broker.aside import in_time
from locum.broker.level import is_sandboxed
from locum.broker.markers import AGENT_MARKERS
from locum.errors import NotAllowed

_SO_PEERPIDFD = 77
_TIOCGDEV = 0x80045432  # include/uapi/asm-generic/ioctls.h; the device in the same encoding as proc(5) tty_nr

_PTY_MAJOR = 136  # Documentation/admin-guide/devices.txt, Unix98 PTY slaves

_MARKERS = frozenset(name.encode() for name in AGENT_MARKERS)
UNREADABLE = "UNREADABLE_ENVIRONMENT"
LOOK_WITHIN = 0.5
"""Seconds for a look at a process and its ancestors; it takes a millisecond where nobody interferes."""


class Process(Protocol):
    """A hold on one process that its successor by pid does not answer to."""

    def alive(self) -> bool:
        """Say whether it still lives."""
        ...

    def close(self) -> None:
        """Let it go."""
        ...


@dataclass(slots=True)
class Peer:
    """A live process at the other end."""

    pid: int
    uid: int
    pidfd: int | None
    """Linux: its kernel handle."""
    binding: str = "pidfd"
    """How firmly leases hold on to it, for status: `pidfd`, `pidfd_open` (before Linux 6.5), `audit token`, `process handle`."""
    program: str = ""
    """The program that it was when it connected. A hint for people: another one may run in the same process since."""
    process: Process | None = None
    """Elsewhere: the same as `pidfd`."""
    sandboxed: bool = False
    """Whether it lived in another PID namespace than ours when it connected: it can leave ours later, never come back."""

    def alive(self) -> bool:
        """Say whether that very process (not a successor of its pid) still lives."""
        if self.pidfd is not None:
            poll = select.poll()
            poll.register(self.pidfd, select.POLLIN)
            return not poll.poll(0)
        return self.process is not None and self.process.alive()

    def shown(self) -> str:
        """Return the program's name for a person; both names where it is not the one that connected."""
        now = program_of(self.pid)
        if now == self.program or not now:
            return _name(self.program) or "a program"
        return f"{_name(now)} (it connected as {_name(self.program) or 'another program'})"

    def close(self) -> None:
        """Let the kernel handle go."""
        if self.pidfd is not None:
            os.close(self.pidfd)
            self.pidfd = None
        if self.process is not None:
            self.process.close()
            self.process = None


def identify(connection: socket.socket) -> Peer:
    """Return the peer. Raises NotAllowed when it belongs to another user or cannot be told."""
    try:
        if sys.platform == "linux":
            peer = _linux(connection)
        else:
            from locum.broker.endpoint.darwin import identify as darwin

            peer = darwin(connection)
    except (OSError, ValueError):
        raise NotAllowed("denied.peer", "cannot tell who is asking") from None
    if peer.uid != os.geteuid():
        peer.close()
        raise NotAllowed("denied.peer", "another user is asking")
    peer.sandboxed = sys.platform == "linux" and is_sandboxed(peer.pid)
    return peer


def pid_of(connection: socket.socket) -> int:
    """Return the number of the process that connected: enough to count by, not to trust."""
    if sys.platform == "linux":
        return credentials(connection)[0]
    from locum.broker.endpoint.darwin import pid_of as darwin

    return darwin(connection)


def _linux(connection: socket.socket) -> Peer:
    pid, uid, _ = credentials(connection)
    try:
        pidfd, binding = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERPIDFD), "pidfd"
    except OSError:
        pidfd, binding = os.pidfd_open(pid), "pidfd_open"
        if not _still(connection, pid, pidfd):
            os.close(pidfd)
            raise
    return Peer(pid, uid, pidfd, binding, program_of(pid))


def _still(connection: socket.socket, pid: int, pidfd: int) -> bool:
    """Say whether a handle that was opened by number is the process that connected.

    The end of a connector that died has hung up, unless somebody inherited it; whoever did is not the sender that each
    message must have.
    """
    if credentials(connection)[0] != pid:
        return False
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    poll.register(connection, 0)  # POLLHUP and POLLERR are always told
    return not poll.poll(0)


def credentials(connection: socket.socket) -> tuple[int, int, int]:
    """Return pid, uid and gid of whoever connected (Linux, `unix(7)`)."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    pid, uid, gid = struct.unpack("3i", raw)
    return pid, uid, gid


def program_of(pid: int) -> str:
    """Return the path of the program that runs as `pid` now, "" when that is not told."""
    if sys.platform == "darwin":
        from locum.broker.endpoint.darwin import program_of as darwin

        return darwin(pid)
    try:
        return str(Path(f"/proc/{pid}/exe").readlink())
    except OSError:
        return ""


def _name(program: str) -> str:
    return program.rpartition("/")[2]


def ancestors(pid: int) -> list[int]:
    """Return the parents of a process, the nearest first, without the first process of the system."""
    found: list[int] = []
    while True:
        pid = _stat_fields(pid)[1]
        if pid <= 1 or pid in found:
            return found
        found.append(pid)


def session_of(pid: int) -> int:
    """Return the session of a process, 0 when it is gone."""
    try:
        return os.getsid(pid)
    except OSError:
        return 0


def has_terminal_of_its_own(pid: int) -> bool:
    """Say whether a process leads a session that has a terminal."""
    return session_of(pid) == pid and _stat_fields(pid)[3] != 0


def children(pid: int) -> list[int]:
    """Return the children of a process (Linux: proc(5))."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]
    except (OSError, ValueError):
        return []


def agent_marker(pid: int) -> str:
    """Return the name of the agent marker in the environment of `pid` or of any ancestor, "" when there is none.

    `UNREADABLE` when a process lets us wait for its environment: it has something to hide.
    """
    found = in_time(lambda: _marker(pid), LOOK_WITHIN)
    return UNREADABLE if found is None else found


def _marker(pid: int) -> str:
    for one in (pid, *ancestors(pid)):
        found = _own_marker(one)
        if found:
            return found
    return ""


def _own_marker(pid: int) -> str:
    try:
        names = {entry.partition(b"=")[0] for entry in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")}
    except OSError:
        return ""  # an ancestor of another user: nothing to learn there
    return min((name.decode() for name in _MARKERS & names), default="")


def agent_of(pid: int) -> int:
    """Return the process below which all are an agent's, 0 when it cannot be told: an agent can start new sessions."""

    def look() -> int:
        marked = [one for one in (pid, *ancestors(pid)) if _own_marker(one)]
        return _stat_fields(marked[-1])[1] if marked else 0

    return in_time(look, LOOK_WITHIN) or 0


def controls_terminal(pid: int, descriptor: int) -> bool:
    """Say whether `descriptor` is the controlling terminal of `pid`, with `pid` in its foreground (proc(5), stat)."""
    import fcntl  # POSIX only

    try:
        (device,) = struct.unpack("I", fcntl.ioctl(descriptor, _TIOCGDEV, bytes(4)))  # also when opened as /dev/tty
    except OSError:
        return False  # no terminal
    _, _, group, terminal, foreground = _stat_fields(pid)
    return terminal != 0 and terminal == device and group == foreground


def reopen_terminal(descriptor: int) -> int:
    """Open a terminal that somebody handed over once more, for ourselves and without blocking.

    The descriptor that was handed over is shared with its sender, who could make it block, and us with it.
    """
    import fcntl

    (device,) = struct.unpack("I", fcntl.ioctl(descriptor, _TIOCGDEV, bytes(4)))
    major, minor = (device >> 8) & 0xFFF, (device & 0xFF) | ((device >> 12) & 0xFFF00)
    name = f"/dev/pts/{minor + (major - _PTY_MAJOR) * 256}" if major >= _PTY_MAJOR else f"/dev/tty{minor}"
    try:
        own = os.open(name, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        if os.fstat(own).st_rdev == os.makedev(major, minor):
            return own
        os.close(own)
    except OSError:
        pass  # another mount of /dev/pts than the sender's: what was handed over has to do
    own = os.dup(descriptor)
    os.set_blocking(own, False)
    return own


def _stat_fields(pid: int) -> tuple[int, int, int, int, int]:
    """Return pid, parent, process group, controlling terminal, foreground group; zeros when the process is gone."""
    try:
        raw = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return pid, 0, 0, 0, -1
    fields = raw[raw.rindex(b")") + 2 :].split()
    return pid, int(fields[1]), int(fields[2]), int(fields[4]), int(fields[5])
