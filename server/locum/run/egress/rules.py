"""Which request may carry which value, and how it gets there. Pure: heads of requests in, heads of requests out.

A value is put into listed headers only, never into a URL (servers and proxies log those), never into a body, never
over plain HTTP. `Basic` is decoded and encoded again, for `user:placeholder`.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from locum.errors import UsageProblem
from locum.secret import SecretBytes

PLACEHOLDER_PREFIX = "slph_"
HTTPS = 443
Headers = list[tuple[bytes, bytes]]

CARRIERS = frozenset(
    (
        b"authorization", b"x-api-key", b"api-key", b"apikey", b"x-auth-token", b"x-access-token", b"x-auth-key",
        b"private-token", b"job-token", b"x-goog-api-key", b"dd-api-key", b"dd-application-key", b"x-vault-token",
        b"x-shopify-access-token", b"x-figma-token", b"circle-token", b"x-honeycomb-team", b"ocp-apim-subscription-key",
        b"x-rapidapi-key", b"x-github-token",
    )
)  # fmt: skip
"""Headers in which services of the field take their keys, lower case."""

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(?:\*\.)?(?:{_LABEL}\.)*{_LABEL}\Z")


class Blocked(Exception):
    """A request that must not go on. The text says why, and goes to the task: it holds no value."""


@dataclass(frozen=True, slots=True)
class Place:
    """One host that a value may go to: `host` lower case, `*.` in front for every name below it; `port`."""

    host: str
    port: int = HTTPS

    def covers(self, host: str, port: int) -> bool:
        """Say whether a connection to host and port is meant."""
        if port != self.port:
            return False
        return host == self.host or (self.host.startswith("*.") and host.endswith(self.host[1:]))


class Carried:
    """One value on its way out: the placeholder that the task has, and where the value may go."""

    __slots__ = ("_value", "placeholder", "places", "reference")

    def __init__(self, reference: str, value: SecretBytes, places: Sequence[Place]) -> None:
        self.reference = reference
        self.places = tuple(places)
        self.placeholder = (PLACEHOLDER_PREFIX + secrets.token_hex(16)).encode()
        self._value = value

    def goes_to(self, host: str, port: int) -> bool:
        """Say whether the value may go to a host."""
        return any(place.covers(host, port) for place in self.places)

    def value(self) -> memoryview:
        """Return a view of the value, for the one write that needs it."""
        return self._value.view()


def parse_place(text: str) -> Place:
    """Read `host`, `host:port` or `*.host`. Raises UsageProblem (`egress.host`)."""
    host, colon, port = text.strip().lower().rpartition(":")
    if not colon or not port.isdigit():
        host, port = text.strip().lower(), ""
    number = int(port) if port else HTTPS
    if (
        not is_address(host) and not (_HOST.match(host) and len(host) <= 253 and _is_narrow(host))
    ) or not 0 < number < 1 << 16:
        raise UsageProblem(
            "egress.host", f"{text!r} is no host that a secret may go to",
            "Write api.example.com, api.example.com:8443 or *.example.com.",
        )  # fmt: skip
    return Place(host, number)


def _is_narrow(host: str) -> bool:
    """Say whether a pattern is below a name of two parts at least: `*.com` would be everybody."""
    return not host.startswith("*.") or host.count(".") >= 2


def is_address(host: str) -> bool:
    """Say whether a host is an IP address."""
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def canonical_target(target: bytes) -> tuple[str, int]:
    """Return host and port of a CONNECT, the host lower case in ASCII. Raises Blocked."""
    try:
        text = target.decode("ascii")
    except UnicodeDecodeError:
        raise Blocked("the host is not written in ASCII") from None
    host, _, port = text.rpartition(":")
    host = host.lower().strip("[]")
    if not port.isdigit() or not 0 < int(port) < 1 << 16 or not (is_address(host) or _HOST.match(host)) or "*" in host:
        raise Blocked("a host and a port are needed: CONNECT host:port")
    return host, int(port)


def names_host(header: bytes, host: str, port: int) -> bool:
    """Say whether a Host header names this very host."""
    given = header.decode("latin-1").lower()
    return given in {host, f"{host}:{port}", f"[{host}]", f"[{host}]:{port}"}


def fill(headers: Iterable[tuple[bytes, bytes]], carried: Sequence[Carried], host: str, port: int) -> Headers:
    """Return the headers with values where placeholders stood. Raises Blocked for one where it may not stand.

    Lower-case names, as h11 gives them.
    """
    filled: Headers = []
    for name, content in headers:
        text = content
        for item in carried:
            if item.placeholder not in _shown(text):
                continue
            if not item.goes_to(host, port):
                raise Blocked(f"{item.reference} may not go to {host}:{port}")
            if name not in CARRIERS:
                raise Blocked(
                    f"{item.reference} stands in the header {name.decode('latin-1')}, which carries no secret"
                )
            text = _put(text, item)
        filled.append((name, text))
    return filled


def refuse_elsewhere(text: bytes, carried: Sequence[Carried]) -> None:
    """Raise Blocked when a placeholder stands where no value is put: the target of a request, or a piece of a body."""
    for item in carried:
        if item.placeholder in text:
            raise Blocked(f"{item.reference} stands in the address of a request; only headers carry secrets")


def _shown(content: bytes) -> bytes:
    """Return a header as it is, with what `Basic` hides in it."""
    decoded = _basic(content)
    return content if decoded is None else content + b"\n" + decoded


def _basic(content: bytes) -> bytes | None:
    scheme, _, rest = content.strip().partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        return base64.b64decode(rest.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None


def _put(content: bytes, item: Carried) -> bytes:
    """Return a header's content with the value in it. Raises Blocked when the value cannot stand in a header."""
    with item.value() as view:
        value = bytes(view)
    decoded = _basic(content)
    if decoded is not None and item.placeholder in decoded:
        return b"Basic " + base64.b64encode(decoded.replace(item.placeholder, value))
    if any(byte < 0x20 or byte == 0x7F for byte in value) or value != value.strip():
        raise Blocked(f"{item.reference} holds characters that no header can carry")
    return content.replace(item.placeholder, value)


def environment(port: int, token: str, bundle: str) -> Mapping[str, str]:
    """Return the variables that send a task's HTTPS through the proxy and make it trust the session's own authority."""
    address = f"http://locum:{token}@127.0.0.1:{port}"
    trust = (
        "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO",
        "AWS_CA_BUNDLE", "PIP_CERT", "CARGO_HTTP_CAINFO", "DENO_CERT", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
    )  # fmt: skip
    found = dict.fromkeys(("HTTPS_PROXY", "https_proxy"), address) | dict.fromkeys(trust, bundle)
    return found | {"NODE_USE_ENV_PROXY": "1", "NO_PROXY": "", "no_proxy": ""}
