"""The proxy itself: takes CONNECT from the task, speaks TLS with both sides of an allowed host, and puts values in.

HTTP/1.1 by h11, TLS by `ssl`; no parser of our own. A host that no secret goes to gets a blind tunnel: the task could
reach it without us as well. What cannot be understood is refused; nothing is logged but the reasons of refusals.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hmac
import ssl
import zlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Protocol

import h11

from locum.run.egress.authority import Authority
from locum.run.egress.rules import (
    Blocked,
    Carried,
    Headers,
    canonical_target,
    fill,
    names_host,
    refuse_elsewhere,
)
from locum.run.masker import Masker

HEAD_WITHIN = 30.0
"""Seconds for a request's head, for a handshake, for a connection to a server."""
MOST_CONNECTIONS = 256
_READ = 1 << 16
_HOP_BY_HOP = frozenset(
    (b"connection", b"proxy-connection", b"keep-alive", b"te", b"trailer", b"upgrade", b"proxy-authorization",
     b"proxy-authenticate")
)  # fmt: skip
_NO_BODY = frozenset((204, 304))
_GZIP = 16 + zlib.MAX_WBITS


class _Unpacker(Protocol):
    """What `zlib.decompressobj` returns."""

    @property
    def unconsumed_tail(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _Side:
    """One side of a conversation: h11's state machine over a stream."""

    def __init__(
        self, role: type[h11.CLIENT | h11.SERVER], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.state = h11.Connection(role, max_incomplete_event_size=64 * 1024)
        self.reader, self.writer = reader, writer

    async def next(self) -> h11.Event | type[h11.PAUSED]:
        while True:
            event = self.state.next_event()
            if event is not h11.NEED_DATA:
                return event  # pyright: ignore[reportReturnType] - NEED_DATA is taken out above
            if self.state.they_are_waiting_for_100_continue:
                await self.send(h11.InformationalResponse(status_code=100, headers=[]))
            self.state.receive_data(await self.reader.read(_READ))

    async def send(self, event: h11.Event) -> None:
        data = self.state.send(event)
        if data:
            self.writer.write(data)
            await self.writer.drain()


class Proxy:
    """One task's proxy. `may_connect` says whether a TCP port of this machine belongs to the task."""

    def __init__(
        self,
        carried: Sequence[Carried],
        masks: Masker,
        token: str,
        may_connect: Callable[[int], bool],
        say: Callable[[str], None],
    ) -> None:
        self._carried = tuple(carried)
        self._masks = masks
        self._expected = b"Basic " + base64.b64encode(b"locum:" + token.encode())
        self._may_connect = may_connect
        self._say = say
        self._open = 0
        self._authority = Authority(tuple({place for item in carried for place in item.places}))
        self.certificate = self._authority.certificate
        self._outside = ssl.create_default_context()
        self._outside.minimum_version = ssl.TLSVersion.TLSv1_2
        self._outside.set_alpn_protocols(["http/1.1"])

    async def listen(self) -> asyncio.Server:
        """Listen on a free port of the loopback address."""
        return await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=_READ)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._open >= MOST_CONNECTIONS:
            writer.close()
            return
        self._open += 1
        try:
            await self._converse(reader, writer)
        except (OSError, TimeoutError, ssl.SSLError, h11.ProtocolError, asyncio.IncompleteReadError):
            pass  # either side broke off, or speaks no HTTP: the connection ends
        finally:
            self._open -= 1
            with contextlib.suppress(OSError, RuntimeError):
                writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = _Side(h11.SERVER, reader, writer)
        async with asyncio.timeout(HEAD_WITHIN):
            request = await task.next()
        if not isinstance(request, h11.Request):
            return
        try:
            host, port = self._admit(request, writer.get_extra_info("peername")[1])
        except Blocked as reason:
            await self._refuse(task, 407 if str(reason) == _WHO else 403, str(reason))
            return
        if task.state.trailing_data[0]:
            return  # nothing may follow a CONNECT before its answer
        intercepted = any(item.goes_to(host, port) for item in self._carried)
        try:
            async with asyncio.timeout(HEAD_WITHIN):
                far_reader, far_writer = await asyncio.open_connection(
                    host, port, ssl=self._outside if intercepted else None, limit=_READ
                )
        except (OSError, TimeoutError, ssl.SSLError) as problem:
            await self._refuse(task, 502, f"{host}:{port} cannot be reached ({_kind(problem)})")
            return
        try:
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await writer.drain()
            if intercepted:
                await self._intercept(host, port, reader, writer, _Side(h11.CLIENT, far_reader, far_writer))
            else:
                await _tunnel(reader, writer, far_reader, far_writer)
        finally:
            with contextlib.suppress(OSError, RuntimeError):
                far_writer.close()

    def _admit(self, request: h11.Request, client_port: int) -> tuple[str, int]:
        """Return where to. Raises Blocked."""
        given = b"".join(content for name, content in request.headers if name == b"proxy-authorization")
        if not hmac.compare_digest(given, self._expected) or not self._may_connect(client_port):
            raise Blocked(_WHO)
        if request.method != b"CONNECT":
            raise Blocked("only https:// goes through here: a secret is never sent in the clear")
        return canonical_target(request.target)

    async def _intercept(
        self, host: str, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, far: _Side
    ) -> None:
        """Be the server towards the task; one request after the other."""
        async with asyncio.timeout(HEAD_WITHIN):
            await writer.start_tls(self._authority.context(host))
        task = _Side(h11.SERVER, reader, writer)
        while True:
            request = await task.next()
            if not isinstance(request, h11.Request):
                return
            try:
                sent = self._forwarded(request, host, port)
            except Blocked as reason:
                await self._refuse(task, 403, str(reason))
                return
            await self._exchange(task, far, sent, request)
            if task.state.our_state is not h11.DONE or task.state.their_state is not h11.DONE:
                return
            if far.state.our_state is not h11.DONE or far.state.their_state is not h11.DONE:
                return
            task.state.start_next_cycle()
            far.state.start_next_cycle()

    def _forwarded(self, request: h11.Request, host: str, port: int) -> h11.Request:
        """Return the request as it goes out, values in place. Raises Blocked."""
        hosts = [content for name, content in request.headers if name == b"host"]
        if len(hosts) != 1 or not names_host(hosts[0], host, port):
            raise Blocked(f"the Host header names another host than {host}")
        if request.method in {b"TRACE", b"CONNECT"}:
            raise Blocked(f"{request.method.decode()} would send a secret back")
        if any(name == b"upgrade" for name, _ in request.headers):
            raise Blocked("a connection that is upgraded (websocket, HTTP/2) carries no secret here")
        refuse_elsewhere(request.target, self._carried)
        kept = [(n, c) for n, c in request.headers if n not in _HOP_BY_HOP and n != b"accept-encoding"]
        headers = fill(kept, self._carried, host, port)
        # The answer is read by the mask, which knows no compression but gzip.
        headers.append((b"accept-encoding", b"identity"))
        return h11.Request(method=request.method, target=request.target, headers=headers)

    async def _exchange(self, task: _Side, far: _Side, sent: h11.Request, asked: h11.Request) -> None:
        await far.send(sent)
        upload = asyncio.create_task(_pump(task, far))
        try:
            await self._answer(task, far, asked)
            if not upload.done() and task.state.their_state is h11.DONE:
                await upload
        finally:
            upload.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError, h11.ProtocolError):
                await upload

    async def _answer(self, task: _Side, far: _Side, asked: h11.Request) -> None:
        """Bring the answer back, through the mask."""
        event = await far.next()
        while isinstance(event, h11.InformationalResponse):
            event = await far.next()
        if not isinstance(event, h11.Response):
            return
        encoding = b"".join(content for name, content in event.headers if name == b"content-encoding").strip().lower()
        has_body = asked.method != b"HEAD" and event.status_code not in _NO_BODY
        if has_body and encoding not in {b"", b"identity", b"gzip", b"x-gzip"}:
            await self._refuse(task, 502, "the answer is compressed in a way that the mask cannot read")
            return
        headers = self._masked(list(event.headers))
        if has_body:
            headers = [(n, c) for n, c in headers if n not in {b"content-length", b"transfer-encoding"}]
            if encoding:
                headers = [(n, c) for n, c in headers if n != b"content-encoding"]
            headers.append((b"transfer-encoding", b"chunked"))  # the mask may change the length
        reason = self._mask_once(event.reason)
        await task.send(h11.Response(status_code=event.status_code, headers=headers, reason=reason))
        mask = self._masks.sibling()
        async for piece in _plain(far, gzip=bool(encoding) and encoding != b"identity"):
            shown = mask.feed(piece) + (mask.idle() if mask.holding else b"")
            if shown:
                await task.send(h11.Data(data=shown))
        rest = mask.flush()
        if rest and has_body:
            await task.send(h11.Data(data=rest))
        await task.send(h11.EndOfMessage())

    def _masked(self, headers: Sequence[tuple[bytes, bytes]]) -> Headers:
        return [(name, self._mask_once(content)) for name, content in headers if name not in _HOP_BY_HOP]

    def _mask_once(self, text: bytes) -> bytes:
        mask = self._masks.sibling()
        return mask.feed(text) + mask.flush()

    async def _refuse(self, task: _Side, status: int, why: str) -> None:
        self._say(why)
        body = f"locum: {why}\n".encode()
        headers = [
            ("content-type", "text/plain; charset=utf-8"),
            ("content-length", str(len(body))),
            ("connection", "close"),
        ]
        if status == 407:
            headers.append(("proxy-authenticate", 'Basic realm="locum"'))
        with contextlib.suppress(h11.ProtocolError):
            await task.send(h11.Response(status_code=status, headers=headers))
            await task.send(h11.Data(data=body))
            await task.send(h11.EndOfMessage())


