r"""Windows: a named pipe, and which process is at its other end. Written to the documented interfaces; not run by us.

The pipe is `\\.\pipe\locum-SID-RANDOM`; its name stands in the file where other systems have the socket, in a directory
of the user's profile. Who guesses the name is kept out by the pipe's own rights, and finds no place to make it first:
it is different each time.
"""

from __future__ import annotations

import ctypes
import re
import secrets
import sys
import time
from ctypes import wintypes
from typing import TYPE_CHECKING, Any

from locum.errors import NotAllowed, Unavailable
from locum.paths import private_dir

if TYPE_CHECKING:
    from locum.broker.endpoint import ClientStream
    from locum.paths import Paths

# winnt.h, winbase.h, winerror.h
GENERIC_READ, GENERIC_WRITE, OPEN_EXISTING = 0x80000000, 0x40000000, 3
FILE_FLAG_OVERLAPPED = 0x40000000
_SECURITY_IDENTIFICATION = 0x00010000 | 0x00100000  # with SECURITY_SQOS_PRESENT: the server may not act as us
SYNCHRONIZE, PROCESS_QUERY_LIMITED_INFORMATION, _TOKEN_QUERY, _TOKEN_USER = 0x00100000, 0x1000, 8, 1
WAIT_OBJECT_0, WAIT_TIMEOUT, INFINITE = 0, 0x102, 0xFFFFFFFF
_NOT_FOUND, _BUSY, IO_PENDING, PIPE_CONNECTED, _BROKEN, ABORTED = 2, 231, 997, 535, 109, 995
INVALID_HANDLE = ctypes.c_void_p(-1).value
_BUSY_FOR = 5.0
"""Seconds that we wait for a free instance of the pipe."""
_LOOK_EVERY = 0.01


def new_pipe_name(sid: str) -> str:
    """Return a name that nobody can know before, for the user `sid`."""
    return rf"\\.\pipe\locum-{sid}-{secrets.token_hex(16)}"


def is_pipe_name(name: str, sid: str) -> bool:
    """Say whether a published name is one of this user's on this machine; another could lead to another computer."""
    return re.fullmatch(rf"\\\\\.\\pipe\\locum-{re.escape(sid)}-[0-9a-f]{{32}}", name, re.ASCII) is not None


def owner_only(sid: str) -> str:
    """Return the security descriptor, in SDDL, that lets this user do everything and others nothing."""
    return f"O:{sid}D:P(A;;GA;;;{sid})"


class Overlapped(ctypes.Structure):
    """`OVERLAPPED` of minwinbase.h."""

    _fields_ = (
        ("internal", ctypes.c_void_p), ("internal_high", ctypes.c_void_p), ("offset", ctypes.c_uint32),
        ("offset_high", ctypes.c_uint32), ("event", wintypes.HANDLE),
    )  # fmt: skip


class SecurityAttributes(ctypes.Structure):
    """`SECURITY_ATTRIBUTES` of minwinbase.h."""

    _fields_ = (("length", ctypes.c_uint32), ("descriptor", ctypes.c_void_p), ("inherit", ctypes.c_int32))


