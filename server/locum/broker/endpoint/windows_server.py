"""The broker's end on Windows: a named pipe with the owner's rights alone, a thread for each direction of a connection.

Written to the documented interfaces; not run by us.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import sys
import threading
from collections.abc import Callable
from ctypes import wintypes
from pathlib import Path
from typing import TYPE_CHECKING

from locum.broker.endpoint import windows
from locum.broker.endpoint.windows import Overlapped, Pipe, SecurityAttributes, call, last_error
from locum.broker.peer import Peer

if TYPE_CHECKING:
    from locum.broker.endpoint.server import Stream
    from locum.paths import Paths

_PIPE_ACCESS_DUPLEX, _FIRST_PIPE_INSTANCE = 3, 0x00080000  # winbase.h
_PIPE_REJECT_REMOTE_CLIENTS, _UNLIMITED_INSTANCES = 8, 255
_SDDL_REVISION = 1
_BUFFER = 65536
_MAX_QUEUED = 1024 * 1024


class Lock:
    """A locked byte of a file, held until the process ends; a file that is open cannot be taken away there."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def is_in_place(self) -> bool:
        """Say whether others would still meet this lock."""
        return True

    def release(self) -> None:
        """Let others take it."""
        os.close(self._descriptor)


def take_lock(path: Path) -> Lock | None:
    """Take the lock of this path; None when somebody else has it."""
    assert sys.platform == "win32"
    import msvcrt

    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    except OSError:
        os.close(descriptor)
        return None
    return Lock(descriptor)


def listen(paths: Paths) -> PipeListener:
    """Make the pipe and publish its name, for the holder of the lock."""
    return PipeListener(paths.socket)


class _Process:
    """An open process: its number is not used again as long as we hold it."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def alive(self) -> bool:
        """Say whether it has not ended."""
        return bool(self._handle) and call("WaitForSingleObject")(self._handle, 0) == windows.WAIT_TIMEOUT

    def close(self) -> None:
        """Let it go."""
        handle, self._handle = self._handle, 0
        if handle:
            call("CloseHandle")(handle)


def identify(pipe: int, number: int) -> Peer:
    """Return the process at the other end of a pipe, of number `number`. Raises OSError when it is not this user's."""
    rights = windows.SYNCHRONIZE | windows.PROCESS_QUERY_LIMITED_INFORMATION
    handle = call("OpenProcess")(rights, False, number)
    if not handle:
        raise last_error()
    process = _Process(handle)
    # The process that connected holds the other end, unless it died, and then a successor could have its number.
    connected = call("PeekNamedPipe")(pipe, None, 0, None, None, None)
    if not connected or windows.sid_of(handle) != windows.own_sid():
        process.close()
        raise PermissionError
    return Peer(number, 0, None, "process handle", _program(handle), process)


def _program(handle: int) -> str:
    room, size = ctypes.create_unicode_buffer(32768), wintypes.DWORD(32768)
    found = call("QueryFullProcessImageNameW")(handle, 0, room, ctypes.byref(size))
    return room.value.replace("\\", "/") if found else ""


