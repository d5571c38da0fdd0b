"""A broker with an issuer of a test's own: it makes credentials at a small HTTP server and takes them back there.

Run as a script it is the broker: `issuer.py SERVER-URL [arguments of the broker]`.
"""

from __future__ import annotations

import json
import sys
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from locum.broker.upstream import ISSUERS, Issued
from locum.errors import Unavailable
from locum.secret import SecretBytes
from support.home import canary


class HttpIssuer:
    """`made://NAME`; a source that ends in `/fixed` gives what cannot be taken back."""

    def __init__(self, url: str) -> None:
        self._url = url

    def issue(self, source: str, ttl: int) -> Issued:
        answer = self._post("/issue", {"source": source, "ttl": ttl})
        fixed = source.endswith("/fixed")
        return Issued(
            SecretBytes(answer["value"].encode()),
            SecretBytes(answer["handle"].encode()),
            int(time.time()) + ttl,
            not fixed,
        )

    def revoke(self, handle: SecretBytes) -> None:
        with handle.view() as view:
            self._post("/revoke", {"handle": bytes(view).decode()})

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(self._url + path, json.dumps(body).encode(), method="POST")
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return json.load(answer)
        except (OSError, urllib.error.URLError):
            raise Unavailable("unavailable.issuer", "the issuer does not answer") from None


class Server:
    """The issuer's own server. It may be stopped and started again on the same port, and keeps its credentials."""

    def __init__(self) -> None:
        self.live: dict[str, str] = {}
        """Handle to value."""
        self.tries = 0
        self._port = 0
        self._http: ThreadingHTTPServer | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                text = json.dumps(server._answer(self.path, body)).encode()
                self.send_response(200)
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ARG002 - the base's names
                return

        self._http = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        self._port = self._http.server_address[1]
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def stop(self) -> None:
        if self._http is not None:
            self._http.shutdown()
            self._http.server_close()
            self._http = None

    def _answer(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        if path == "/issue":
            handle, value = canary(), canary()
            self.live[handle] = value
            return {"handle": handle, "value": value}
        self.tries += 1
        self.live.pop(body["handle"], None)
        return {}


if __name__ == "__main__":
    from locum.broker.serve import main

    ISSUERS["made"] = HttpIssuer(sys.argv.pop(1))
    main()
