"""A scripted stand-in for a model on the loopback: it makes the tool calls of its script and keeps what it was shown.

No model is asked and nothing leaves the machine. What it was shown stays in memory: it may hold what a doctor looks for.
"""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Sequence
from typing import Any, Self, cast

from locum.agents.doctor.dialects import Call, dialect_of

_LARGEST = 64 << 20
"""Bytes of one request: more is not read."""


class StandIn:
    """A server for one client's run. Use it as a context; `url` is known inside."""

    def __init__(self, script: Sequence[Call]) -> None:
        """Take the calls to make, one a turn; then the stand-in says "done"."""
        self.bodies: list[bytes] = []
        """Every request's body, as it was sent."""
        self.results: list[str] = []
        """What each call of the script came to, as far as one came back."""
        self._script = list(script)
        self._lock = threading.Lock()
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def url(self) -> str:
        """Where it listens: scheme, host and port."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def turn(self, path: str, raw: bytes) -> tuple[str, bytes]:
        """Keep a request and return the answer: content type and body."""
        with self._lock:
            self.bodies.append(raw)
        try:
            read: Any = json.loads(raw)
        except ValueError:
            read = None
        dialect = dialect_of(path)
        if dialect is None or not isinstance(read, dict):
            empty: dict[str, Any] = {"data": [], "models": [], "input_tokens": 1, "totalTokens": 1}
            return "application/json", json.dumps(empty).encode()
        body = cast("dict[str, Any]", read)
        if not dialect.has_tools(body):
            kind, answer = dialect.answer(body, "{}", 0)
        else:
            results = dialect.results(body)
            with self._lock:
                self.results = max(self.results, results, key=len)
            turn = self._script[len(results)] if len(results) < len(self._script) else "done"
            kind, answer = dialect.answer(body, turn, len(results))
        if "alt=sse" in path:
            return "text/event-stream", b"data: " + answer + b"\r\n\r\n"
        return kind, answer


def _handler(standin: StandIn) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 1 << 16  # else head and body go out apart, and the reader waits 40 ms for the second
        disable_nagle_algorithm = True

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's signature
            """Say nothing: a path may hold what is not ours to print."""

        def do_POST(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            self._say(*standin.turn(self.path, self.rfile.read(min(length, _LARGEST))))

        def do_GET(self) -> None:
            self._say(*standin.turn(self.path, b""))

        do_HEAD = do_GET  # noqa: N815 - the base's names

        def _say(self, kind: str, body: bytes) -> None:
            self.send_response(200)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

    return Handler
