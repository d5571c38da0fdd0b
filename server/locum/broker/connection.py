"""One client's connection, without blocking: frames in, with the terminal that may come along, and frames out."""

from __future__ import annotations

import asyncio
import stat
import time
from typing import TYPE_CHECKING, Any, Protocol

from locum.broker import wire
from locum.broker.aside import close_aside, kind
from locum.broker.limits import FRAME_WITHIN
from locum.errors import LocumError, NotAllowed, Unavailable
from locum.vaults.interface import SecretInfo

if TYPE_CHECKING:
    from locum.broker.endpoint.server import Stream
    from locum.broker.peer import Peer

_MAX_UNSENT = 4 * 1024 * 1024
_AT_ONCE = 16
"""Frames of one connection that are served before others have their turn."""


class Owner(Protocol):
    """Who holds the connections."""

    def frame(self, connection: Connection, message: wire.Message, payload: bytearray) -> None:
        """A whole frame has come."""
        ...

    def closed(self, connection: Connection) -> None:
        """The connection ends: leases, questions and handles that hang on it go with it."""
        ...

    def resized(self, connection: Connection) -> None:
        """It holds more or less memory than before; see `Connection.held`."""
        ...

    def foreign(self, connection: Connection, pid: int) -> None:
        """Another process than its peer has used it; it ends now."""
        ...


class Connection:
    """A stream with a peer that the kernel vouches for. Everything happens on the event loop."""

    def __init__(self, stream: Stream, owner: Owner) -> None:
        self.peer: Peer = stream.peer
        self.watching = False
        self.undo: dict[str, SecretInfo] = {}
        """Undo token to the stored secret that it would take back."""
        self.tasks: set[asyncio.Task[None]] = set()
        self.spoke = False
        """Whether a whole frame has ever come."""
        self.since = time.monotonic()
        """When the last whole frame came, or the connection was made."""
        self.refused = 0
        """Requests refused in a row because there were too many."""
        self.at_work = 0
        """Bytes of values that came with requests which are not answered yet."""
        self._stream = stream
        self._owner = owner
        self._reader = wire.FrameReader()
        self._out = bytearray()
        self._terminal: int | None = None
        self._channel: int | None = None
        self._loop = asyncio.get_running_loop()
        self._late: asyncio.TimerHandle | None = None
        self._open = True
        self._dropped = False
        stream.start(self._receive, self._foreign)

    @property
    def is_open(self) -> bool:
        """Say whether anything can still be sent."""
        return self._open

    @property
    def held(self) -> int:
        """Return the bytes that are kept for this client."""
        return len(self._out) + self._reader.held + self.at_work

    def take_terminal(self) -> int | None:
        """Return the descriptor that came with the last frames, once; the caller closes it."""
        descriptor, self._terminal = self._terminal, None
        return descriptor

    def take_channel(self) -> int | None:
        """Return the socket that came with the last frames, once; the caller closes it."""
        descriptor, self._channel = self._channel, None
        return descriptor

    def send(self, message: dict[str, Any], payload: bytearray | bytes = b"") -> None:
        """Send a frame, or keep it until the stream takes it. The peer that does not read is dropped."""
        if not self._open:
            return
        for part in wire.encode(message, payload):
            self._out += part
        self._writable()
        if len(self._out) > _MAX_UNSENT:
            self.close()

    def answer(self, request: int, result: dict[str, Any], payload: bytearray | bytes = b"") -> None:
        """Answer a request."""
        self.send({"id": request, "result": result}, payload)

    def refuse(self, request: int, error: LocumError) -> None:
        """Answer a request with an error."""
        self.send({"id": request, "error": _to_wire(error)})

    def drop(self, error: LocumError) -> None:
        """End it and say why, if the peer still listens."""
        if self._dropped:
            return
        self._dropped = True
        self.send({"event": "dropped", "error": _to_wire(error)})
        self.close()

    def close(self) -> None:
        """End it: leases, questions and handles that hang on it go with it."""
        if not self._open:
            return
        self._open = False
        if self._late is not None:
            self._late.cancel()
        self._stream.close()
        self._owner.closed(self)
        for task in list(self.tasks):
            task.cancel()
        self._out[:] = bytes(len(self._out))
        self._out.clear()
        self._reader.forget()
        self._drop_terminal()
        self._drop_channel()
        self._owner.resized(self)
        self.peer.close()

    def _receive(self, data: bytes, descriptors: list[int]) -> None:
        for descriptor in descriptors:
            what = kind(descriptor)
            if what == stat.S_IFCHR:  # all that a terminal can be
                self._drop_terminal()
                self._terminal = descriptor
            elif what == stat.S_IFSOCK:
                self._drop_channel()
                self._channel = descriptor
            else:
                close_aside(descriptor)
        if not data:
            self.close()
            return
        self._serve(data)

    def _foreign(self, pid: int) -> None:
        self._owner.foreign(self, pid)
        self.drop(NotAllowed("denied.sender", "another process than the one that connected has used this connection"))

    def _serve(self, data: bytes = b"") -> None:
        """Serve some of the frames that are here; the rest when others have had their turn."""
        if not self._open:
            return
        served = 0
        try:
            for message, payload in self._reader.feed(data):
                self.spoke, self.since = True, time.monotonic()
                self._owner.frame(self, message, payload)
                served += 1
                if served == _AT_ONCE or not self._open:
                    break
        except wire.WireProblem as problem:
            self.drop(problem)
        if not self._open:
            return
        self._stream.pause(served == _AT_ONCE)
        if served == _AT_ONCE:
            self._loop.call_soon(self._serve)
        self._watch_the_clock(between=self._reader.held == 0, moved=served > 0)
        self._owner.resized(self)

    def _watch_the_clock(self, *, between: bool, moved: bool) -> None:
        """A frame that has begun must end in time; between frames a client may be silent for ever."""
        if self._late is not None and (between or moved):
            self._late.cancel()
            self._late = None
        if self._late is None and not between:
            slow = Unavailable("unavailable.slow", f"a request did not arrive within {FRAME_WITHIN:.0f} seconds")
            self._late = self._loop.call_later(FRAME_WITHIN, self.drop, slow)

    def _writable(self) -> None:
        sent = self._stream.write(self._out) if self._out else 0
        if sent < 0:
            self.close()
            return
        self._out[:sent] = bytes(sent)
        del self._out[:sent]
        self._stream.when_writable(self._writable if self._out else None)
        self._owner.resized(self)

    def _drop_channel(self) -> None:
        if self._channel is not None:
            close_aside(self._channel)
            self._channel = None

    def _drop_terminal(self) -> None:
        if self._terminal is not None:
            close_aside(self._terminal)
            self._terminal = None


def _to_wire(error: LocumError) -> dict[str, str]:
    return {"code": error.code, "message": error.message, "hint": error.hint}
