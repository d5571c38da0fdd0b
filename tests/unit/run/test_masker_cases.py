"""The mask by example: what it replaces, what it keeps, and the two ways in which an earlier design leaked."""

from __future__ import annotations

import base64
import codecs
import gzip
import json
import random
import re
import secrets
import shlex
import urllib.parse
from collections.abc import Callable
from pathlib import Path

import pytest

from locum.run.masker import IDLE, Masker
from locum.run.patterns import FREE, WINDOW
from locum.run.visible import literal, visible
from locum.secret import SecretBytes

VALUE = b"Zq'" + secrets.token_urlsafe(24).encode() + b'/"+$'
MARK = "locum://NAME"

FORMS: dict[str, Callable[[bytes], bytes]] = {
    "raw": lambda value: value,
    "base64": base64.b64encode,
    "base64 at 1": lambda value: base64.b64encode(b"x" + value),
    "base64 at 2": lambda value: base64.b64encode(b"xy" + value + b"\n"),
    "base64url": lambda value: base64.urlsafe_b64encode(b"u:" + value),
    "hex": lambda value: value.hex().encode(),
    "HEX": lambda value: value.hex().upper().encode(),
    "url": lambda value: urllib.parse.quote(value, safe="").encode(),
    "json": lambda value: json.dumps(value.decode()).encode(),
    "shell": lambda value: shlex.quote(value.decode()).encode(),
    "reversed": lambda value: value[::-1],
    "a line each": lambda value: b"\r\n".join(value[at : at + 1] for at in range(len(value))),
    "spaced": lambda value: b" ".join(value[at : at + 1] for at in range(len(value))),
    "coloured": lambda value: b"\x1b[31m".join(value[at : at + 1] for at in range(len(value))),
    "overstruck": lambda value: b"\x08".join(value[at : at + 1] for at in range(len(value))),
    "utf-16": lambda value: value.decode().encode("utf-16-le"),
    "base64 folded": lambda value: b"\n".join(
        base64.b64encode(value)[at : at + 16] for at in range(0, len(value) * 2, 16)
    ),
    "xxd -p": lambda value: value.hex(" ", 2).encode(),
    "title": lambda value: b"\x1b]0;" + value + b"\x07",
}


def masker(*values: bytes) -> Masker:
    names = [MARK, *(f"{MARK}{place}" for place in range(1, len(values)))]
    return Masker(dict(zip(names, map(SecretBytes, values), strict=True)))


def masked(value: bytes, text: bytes) -> bytes:
    one = masker(value)
    return one.feed(text) + one.flush()


def longest_run(form: bytes, output: bytes) -> int:
    for length in range(min(len(form), 2 * WINDOW), 0, -1):
        if any(form[at : at + length] in output for at in range(len(form) - length + 1)):
            return length
    return 0


@pytest.mark.parametrize("name", FORMS)
def test_no_cut_in_two_shows_a_form(name: str) -> None:
    """The first leak of the earlier design (search, then hold back the longest prefix): values cut by a chunk's end."""
    form = FORMS[name](VALUE)
    needle = literal(VALUE if b"\x1b" in form else form)
    stream = b"pre " + form + b" post\r\n"
    first = masker(VALUE)
    for cut in range(len(stream) + 1):
        one = first.sibling()
        out = one.feed(stream[:cut]) + one.feed(stream[cut:]) + one.flush()
        for reading in (literal, visible):
            assert longest_run(needle, reading(out).replace(MARK.encode(), b"|")) < WINDOW, cut


def test_a_slow_drip_shows_only_the_beginning() -> None:
    """The second leak of the earlier design: with a flush at each rest, a slow writer got all 64 bytes out."""
    value = secrets.token_hex(32).encode()
    one = masker(value)
    out = b""
    for byte in b"pre " + value + b" post":
        out += one.feed(bytes((byte,))) + one.idle()
    out += one.flush()
    assert longest_run(value, out.replace(MARK.encode(), b"|")) <= FREE + IDLE
    assert out.startswith(b"pre ")
    assert out.endswith(MARK.encode() + b" post")


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 11, 12, 13])
def test_steady_chunks_of_any_size(size: int) -> None:
    value = secrets.token_hex(40).encode()
    one = masker(value)
    stream = b"=" * 50 + value + b"=" * 50
    out = b"".join(one.feed(stream[at : at + size]) for at in range(0, len(stream), size)) + one.flush()
    shown = out.replace(MARK.encode(), b"").strip(b"=")
    assert out.count(MARK.encode()) == 1
    assert len(shown) <= FREE
    assert value.startswith(shown)


def test_the_beginning_of_a_value_is_held_until_it_is_clear() -> None:
    one = masker(VALUE)
    assert one.feed(b"a " + VALUE[:8]) == b"a "
    assert one.holding
    assert one.feed(b" b") == VALUE[:8] + b" b"
    assert not one.holding


