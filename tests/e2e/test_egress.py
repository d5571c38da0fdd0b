"""The egress proxy between real clients and a real HTTPS server: the task has a placeholder, the server gets the value."""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import gzip
import http.server
import ipaddress
import json
import os
import secrets
import shutil
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from locum.run.egress.process import Egress
from locum.run.egress.rules import Carried, parse_place
from locum.secret import SecretBytes
from support.bed import need_bed

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="sealed memory and /proc: Linux")


@dataclass
class Upstream:
    """A server that says back what it got."""

    port: int
    certificate: Path
    heads: list[dict[str, str]] = field(default_factory=list[dict[str, str]])


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    upstream: Upstream

    def _answer(self) -> None:
        got = self.rfile.read(int(self.headers.get("content-length") or 0))
        self.upstream.heads.append({name.lower(): value for name, value in self.headers.items()})
        told = json.dumps({"authorization": self.headers.get("authorization"), "got": len(got)}).encode() + b"\n"
        if self.path == "/long":
            told = b"x" * 100_000 + told
        self.send_response(200)
        if self.path == "/gzip":
            told = gzip.compress(told)
            self.send_header("content-encoding", "gzip")
        if self.path == "/br":
            self.send_header("content-encoding", "br")
        self.send_header("x-seen", str(self.headers.get("authorization")))
        self.send_header("content-length", str(len(told)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(told)

    do_GET = do_POST = do_HEAD = do_PUT = do_TRACE = _answer  # noqa: N815 - the base class looks for these names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[Upstream]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    public = tmp_path / "upstream.pem"
    public.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = tmp_path / "upstream-private.pem"
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {}))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    found = Upstream(server.server_address[1], public)
    server.RequestHandlerClass.upstream = found  # type: ignore[attr-defined]  # the subclass made above
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield found
    server.shutdown()
    server.server_close()


@dataclass
class Leased:
    """A running proxy and what its task would have."""

    egress: Egress
    item: Carried
    value: bytes
    upstream: Upstream

    @property
    def url(self) -> str:
        return f"https://localhost:{self.upstream.port}"

    def run(self, *argv: str, **more: str) -> subprocess.CompletedProcess[bytes]:
        environment = {
            "PATH": os.environ["PATH"],
            "KEY": self.item.placeholder.decode(),
            **self.egress.variables,
            **more,
        }
        return subprocess.run(argv, env=environment, capture_output=True, timeout=60, check=False)

    def curl(self, path: str = "/", *options: str) -> subprocess.CompletedProcess[bytes]:
        header = f"Authorization: Bearer {self.item.placeholder.decode()}"
        return self.run("curl", "-sS", "-i", "-H", header, *options, self.url + path)


@pytest.fixture
def leased(upstream: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Leased]:
    monkeypatch.setenv("SSL_CERT_FILE", str(upstream.certificate))
    value = secrets.token_urlsafe(30).encode()
    item = Carried("locum://KEY", SecretBytes(value), [parse_place(f"localhost:{upstream.port}")])
    folder = tmp_path / "private"
    folder.mkdir(mode=0o700)
    egress = Egress([item], folder)
    try:
        yield Leased(egress, item, value, upstream)
    finally:
        egress.close()


def test_the_server_gets_the_value_and_the_task_never(leased: Leased) -> None:
    done = leased.curl()
    assert done.returncode == 0, done.stderr
    assert leased.upstream.heads[0]["authorization"] == f"Bearer {leased.value.decode()}"
    assert leased.value not in done.stdout + done.stderr
    assert b"locum://KEY" in done.stdout  # the server said it back: the mask
    assert done.stdout.count(b"locum://KEY") == 2  # once in a header, once in the body


@pytest.mark.parametrize("path", ["/gzip", "/long"])
def test_an_answer_is_masked_however_it_comes(leased: Leased, path: str) -> None:
    done = leased.curl(path)
    assert done.returncode == 0, done.stderr
    body = done.stdout.partition(b"\r\n\r\n")[2].partition(b"\r\n\r\n")[2]
    assert leased.value not in done.stdout
    assert b"locum://KEY" in body


def test_a_compression_that_the_mask_cannot_read_is_refused(leased: Leased) -> None:
    done = leased.curl("/br")
    assert b"502" in done.stdout
    assert leased.value not in done.stdout


def test_basic(leased: Leased) -> None:
    done = leased.run("curl", "-sS", "-u", f"user:{leased.item.placeholder.decode()}", leased.url)
    assert done.returncode == 0, done.stderr
    sent = leased.upstream.heads[0]["authorization"].removeprefix("Basic ")
    assert base64.b64decode(sent) == b"user:" + leased.value
    assert leased.value not in done.stdout
    assert sent.encode() not in done.stdout


def test_bodies_pass_both_ways(leased: Leased, tmp_path: Path) -> None:
    big = tmp_path / "big"
    big.write_bytes(os.urandom(3 << 20))
    done = leased.curl("/", "--data-binary", f"@{big}", "-H", "Expect: 100-continue")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.rpartition(b"\r\n\r\n")[2])["got"] == 3 << 20


def test_head_and_two_requests_of_one_connection(leased: Leased) -> None:
    done = leased.run(
        "curl",
        "-sS",
        "-I",
        leased.url,
        "--next",
        "-sS",
        leased.url,
        "-H",
        f"Authorization: {leased.item.placeholder.decode()}",
    )
    assert done.returncode == 0, done.stderr
    assert [head.get("authorization") for head in leased.upstream.heads] == [None, leased.value.decode()]


