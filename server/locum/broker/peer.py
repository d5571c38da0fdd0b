"""Who is at the other end of a socket: the kernel's word, never the peer's.

Linux: SO_PEERCRED and, from 6.5, SO_PEERPIDFD (the number 77 is from `include/uapi/asm-generic/socket.h`); before that
`pidfd_open` followed by a second look at the credentials. A pid alone is never trusted: pids are reused within
milliseconds. Elsewhere (macOS: LOCAL_PEERPID, `sys/un.h`) the process is polled by pid and start is checked by uid
only; that is weaker and `binding` says so.
"""

from __future__ import annotations

import fcntl
import os
import select
import socket
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

from locum.broker.level import is_sandboxed
from locum.broker.markers import AGENT_MARKERS
from locum.errors import NotAllowed

_SO_PEERPIDFD = 77
_TIOCGDEV = 0x80045432  # include/uapi/asm-generic/ioctls.h; the device in the same encoding as proc(5) tty_nr
_SOL_LOCAL, _LOCAL_PEERPID = 0, 2

_PTY_MAJOR = 136  # Documentation/admin-guide/devices.txt, Unix98 PTY slaves


@dataclass(slots=True)
class Peer:
    """A live process at the other end."""

    pid: int
    uid: int
    pidfd: int | None
    sandboxed: bool = False
    """Whether it lived in another PID namespace than ours when it connected: it can leave ours later, never come back."""

    def alive(self) -> bool:
        """Say whether that very process (not a successor of its pid) still lives."""
        if self.pidfd is not None:
            poll = select.poll()
            poll.register(self.pidfd, select.POLLIN)
            return not poll.poll(0)
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        return True

    @property
    def binding(self) -> str:
        """How firmly leases hold on to it, for status."""
        return "pidfd" if self.pidfd is not None else "pid"

    def close(self) -> None:
        """Let the kernel handle go."""
        if self.pidfd is not None:
            os.close(self.pidfd)
            self.pidfd = None


def identify(connection: socket.socket) -> Peer:
    """Return the peer. Raises NotAllowed when it belongs to another user or cannot be told."""
    try:
        peer = _linux(connection) if sys.platform == "linux" else _darwin(connection)
    except OSError:
        raise NotAllowed("denied.peer", "cannot tell who is asking") from None
    if peer.uid != os.geteuid():
        peer.close()
        raise NotAllowed("denied.peer", "another user is asking")
    peer.sandboxed = sys.platform == "linux" and is_sandboxed(peer.pid)
    return peer


def _linux(connection: socket.socket) -> Peer:
    pid, uid, _ = _credentials(connection)
    try:
        return Peer(pid, uid, connection.getsockopt(socket.SOL_SOCKET, _SO_PEERPIDFD))
    except OSError:
        pidfd = os.pidfd_open(pid)
        if _credentials(connection)[0] != pid:
            os.close(pidfd)
            raise
        return Peer(pid, uid, pidfd)


def _credentials(connection: socket.socket) -> tuple[int, int, int]:
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    pid, uid, gid = struct.unpack("3i", raw)
    return pid, uid, gid


def _darwin(connection: socket.socket) -> Peer:
    pid = connection.getsockopt(_SOL_LOCAL, _LOCAL_PEERPID)
    return Peer(pid, os.geteuid(), None)  # the 0700 directory around the socket already keeps other users out


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


def children(pid: int) -> list[int]:
    """Return the children of a process (Linux: proc(5))."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]
    except (OSError, ValueError):
        return []


def agent_marker(pid: int) -> str:
    """Return the name of the agent marker in the environment of `pid` or of any ancestor, "" when there is none."""
    wanted = {name.encode() for name in AGENT_MARKERS}
    for one in (pid, *ancestors(pid)):
        try:
            names = {entry.partition(b"=")[0] for entry in Path(f"/proc/{one}/environ").read_bytes().split(b"\0")}
        except OSError:
            continue  # an ancestor of another user: nothing to learn there
        found = wanted & names
        if found:
            return min(found).decode()
    return ""


def controls_terminal(pid: int, descriptor: int) -> bool:
    """Say whether `descriptor` is the controlling terminal of `pid`, with `pid` in its foreground (proc(5), stat)."""
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
