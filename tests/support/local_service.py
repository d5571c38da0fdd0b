"""A local service that lets in who has the key."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer


@contextmanager
def service_with_key(key: str) -> Iterator[str]:
    """Give its URL: `X-Key` with the key gets 200 and `welcome`, anything else 403."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            knows = self.headers.get("X-Key") == key
            self.send_response(200 if knows else 403)
            self.end_headers()
            self.wfile.write(b"welcome" if knows else b"no")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its own name
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
