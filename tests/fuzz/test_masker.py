"""The promises of the mask, for any value, encoding, chunking and timing. The encodings here are the libraries' own."""

from __future__ import annotations

import base64
import html
import json
import shlex
import urllib.parse
from collections.abc import Callable
from itertools import pairwise

from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from locum.run.masker import IDLE, Masker
from locum.run.patterns import FREE, WINDOW
from locum.run.variants import forms
from locum.run.visible import literal, visible
from locum.secret import SecretBytes

MARKER = "locum://NAME"
BUDGET = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def core(value: bytes, lead: int, alphabet: bytes = b"+/") -> bytes:
    """The digits of base64 that depend on the value alone."""
    digits = base64.b64encode(b"x" * lead + value, altchars=alphabet).rstrip(b"=")
    return digits[-(-lead * 8 // 6) : (lead + len(value)) * 8 // 6]


def text_encoder(encode: Callable[[str], str]) -> Callable[[bytes], bytes]:
    return lambda value: encode(value.decode()).encode()


BYTE_ENCODINGS: dict[str, Callable[[bytes], bytes]] = {
    "raw": lambda value: value,
    "base64": lambda value: core(value, 0),
    "base64+1": lambda value: core(value, 1),
    "base64+2": lambda value: core(value, 2),
    "base64url": lambda value: core(value, 1, b"-_"),
    "hex": lambda value: value.hex().encode(),
    "HEX": lambda value: value.hex().upper().encode(),
    "reversed": lambda value: value[::-1],
    "percent": lambda value: urllib.parse.quote_from_bytes(value, safe="").encode(),
    "percent lower": lambda value: "".join(f"%{byte:02x}" for byte in value).encode(),
    "form field": lambda value: urllib.parse.quote_plus(value).encode(),
}
TEXT_ENCODINGS: dict[str, Callable[[bytes], bytes]] = {
    "json": text_encoder(lambda text: json.dumps(text)[1:-1]),
    "json unicode": text_encoder(lambda text: json.dumps(text, ensure_ascii=False)[1:-1]),
    "shell": text_encoder(lambda text: shlex.quote(text).removeprefix("'").removesuffix("'")),
    "html": text_encoder(html.escape),
    "sql": text_encoder(lambda text: text.replace("'", "''")),
    "python": text_encoder(lambda text: repr(text)[1:-1]),
    "utf-16": lambda value: value.decode().encode("utf-16-le"),
}
# What a terminal may put between two characters without changing what is read.
BETWEEN = [
    b"",
    b"\r\n",
    b" ",
    b"\x00",
    b"\x08",
    b"\x1b[31m",
    b"\x1b[0m",
    b"\x1b[38;5;196m",
    b"\x1b(B",
    b"\x1b]0;hi\x07",
]

ascii_text = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=WINDOW, max_size=48).map(
    str.encode
)
any_text = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=WINDOW, max_size=32).map(str.encode)
binary = st.binary(min_size=WINDOW, max_size=48)
CUT_SEQUENCES = [
    b"\x1b",
    b"\x1b[",
    b"\x1b[3",
    b"\x1b]",
    b"\x1b]0;title",
    b"\x1b(",
    b"\x1b\\",
    b"\x07",
    b"m",
    b"m" * 300,
]
surrounding = (
    st.binary(max_size=40)
    | st.text(max_size=40).map(str.encode)
    | st.lists(st.sampled_from(BETWEEN + CUT_SEQUENCES), max_size=8).map(b"".join)
)


def mask(masker: Masker, stream: bytes, cuts: list[int], rests: bool) -> bytes:
    """Write the stream in the pieces that the cuts make; `rests` lets the idle timer go off after each."""
    out = b""
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    for start, end in pairwise(edges):
        out += masker.feed(stream[start:end])
        if rests:
            out += masker.idle()
    return out + masker.flush()


def longest_common(form: bytes, output: bytes) -> int:
    """The length of the longest piece of the form in the output, up to WINDOW."""
    for length in range(WINDOW, 0, -1):
        if any(form[at : at + length] in output for at in range(len(form) - length + 1)):
            return length
    return 0


def shows(form: bytes, output: bytes) -> bool:
    """Whether a WINDOW of the form, or a whole form that is shorter, can be read in the output."""
    for reading in (literal, visible):
        shown, normal = reading(output), reading(form)
        size = min(WINDOW, len(normal))
        if normal and any(normal[at : at + size] in shown for at in range(len(normal) - size + 1)):
            return True
    return False


def assert_hidden(form: bytes, output: bytes) -> None:
    for reading in (literal, visible):
        shown = reading(output)
        normal = reading(form)
        assert not any(normal[at : at + WINDOW] in shown for at in range(len(normal) - WINDOW + 1))


@BUDGET
@given(data=st.data(), cuts=st.lists(st.integers(0, 10_000), max_size=12), rests=st.booleans())
def test_no_window_of_any_form_is_written(data: st.DataObject, cuts: list[int], rests: bool) -> None:
    name = data.draw(st.sampled_from([*BYTE_ENCODINGS, *TEXT_ENCODINGS]))
    if name in TEXT_ENCODINGS:
        value = data.draw(ascii_text | any_text)
        form = TEXT_ENCODINGS[name](value)
    else:
        value = data.draw(ascii_text | any_text | binary)
        form = BYTE_ENCODINGS[name](value)
    piece = form[: data.draw(st.integers(0, WINDOW - 1))]
    stream = data.draw(surrounding) + piece + data.draw(surrounding) + form + data.draw(surrounding)
    assert_hidden(form, mask(Masker({MARKER: SecretBytes(value)}), stream, cuts, rests))


