"""Where the bridge goes and what it sends there: a URL and headers in which `locum://NAME` stands for a variable. Pure.

`locum run` has put the value of the secret NAME into the variable NAME. `${NAME}` is that too, but some clients expand it
themselves and start us with the value as an argument. Nothing else is expanded. Values are never part of an error.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote_from_bytes, urlsplit

from locum.errors import UsageProblem
from locum.refs.embedded import embedded
from locum.refs.reference import ReferenceProblem, locum_reference, looks_like_reference

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*:[ \t]*(.*?)[ \t]*", re.DOTALL)
_OURS = {"accept", "accept-encoding", "connection", "content-length", "content-type", "host", "last-event-id",
         "mcp-protocol-version", "mcp-session-id", "te", "trailer", "transfer-encoding", "upgrade"}  # fmt: skip
"""Headers that the transport sets."""


@dataclass(frozen=True, slots=True)
class BridgeTarget:
    """A server, with everything expanded."""

    url: str = field(repr=False)
    headers: tuple[tuple[bytes, bytes], ...] = field(repr=False)
    names: Mapping[bytes, str] = field(repr=False)
    """The values that went in, and the names that they came from."""
    is_local: bool
    """It is on this machine, reached without TLS."""

    def scrub(self, text: bytes) -> bytes:
        """Put the names in the place of our values, where a server repeats one."""
        for value, name in self.names.items():
            if len(value) < 4:
                continue  # it is anywhere
            text = text.replace(value, locum_reference(name).encode())
        return text


def bridge_target(url: str, headers: Sequence[str], environment: Mapping[bytes, bytes]) -> BridgeTarget:
    """Expand `url` and `headers` (`Name: value`) from `environment`. Raises UsageProblem."""
    names: dict[bytes, str] = {}
    pieces = list(_pieces(url))
    if [text for text, _ in pieces] == ["", ""]:
        address = _decoded(_value(pieces[0][1], environment, names))
    else:
        shape = re.match(r"[^/?#]*//(?:[^/?#]*@)?([^/?#]*)", "\0".join(text for text, _ in pieces))
        if shape is not None and re.search(r"\0|\$\{", shape[1]):
            raise UsageProblem("bridge.host", "a variable cannot stand in the host of the URL", "Write the host down.")
        # A value is one part of the URL, whatever characters it has.
        address = "".join(
            text + (quote_from_bytes(_value(name, environment, names), safe="") if name else "")
            for text, name in pieces
        )
    pairs = tuple(_header(header, environment, names) for header in headers)
    for value in [name for name in names if quote_from_bytes(name, safe="").encode() not in names]:
        names[quote_from_bytes(value, safe="").encode()] = names[value]
    return BridgeTarget(
        address, pairs, {k: names[k] for k in sorted(names, key=len, reverse=True)}, _check_url(address)
    )


def _header(header: str, environment: Mapping[bytes, bytes], names: dict[bytes, str]) -> tuple[bytes, bytes]:
    match = _HEADER.fullmatch(header)
    if match is None:
        raise UsageProblem("bridge.header", "this is no header", "Write --header 'Name: value'.")
    name, text = match.groups()
    if name.lower() in _OURS:
        raise UsageProblem("bridge.header", f"the bridge sets the header {name} itself", "Leave it out.")
    value = b"".join(
        part.encode("utf-8", "surrogateescape") + (_value(variable, environment, names) if variable else b"")
        for part, variable in _pieces(text)
    )
    if re.search(rb"[\r\n\0]", value):
        raise UsageProblem(
            "bridge.header",
            f"what the header {name} would hold has more than one line",
            "Store the value without line ends.",
        )
    return name.encode(), value


def _pieces(text: str) -> Iterator[tuple[str, str]]:
    """Yield the text before each variable with the variable's name; at last the text that is left, with no name."""
    try:
        places = [(item.start, item.end, item.name) for item in embedded(text)]
    except ReferenceProblem as problem:
        hint = "Write locum://NAME, or {locum://NAME} where more text follows; NAME=REF can stand behind --secret."
        raise UsageProblem("bridge.reference", problem.message, hint) from None
    at = 0
    for start, end, name in sorted([*places, *((*match.span(), match[1]) for match in _VARIABLE.finditer(text))]):
        yield text[at:start], name
        at = end
    yield text[at:], ""


def _value(name: str, environment: Mapping[bytes, bytes], names: dict[bytes, str]) -> bytes:
    value = environment.get(name.encode())
    is_reference = looks_like_reference((value or b"").decode("ascii", "ignore"))
    if not value or is_reference:
        raise UsageProblem(
            "bridge.variable",
            f"the variable {name} {'holds a reference, and no value' if is_reference else 'is not set'}",
            f"Start it as 'locum run --secret {name} -- locum bridge …'.",
        )
    names[value] = name
    return value


def _decoded(value: bytes) -> str:
    try:
        return value.decode("ascii")
    except UnicodeDecodeError:
        raise UsageProblem("bridge.url", "the URL has characters that no URL has") from None


def _check_url(url: str) -> bool:
    """Say whether the URL is one of this machine without TLS. Raises UsageProblem for what is no URL that we go to."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        host, parts = "", None
    if parts is None or parts.scheme not in {"https", "http"} or not host or re.search(r"[\s\x00-\x1f\x7f]", url):
        raise UsageProblem("bridge.url", "this is no http or https URL")
    if parts.scheme == "http" and not _is_loopback(host):
        raise UsageProblem(
            "bridge.insecure",
            "without TLS, everybody on the way could read the value",
            "Use https; http is for this machine.",
        )
    return parts.scheme == "http"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