def test_up_to_three_bytes_are_never_held() -> None:
    one = masker(VALUE)
    assert one.feed(b"a" + VALUE[:FREE]) == b"a" + VALUE[:FREE]


def test_a_rest_shows_what_was_held_and_the_value_is_masked_all_the_same() -> None:
    one = masker(VALUE)
    assert one.feed(VALUE[:6]) == b""
    assert one.idle() == VALUE[:6]
    assert one.idle() == b""
    assert one.feed(VALUE[6:] + b".") == MARK.encode() + b"."


def test_a_rest_shows_no_more_than_that() -> None:
    one = masker(VALUE)
    assert one.feed(VALUE[: IDLE + 1]) == b""
    assert one.idle() == b""


def test_many_lines_become_one_reference() -> None:
    key = b"\n".join(secrets.token_hex(32).encode() for _ in range(5))
    stream = b"key = '''" + key + b"'''\n"
    assert masked(key, stream) == b"key = '''" + MARK.encode() + b"'''\n"
    one = masker(key)
    by_line = b"".join(one.feed(line) for line in stream.splitlines(keepends=True)) + one.flush()
    assert by_line == b"key = '''" + MARK.encode() + b"'''\n"


def test_a_terminal_that_ends_lines_with_two_bytes_makes_no_difference() -> None:
    key = b"\n".join(secrets.token_hex(32).encode() for _ in range(5))
    assert masked(key, b"[" + key.replace(b"\n", b"\r\n") + b"]") == b"[" + MARK.encode() + b"]"


def test_colours_amid_a_value_survive_but_tell_nothing() -> None:
    out = masked(VALUE, b"\x1b[31m" + VALUE[:9] + b"\x1b[0m" + VALUE[9:] + b" ok")
    assert out == b"\x1b[31m" + MARK.encode() + b"\x1b[0m ok"
    digits = b"8" + str(secrets.randbits(80) | 1 << 79).encode()
    assert digits not in masked(digits, b"\x1b[" + digits + b"m")


def test_a_title_stays_a_title() -> None:
    assert masked(VALUE, b"\x1b]0;" + VALUE + b"\x07$ ") == b"\x1b]0;" + MARK.encode() + b"\x07$ "


def test_each_value_becomes_its_own_reference() -> None:
    other = secrets.token_hex(20).encode()
    one = masker(VALUE, other)
    text = b"a=" + VALUE + b" b=" + other + b" c=" + other.hex().encode()
    assert one.feed(text) + one.flush() == b"a=locum://NAME b=locum://NAME1 c=locum://NAME1"


def test_values_with_a_common_beginning_are_told_apart() -> None:
    prefix = b"sk-made-up-api03-"
    left, right = prefix + secrets.token_hex(16).encode(), prefix + secrets.token_hex(16).encode()
    one = masker(left, right)
    assert one.feed(b"%s %s" % (right, left)) + one.flush() == b"locum://NAME1 locum://NAME"


def test_a_value_inside_another_is_told_from_it() -> None:
    password = secrets.token_hex(16).encode()
    address = b"postgres://app:" + password + b"@db/app"
    one = masker(address, password)
    assert one.feed(b"%s %s" % (address, password)) + one.flush() == b"locum://NAME locum://NAME1"


def test_short_values_are_masked_whole_or_not_at_all() -> None:
    one = masker(b"hunter22", b"abc", b"      x")
    assert one.unmaskable == ("locum://NAME1", "locum://NAME2")
    assert one.feed(b"hunter22 hunter2 abc") + one.flush() == b"locum://NAME hunter2 abc"


def test_without_values_everything_passes() -> None:
    one = Masker({})
    assert one.feed(VALUE) == VALUE
    assert not one.holding
    assert one.flush() == b""


def test_a_sibling_hides_the_same_and_remembers_nothing() -> None:
    one = masker(VALUE)
    one.feed(VALUE[:10])
    other = one.sibling()
    assert other.feed(VALUE[10:13]) == VALUE[10:13]
    assert other.feed(b" " + VALUE) == b" " + MARK.encode()


def test_values_may_be_wiped_after_registering() -> None:
    value = SecretBytes(VALUE)
    one = Masker({MARK: value})
    value.wipe()
    assert one.feed(VALUE) == MARK.encode()


def test_white_space_for_ever_takes_no_memory_for_ever() -> None:
    one = masker(VALUE)
    one.feed(VALUE[:6])
    written = sum(len(one.feed(b" " * 100)) for _ in range(200))
    assert written > 15_000
    assert not one.feed(VALUE[6:]).strip(b" ").replace(MARK.encode(), b"")


