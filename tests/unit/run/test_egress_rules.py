"""Which request may carry which value: heads in, heads out."""

from __future__ import annotations

import base64
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum.errors import UsageProblem
from locum.run.egress.rules import (
    CARRIERS,
    Blocked,
    Carried,
    Place,
    canonical_target,
    fill,
    names_host,
    parse_place,
    refuse_elsewhere,
)
from locum.secret import SecretBytes

VALUE = secrets.token_urlsafe(24).encode()


def carried(*hosts: str, value: bytes = VALUE) -> Carried:
    return Carried("locum://KEY", SecretBytes(value), [parse_place(host) for host in hosts])


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("api.example.com", Place("api.example.com", 443)),
        (" API.Example.com:8443 ", Place("api.example.com", 8443)),
        ("*.example.com", Place("*.example.com", 443)),
        ("localhost:9", Place("localhost", 9)),
        ("127.0.0.1:9", Place("127.0.0.1", 9)),
        ("xn--bcher-kva.example", Place("xn--bcher-kva.example", 443)),
    ],
)
def test_places(text: str, place: Place) -> None:
    assert parse_place(text) == place


@pytest.mark.parametrize(
    "text",
    ["", "*", "*.com", "https://api.example.com", "a b", "-a.example", "a..b", "api.example.com:0", "a:99999", "bücher.example",
     "a.example/path", "*.*.example.com", "evil.com#.example.com", "user@example.com"],
)  # fmt: skip
def test_no_places(text: str) -> None:
    with pytest.raises(UsageProblem) as problem:
        parse_place(text)
    assert problem.value.code == "egress.host"


@pytest.mark.parametrize(
    ("pattern", "host", "port", "covered"),
    [
        ("api.example.com", "api.example.com", 443, True),
        ("api.example.com", "api.example.com", 444, False),
        ("api.example.com", "xapi.example.com", 443, False),
        ("api.example.com", "api.example.com.evil.test", 443, False),
        ("*.example.com", "a.example.com", 443, True),
        ("*.example.com", "a.b.example.com", 443, True),
        ("*.example.com", "example.com", 443, False),
        ("*.example.com", "evilexample.com", 443, False),
    ],
)
def test_what_a_place_covers(pattern: str, host: str, port: int, covered: bool) -> None:
    assert parse_place(pattern).covers(host, port) is covered


@pytest.mark.parametrize(
    "target",
    [b"", b"host", b"host:", b"host:x", b"*.example.com:443", b"h\xc3\xb6st:443", b"a b:443", b"host:0", b"host:70000"],
)
def test_a_target_that_is_none(target: bytes) -> None:
    with pytest.raises(Blocked):
        canonical_target(target)


@given(name=st.sampled_from(sorted(CARRIERS)), before=st.binary(max_size=9), after=st.binary(max_size=9))
def test_the_value_stands_where_the_placeholder_stood(name: bytes, before: bytes, after: bytes) -> None:
    item = carried("api.example.com")
    content = b"Bearer " + before + item.placeholder + after
    assert fill([(name, content)], [item], "api.example.com", 443) == [(name, b"Bearer " + before + VALUE + after)]


@pytest.mark.parametrize("shape", [b"%s:x", b"user:%s", b"%s:%s"])
def test_basic_is_opened(shape: bytes) -> None:
    item = carried("api.example.com")
    count = shape.count(b"%s")
    sent = b"Basic " + base64.b64encode(shape % ((item.placeholder,) * count))
    ((_, got),) = fill([(b"authorization", sent)], [item], "api.example.com", 443)
    assert base64.b64decode(got.removeprefix(b"Basic ")) == shape % ((VALUE,) * count)


@pytest.mark.parametrize(
    ("header", "host"),
    [(b"authorization", "evil.example"), (b"referer", "api.example.com"), (b"host", "api.example.com"), (b"cookie", "api.example.com")],
)  # fmt: skip
def test_no_value_goes_elsewhere(header: bytes, host: str) -> None:
    item = carried("api.example.com")
    with pytest.raises(Blocked) as blocked:
        fill([(header, b"x " + item.placeholder)], [item], host, 443)
    assert VALUE.decode() not in str(blocked.value)


def test_no_value_goes_elsewhere_inside_of_basic() -> None:
    item = carried("api.example.com")
    with pytest.raises(Blocked):
        fill([(b"authorization", b"Basic " + base64.b64encode(b"u:" + item.placeholder))], [item], "evil.example", 443)


def test_a_value_that_would_end_the_header() -> None:
    item = carried("api.example.com", value=b"a\r\nx-evil: 1")
    with pytest.raises(Blocked):
        fill([(b"authorization", item.placeholder)], [item], "api.example.com", 443)


def test_an_address_carries_none() -> None:
    item = carried("api.example.com")
    with pytest.raises(Blocked):
        refuse_elsewhere(b"/?key=" + item.placeholder, [item])
    refuse_elsewhere(b"/?key=other", [item])


@pytest.mark.parametrize(
    ("header", "named"),
    [(b"api.example.com", True), (b"API.example.com:443", True), (b"api.example.com:80", False), (b"evil.example", False), (b"", False)],
)  # fmt: skip
def test_the_host_header_is_the_host(header: bytes, named: bool) -> None:
    assert names_host(header, "api.example.com", 443) is named
