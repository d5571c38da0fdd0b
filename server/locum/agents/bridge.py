"""The bridge: MCP on our standard input and output, Streamable HTTP to the server (2025-03-26 to 2025-11-25), or else
HTTP+SSE (2024-11-05).

Messages are passed on as they are; what is read in them is only what a transport has to know. What goes wrong becomes
a JSON-RPC error.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, cast

import httpx2

from locum.agents.bridge_http import MAX_MESSAGE, BridgeProblem, Http, body, content_type, events, refusal
from locum.agents.bridge_target import BridgeTarget

GRACE = 1.0
"""Seconds that answers may still take when our input has ended; clients end a server after two."""
_FAREWELL = 0.8
_PATIENCE = 20.0
"""Seconds that an older server may take to say where messages go."""
_PAUSE, _LONGEST_PAUSE = 1.0, 30.0
_ATTEMPTS = 5
_PARSE_ERROR, _UNKNOWN_METHOD, _BROKEN = -32700, -32601, -32000
_EVENTS = {"accept": "text/event-stream"}
_JSON = {"content-type": "application/json"}
_MESSAGE = {"accept": "application/json, text/event-stream", **_JSON}
_INITIALIZED = b'{"jsonrpc":"2.0","method":"notifications/initialized"}'
_OLDER = {400, 404, 405}
"""How servers of before 2025 answer a POST to the URL of their events."""


_TRUST = ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE")
"""Variables that say whom to believe, or where the keys of connections are written down. A client's configuration, which may
come with a repository, can set them; whom this machine believes is in the system's own store."""


class _Gone(BridgeProblem):
    """The server has forgotten our session."""


class _Older(BridgeProblem):
    """The server may be one of before 2025."""


@dataclass(slots=True)
class _Mark:
    """Where to go on after a stream broke, and when."""

    id: str | None = None
    pause: float = _PAUSE


def run_bridge(target: BridgeTarget) -> int:
    """Serve until standard input ends or SIGTERM comes; return the exit code."""
    for name in _TRUST:
        os.environ.pop(name, None)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(target))
    return 0


async def _serve(target: BridgeTarget) -> None:
    async with httpx2.AsyncClient(
        headers=[*target.headers, (b"accept-encoding", b"identity")],
        follow_redirects=False,
        trust_env=not target.is_local,  # a proxy is for the way out of this machine
        limits=httpx2.Limits(max_connections=None),
    ) as client:
        bridge = Bridge(target, Http(target, client), _write)
        work = asyncio.ensure_future(bridge.run(_lines()))
        with contextlib.suppress(NotImplementedError):
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, work.cancel)
        with contextlib.suppress(asyncio.CancelledError, BrokenPipeError):
            await work
        await bridge.close()


