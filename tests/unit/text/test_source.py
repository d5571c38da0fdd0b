"""Offsets and positions are exact in every unit, whatever the text holds."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from locum.text.edits import Edit, apply_edits
from locum.text.source import PositionEncoding, SourceText

PIECES = ["a", "é", "漢", "😋", "\n", "\r", "\r\n", "\f", "\u2028", "\x85", "\ud800"]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)
ENCODINGS = st.sampled_from(["utf-8", "utf-16", "utf-32"])


def units(text: str, encoding: PositionEncoding) -> int:
    """Count one character at a time, as the specification words it."""
    width = {
        "utf-8": lambda c: len(c.encode("utf-8", "surrogatepass")),
        "utf-16": lambda c: 1 + (c > "\uffff"),
        "utf-32": lambda _: 1,
    }
    return sum(width[encoding](char) for char in text)


@given(TEXTS, ENCODINGS, st.data())
def test_position_and_back(text: str, encoding: PositionEncoding, data: st.DataObject) -> None:
    source = SourceText(text)
    offset = data.draw(st.integers(0, len(text)))
    line, column = source.position(offset, encoding)
    before = re.split(r"\r\n|\n|\r", text[: source.line_span(line)[0]])
    assert line == len(before) - 1
    assert column == units(text[source.starts[line] : offset], encoding)
    start, end = source.line_span(line)
    assert source.offset(line, column, encoding) == min(offset, end)
    assert start <= end


@given(TEXTS, ENCODINGS, st.integers(-2, 50), st.integers(0, 200))
def test_any_position_has_an_offset_inside(text: str, encoding: PositionEncoding, line: int, column: int) -> None:
    assert 0 <= SourceText(text).offset(line, column, encoding) <= len(text)


@given(TEXTS, st.data())
def test_byte_offsets_and_back(text: str, data: st.DataObject) -> None:
    source = SourceText(text)
    offset = data.draw(st.integers(0, len(text)))
    assert source.offset_of_byte(source.byte_of_offset(offset)) == offset


@given(st.text(max_size=60), st.sampled_from(["utf-8", "utf-8-sig", "utf-16-le+bom", "latin-1"]), st.data())
def test_a_file_comes_back_byte_for_byte(text: str, kind: str, data: st.DataObject) -> None:
    if kind == "latin-1":
        raw = text.encode("latin-1", "replace")
    elif kind == "utf-16-le+bom":
        raw = b"\xff\xfe" + text.encode("utf-16-le")
    else:
        raw = text.encode(kind)
    source = SourceText.from_bytes(raw)
    assert source.to_bytes() == raw
    start = data.draw(st.integers(0, len(source.text)))
    end = data.draw(st.integers(start, len(source.text)))
    first, last = source.stored_range(start, end)
    assert raw[first:last] == source.text[start:end].encode(source.encoding)


@given(
    st.text(max_size=30), st.lists(st.tuples(st.integers(0, 30), st.integers(0, 5), st.text(max_size=4)), max_size=4)
)
def test_edits_happen_where_they_say(text: str, raw: list[tuple[int, int, str]]) -> None:
    edits: list[Edit] = []
    position = 0
    for start, length, new in sorted(raw):
        if position <= start and start + length <= len(text):
            edits.append(Edit(start, start + length, new))
            position = start + length + 1
    expected = text
    for edit in reversed(edits):
        expected = expected[: edit.start] + edit.new_text + expected[edit.end :]
    assert apply_edits(text, reversed(edits)) == expected
