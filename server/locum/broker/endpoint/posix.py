"""A client's end on Linux and macOS: a Unix socket in a private directory. Small: `locum run` loads it at every start."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
import sys
from typing import TYPE_CHECKING

from locum.errors import NotAllowed, Unavailable
from locum.paths import private_dir

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locum.broker.endpoint import ClientStream
    from locum.paths import Paths

_SOL_LOCAL, _LOCAL_PEERCRED = 0, 1  # macOS sys/un.h
_XUCRED = struct.Struct("=IIh2x16I")  # macOS sys/ucred.h: version, uid, number of groups, groups


def connect(paths: Paths) -> socket.socket | None:
    """Connect to an existing socket; None when nobody listens there. See `ClientSide`."""
    if not os.path.lexists(paths.socket):
        return None
    private_dir(paths.runtime)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with socket_address(paths) as address:
            connection.connect(address)
        uid = _server_uid(connection)
    except (ConnectionRefusedError, FileNotFoundError):
        connection.close()
        return None
    except OSError as error:
        connection.close()
        raise Unavailable("unavailable.broker", f"cannot reach the broker ({error.strerror})") from None
    if uid != os.geteuid():
        connection.close()
        raise NotAllowed(
            "denied.broker", f"the broker at {paths.socket} belongs to another user", f"Remove {paths.socket}."
        )
    return connection


def send_with_handle(stream: ClientStream, data: bytes, handle: int) -> None:
    """Send bytes with a descriptor."""
    assert isinstance(stream, socket.socket)
    sent = socket.send_fds(stream, [data], [handle])
    stream.sendall(memoryview(data)[sent:])


def wait_readable(stream: ClientStream, timeout: float | None) -> bool:
    """Wait until there is something to read."""
    if not hasattr(select, "poll"):
        return bool(select.select([stream], [], [], timeout)[0])
    poll = select.poll()  # not `select`: a descriptor may be above 1023
    poll.register(stream.fileno(), select.POLLIN)
    return bool(poll.poll(None if timeout is None else timeout * 1000))


@contextlib.contextmanager
def socket_address(paths: Paths) -> Iterator[str]:
    """Give an address for the socket that fits into the 108 bytes of `sun_path`, however deep the directory lies."""
    direct = str(paths.socket)
    if len(os.fsencode(direct)) < 100 or not os.path.isdir("/proc/self/fd"):  # noqa: PTH112 - no Path: this is the fast path
        yield direct
        return
    descriptor = os.open(paths.runtime, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{paths.socket.name}"
    finally:
        os.close(descriptor)


def _server_uid(connection: socket.socket) -> int:
    """Return whose process listens at the other end."""
    if sys.platform == "linux":
        return struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[1]
    return _XUCRED.unpack(connection.getsockopt(_SOL_LOCAL, _LOCAL_PEERCRED, _XUCRED.size))[1]
