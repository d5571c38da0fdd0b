"""What the bridge makes of its arguments, and what it refuses, without a value in any word of it."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes, urlsplit

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from locum.agents.bridge_target import BridgeTarget, bridge_target
from locum.errors import UsageProblem

ENVIRONMENT = {
    b"KEY": b"tulip/9Zk",
    b"OTHER": b"o",
    b"LINES": b"tulip\n9Zk",
    b"URL": b"https://h/s/tulip",
    b"BAD": b"http://h/tulip",
    b"a.b-c": b"t 9",
    b"REF": b"locum://REF",
}

SLASHES = "//"
"""Put in at run time, so that no scanner takes an example for a password."""


def made(url: str = "https://h/mcp", *headers: str) -> BridgeTarget:
    return bridge_target(url, headers, ENVIRONMENT)


@pytest.mark.parametrize(
    ("url", "becomes"),
    [
        ("https://h/mcp?a=${KEY}&b=${OTHER}", "https://h/mcp?a=tulip%2F9Zk&b=o"),
        ("https://h/${KEY}/mcp", "https://h/tulip%2F9Zk/mcp"),
        ("https://me:${KEY}@h/mcp", f"https:{SLASHES}me:tulip%2F9Zk@h/mcp"),
        ("https://h/?a=$KEY&b={KEY}&c=${}&d=${K-}", "https://h/?a=$KEY&b={KEY}&c=${}&d=${K-}"),
        ("http://localhost:1/", "http://localhost:1/"),
        ("http://127.9.9.9/", "http://127.9.9.9/"),
        ("http://[::1]:8/", "http://[::1]:8/"),
        ("${URL}", "https://h/s/tulip"),
        ("https://h/mcp?a=locum://KEY&b=locum://OTHER", "https://h/mcp?a=tulip%2F9Zk&b=o"),
        ("https://h/mcp?a=locum://KEY&b=${OTHER}", "https://h/mcp?a=tulip%2F9Zk&b=o"),
        ("https://h/{locum://KEY}/mcp#f", "https://h/tulip%2F9Zk/mcp#f"),
        ("https://h/locum://a.b-c", "https://h/t%209"),
        ("https://me:{locum://KEY}@h/mcp", f"https:{SLASHES}me:tulip%2F9Zk@h/mcp"),
        ("https://locum://OTHER,:{locum://KEY}@h:1/", f"https:{SLASHES}o,:tulip%2F9Zk@h:1/"),
        ("locum://URL", "https://h/s/tulip"),
        ("{locum://URL}", "https://h/s/tulip"),
    ],
)
def test_urls(url: str, becomes: str) -> None:
    assert made(url).url == becomes


@pytest.mark.parametrize(
    ("header", "becomes"),
    [
        ("Authorization: Bearer ${KEY}", (b"Authorization", b"Bearer tulip/9Zk")),
        ("X-A:${KEY}${OTHER}", (b"X-A", b"tulip/9Zko")),
        ("Authorization: Bearer locum://KEY", (b"Authorization", b"Bearer tulip/9Zk")),
        ("Cookie: a=locum://KEY; b=locum://OTHER;", (b"Cookie", b"a=tulip/9Zk; b=o;")),
        ("X-A:locum://KEY,locum://OTHER,${OTHER}", (b"X-A", b"tulip/9Zk,o,o")),
        ('X-A: {"k": "locum://KEY"}', (b"X-A", b'{"k": "tulip/9Zk"}')),
        ("X-A: {{locum://KEY}}/{locum://OTHER}0", (b"X-A", b"{tulip/9Zk}/o0")),
        ("X-A: op://a/b/c", (b"X-A", b"op://a/b/c")),
        ("X-A: a: b ", (b"X-A", b"a: b")),
        ("X-A: $KEY ${KEY", (b"X-A", b"$KEY ${KEY")),
    ],
)
def test_headers(header: str, becomes: tuple[bytes, bytes]) -> None:
    assert made("https://h/", header).headers == (becomes,)


@pytest.mark.parametrize(
    ("url", "header", "says"),
    [
        ("https://h/${NONE}", "", "the variable NONE is not set"),
        ("https://h/", "A: ${NONE}", "the variable NONE is not set"),
        ("https://h/locum://NONE", "", "the variable NONE is not set"),
        ("https://h/", "A: locum://NONE", "locum run --secret NONE -- locum bridge"),
        ("https://h/", "A: locum://REF", "the variable REF holds a reference, and no value"),
        ("https://h/?k=locum://KEY?env=tulip", "", "without ?env= and #field"),
        ("https://h/", "A: locum://KEY#tulip", "--secret"),
        ("https://h/locum://KEY/tulip", "", "{locum://NAME} where more text follows"),
        ("https://h/", "A: ${locum://KEY}tulip", "no '$' before its braces"),
        ("https://h/", "A: xlocum://KEY", "a reference inside a text is locum://NAME"),
        ("https://{locum://KEY}.h/", "", "host"),
        ("https://locum://KEY", "", "host"),
        ("https://me@locum://KEY", "", "host"),
        ("locum://BAD", "", "TLS"),
        ("https://h/", "A: locum://LINES", "more than one line"),
        ("https://${KEY}.h/", "", "host"),
        ("https://me@${KEY}/", "", "host"),
        ("http://h/${KEY}", "", "TLS"),
        ("${BAD}", "", "TLS"),
        ("${KEY}", "", "no http or https URL"),
        ("ftp://h/", "", "no http or https URL"),
        ("https://h/ x", "", "no http or https URL"),
        ("https://h:x/", "", "no http or https URL"),
        ("https:///x", "", "no http or https URL"),
        ("https://h/", "tulip", "this is no header"),
        ("https://h/", "A b: tulip", "this is no header"),
        ("https://h/", "A: ${LINES}", "more than one line"),
        ("https://h/", "A: x\r\nB: tulip", "more than one line"),
        ("https://h/", "Host: tulip", "sets the header Host itself"),
        ("https://h/", "mcp-session-id: tulip", "sets the header"),
    ],
)
def test_what_is_refused(url: str, header: str, says: str) -> None:
    with pytest.raises(UsageProblem) as refused:
        made(url, *([header] if header else []))
    assert says in refused.value.explain()
    assert "tulip" not in refused.value.explain() + repr(refused.value)


def test_it_is_not_shown() -> None:
    assert "tulip" not in repr(made("https://h/${KEY}", "A: ${KEY}"))


def test_our_values_are_taken_out_of_what_a_server_says() -> None:
    target = made("https://h/${KEY}?x=${OTHER}", "A: ${KEY}")
    assert target.scrub(b"no tulip/9Zk, no tulip%2F9Zk, or") == b"no locum://KEY, no locum://KEY, or"


@pytest.mark.parametrize("way", ["${V}", "{locum://V}"])
@given(value=st.binary(min_size=1, max_size=30))
def test_a_value_is_one_part_of_the_url_and_comes_out_as_it_was(way: str, value: bytes) -> None:
    assume(b"\0" not in value)
    target = bridge_target(f"https://u:{way}@h/p/{way}?k={way}&z=1", [], {b"V": value})
    parts = urlsplit(target.url)
    assert (parts.hostname, parts.path.count("/"), parts.query.count("&")) == ("h", 2, 1)
    assert unquote_to_bytes(parts.path.removeprefix("/p/")) == value
    assert unquote_to_bytes(parts.query.removeprefix("k=").removesuffix("&z=1")) == value
    assert unquote_to_bytes(parts.password or "") == value