DOCUMENT = Path(__file__).parents[3] / "docs" / "masking.md"
BYPASSES: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda value: gzip.compress(value * 4, mtime=0),
    "base64 of base64": lambda value: base64.b64encode(base64.b64encode(value)),
    "base32": base64.b32encode,
    "rot13": lambda value: codecs.encode(value.decode(), "rot13").encode(),
    "upper and lower case exchanged": lambda value: value.swapcase(),
    "octal escapes": lambda value: b"".join(b"\\%03o" % byte for byte in value),
    "decimal numbers": lambda value: b" ".join(b"%d" % byte for byte in value),
    "hex with colons": lambda value: value.hex(":").encode(),
    "a dash between characters": lambda value: b"-".join(value[at : at + 1] for at in range(len(value))),
    "every second character": lambda value: value[::2],
    "ten characters a line with line numbers": lambda value: b"".join(
        b"%d:%s\n" % (at, value[at : at + 10]) for at in range(0, len(value), 10)
    ),
}


@pytest.mark.parametrize("name", BYPASSES)
def test_what_the_mask_does_not_cover_is_known(name: str) -> None:
    """A mask stops accidents, not a program that hides what it says. When one of these fails, the document loses a line."""
    text = BYPASSES[name](b"x" + VALUE)
    assert masked(VALUE, text) == text


def test_the_document_lists_what_is_covered_and_what_is_not() -> None:
    covered, _, not_covered = DOCUMENT.read_text("utf-8").partition("## What it does not cover")
    listed = [re.findall(r"^- (.+?)(?::|$)", part, re.MULTILINE) for part in (covered, not_covered)]
    assert listed == [list(FORMS), list(BYPASSES)]


def url(login: bytes, rest: bytes) -> bytes:
    return b"postgres://" + login + b"@" + rest


@pytest.mark.parametrize(
    ("value", "part"),
    [
        (url(b"admin:" + VALUE[4:14], b"db.example/shop"), VALUE[4:14]),
        (url(b"admin:p%40ss%2Fword1", b"db.example/shop"), b"p@ss/word1"),
        (b"user:" + VALUE[4:15], VALUE[4:15]),
        (url(b":" + VALUE[4:13], b"cache:6379/0"), VALUE[4:13]),
    ],
)
def test_the_password_inside_a_value_is_a_secret_by_itself(value: bytes, part: bytes) -> None:
    assert part not in masked(value, b"login with " + part + b" now")


def test_a_login_as_http_sends_it() -> None:
    login = b"robot:" + VALUE[4:18]
    sent = base64.b64encode(login)
    out = masked(url(login, b"git.example/x"), b"Authorization: Basic " + sent + b"\r\n")
    assert longest_run(sent, out) < WINDOW


@pytest.mark.parametrize("first", range(1, len(VALUE)))
def test_a_value_split_over_two_streams_is_hidden_in_what_comes_second(first: int) -> None:
    parent = masker(VALUE)
    out, err = parent.companion(), parent.companion()
    shown = out.feed(b"> " + VALUE[:first]) + out.idle() + err.feed(VALUE[first:] + b" <\n") + out.flush() + err.flush()
    if first >= 3 + WINDOW or len(VALUE) - first >= WINDOW:
        assert longest_run(VALUE, shown.replace(MARK.encode(), b"|")) < WINDOW
    assert VALUE not in shown


def test_three_pieces_over_two_streams() -> None:
    parent = masker(VALUE)
    out, err = parent.companion(), parent.companion()
    third = len(VALUE) // 3
    shown = b"".join(
        stream.feed(piece) + stream.idle()
        for stream, piece in ((out, VALUE[:third]), (err, VALUE[third : 2 * third]), (out, VALUE[2 * third :]))
    )
    assert longest_run(VALUE, (shown + out.flush() + err.flush()).replace(MARK.encode(), b"|")) < WINDOW


def test_three_thousand_random_chunkings() -> None:
    first = masker(VALUE)
    stream = b" ".join(
        FORMS[name](VALUE) for name in ("raw", "base64", "hex", "json", "spaced", "coloured", "reversed")
    )
    for seed in range(3000):
        chosen = random.Random(seed)
        one, out, at = first.sibling(), b"", 0
        while at < len(stream):
            size = chosen.choice((1, 2, 3, 5, 11, 12, 13, 40, 4095))
            out += one.feed(stream[at : at + size])
            if chosen.random() < 0.3:
                out += one.idle()
            at += size
        out = (out + one.flush()).replace(MARK.encode(), b"|")
        for needle in (VALUE, VALUE[::-1], base64.b64encode(VALUE)[:-4], VALUE.hex().encode()):
            for reading in (literal, visible):
                assert longest_run(needle, reading(out)) < WINDOW, seed
