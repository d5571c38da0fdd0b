"""One client's connection, without blocking: frames in, with the terminal that may come along, and frames out."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable
from typing import Any

from locum.broker import wire
from locum.broker.peer import Peer
from locum.errors import LocumError
from locum.vaults.interface import SecretInfo

_MAX_UNSENT = 4 * 1024 * 1024


class Connection:
    """A socket with a peer that the kernel vouches for. Everything happens on the event loop."""

    def __init__(
        self,
        sock: socket.socket,
        peer: Peer,
        on_frame: Callable[[Connection, wire.Message, bytearray], None],
        on_close: Callable[[Connection], None],
    ) -> None:
        self.peer = peer
        self.watching = False
        self.undo: dict[str, SecretInfo] = {}
        """Undo token to the stored secret that it would take back."""
        self.tasks: set[asyncio.Task[None]] = set()
        self._socket = sock
        self._on_frame, self._on_close = on_frame, on_close
        self._reader = wire.FrameReader()
        self._out = bytearray()
        self._terminal: int | None = None
        self._loop = asyncio.get_running_loop()
        self._open = True
        sock.setblocking(False)
        self._loop.add_reader(sock, self._readable)

    def take_terminal(self) -> int | None:
        """Return the descriptor that came with the last frames, once; the caller closes it."""
        descriptor, self._terminal = self._terminal, None
        return descriptor

    def send(self, message: dict[str, Any], payload: bytearray | bytes = b"") -> None:
        """Send a frame, or keep it until the socket takes it. The peer that does not read is dropped."""
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
        self.send({"id": request, "error": {"code": error.code, "message": error.message, "hint": error.hint}})

    def close(self) -> None:
        """End it: leases, questions and handles that hang on it go with it."""
        if not self._open:
            return
        self._open = False
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._on_close(self)
        for task in list(self.tasks):
            task.cancel()
        self._out[:] = bytes(len(self._out))
        self._drop_terminal()
        self.peer.close()
        self._socket.close()

    def _readable(self) -> None:
        try:
            data, descriptors, _, _ = socket.recv_fds(self._socket, 65536, 4)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data, descriptors = b"", list[int]()
        for descriptor in descriptors:
            self._drop_terminal()
            self._terminal = descriptor
        if not data:
            self.close()
            return
        try:
            for message, payload in self._reader.feed(data):
                self._on_frame(self, message, payload)
        except wire.WireProblem:
            self.close()

    def _writable(self) -> None:
        try:
            sent = self._socket.send(self._out) if self._out else 0
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            self.close()
            return
        self._out[:sent] = bytes(sent)
        del self._out[:sent]
        with contextlib.suppress(ValueError, OSError):
            if self._out:
                self._loop.add_writer(self._socket, self._writable)
            else:
                self._loop.remove_writer(self._socket)

    def _drop_terminal(self) -> None:
        if self._terminal is not None:
            os.close(self._terminal)
            self._terminal = None