class PipeListener:
    """The pipe's name, and a thread that waits for clients."""

    def __init__(self, published: Path) -> None:
        self._published = published
        self._sid = windows.own_sid()
        self._name = windows.new_pipe_name(self._sid)
        self._stop: int = call("CreateEventW")(None, True, False, None)
        self._waiting = self._instance(first=True)
        published.unlink(missing_ok=True)
        published.write_text(self._name, "ascii")

    def start(self, admit: Callable[[int], bool], come: Callable[[Stream], None]) -> None:
        """Begin to accept; see `server.Listener`."""
        self._admit, self._come, self._loop = admit, come, asyncio.get_running_loop()
        threading.Thread(target=self._accept, daemon=True, name="pipe").start()

    def is_in_place(self) -> bool:
        """Say whether clients still find it."""
        with contextlib.suppress(OSError):
            return self._published.read_text("ascii") == self._name
        return False

    def close(self) -> None:
        """Stop listening and take the name away, if it is still ours."""
        call("SetEvent")(self._stop)
        if self.is_in_place():
            self._published.unlink(missing_ok=True)

    def _instance(self, *, first: bool) -> int:
        descriptor = ctypes.c_void_p()
        made = call("ConvertStringSecurityDescriptorToSecurityDescriptorW")(
            windows.owner_only(self._sid), _SDDL_REVISION, ctypes.byref(descriptor), None
        )
        if not made:
            raise last_error()
        try:
            attributes = SecurityAttributes(ctypes.sizeof(SecurityAttributes), descriptor, False)
            mode = _PIPE_ACCESS_DUPLEX | windows.FILE_FLAG_OVERLAPPED | (_FIRST_PIPE_INSTANCE if first else 0)
            handle = call("CreateNamedPipeW")(
                self._name, mode, _PIPE_REJECT_REMOTE_CLIENTS, _UNLIMITED_INSTANCES, _BUFFER, _BUFFER, 0,
                ctypes.byref(attributes),
            )  # fmt: skip
        finally:
            call("LocalFree")(descriptor)
        if handle is None or handle == windows.INVALID_HANDLE:
            raise last_error()
        return handle

    def _accept(self) -> None:
        with contextlib.suppress(OSError, RuntimeError):  # the loop has ended
            while self._wait():
                came, self._waiting = self._waiting, self._instance(first=False)
                self._loop.call_soon_threadsafe(self._arrived, came)
        call("CloseHandle")(self._waiting)

    def _wait(self) -> bool:
        """Wait for a client; say whether one came, rather than the end."""
        assert sys.platform == "win32"
        overlapped = Overlapped(event=call("CreateEventW")(None, True, False, None))
        try:
            if call("ConnectNamedPipe")(self._waiting, ctypes.byref(overlapped)):
                return True
            if ctypes.get_last_error() == windows.PIPE_CONNECTED:
                return True
            if ctypes.get_last_error() != windows.IO_PENDING:
                raise last_error()
            events = (wintypes.HANDLE * 2)(overlapped.event, self._stop)
            if call("WaitForMultipleObjects")(2, events, False, windows.INFINITE) == windows.WAIT_OBJECT_0:
                return True
            count = wintypes.DWORD()
            call("CancelIoEx")(self._waiting, ctypes.byref(overlapped))
            call("GetOverlappedResult")(self._waiting, ctypes.byref(overlapped), ctypes.byref(count), True)
            return False
        finally:
            call("CloseHandle")(overlapped.event)

    def _arrived(self, handle: int) -> None:
        number = wintypes.DWORD()
        with contextlib.suppress(OSError):
            if call("GetNamedPipeClientProcessId")(handle, ctypes.byref(number)) and self._admit(number.value):
                self._come(PipeStream(handle, identify(handle, number.value)))
                return
        call("CloseHandle")(handle)


class PipeStream:
    """One accepted connection; see `server.Stream`."""

    def __init__(self, handle: int, peer: Peer) -> None:
        self.peer = peer
        self._pipe = Pipe(handle)
        self._loop = asyncio.get_running_loop()
        self._going = threading.Event()
        self._queue = bytearray()
        self._queued = threading.Condition()
        self._open = True
        self._broken = False
        self._writable: Callable[[], None] | None = None

    def start(self, receive: Callable[[bytes, list[int]], None], foreign: Callable[[int], None]) -> None:  # noqa: ARG002 - a handle is not inherited unasked
        """Begin to read and write."""
        self._receive = receive
        self._going.set()
        threads = [threading.Thread(target=work, daemon=True) for work in (self._read, self._write)]
        for thread in threads:
            thread.start()
        threading.Thread(target=self._finish, args=(threads,), daemon=True).start()

    def pause(self, paused: bool) -> None:
        """Stop reading, or go on."""
        if paused:
            self._going.clear()
        else:
            self._going.set()

    def write(self, data: bytearray) -> int:
        """Queue what there is room for."""
        if self._broken:
            return -1
        with self._queued:
            part = data[: max(0, _MAX_QUEUED - len(self._queue))]
            self._queue += part
            self._queued.notify()
        return len(part)

    def when_writable(self, call: Callable[[], None] | None) -> None:
        """Call this when something of the queue has gone."""
        self._writable = call

    def close(self) -> None:
        """End it."""
        with self._queued:
            self._open = False
            self._queued.notify()
        self._going.set()
        self._pipe.cancel()

    def _read(self) -> None:
        while self._open:
            self._going.wait()
            try:
                data = self._pipe.recv(_BUFFER)
            except OSError:
                data = b""
            self._tell(self._give, data)
            if not data:
                return

    def _write(self) -> None:
        while True:
            with self._queued:
                while self._open and not self._queue:
                    self._queued.wait()
                data = bytes(self._queue)
                self._queue[:] = bytes(len(self._queue))
                self._queue.clear()
            if not data:
                return
            try:
                self._pipe.sendall(data)
            except OSError:
                self._broken = True
            self._tell(self._room)
            if self._broken:
                return

    def _finish(self, threads: list[threading.Thread]) -> None:
        """Close the handle when nobody uses it any more."""
        for thread in threads:
            thread.join()
        self._pipe.close()

    def _give(self, data: bytes) -> None:
        if self._open:
            self._receive(data, [])

    def _room(self) -> None:
        if self._open and self._writable is not None:
            self._writable()

    def _tell(self, call: Callable[..., None], *arguments: bytes) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(call, *arguments)