CLIENTS = {
    "python": (sys.executable, "-c", "import os,sys,urllib.request as u;q=u.Request(sys.argv[1],headers={'Authorization':os.environ['KEY']});print(u.urlopen(q).status)"),
    "node": ("node", "-e", "fetch(process.argv[1],{headers:{Authorization:process.env.KEY}}).then(r=>console.log(r.status))"),
}  # fmt: skip


@pytest.mark.parametrize("client", ["python", "node"])
def test_other_clients(leased: Leased, client: str) -> None:
    argv = CLIENTS[client]
    if client == "node":  # the bed's: from 24 on, fetch goes through a proxy when it is asked to
        argv = (str(need_bed().node24), *argv[1:])
    done = leased.run(*argv, leased.url)
    assert (done.returncode, done.stdout.strip()) == (0, b"200"), done.stderr
    assert leased.upstream.heads[0]["authorization"] == leased.value.decode()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("-H", "Host: evil.example"), b"Host header"),
        (("-X", "TRACE"), b"TRACE"),
        (("-H", "Upgrade: websocket"), b"upgraded"),
    ],
)
def test_requests_that_go_no_further(leased: Leased, options: tuple[str, ...], why: bytes) -> None:
    done = leased.curl("/", *options)
    assert b"403" in done.stdout
    assert why in done.stdout
    assert not leased.upstream.heads


def test_a_placeholder_in_an_address_or_another_header_is_told(leased: Leased) -> None:
    placeholder = leased.item.placeholder.decode()
    for options in ([f"{leased.url}/?k={placeholder}"], ["-H", f"X-Other: {placeholder}", leased.url]):
        done = leased.run("curl", "-sS", "-i", *options)
        assert b"403" in done.stdout
        assert b"locum://KEY" in done.stdout
    assert not leased.upstream.heads


def test_plain_http_is_refused(leased: Leased) -> None:
    proxy = leased.egress.variables["HTTPS_PROXY"]
    done = leased.run("curl", "-sS", "-i", "-x", proxy, f"http://localhost:{leased.upstream.port}/")
    assert b"403" in done.stdout
    assert b"in the clear" in done.stdout


def test_a_host_without_a_secret_gets_a_tunnel_and_no_value(leased: Leased) -> None:
    """127.0.0.1 is another host than localhost to us: its own certificate comes through, and the placeholder stays one."""
    header = f"Authorization: {leased.item.placeholder.decode()}"
    done = leased.run(
        "curl",
        "-sS",
        "-H",
        header,
        "--cacert",
        str(leased.upstream.certificate),
        f"https://127.0.0.1:{leased.upstream.port}/",
    )
    assert done.returncode == 0, done.stderr
    assert leased.upstream.heads[0]["authorization"] == leased.item.placeholder.decode()


def test_another_name_in_sni_is_refused(leased: Leased) -> None:
    done = leased.run(
        "curl",
        "-sS",
        "-k",
        "--connect-to",
        f"other.example:443:localhost:{leased.upstream.port}",
        "https://other.example/",
    )
    assert done.returncode != 0
    assert not leased.upstream.heads


def test_who_is_no_process_of_the_task_is_refused(leased: Leased) -> None:
    """With the right password even: this very process is the launcher, not the task."""
    at, port = leased.egress.variables["HTTPS_PROXY"].rpartition("@")[::2]
    password = base64.b64encode(at.removeprefix("http://").encode()).decode()
    with contextlib.closing(socket.create_connection(("127.0.0.1", int(port.rpartition(":")[2])))) as own:
        own.sendall(
            f"CONNECT localhost:{leased.upstream.port} HTTP/1.1\r\nHost: x\r\nProxy-Authorization: Basic {password}\r\n\r\n".encode()
        )
        assert own.recv(100).startswith(b"HTTP/1.1 407")


def test_a_wrong_password_is_refused(leased: Leased) -> None:
    port = leased.egress.variables["HTTPS_PROXY"].rpartition(":")[2]
    done = leased.run("curl", "-sS", "-i", "-x", f"http://locum:wrong@127.0.0.1:{port}", leased.url)
    assert b"407" in done.stdout
    assert not leased.upstream.heads


def test_a_server_that_is_not_trusted_gets_nothing(
    upstream: Upstream, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    value = secrets.token_urlsafe(30).encode()
    item = Carried("locum://KEY", SecretBytes(value), [parse_place(f"localhost:{upstream.port}")])
    egress = Egress([item], tmp_path)
    try:
        done = Leased(egress, item, value, upstream).curl()
    finally:
        egress.close()
    assert b"502" in done.stdout
    assert "not trusted" in capfd.readouterr().err  # the launcher's, where the person reads
    assert not upstream.heads


def test_the_authority_is_good_for_the_allowed_hosts_only(leased: Leased) -> None:
    bundle = Path(leased.egress.variables["SSL_CERT_FILE"]).read_bytes()
    own = x509.load_pem_x509_certificates(bundle)[-1]
    constraints = own.extensions.get_extension_for_class(x509.NameConstraints)
    assert constraints.critical
    assert constraints.value.permitted_subtrees == [x509.DNSName("localhost")]


def test_the_process_cannot_be_read_and_ends_with_the_launcher(leased: Leased) -> None:
    assert shutil.which("curl")
    pid = int(subprocess.run(["pgrep", "-P", str(os.getpid()), "-n"], capture_output=True, check=True).stdout)
    assert f"PPid:\t{os.getpid()}" in Path(f"/proc/{pid}/status").read_text()
    leased.egress.close()
    assert not Path(f"/proc/{pid}").exists()
