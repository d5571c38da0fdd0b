"""Standard input and output under a pygls protocol object: strict frames, every request answered once.

Replaces `LanguageServer.start_io`, which reads with the pool that handlers block, takes headers without limit, and
never answers a request whose parameters do not fit. Limits: a header of 8 KiB with one Content-Length of at most 32 MiB.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any, cast

from pygls.exceptions import (
    JsonRpcException,
    JsonRpcInvalidRequest,
    JsonRpcParseError,
    JsonRpcRequestCancelled,
    JsonRpcServerNotInitialized,
)

MAX_HEADER = 8 * 1024
MAX_BODY = 32 * 1024 * 1024
_MANY = 1000

Message = dict[str, Any]


class FramingProblem(Exception):
    """The stream is no LSP stream; there is no place to go on from."""


def frames(read: Callable[[int], bytes]) -> Iterator[bytes]:
    """Yield message bodies until the stream ends. `read(n)` returns up to n bytes, b"" at the end.

    Raises FramingProblem.
    """
    buffer = bytearray()
    while True:
        while (end := buffer.find(b"\r\n\r\n")) < 0:
            if len(buffer) > MAX_HEADER:
                raise FramingProblem
            chunk = read(65536)
            if not chunk:
                return
            buffer += chunk
        size = _content_length(bytes(buffer[:end]))
        need = end + 4 + size
        while len(buffer) < need:
            chunk = read(min(1 << 20, max(65536, need - len(buffer))))
            if not chunk:
                return
            buffer += chunk
        body = bytes(buffer[end + 4 : need])
        del buffer[:need]
        yield body


def _content_length(header: bytes) -> int:
    if len(header) > MAX_HEADER:
        raise FramingProblem
    fields = [line.partition(b":") for line in header.split(b"\r\n")]
    sizes = [value.strip() for name, _, value in fields if name.strip().lower() == b"content-length"]
    if len(sizes) != 1 or not sizes[0].isdigit() or len(sizes[0]) > 8 or int(sizes[0]) > MAX_BODY:
        raise FramingProblem
    return int(sizes[0])


class Writer:
    """Standard output, written whole messages at a time from any thread."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()

    def write(self, data: bytes) -> None:
        """Write all of it. Raises OSError when the client has gone."""
        with self._lock:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]

    def close(self) -> None:
        """Nothing: the process' end closes it."""


def serve(protocol: Any) -> int:
    """Run until `exit` or the end of input. Returns the exit code that the specification asks for."""
    descriptor_in, descriptor_out = _take_standard_streams()
    protocol.set_writer(Writer(descriptor_out))
    return asyncio.run(_Loop(protocol).run(descriptor_in))


def _take_standard_streams() -> tuple[int, int]:
    """Keep the client's pipes for ourselves: neither a stray print nor a child process can get between the frames."""
    mine = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.close(nothing)
    return mine


class _Loop:
    """Takes messages from the reader's thread and hands them to the protocol, on the event loop."""

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol
        self._initialized = False
        self._shut_down = False
        self._cancelled: set[str | int] = set()
        self._end: asyncio.Future[int] | None = None

    async def run(self, descriptor: int) -> int:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_say_nothing)
        self._end = loop.create_future()
        reader = threading.Thread(target=self._read, args=(loop, descriptor), daemon=True, name="lsp-reader")
        reader.start()
        return await self._end

    def _read(self, loop: asyncio.AbstractEventLoop, descriptor: int) -> None:
        try:
            for body in frames(lambda size: os.read(descriptor, size)):
                message = _decode(body)
                if message is not None and message.get("method") == "$/cancelRequest":
                    self._note_cancelled(message)
                loop.call_soon_threadsafe(self._take, message)
        except (FramingProblem, OSError):
            pass  # nothing sensible can follow
        finally:
            with contextlib.suppress(RuntimeError):  # the loop may have ended already
                loop.call_soon_threadsafe(self._finish, 1)

    def _note_cancelled(self, message: Message) -> None:
        """Remember early that a request is cancelled: it may still wait in the loop's queue."""
        params = message.get("params")
        number = cast("Message", params).get("id") if isinstance(params, dict) else None
        if isinstance(number, str | int):
            if len(self._cancelled) > _MANY:
                self._cancelled.clear()  # of requests that were answered long ago
            self._cancelled.add(number)

    def _finish(self, code: int) -> None:
        if self._end is not None and not self._end.done():
            self._end.set_result(code)

    def _take(self, message: Message | None) -> None:
        if message is None:
            self._refuse(None, JsonRpcParseError())
            return
        method, number = message.get("method"), message.get("id")
        if method == "exit":
            self._finish(0 if self._shut_down else 1)
        elif "method" in message and (not isinstance(method, str) or message.get("jsonrpc", "2.0") != "2.0"):
            if number is not None:
                self._refuse(number if isinstance(number, str | int) else None, JsonRpcInvalidRequest())
        elif isinstance(method, str) and number is not None:
            self._take_request(message, method, number)
        elif self._initialized:
            self._hand_on(message)

    def _take_request(self, message: Message, method: str, number: Any) -> None:
        if not isinstance(number, str | int):
            self._refuse(None, JsonRpcInvalidRequest())
        elif number in self._cancelled:
            self._cancelled.discard(number)
            self._refuse(number, JsonRpcRequestCancelled())
        elif self._shut_down or (self._initialized and method == "initialize"):
            self._refuse(number, JsonRpcInvalidRequest())
        elif not self._initialized and method != "initialize":
            self._refuse(number, JsonRpcServerNotInitialized())
        else:
            served = self._hand_on({"id": number, "method": method, "params": message.get("params")})
            self._initialized = self._initialized or served
            self._shut_down = method == "shutdown"

    def _hand_on(self, message: Message) -> bool:
        """Give a message to the protocol; say whether it could be read."""
        try:
            structured = self._protocol.structure_message({"jsonrpc": "2.0"} | message)
        except JsonRpcException as error:
            if "method" in message and message.get("id") is not None:
                self._refuse(message["id"], error)
            elif "method" not in message and "error" not in message:
                # An answer of the client that cannot be read: who waits for it must learn that now.
                failed = {"code": JsonRpcParseError.CODE, "message": JsonRpcParseError.MESSAGE}
                return self._hand_on({"id": message.get("id"), "error": failed})
            return False
        self._protocol.handle_message(structured)
        return True

    def _refuse(self, number: str | int | None, error: JsonRpcException) -> None:
        """Answer with an error that holds its code and its standard text, and nothing of what was sent."""
        plain = {"code": error.CODE, "message": error.MESSAGE}
        body = json.dumps({"jsonrpc": "2.0", "id": number, "error": plain}).encode()
        try:
            self._protocol.writer.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        except OSError:
            self._finish(1)


def _say_nothing(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Drop what asyncio would log of an exception: its text could hold what somebody typed."""


def _decode(body: bytes) -> Message | None:
    """Return the JSON object of a body, None when it holds none."""
    try:
        message: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return cast("Message", message) if isinstance(message, dict) else None
