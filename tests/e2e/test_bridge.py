"""`locum bridge` against the official SDK's servers, driven by its client, and against servers that behave badly."""

from __future__ import annotations

import datetime as dt
import json
import os
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from support.home import ROOT, Home, canary
from support.marked import applied, plan_for

pytest.importorskip("mcp")

SUPPORT = ROOT / "tests" / "support"
INITIALIZE = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-11-25"}}
INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}
ASK = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}


@contextmanager
def sdk_server(kind: str, wanted: str) -> Iterator[str]:
    """Start a server of the SDK and give its URL."""
    process = subprocess.Popen(
        [sys.executable, str(SUPPORT / "mcp_server.py"), kind], env=os.environ | {"WANTED": wanted},
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        yield f"http://127.0.0.1:{port}/{'sse' if kind == 'sse' else 'mcp'}"
    finally:
        process.terminate()
        process.wait()


@pytest.mark.parametrize("kind", ["streamable-http", "json", "stateless", "sse"])
def test_the_official_client_and_server_meet(kind: str) -> None:
    value = canary()
    with sdk_server(kind, value) as url:
        done = subprocess.run(
            [sys.executable, str(SUPPORT / "mcp_client.py"), sys.executable, "-m", "locum", "bridge", url,
             "--header", "Authorization: Bearer locum://TOKEN"],
            env=os.environ | {"TOKEN": value, "PYTHONPATH": str(ROOT / "server")}, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "tools: ['add', 'secret', 'slow']" in done.stdout
    assert "sums: 210" in done.stdout
    assert done.stdout.endswith("the end\n")


@pytest.mark.parametrize("kind", ["streamable-http", "sse"])
def test_a_remote_server_whose_token_was_moved_works_and_shows_it_to_nobody(vault_home: Home, kind: str) -> None:
    """The whole way: a client's configuration, our fix, its command line on a person's terminal, a real server."""
    value = canary()
    with sdk_server(kind, value) as url:
        before = json.dumps({"mcpServers": {"x": {"url": url, "headers": {"Authorization": f"Bearer {value}"}}}})
        start = before.index(value)
        made = plan_for(before, start, start + len(value), path=".cursor/mcp.json", name="SERVER_TOKEN")
        server = json.loads(applied(before, made))["mcpServers"]["x"]
        assert server["args"][-1] == "Authorization: Bearer locum://SERVER_TOKEN", "no client expands this"
        vault_home.store("SERVER_TOKEN", value)
        vault_home.env["PATH"] = f"{Path(sys.executable).parent}:{vault_home.env['PATH']}"
        client = [sys.executable, str(SUPPORT / "mcp_client.py"), server["command"], *server["args"]]
        terminal = vault_home.terminal(command=client)
        terminal.answer()
        terminal.wait_for("the end", 60)
        assert terminal.wait() == 0
        assert "sums: 210" in terminal.text
        assert "you sent locum://SERVER_TOKEN" in terminal.text, "a careless server's answer passes the mask"
        shown = terminal.output
        terminal.close()
    vault_home.close()
    assert value.encode() not in shown + vault_home.everything_written()


class Scripted:
    """A server that does what a test says: `answer(handler)` for each request. `seen` is what came."""

    def __init__(self, answer: Callable[[Any], None]) -> None:
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                outer.seen.append((self.command, self.path, headers, body))
                self.message = json.loads(body) if body else {}
                answer(self)

            do_GET = do_POST = do_DELETE = handle_any  # noqa: N815 - names of the base class

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
                pass

            def reply(self, status: int, body: bytes = b"", kind: str = "application/json", **headers: str) -> None:
                self.send_response(status)
                for name, value in {"content-type": kind, "content-length": str(len(body)), **headers}.items():
                    self.send_header(name.replace("_", "-"), value)
                self.end_headers()
                self.wfile.write(body)

            def result(self, result: Any = None, **headers: str) -> None:
                body = {"jsonrpc": "2.0", "id": self.message.get("id"), "result": result or {}}
                self.reply(200, json.dumps(body).encode(), **headers)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/mcp"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def count(self, method: str) -> int:
        return len([entry for entry in self.seen if entry[0] == method])


@pytest.fixture
def scripted() -> Iterator[Callable[[Callable[[Any], None]], Scripted]]:
    made: list[Scripted] = []

    def make(answer: Callable[[Any], None]) -> Scripted:
        made.append(Scripted(answer))
        return made[-1]

    yield make
    for server in made:
        server.server.shutdown()


VALUE = canary()


def bridge(url: str, *messages: Any, headers: tuple[str, ...] = ("X-Key: locum://TOKEN",), wait: int = 0) -> list[Any]:
    """Send messages through a bridge and return what comes back, after at least `wait` answers."""
    options = [word for header in headers for word in ("--header", header)]
    process = subprocess.Popen(
        [sys.executable, "-m", "locum", "bridge", url, *options],
        env=os.environ | {"TOKEN": VALUE, "PYTHONPATH": str(ROOT / "server")},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    for message in messages:
        process.stdin.write(message if isinstance(message, bytes) else json.dumps(message).encode() + b"\n")
        process.stdin.flush()
    lines = [process.stdout.readline() for _ in range(wait)]
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0
    everything = b"".join(lines) + out + err
    assert VALUE.encode() not in everything
    assert b"Traceback" not in err, err.decode()
    return [json.loads(line) for line in (b"".join(lines) + out).splitlines()]


def error_of(answers: list[Any], request: int = 1) -> str:
    (found,) = [answer["error"]["message"] for answer in answers if answer["id"] == request]
    return found


def test_what_the_transport_needs_is_sent(scripted: Any) -> None:
    def answer(request: Any) -> None:
        if request.command == "POST" and request.message.get("method") == "initialize":
            request.result({"protocolVersion": "2025-06-18"}, Mcp_Session_Id="s1")
        elif request.command == "POST" and "id" in request.message:
            request.result()
        else:
            request.reply(202 if request.command == "POST" else 405)

    server = scripted(answer)
    answers = bridge(server.url, INITIALIZE, INITIALIZED, ASK, wait=2)
    assert [found["id"] for found in answers] == [1, 2]
    posts = [headers for method, _, headers, _ in server.seen if method == "POST"]
    assert [headers.get("mcp-session-id") for headers in posts] == [None, "s1", "s1"]
    assert [headers.get("mcp-protocol-version") for headers in posts] == [None, "2025-06-18", "2025-06-18"]
    assert {headers["accept"] for headers in posts} == {"application/json, text/event-stream"}
    assert {headers["x-key"] for headers in posts} == {VALUE}
    assert (server.count("GET"), server.count("DELETE")) == (1, 1)


def test_messages_are_passed_on_as_they_are(scripted: Any) -> None:
    body = b'{"jsonrpc": "2.0",\r\n "id": 1, "result": {"n": 1.0, "big": 12345678901234567890123, "t": "\\u00e9\\n"}}'
    server = scripted(lambda request: request.reply(200, body))
    line = b'{"id": 1,  "jsonrpc":"2.0","method":"initialize","params":{"x":1.50}}'
    answers = bridge(server.url, line + b"\n")
    assert answers[0]["result"] == {"n": 1.0, "big": 12345678901234567890123, "t": "\u00e9\n"}
    assert server.seen[0][3] == line


def test_a_value_is_one_part_of_a_url(scripted: Any) -> None:
    server = scripted(lambda request: request.result())
    environ = os.environ | {"TOKEN": "a/b&c=d e\u00e9", "PYTHONPATH": str(ROOT / "server")}
    subprocess.run(
        [sys.executable, "-m", "locum", "bridge", server.url + "/{locum://TOKEN}?key=locum://TOKEN&old=${TOKEN}&x=$TOKEN"],
        input=json.dumps(INITIALIZE), text=True, env=environ, check=True, timeout=30, capture_output=True,
    )  # fmt: skip
    assert (
        server.seen[0][1]
        == "/mcp/a%2Fb%26c%3Dd%20e%C3%A9?key=a%2Fb%26c%3Dd%20e%C3%A9&old=a%2Fb%26c%3Dd%20e%C3%A9&x=$TOKEN"
    )


def test_a_stream_that_breaks_is_taken_up_where_it_broke(scripted: Any) -> None:
    def answer(request: Any) -> None:
        if request.command == "POST":
            request.reply(200, b"id: e1\nretry: 10\ndata:\n\n", "text/event-stream")
        elif request.headers.get("last-event-id") == "e1":
            request.reply(
                200, b'id: e2\r\ndata: {"jsonrpc":"2.0","method":"notifications/x"}\r\n\r\n', "text/event-stream"
            )
        else:
            request.reply(200, b': hm\ndata: {"jsonrpc":"2.0",\ndata: "id":1,"result":{}}\n\n', "text/event-stream")

    server = scripted(answer)
    answers = bridge(server.url, INITIALIZE, wait=2)
    assert [found.get("method", found.get("id")) for found in answers] == ["notifications/x", 1]
    assert [headers.get("last-event-id") for method, _, headers, _ in server.seen if method == "GET"] == ["e1", "e2"]


def test_a_session_that_the_server_has_forgotten_is_opened_again(scripted: Any) -> None:
    sessions: list[str] = []

    def answer(request: Any) -> None:
        if request.command == "POST" and request.message.get("method") == "initialize":
            sessions.append(f"s{len(sessions)}")
            request.result({"protocolVersion": "2025-11-25"}, Mcp_Session_Id=sessions[-1])
        elif request.command != "POST":
            request.reply(405)
        elif request.headers.get("mcp-session-id") != "s1" and "id" in request.message:
            request.reply(404)
        else:
            request.result() if "id" in request.message else request.reply(202)

    server = scripted(answer)
    answers = bridge(server.url, INITIALIZE, INITIALIZED, ASK, {**ASK, "id": 3}, wait=3)
    assert sorted(found["id"] for found in answers) == [1, 2, 3]
    assert sessions == ["s0", "s1"]


def test_messages_of_the_server_arrive(scripted: Any) -> None:
    event = b'data: {"jsonrpc":"2.0","id":"q","method":"roots/list"}\n\n'

    def answer(request: Any) -> None:
        if request.command == "GET" and server.count("GET") == 1:
            request.reply(200, event, "text/event-stream")
        elif request.command == "GET":
            request.reply(405)
        elif "method" in request.message and "id" in request.message:
            request.result()
        else:
            request.reply(202)

    server = scripted(answer)
    answers = bridge(
        server.url, INITIALIZE, INITIALIZED, {"jsonrpc": "2.0", "id": "q", "result": {"roots": []}}, wait=2
    )
    assert [found.get("method") for found in answers] == [None, "roots/list"]
    assert any(b"roots" in body for method, _, _, body in server.seen if method == "POST")


def test_a_redirect_stays_within_the_origin(scripted: Any) -> None:
    other = scripted(lambda request: request.result())
    server = scripted(
        lambda request: request.result() if request.path == "/mcp/" else request.reply(307, Location="/mcp/")
    )
    assert "result" in bridge(server.url, INITIALIZE)[0]
    away = scripted(lambda request: request.reply(307, Location=other.url))
    assert "another origin" in error_of(bridge(away.url, INITIALIZE))
    assert other.seen == []
    circle = scripted(lambda request: request.reply(308, Location="/mcp"))
    assert "circle" in error_of(bridge(circle.url, INITIALIZE))


def test_the_older_transport_sends_nothing_elsewhere(scripted: Any) -> None:
    other = scripted(lambda request: request.reply(202))

    def answer(request: Any) -> None:
        if request.command == "POST":
            request.reply(405)
        else:
            request.reply(200, f"event: endpoint\ndata: {other.url}\n\n".encode(), "text/event-stream")

    assert error_of(bridge(scripted(answer).url, INITIALIZE)) == "locum bridge: the server answers 405"
    assert other.seen == []


@pytest.mark.parametrize(
    ("status", "body", "kind", "says"),
    [
        (401, b"bad key %s", "text/plain", "is the secret still valid?"),
        (401, b'{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"bad %s"}}', "application/json", "still valid?"),
        (403, b"", "text/plain", "(403)"),
        (500, b"%s", "text/plain", "answers 500"),
        (200, b"<p>%s", "text/html", "neither with JSON nor with events"),
        (200, b"{%s", "application/json", "no JSON"),
        (200, b"[" * 100_000, "application/json", "no JSON"),
        (400, b"[" * 100_000, "application/json", "answers 400"),
        (200, b"data: {%s\n\n", "text/event-stream", "no JSON"),
        (200, b"data: 1\n\n", "text/event-stream", "ended before the answer"),
        (
            422,
            b'{"jsonrpc":"2.0","id":null,"error":{"code":7,"message":"no %s here"}}',
            "application/json",
            "no locum://TOKEN here",
        ),
    ],
)
def test_what_goes_wrong_is_an_error_without_the_value(
    scripted: Any, status: int, body: bytes, kind: str, says: str
) -> None:
    server = scripted(lambda request: request.reply(status, body.replace(b"%s", VALUE.encode()), kind))
    answers = bridge(server.url, INITIALIZE)
    assert says in error_of([answer for answer in answers if answer != 1])


def test_too_much_is_refused(scripted: Any) -> None:
    def answer(request: Any) -> None:
        request.send_response(200)
        request.send_header("content-type", "text/event-stream" if request.message["id"] == 1 else "application/json")
        request.send_header("connection", "close")
        request.end_headers()
        try:
            for _ in range(20):
                request.wfile.write(b"data: " + b"x" * (1 << 20))
        except OSError:
            pass

    server = scripted(answer)
    answers = bridge(server.url, INITIALIZE, ASK, wait=2)
    assert "more than 16 MiB" in error_of(answers)
    assert "more than 16 MiB" in error_of(answers, 2)
    assert "16 MiB" in error_of(bridge(server.url, b'{"x": "' + b"x" * (17 << 20) + b'"}\n', wait=1), None)  # type: ignore[arg-type]
    assert server.count("POST") == 2


def test_a_server_that_is_not_there(scripted: Any) -> None:
    assert "cannot be reached" in error_of(bridge("http://127.0.0.1:9/mcp", INITIALIZE))


def test_it_ends_with_its_input_and_not_before(scripted: Any) -> None:
    def answer(request: Any) -> None:
        if request.message.get("id") == 2:
            time.sleep(30)
        request.result()

    server = scripted(answer)
    started = time.monotonic()
    assert [found["id"] for found in bridge(server.url, INITIALIZE, ASK, b"not json\n", b"[" * 100_000 + b"\n")] == [
        1,
        None,
        None,
    ]
    assert time.monotonic() - started < 8


def test_it_ends_when_nobody_reads_its_answers(scripted: Any) -> None:
    server = scripted(lambda request: request.result())
    process = subprocess.Popen(
        [sys.executable, "-m", "locum", "bridge", server.url], env=os.environ | {"PYTHONPATH": str(ROOT / "server")},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdout.close()
    process.stdin.write(json.dumps(ASK).encode() + b"\n")
    process.stdin.flush()
    assert process.wait(20) == 0
    assert process.stderr is not None
    assert b"Traceback" not in process.stderr.read()


def test_a_configuration_cannot_say_whom_to_believe(tmp_path: Path) -> None:
    """A proxy and a certificate of its own in `env` would let a repository's configuration read what is sent."""
    key, certificate = _self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    heard: list[str] = []

    class Ear(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(str(self.headers))
            self.send_error(500)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Ear)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    value, keys = canary(), tmp_path / "keys"
    env = {"TOKEN": value, "SSL_CERT_FILE": str(certificate), "SSLKEYLOGFILE": str(keys)}
    done = subprocess.run(
        [sys.executable, "-m", "locum", "bridge", f"https://localhost:{server.server_port}/mcp", "--header", "K: locum://TOKEN"],
        env=os.environ | {"PYTHONPATH": str(ROOT / "server")} | env, input=json.dumps(INITIALIZE) + "\n", capture_output=True,
        text=True, timeout=60,
    )  # fmt: skip
    server.shutdown()
    assert "error" in json.loads(done.stdout.splitlines()[0])
    assert heard == []
    assert not keys.exists()
    assert value not in done.stdout + done.stderr


def _self_signed(folder: Path) -> tuple[Path, Path]:
    """Make a key and a certificate for localhost that only itself vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now).not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(key, hashes.SHA256())
    )  # fmt: skip
    paths = folder / "key.pem", folder / "certificate.pem"
    no_password = serialization.NoEncryption()
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    paths[0].write_bytes(key.private_bytes(*form, no_password))
    paths[1].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return paths