class Bridge:
    """One session with one server. `write` takes one line, without its end."""

    def __init__(self, target: BridgeTarget, http: Http, write: Callable[[bytes], None]) -> None:
        self._target = target
        self._http = http
        self._write = write
        self._opening = b""
        """The client's `initialize`: opens the session again when the server has forgotten it."""
        self._older: _OlderTransport | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Task[None] | None = None
        self._reopening = asyncio.Lock()
        self._main: asyncio.Task[Any] | None = None

    async def run(self, lines: AsyncIterator[bytes]) -> None:
        """Pass messages on until there are no more, then wait a moment for the answers."""
        self._main = asyncio.current_task()
        try:
            async for line in lines:
                await self._take(line)
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=GRACE)
        finally:
            for task in (*self._tasks, *([self._listener] if self._listener else [])):
                task.cancel()

    async def close(self) -> None:
        """End the session, if there is one."""
        if self._older is not None:
            await self._older.close()
        elif self._http.session is not None:
            with contextlib.suppress(BridgeProblem, TimeoutError):
                async with asyncio.timeout(_FAREWELL), self._http.send("DELETE"):
                    pass

    async def _take(self, line: bytes) -> None:
        """Pass one line on: requests run side by side, everything else keeps its order."""
        if not line.strip():
            return
        try:
            message = json.loads(line) if len(line) <= MAX_MESSAGE else None
        except (ValueError, RecursionError):
            message = None
        if message is None:
            self._fail([None], _PARSE_ERROR, "this is no JSON, or a message of more than 16 MiB")
            return
        method = _object(message).get("method")
        requests = _requests(message)
        if method == "server/discover":  # of 2026, where each request has headers that depend on what it asks for
            self._fail(requests, _UNKNOWN_METHOD, "MCP up to 2025-11-25 is spoken here: initialize")
        elif method == "initialize":
            self._opening = line
            await self._guarded(line, requests)
        elif requests:
            self._start(self._guarded(line, requests))
        else:
            await self._guarded(line, requests)
            if method == "notifications/initialized":
                self._listen()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        """Stop when a task broke in a way that we do not know: a request without an answer would be worse."""
        self._tasks.discard(task)
        if not task.cancelled() and (problem := task.exception()) is not None:
            _say(f"the bridge stops: {type(problem).__name__}")
            if self._main is not None:
                self._main.cancel()

    async def _guarded(self, line: bytes, requests: list[Any]) -> None:
        """Pass a message on, and tell the client what went wrong."""
        try:
            await self._pass_on(line, requests)
        except BridgeProblem as problem:
            if requests:
                self._fail(requests, _BROKEN, str(problem))
            else:
                _say(f"a message did not reach the server: {problem}")

    async def _pass_on(self, line: bytes, requests: list[Any]) -> None:
        session, opens = self._http.session, line is self._opening
        if self._older is not None:
            await self._older.post(line, requests)
            return
        try:
            await self._exchange(line, requests)
        except _Older as refused:
            older = _OlderTransport(self._http, self.forward, lambda text, ids: self._fail(ids, _BROKEN, text))
            try:
                async with asyncio.timeout(_PATIENCE):
                    await older.open()
            except (BridgeProblem, TimeoutError):
                raise refused from None
            self._older = older
            await older.post(line, requests)
        except _Gone:
            if opens or not self._opening:
                raise
            await self._reopen(session)
            await self._exchange(line, requests)

    async def _exchange(self, line: bytes, requests: list[Any]) -> None:
        """POST a message and pass on what is answered, until every request in it has its answer."""
        opens = line is self._opening
        if opens:
            self._http.session = self._http.version = None
        waiting, mark = {json.dumps(request) for request in requests}, _Mark()
        async with self._http.send("POST", line, _MESSAGE) as answer:
            if answer.status_code >= 300:
                waiting -= await self._refused(answer, requests, opens)
            elif opens:
                self._http.session = answer.headers.get("mcp-session-id")
            kind = content_type(answer)
            if waiting and kind == "application/json":
                self.forward(await body(answer), waiting, opens=opens)
            elif waiting and kind == "text/event-stream":
                await self._pump(answer, waiting, mark, opens=opens)
            if waiting and kind != "text/event-stream":
                raise BridgeProblem("the server answers neither with JSON nor with events")
        if waiting:
            await self._resume(waiting, mark)

    async def _refused(self, answer: httpx2.Response, requests: list[Any], opens: bool) -> set[str]:
        """Pass a JSON-RPC error on, and return what it answers. Raises BridgeProblem when the answer is none of those."""
        if answer.status_code == 404 and self._http.session is not None:
            raise _Gone("the server has forgotten this session")
        told: Any = None
        if len(requests) == 1 and content_type(answer) == "application/json":
            with contextlib.suppress(ValueError, RecursionError):
                told = json.loads(self._target.scrub(await body(answer)))
        error = _object(told)
        if opens and answer.status_code in _OLDER and error.get("id") != requests[0]:
            raise _Older(str(refusal(answer)))
        if not isinstance(error.get("error"), dict) or answer.status_code in {401, 403}:
            raise refusal(answer)
        self._write(json.dumps({**error, "id": requests[0]}).encode())
        return {json.dumps(requests[0])}

    async def _resume(self, waiting: set[str], mark: _Mark) -> None:
        """Go on with a stream that ended before the answer came, where the server lets us."""
        for _ in range(_ATTEMPTS if mark.id is not None else 0):
            await asyncio.sleep(mark.pause)
            with contextlib.suppress(BridgeProblem):
                async with self._http.send("GET", headers={**_EVENTS, "last-event-id": str(mark.id)}) as answer:
                    if answer.status_code >= 300:
                        raise refusal(answer)
                    await self._pump(answer, waiting, mark)
            if not waiting:
                return
        raise BridgeProblem("the connection ended before the answer came")

    def _listen(self) -> None:
        if self._listener is not None:
            self._listener.cancel()
        if self._older is None:
            self._listener = asyncio.create_task(self._follow())
            self._listener.add_done_callback(self._finished)

    async def _follow(self) -> None:
        """Receive what the server sends by itself, as long as it offers that."""
        mark, pause = _Mark(), 0.0
        while True:
            headers = _EVENTS if mark.id is None else {**_EVENTS, "last-event-id": mark.id}
            try:
                async with self._http.send("GET", headers=headers, read=None) as answer:
                    if answer.status_code < 500:
                        if answer.status_code >= 300 or content_type(answer) != "text/event-stream":
                            return
                        pause = 0.0
                        await self._pump(answer, set(), mark)
            except BridgeProblem:
                pause = min(pause * 2 or _PAUSE, _LONGEST_PAUSE)
            await asyncio.sleep(max(mark.pause, pause))

    async def _reopen(self, lost: str | None) -> None:
        """Open a session in the place of one that the server has forgotten; the client notices nothing."""
        async with self._reopening:
            if self._http.session != lost:
                return  # another request was faster
            self._http.session = None
            opening = json.dumps({**json.loads(self._opening), "id": "locum-bridge"}).encode()
            for message in (opening, _INITIALIZED):
                async with self._http.send("POST", message, _MESSAGE) as answer:
                    if answer.status_code >= 300:
                        raise refusal(answer)
                    self._http.session = answer.headers.get("mcp-session-id") or self._http.session
                    await body(answer)
            self._listen()

    async def _pump(self, answer: httpx2.Response, waiting: set[str], mark: _Mark, *, opens: bool = False) -> None:
        """Pass events on until the stream ends, or until nothing is waited for that was."""
        awaited = bool(waiting)
        async for event in events(answer):
            mark.id = mark.id if event.id is None else event.id
            mark.pause = mark.pause if event.retry is None else min(event.retry, _LONGEST_PAUSE)
            if event.name == "message" and event.data.strip():
                self.forward(event.data, waiting, opens=opens)
            if awaited and not waiting:
                return

    def forward(self, data: bytes, waiting: set[str], *, opens: bool = False) -> None:
        """Write a server's message as one line, and take the requests that it answers out of `waiting`."""
        try:
            message = json.loads(data)
        except (ValueError, RecursionError):
            raise BridgeProblem("the server sent something that is no JSON") from None
        for item in cast("list[Any]", message) if isinstance(message, list) else [message]:
            answer = _object(item)
            if "method" not in answer:
                waiting.discard(json.dumps(answer.get("id")))
                version = _object(answer.get("result")).get("protocolVersion")
                if opens and isinstance(version, str):
                    self._http.version = version
        self._write(data.replace(b"\r", b" ").replace(b"\n", b" "))  # JSON has line ends between things only

    def _fail(self, requests: list[Any], code: int, text: str) -> None:
        for request in requests:
            error = {"code": code, "message": f"locum bridge: {text}"}
            self._write(json.dumps({"jsonrpc": "2.0", "id": request, "error": error}).encode())


