"""The broker's end of the seam: what a system offers to be reached."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from locum.broker.peer import Peer
    from locum.paths import Paths


class Stream(Protocol):
    """The broker's end of one connection, on its event loop. Nothing here blocks or raises."""

    peer: Peer

    def start(self, receive: Callable[[bytes, list[int]], None], foreign: Callable[[int], None]) -> None:
        """Begin to read. `receive` gets bytes and what descriptors came along (its to close); b"" is the end.

        `foreign` is called, with a pid, instead of it when another process than the peer has sent something.
        """
        ...

    def pause(self, paused: bool) -> None:
        """Stop reading, or go on."""
        ...

    def write(self, data: bytearray) -> int:
        """Take what can be taken at once; return how many bytes, -1 when the connection is broken."""
        ...

    def when_writable(self, call: Callable[[], None] | None) -> None:
        """Call this when `write` would take something; None: not any more."""
        ...

    def close(self) -> None:
        """End it. The peer stays open for its owner to close."""
        ...


class Listener(Protocol):
    """The place where clients come in."""

    def start(self, admit: Callable[[int], bool], come: Callable[[Stream], None]) -> None:
        """Begin: for each client, `admit` is asked with its pid, then it `come`s. Those not admitted are closed."""
        ...

    def is_in_place(self) -> bool:
        """Say whether clients still find it: nobody took its name away or put something else there."""
        ...

    def close(self) -> None:
        """Give the place up, and its name with it."""
        ...


class Lock(Protocol):
    """The lock of the one place."""

    def is_in_place(self) -> bool:
        """Say whether others would still meet it: its file was not taken away."""
        ...

    def release(self) -> None:
        """Let others take it, before a process ends that may not be able to."""
        ...


class ServerSide(Protocol):
    """A module that listens."""

    def take_lock(self, path: Path) -> Lock | None:
        """Take the lock of this path, held until this process ends; None when somebody else has it. Raises OSError."""
        ...

    def listen(self, paths: Paths) -> Listener:
        """Make the place, for the holder of the lock. Raises OSError."""
        ...


def server_side() -> ServerSide:
    """Return this system's way to listen."""
    if sys.platform == "win32":
        from locum.broker.endpoint import windows_server

        return windows_server
    from locum.broker.endpoint import posix_server

    return posix_server