_H, _D, _P, _B, _W = wintypes.HANDLE, wintypes.DWORD, ctypes.c_void_p, wintypes.BOOL, wintypes.LPCWSTR
_KERNEL = {
    "CreateFileW": (_H, _W, _D, _D, _P, _D, _D, _H), "CreateNamedPipeW": (_H, _W, _D, _D, _D, _D, _D, _D, _P),
    "ConnectNamedPipe": (_B, _H, _P), "WaitNamedPipeW": (_B, _W, _D), "PeekNamedPipe": (_B, _H, _P, _D, _P, _P, _P),
    "GetNamedPipeClientProcessId": (_B, _H, _P), "GetNamedPipeServerProcessId": (_B, _H, _P),
    "ReadFile": (_B, _H, _P, _D, _P, _P), "WriteFile": (_B, _H, _P, _D, _P, _P), "CancelIoEx": (_B, _H, _P),
    "GetOverlappedResult": (_B, _H, _P, _P, _B), "CreateEventW": (_H, _P, _B, _B, _W), "SetEvent": (_B, _H),
    "WaitForSingleObject": (_D, _H, _D), "WaitForMultipleObjects": (_D, _D, _P, _B, _D), "CloseHandle": (_B, _H),
    "OpenProcess": (_H, _D, _B, _D), "GetCurrentProcess": (_H,), "LocalFree": (_P, _P),
    "QueryFullProcessImageNameW": (_B, _H, _D, _P, _P),
}  # fmt: skip
_ADVAPI = {
    "OpenProcessToken": (_B, _H, _D, _P), "GetTokenInformation": (_B, _H, ctypes.c_int, _P, _D, _P),
    "ConvertSidToStringSidW": (_B, _P, _P),
    "ConvertStringSecurityDescriptorToSecurityDescriptorW": (_B, _W, _D, _P, _P),
}  # fmt: skip
_loaded: dict[str, Any] = {}


def call(name: str) -> Any:
    """Return a function of the system with its types set."""
    assert sys.platform == "win32"
    if not _loaded:
        for library, functions in (("kernel32", _KERNEL), ("advapi32", _ADVAPI)):
            loaded = ctypes.WinDLL(library, use_last_error=True)
            for function, (result, *arguments) in functions.items():
                _loaded[function] = getattr(loaded, function)
                _loaded[function].restype, _loaded[function].argtypes = result, arguments
    return _loaded[name]


def last_error() -> OSError:
    """Return what the last call failed with."""
    assert sys.platform == "win32"
    return ctypes.WinError(ctypes.get_last_error())


def sid_of(process: int) -> str:
    """Return the user of an open process, as text. Raises OSError."""
    token, size = wintypes.HANDLE(), wintypes.DWORD()
    if not call("OpenProcessToken")(process, _TOKEN_QUERY, ctypes.byref(token)):
        raise last_error()
    try:
        call("GetTokenInformation")(token, _TOKEN_USER, None, 0, ctypes.byref(size))
        room = ctypes.create_string_buffer(max(size.value, 1))
        if not call("GetTokenInformation")(token, _TOKEN_USER, room, size, ctypes.byref(size)):
            raise last_error()
        text = wintypes.LPWSTR()
        user = ctypes.c_void_p.from_buffer(room)  # TOKEN_USER begins with the pointer to the SID
        if not call("ConvertSidToStringSidW")(user, ctypes.byref(text)):
            raise last_error()
        try:
            return str(text.value)
        finally:
            call("LocalFree")(text)
    finally:
        call("CloseHandle")(token)


def own_sid() -> str:
    """Return this process's user."""
    return sid_of(call("GetCurrentProcess")())


