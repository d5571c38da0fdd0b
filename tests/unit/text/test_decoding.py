"""Bytes of any encoding become text and come back; what is no text is told from what is."""

from __future__ import annotations

import codecs
import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_source import units

from locum.text.decoding import decode, is_binary
from locum.text.source import PositionEncoding, SourceText

LINE = 'key = "größe ✓ 😋"\r\n'
MARKED = {
    "utf-8": codecs.BOM_UTF8, "utf-16-le": codecs.BOM_UTF16_LE, "utf-16-be": codecs.BOM_UTF16_BE,
    "utf-32-le": codecs.BOM_UTF32_LE, "utf-32-be": codecs.BOM_UTF32_BE,
}  # fmt: skip


@pytest.mark.parametrize("encoding", MARKED)
def test_a_mark_decides(encoding: str) -> None:
    raw = MARKED[encoding] + LINE.encode(encoding)
    assert decode(raw)[:2] == (LINE, encoding)
    assert not is_binary(raw)
    assert SourceText.from_bytes(raw + b"\xe9").to_bytes() == raw + b"\xe9", "an unfinished file too"


@pytest.mark.parametrize(
    ("raw", "encoding"),
    [
        ("password = größe\r\n".encode("utf-16-le"), "utf-16-le"),
        ("[client]\npassword = x\n".encode("utf-16-be"), "utf-16-be"),
        ("key = größe ✓".encode(), "utf-8"),
        ("key = größe".encode("latin-1"), "latin-1"),
        ("key = “größe” €".encode("cp1252"), "cp1252"),
        (b"key = \x81\xff\x8d", "latin-1"),
        ("schlüssel = größe\n".encode() + b"stray \xe9\n", "utf-8"),
        (b"", "utf-8"),
        (b"a\0", "utf-8"),
    ],
)
def test_without_a_mark_the_bytes_show_it(raw: bytes, encoding: str) -> None:
    assert decode(raw).encoding == encoding
    assert SourceText.from_bytes(raw).to_bytes() == raw


def test_a_stray_byte_leaves_the_columns_of_the_others() -> None:
    raw = "ü = ".encode() + b"\xff" + "é password".encode()
    source = SourceText.from_bytes(raw)
    place = source.text.index("password")
    assert source.position(place) == (0, 7)
    assert source.stored_range(place, place + 8) == (raw.index(b"password"), len(raw))


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (zlib.compress(random.Random(1).randbytes(4000)), True),
        (b"\x7fELF\x02\x01\x01" + bytes(64), True),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", True),
        (b"PK\x03\x04\x14\0\0\0" + bytes(20), True),
        (bytes(range(1, 32)) * 4 + b"\xff\xfa\x80", True),
        (b"abc\0def", True),
        ("größe".encode("latin-1"), False),
        (b"\x1b[31mred\x1b[0m\n", False),
        (b"", False),
        (("x = 1\n" * 3000).encode("utf-16-le"), False),
        (("ж" * 5000).encode(), False),
    ],
)
def test_binary_or_text(raw: bytes, expected: bool) -> None:
    assert is_binary(raw) is expected


KINDS = st.sampled_from([*MARKED, "utf-16-le without", "latin-1", "cp1252", "stray"])
TEXTS = st.lists(st.sampled_from(["a", "é", "漢", "😋", "\n", "\r\n", '"', "€"]), max_size=60).map("".join)


def stored(text: str, kind: str) -> bytes:
    if kind in MARKED:
        return MARKED[kind] + text.encode(kind)
    if kind == "utf-16-le without":
        return ("password = abc\n" * 8 + text).encode("utf-16-le")
    if kind == "stray":
        return ("é" * 8 + text).encode() + b"\xff"
    return text.encode(kind, "replace")


@given(TEXTS, KINDS, st.sampled_from(["utf-8", "utf-16", "utf-32"]), TEXTS)
def test_a_value_is_found_in_the_file_as_stored(before: str, kind: str, encoding: PositionEncoding, after: str) -> None:
    value = "s3cr3t-value"
    raw = stored(before + value + after, kind)
    source = SourceText.from_bytes(raw)
    assert source.to_bytes() == raw
    start = source.utf8.index(value.encode())
    offset = source.offset_of_byte(start)
    assert source.byte_of_offset(offset) == start
    first, last = source.stored_range(offset, offset + len(value))
    assert raw[first:last] == value.encode(source.encoding)
    line, column = source.position(offset, encoding)
    assert column == units(source.text[source.starts[line] : offset], encoding)


@given(st.integers(0, 8880), st.sampled_from(["utf-8", "utf-16", "utf-32"]), st.sampled_from([*MARKED, "stray"]))
def test_long_lines_are_counted_as_short_ones(offset: int, encoding: PositionEncoding, kind: str) -> None:
    raw = stored("aé漢😋" * 2200 + "\n" + "😋b" * 40, kind)
    source = SourceText.from_bytes(raw)
    line, column = source.position(offset, encoding)
    assert column == units(source.text[source.starts[line] : offset], encoding)
    assert source.offset_of_byte(source.byte_of_offset(offset)) == offset
    assert source.byte_of_offset(offset) == len(source.text[:offset].encode("utf-8", "surrogatepass"))
    start, _ = source.stored_range(offset, offset + 1)
    errors = "surrogateescape" if kind == "stray" else "strict"
    assert start == len(source.bom) + len(source.text[:offset].encode(source.encoding, errors))


@given(st.binary(max_size=200))
def test_any_bytes_come_back(raw: bytes) -> None:
    assert SourceText.from_bytes(raw).to_bytes() == raw
    is_binary(raw)
