"""macOS: which process is at the other end of a Unix socket. Written to the documented interfaces; not run by us.

`sys/un.h` has the socket options, `bsm/libbsm.h` what an audit token is made of: its version of the pid changes when a
pid is used again and when the process executes another program. The token is that of whoever last used the other end,
so that it is compared with every request.
"""

from __future__ import annotations

import ctypes
import os
import select
import socket
import struct
import sys
from dataclasses import dataclass
from typing import Any

from locum.broker.peer import Peer

_SOL_LOCAL, _LOCAL_PEERPID, _LOCAL_PEERTOKEN = 0, 2, 6
_TOKEN = struct.Struct("=8I")
_PATH_SIZE = 4096  # sys/proc_info.h, PROC_PIDPATHINFO_MAXSIZE


@dataclass(frozen=True, slots=True)
class AuditToken:
    """What we use of an audit token."""

    euid: int
    pid: int
    version: int


def read_token(raw: bytes) -> AuditToken:
    """Take an `audit_token_t` apart: auid, euid, egid, ruid, rgid, pid, asid, version. Raises ValueError."""
    if len(raw) != _TOKEN.size:
        raise ValueError("an audit token of another size")
    _, euid, _, _, _, pid, _, version = _TOKEN.unpack(raw)
    return AuditToken(euid, pid, version)


def identify(connection: socket.socket) -> Peer:
    """Return the peer, with a hold on it. Raises OSError when it is gone or changes while we look."""
    token = _token(connection)
    process = _Watched(connection, token)
    if not process.alive():
        process.close()
        raise ProcessLookupError
    return Peer(token.pid, token.euid, None, "audit token", program_of(token.pid), process)


def pid_of(connection: socket.socket) -> int:
    """Return the number of the process that connected."""
    return connection.getsockopt(_SOL_LOCAL, _LOCAL_PEERPID)


def program_of(pid: int) -> str:
    """Return the path of the program that runs as `pid`, "" when that is not told (`libproc.h`)."""
    library = ctypes.CDLL("/usr/lib/libproc.dylib")
    library.proc_pidpath.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_uint32]
    library.proc_pidpath.restype = ctypes.c_int
    room = ctypes.create_string_buffer(_PATH_SIZE)
    return os.fsdecode(room.value) if library.proc_pidpath(pid, room, _PATH_SIZE) > 0 else ""


def _token(connection: socket.socket) -> AuditToken:
    return read_token(connection.getsockopt(_SOL_LOCAL, _LOCAL_PEERTOKEN, _TOKEN.size))


class _Watched:
    """A process whose end the kernel tells us (kqueue(2), NOTE_EXIT)."""

    _queue: Any

    def __init__(self, connection: socket.socket, token: AuditToken) -> None:
        assert sys.platform == "darwin"
        self._connection, self._token = connection, token
        self._queue = select.kqueue()
        watch = select.kevent(token.pid, select.KQ_FILTER_PROC, select.KQ_EV_ADD, select.KQ_NOTE_EXIT)
        self._queue.control([watch], 0)

    def alive(self) -> bool:
        """Say whether it has not ended, and it alone has used the other end."""
        assert sys.platform == "darwin"
        try:
            return not self._queue.control(None, 1, 0) and _token(self._connection) == self._token
        except (OSError, ValueError):
            return False

    def close(self) -> None:
        """Watch no longer."""
        self._queue.close()