@BUDGET
@given(
    value=ascii_text,
    between=st.lists(st.sampled_from(BETWEEN), min_size=1, max_size=6),
    cuts=st.lists(st.integers(0, 10_000), max_size=20),
    rests=st.booleans(),
)
@example(value=b"A" * 6 + b"b" * 6 + b"0123456789", between=[b"\x1b]0;hi\x07"], cuts=list(range(400)), rests=True)
def test_what_stands_between_the_characters_does_not_help(
    value: bytes, between: list[bytes], cuts: list[int], rests: bool
) -> None:
    stream = b"".join(bytes((byte,)) + between[place % len(between)] for place, byte in enumerate(value))
    assert_hidden(value, mask(Masker({MARKER: SecretBytes(value)}), b"> " + stream + b"\r\n", cuts, rests))


@BUDGET
@given(
    value=ascii_text, cuts=st.lists(st.integers(0, 10_000), max_size=5), kind=st.sampled_from([b"0", b"52;c", b"8;"])
)
def test_a_window_title_hides_nothing(value: bytes, cuts: list[int], kind: bytes) -> None:
    stream = b"$ \x1b]" + kind + b";" + value + b"\x07done\r\n"
    assert_hidden(value, mask(Masker({MARKER: SecretBytes(value)}), stream, cuts, rests=False))


@BUDGET
@given(
    values=st.lists(ascii_text | any_text, min_size=1, max_size=5),
    text=st.binary(max_size=300) | st.text(max_size=300).map(str.encode) | st.lists(surrounding).map(b"".join),
    cuts=st.lists(st.integers(0, 10_000), max_size=12),
    rests=st.booleans(),
)
def test_text_without_secrets_passes_byte_for_byte(
    values: list[bytes], text: bytes, cuts: list[int], rests: bool
) -> None:
    assume(not any(shows(form, text) for value in values for form in forms(value)))
    masker = Masker({f"locum://N{place}": SecretBytes(value) for place, value in enumerate(values)})
    assert mask(masker, text, cuts, rests) == text


@BUDGET
@given(value=ascii_text, cuts=st.lists(st.integers(0, 10_000), max_size=12), rests=st.booleans())
def test_what_was_masked_stays_as_it_is(value: bytes, cuts: list[int], rests: bool) -> None:
    masker = Masker({MARKER: SecretBytes(value)})
    once = mask(masker, b"token=" + value + b"\n", [], rests=False)
    assert mask(Masker({MARKER: SecretBytes(value)}), once, cuts, rests) == once


@BUDGET
@given(
    value=st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=6, max_size=11).map(str.encode),
    cuts=st.lists(st.integers(0, 10_000), max_size=12),
    rests=st.booleans(),
)
def test_a_short_value_is_never_written_whole(value: bytes, cuts: list[int], rests: bool) -> None:
    masker = Masker({"\N{BLACK SQUARE}": SecretBytes(value)})
    assert value not in mask(masker, b"pw " + value + b" end", cuts, rests)


@BUDGET
@given(value=ascii_text, rests=st.booleans())
def test_one_byte_at_a_time_shows_at_most_ten_of_the_beginning(value: bytes, rests: bool) -> None:
    stream = b"\n" + value + b"\n"
    out = mask(Masker({"\N{BLACK SQUARE}": SecretBytes(value)}), stream, list(range(len(stream))), rests)
    assert longest_common(value, out) <= FREE + IDLE


@BUDGET
@given(
    left=ascii_text, right=ascii_text, cuts=st.lists(st.integers(0, 10_000), max_size=12), overlap=st.integers(0, 11)
)
def test_overlapping_secrets_are_both_hidden(left: bytes, right: bytes, cuts: list[int], overlap: int) -> None:
    joined = left[-overlap:] + right[overlap:] if overlap else right
    masker = Masker({"locum://L": SecretBytes(left), "locum://R": SecretBytes(joined)})
    out = mask(masker, left + joined[overlap:], cuts, rests=False)
    assert_hidden(left, out)
    assert_hidden(joined, out)


@BUDGET
@given(value=st.binary(min_size=WINDOW, max_size=64), cuts=st.lists(st.integers(0, 10_000), max_size=12))
def test_the_output_does_not_depend_on_cuts_once_the_beginning_was_held(value: bytes, cuts: list[int]) -> None:
    """Cuts that leave 0 or more than FREE bytes of the value at the end of a piece give one and the same output."""
    value = value.hex().encode()
    stream = b"-" * 4 + value + b"+" * 4
    safe = [cut for cut in (cut % len(stream) for cut in cuts) if not 4 < cut <= 4 + FREE]
    out = mask(Masker({MARKER: SecretBytes(value)}), stream, safe, rests=False)
    assert out == b"-" * 4 + MARKER.encode() + b"+" * 4
