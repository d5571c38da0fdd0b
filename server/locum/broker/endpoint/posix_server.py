"""The broker's end on Linux and macOS: a 0600 socket in a 0700 directory, and who sends each message."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import socket
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from locum.broker.aside import close_aside
from locum.broker.endpoint.posix import socket_address
from locum.broker.peer import Peer, identify, pid_of
from locum.errors import LocumError

if TYPE_CHECKING:
    from locum.broker.endpoint.server import Stream
    from locum.paths import Paths

_CHUNK = 65536
_BACKLOG = 256
_AT_ONCE = 32
"""Clients that are let in before others are served again."""
_CREDENTIALS = struct.Struct("3i")  # unix(7), struct ucred
_SCM_CREDENTIALS = 2  # include/linux/socket.h
_MAX_DESCRIPTORS = (
    253  # include/net/scm.h, SCM_MAX_FD: with less room the kernel would close what is left, and may wait
)
_ANCILLARY = socket.CMSG_SPACE(_CREDENTIALS.size) + socket.CMSG_SPACE(_MAX_DESCRIPTORS * 4)
_CLOEXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)


class Lock:
    """A lock file that is held until the process ends."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path, self._descriptor = path, descriptor

    def is_in_place(self) -> bool:
        """Say whether others would still meet this lock."""
        return _is_at(self._path, os.fstat(self._descriptor))

    def release(self) -> None:
        """Let others take it."""
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)


def take_lock(path: Path) -> Lock | None:
    """Take the lock of this path; None when somebody else has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    if not _is_at(path, os.fstat(descriptor)):
        os.close(descriptor)  # it was taken away while we took it: the next one counts
        return take_lock(path)
    return Lock(path, descriptor)


def listen(paths: Paths) -> SocketListener:
    """Make the socket, for the holder of the lock."""
    paths.socket.unlink(missing_ok=True)  # ours by the lock; left behind by a broker that was killed
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)  # 0600 from the first moment on
    with socket_address(paths) as address:
        listener.bind(address)
    os.umask(before)
    if sys.platform == "linux":
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)  # what is accepted has it from its first byte on
    listener.listen(_BACKLOG)
    listener.setblocking(False)
    return SocketListener(listener, paths.socket)


class SocketListener:
    """The listening socket."""

    def __init__(self, listener: socket.socket, path: Path) -> None:
        self._listener, self._path = listener, path
        self._made = path.lstat()
        self._admit: Callable[[int], bool] = lambda _: False
        self._come: Callable[[Stream], None] = lambda _: None

    def start(self, admit: Callable[[int], bool], come: Callable[[Stream], None]) -> None:
        """Begin to accept; see `server.Listener`."""
        self._admit, self._come = admit, come
        asyncio.get_running_loop().add_reader(self._listener, self._accept)

    def is_in_place(self) -> bool:
        """Say whether clients still find it."""
        return _is_at(self._path, self._made)

    def close(self) -> None:
        """Stop listening and take the name away, if it is still ours."""
        with contextlib.suppress(RuntimeError, ValueError):  # no loop any more, or closed already
            asyncio.get_running_loop().remove_reader(self._listener)
        if self.is_in_place():
            self._path.unlink(missing_ok=True)
        close_aside(self._listener)  # who waits in its queue may have sent descriptors along

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                if self._admit(pid_of(client)):
                    self._come(SocketStream(client, identify(client)))
                    continue
            except (LocumError, OSError, ValueError):
                pass
            close_aside(client)


class SocketStream:
    """One accepted connection; see `server.Stream`."""

    def __init__(self, connection: socket.socket, peer: Peer) -> None:
        self.peer = peer
        self._socket = connection
        self._loop = asyncio.get_running_loop()
        connection.setblocking(False)

    def start(self, receive: Callable[[bytes, list[int]], None], foreign: Callable[[int], None]) -> None:
        """Begin to read."""
        self._receive, self._foreign = receive, foreign
        self.pause(False)

    def pause(self, paused: bool) -> None:
        """Stop reading, or go on."""
        if paused:
            self._loop.remove_reader(self._socket)
        else:
            self._loop.add_reader(self._socket, self._readable)

    def write(self, data: bytearray) -> int:
        """Send what the socket takes."""
        try:
            return self._socket.send(data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError:
            return -1

    def when_writable(self, call: Callable[[], None] | None) -> None:
        """Call this when the socket takes something."""
        if call is None:
            self._loop.remove_writer(self._socket)
        else:
            self._loop.add_writer(self._socket, call)

    def close(self) -> None:
        """End it now for the peer; what waits in it unread is let go of aside."""
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        close_aside(self._socket)

    def _readable(self) -> None:
        try:
            data, ancillary, _, _ = self._socket.recvmsg(_CHUNK, _ANCILLARY, _CLOEXEC)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data, ancillary = b"", list[tuple[int, int, bytes]]()
        descriptors: list[int] = []
        sender = None
        for level, kind, content in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                whole = content[: len(content) - len(content) % 4]
                descriptors += (number for (number,) in struct.iter_unpack("i", whole))
            elif level == socket.SOL_SOCKET and kind == _SCM_CREDENTIALS and len(content) >= _CREDENTIALS.size:
                sender = _CREDENTIALS.unpack_from(content)
        # The kernel never mixes two senders in one read (net/unix/af_unix.c, unix_skb_scm_eq).
        if data and sys.platform == "linux" and (sender is None or sender[:2] != (self.peer.pid, self.peer.uid)):
            for descriptor in descriptors:
                close_aside(descriptor)
            self._foreign(sender[0] if sender is not None else 0)
            return
        self._receive(data, descriptors)


def _is_at(path: Path, made: os.stat_result) -> bool:
    try:
        there = path.lstat()
    except OSError:
        return False
    return (there.st_dev, there.st_ino) == (made.st_dev, made.st_ino)
