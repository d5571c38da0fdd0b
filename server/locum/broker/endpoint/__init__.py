"""How processes reach the broker on each system: Unix sockets, on Windows a named pipe. One seam, nothing above it knows.

This is all that a client loads, with `posix` or `windows`; the broker's end is in `server`.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from locum.paths import Paths


class ClientStream(Protocol):
    """A client's end. Blocking; a socket is one. Raises OSError."""

    def recv(self, bufsize: int, /) -> bytes:
        """Return what is here, b"" at the end. Raises TimeoutError."""
        ...

    def sendall(self, data: bytes | memoryview, /) -> None:
        """Send all of it."""
        ...

    def settimeout(self, value: float | None, /) -> None:
        """Set how long `recv` waits, in seconds."""
        ...

    def fileno(self) -> int:
        """Return the descriptor, -1 where a system has none that `select` takes."""
        ...

    def close(self) -> None:
        """End it."""
        ...


class ClientSide(Protocol):
    """A module that connects."""

    def connect(self, paths: Paths) -> ClientStream | None:
        """Connect to the broker of this user; None when none listens. Raises UsageProblem, NotAllowed, Unavailable.

        The other end is checked: it is a process of this user, in a directory that nobody else can write to.
        """
        ...

    def send_with_handle(self, stream: ClientStream, data: bytes, handle: int) -> None:
        """Send bytes, and along with them the descriptor of a terminal where the system can pass one."""
        ...

    def wait_readable(self, stream: ClientStream, timeout: float | None) -> bool:
        """Wait until `recv` would return at once; say whether that came within `timeout` seconds."""
        ...


def client_side() -> ClientSide:
    """Return this system's way to connect."""
    if sys.platform == "win32":
        from locum.broker.endpoint import windows

        return windows
    from locum.broker.endpoint import posix

    return posix