class _OlderTransport:
    """HTTP+SSE of 2024-11-05: one stream of events, which first names the URL that takes messages."""

    def __init__(
        self, http: Http, forward: Callable[[bytes, set[str]], None], fail: Callable[[str, list[Any]], None]
    ) -> None:
        self._http = http
        self._forward = forward
        self._fail = fail
        self._waiting: set[str] = set()
        self._url: asyncio.Future[httpx2.URL] = asyncio.get_running_loop().create_future()
        self._reader: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect. Raises BridgeProblem."""
        self._reader = asyncio.create_task(self._read())
        await self._url

    async def post(self, line: bytes, requests: list[Any]) -> None:
        """Send a message; answers come with the events. Raises BridgeProblem."""
        if self._reader is None or self._reader.done():
            raise BridgeProblem("the server has ended the connection: restart it")
        self._waiting |= {json.dumps(request) for request in requests}
        async with self._http.send("POST", line, _JSON, url=await self._url) as answer:
            if answer.status_code >= 300:
                self._waiting -= {json.dumps(request) for request in requests}
                raise refusal(answer)

    async def close(self) -> None:
        """Hang up."""
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.wait([self._reader], timeout=_FAREWELL)

    async def _read(self) -> None:
        problem = BridgeProblem("the server has ended the connection")
        try:
            async with self._http.send("GET", headers=_EVENTS, read=None) as answer:
                if answer.status_code >= 300 or content_type(answer) != "text/event-stream":
                    raise refusal(answer) if answer.status_code >= 300 else BridgeProblem("this is no MCP server")
                async for event in events(answer):
                    if event.name == "endpoint" and not self._url.done():
                        self._url.set_result(self._http.resolve(event.data.decode("utf-8", "replace")))
                    elif event.name == "message" and event.data.strip():
                        self._forward(event.data, self._waiting)
        except BridgeProblem as told:
            problem = told
        if not self._url.done():
            self._url.set_exception(problem)
        self._fail(str(problem), [json.loads(request) for request in self._waiting])


def _requests(message: Any) -> list[Any]:
    """Return the ids of the requests in a message, or in a batch of them (2025-03-26)."""
    items = cast("list[Any]", message) if isinstance(message, list) else [message]
    return [item["id"] for item in map(_object, items) if "method" in item and "id" in item]


def _object(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


async def _lines() -> AsyncIterator[bytes]:
    """Yield the lines of standard input. A thread reads: it may be a file, a pipe or a terminal."""
    queue: asyncio.Queue[bytes | None] = asyncio.Queue(64)
    loop = asyncio.get_running_loop()

    def read() -> None:
        rest = bytearray()
        while chunk := os.read(0, 1 << 16):
            *lines, last = chunk.split(b"\n")
            for line in lines:
                rest += line
                asyncio.run_coroutine_threadsafe(queue.put(bytes(rest[: MAX_MESSAGE + 1])), loop).result()
                rest.clear()
            if len(rest) <= MAX_MESSAGE:  # what is cut is no JSON, and that is told
                rest += last
        asyncio.run_coroutine_threadsafe(queue.put(bytes(rest)), loop).result()
        asyncio.run_coroutine_threadsafe(queue.put(None), loop).result()

    def quietly() -> None:
        with contextlib.suppress(Exception):  # the loop has ended
            read()

    threading.Thread(target=quietly, daemon=True).start()
    while (line := await queue.get()) is not None:
        yield line


def _write(line: bytes) -> None:
    """Write a line to standard output, all of it. A client that does not read holds everything up: that is its right."""
    left = memoryview(line + b"\n")
    while left:
        left = left[os.write(1, left) :]


def _say(text: str) -> None:
    sys.stderr.write(f"locum: {text}\n")
    sys.stderr.flush()