_WHO = "this proxy serves one task, and the connection is not its own"


async def _pump(task: _Side, far: _Side) -> None:
    """Carry a request's body."""
    while True:
        event = await task.next()
        if isinstance(event, h11.Data):
            await far.send(h11.Data(data=bytes(event.data)))
        elif isinstance(event, h11.EndOfMessage):
            await far.send(h11.EndOfMessage())
            return
        else:
            raise h11.RemoteProtocolError("the task broke off")


async def _plain(far: _Side, *, gzip: bool) -> AsyncIterator[bytes]:
    """Yield an answer's body, unpacked."""
    unpack = zlib.decompressobj(_GZIP) if gzip else None
    while True:
        event = await far.next()
        if isinstance(event, h11.Data):
            for piece in _unpacked(unpack, bytes(event.data)):
                yield piece
        elif isinstance(event, h11.EndOfMessage):
            return
        else:
            raise h11.RemoteProtocolError("the server broke off")


def _unpacked(unpack: _Unpacker | None, data: bytes) -> Iterator[bytes]:
    if unpack is None:
        yield data
        return
    try:
        while data:
            yield unpack.decompress(data, _READ)  # bounded: a small answer may unpack to gigabytes
            data = unpack.unconsumed_tail
    except zlib.error:
        raise h11.RemoteProtocolError("the answer's gzip is broken") from None


async def _tunnel(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    far_reader: asyncio.StreamReader,
    far_writer: asyncio.StreamWriter,
) -> None:
    async def carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(_READ):
            sink.write(data)
            await sink.drain()
        with contextlib.suppress(OSError):
            sink.write_eof()

    async with asyncio.TaskGroup() as both:
        both.create_task(carry(reader, far_writer))
        both.create_task(carry(far_reader, writer))


def _kind(problem: Exception) -> str:
    if isinstance(problem, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {problem.verify_message}"
    return "no answer in time" if isinstance(problem, TimeoutError) else type(problem).__name__