class Pipe:
    """One end of a pipe, with the part of a socket's methods that we use (`ClientStream`)."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._timeout: float | None = None

    def fileno(self) -> int:
        """Return -1: it is no descriptor."""
        return -1

    def settimeout(self, value: float | None, /) -> None:
        """Set how long `recv` waits."""
        self._timeout = value

    def recv(self, bufsize: int, /) -> bytes:
        """Return what is here, b"" at the end. Raises TimeoutError."""
        room = ctypes.create_string_buffer(bufsize)
        size = self._run("ReadFile", room, bufsize, self._timeout)
        return room.raw[:size]

    def sendall(self, data: bytes | memoryview, /) -> None:
        """Send all of it."""
        left = bytes(data)
        while left:
            sent = self._run("WriteFile", ctypes.create_string_buffer(left, len(left)), len(left), None)
            if not sent:
                raise BrokenPipeError
            left = left[sent:]

    def available(self) -> bool:
        """Say whether `recv` would return at once: something is here, or nothing will come any more."""
        count = wintypes.DWORD()
        return not call("PeekNamedPipe")(self._handle, None, 0, None, ctypes.byref(count), None) or count.value > 0

    def cancel(self) -> None:
        """Let whoever waits in `recv` or `sendall` come back."""
        call("CancelIoEx")(self._handle, None)

    def close(self) -> None:
        """End it. Safe to call twice."""
        handle, self._handle = self._handle, 0
        if handle:
            call("CloseHandle")(handle)

    def _run(self, name: str, room: Any, size: int, timeout: float | None) -> int:
        """Read or write; return how many bytes, 0 at the end."""
        assert sys.platform == "win32"
        moved = wintypes.DWORD()
        overlapped = Overlapped(event=call("CreateEventW")(None, True, False, None))
        try:
            if not call(name)(self._handle, room, size, None, ctypes.byref(overlapped)):
                if ctypes.get_last_error() == _BROKEN:
                    return 0
                if ctypes.get_last_error() != IO_PENDING:
                    raise last_error()
                wait = INFINITE if timeout is None else int(timeout * 1000)
                if call("WaitForSingleObject")(overlapped.event, wait) == WAIT_TIMEOUT:
                    call("CancelIoEx")(self._handle, ctypes.byref(overlapped))
            if call("GetOverlappedResult")(self._handle, ctypes.byref(overlapped), ctypes.byref(moved), True):
                return moved.value
            if ctypes.get_last_error() == ABORTED:
                raise TimeoutError
            if ctypes.get_last_error() == _BROKEN:
                return 0
            raise last_error()
        finally:
            call("CloseHandle")(overlapped.event)


def connect(paths: Paths) -> Pipe | None:
    """Connect to the published pipe; None when nobody listens there. See `ClientSide`."""
    try:
        name = paths.socket.read_text("ascii")
    except (OSError, UnicodeDecodeError):
        return None
    private_dir(paths.runtime)
    try:
        sid = own_sid()
        if not is_pipe_name(name, sid):
            raise NotAllowed("denied.broker", f"{paths.socket} names no pipe of yours", f"Remove {paths.socket}.")
        handle = _open(name)
        if handle is None:
            return None
        if _server_sid(handle) != sid:
            call("CloseHandle")(handle)
            raise NotAllowed("denied.broker", "the broker belongs to another user", f"Remove {paths.socket}.")
    except OSError as error:
        raise Unavailable("unavailable.broker", f"cannot reach the broker ({error.strerror})") from None
    return Pipe(handle)


def send_with_handle(stream: ClientStream, data: bytes, handle: int) -> None:  # noqa: ARG001 - one signature
    """Send bytes; a console cannot be passed along, so that questions go to the editor alone."""
    stream.sendall(data)


def wait_readable(stream: ClientStream, timeout: float | None) -> bool:
    """Wait until there is something to read."""
    assert isinstance(stream, Pipe)
    end = None if timeout is None else time.monotonic() + timeout
    while not stream.available():
        if end is not None and time.monotonic() >= end:
            return False
        time.sleep(_LOOK_EVERY)
    return True


def _open(name: str) -> int | None:
    assert sys.platform == "win32"
    end = time.monotonic() + _BUSY_FOR
    while True:
        access, flags = GENERIC_READ | GENERIC_WRITE, FILE_FLAG_OVERLAPPED | _SECURITY_IDENTIFICATION
        handle = call("CreateFileW")(name, access, 0, None, OPEN_EXISTING, flags, None)
        if handle is not None and handle != INVALID_HANDLE:
            return handle
        if ctypes.get_last_error() == _NOT_FOUND:
            return None
        if ctypes.get_last_error() != _BUSY or time.monotonic() > end:
            raise last_error()
        call("WaitNamedPipeW")(name, 100)


def _server_sid(handle: int) -> str:
    number = wintypes.DWORD()
    if not call("GetNamedPipeServerProcessId")(handle, ctypes.byref(number)):
        raise last_error()
    process = call("OpenProcess")(PROCESS_QUERY_LIMITED_INFORMATION, False, number)
    if not process:
        raise last_error()
    try:
        return sid_of(process)
    finally:
        call("CloseHandle")(process)
