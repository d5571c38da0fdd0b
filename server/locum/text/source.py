"""One text, its lines and its offsets in every unit that somebody counts in.

Units, named the same everywhere in Locum:
- *byte offset*: into `SourceText.utf8`, the text encoded as UTF-8 (what the detector scans);
- *offset*: code points into `SourceText.text` (what edits use);
- *position*: (line, column), both from 0, the column in a client's unit: "utf-8", "utf-16" or "utf-32".

Lines end at `\\n`, `\\r\\n` and `\\r`, as in LSP, and nowhere else: form feeds and U+2028 are ordinary characters.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cached_property
from typing import Literal

from locum.text.decoding import decode

PositionEncoding = Literal["utf-8", "utf-16", "utf-32"]

_SURROGATE = re.compile("[\ud800-\udfff]")
_LINE_END = re.compile(r"\r\n|\n|\r")
_STEP = 4096
"""Code points between two places whose distance from the text's beginning is remembered."""
_CODECS = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}
"""By position encoding: the codec, and how many bytes a unit has."""
_ONE_BYTE = frozenset(("latin-1", "cp1252"))


def line_starts(text: str) -> list[int]:
    """Return the offset at which each line starts; the first is 0, and there is always one."""
    return [0, *(match.end() for match in _LINE_END.finditer(text))]


def code_units(text: str, encoding: PositionEncoding) -> int:
    """Return how many units of `encoding` the text takes."""
    if encoding == "utf-32" or text.isascii():
        return len(text)
    codec, width = _CODECS[encoding]
    return len(text.encode(codec, "surrogatepass")) // width


def clamp_units(line: str, units: int, encoding: PositionEncoding) -> int:
    """Return the code points in the first `units` units of `line`; a position inside a character goes to its start."""
    if units <= 0:
        return 0
    if encoding == "utf-32" or line.isascii():
        return min(units, len(line))
    codec = "utf-8" if encoding == "utf-8" else "utf-16-le"
    width = 1 if encoding == "utf-8" else 2
    raw = line.encode(codec, "surrogatepass")[: units * width]
    if _SURROGATE.search(line):
        return _slow_clamp(line, units, encoding)
    return len(raw.decode(codec, "ignore"))


def _slow_clamp(line: str, units: int, encoding: PositionEncoding) -> int:
    """Count character by character: for lines that hold lone surrogates, which no codec decodes back."""
    used = 0
    for index, char in enumerate(line):
        used += code_units(char, encoding)
        if used > units:
            return index
    return len(line)


class SourceText:
    """An immutable text with a line index, built once and asked often."""

    def __init__(
        self, text: str, *, encoding: str = "utf-8", bom: bytes = b"", starts: list[int] | None = None,
        errors: str = "surrogatepass", tail: bytes = b"",
    ) -> None:  # fmt: skip
        """Take a text; the other arguments say how its file is written (see `decoding.Decoded`), `starts` where lines do."""
        self.text = text
        self.encoding = encoding
        self.bom = bom
        self._starts = starts
        self._errors = errors
        self._tail = tail
        self._marks: dict[tuple[str, str], list[int]] = {}

    @classmethod
    def from_bytes(cls, raw: bytes) -> SourceText:
        """Decode a file's bytes (`decoding.decode`). Never fails."""
        text, encoding, errors, mark, tail = decode(raw)
        return cls(text, encoding=encoding, bom=mark, errors=errors, tail=tail)

    def with_text(self, text: str) -> SourceText:
        """Return another text of the same file."""
        return SourceText(text, encoding=self.encoding, bom=self.bom, errors=self._errors, tail=self._tail)

    def to_bytes(self, text: str | None = None) -> bytes:
        """Encode `text` (default: this text) as the file it came from was encoded. Raises UnicodeEncodeError."""
        return self.bom + (self.text if text is None else text).encode(self.encoding, self._errors) + self._tail

    @cached_property
    def utf8(self) -> bytes:
        """The bytes that detectors scan. Lone surrogates survive, so that offsets stay true."""
        return self.text.encode("utf-8", "surrogatepass")

    @cached_property
    def _ascii(self) -> bool:
        return self.text.isascii()

    @property
    def starts(self) -> list[int]:
        """The offset at which each line starts."""
        if self._starts is None:
            self._starts = line_starts(self.text)
        return self._starts

    def offset_of_byte(self, byte_offset: int) -> int:
        """Turn a byte offset (at a character's edge) into an offset."""
        if self._ascii:
            return byte_offset
        marks = self._distances("utf-8", "surrogatepass")
        step = bisect_right(marks, byte_offset) - 1
        return step * _STEP + len(self.utf8[marks[step] : byte_offset].decode("utf-8", "surrogatepass"))

    def byte_of_offset(self, offset: int) -> int:
        """Turn an offset into a byte offset."""
        return offset if self._ascii else self._distance(offset, "utf-8", "surrogatepass")

    def stored_range(self, start: int, end: int) -> tuple[int, int]:
        """Turn an offset range into the half-open byte range in the file as it is stored, mark included."""
        first = len(self.bom)
        if self.encoding in _ONE_BYTE or (self.encoding == "utf-8" and self._ascii):
            return first + start, first + end
        return (
            first + self._distance(start, self.encoding, self._errors),
            first + self._distance(end, self.encoding, self._errors),
        )

    def _distance(self, offset: int, codec: str, errors: str) -> int:
        """Return how many bytes the text before `offset` takes; asked often, it does not begin at the beginning."""
        step = offset // _STEP
        return self._distances(codec, errors)[step] + len(self.text[step * _STEP : offset].encode(codec, errors))

    def _distances(self, codec: str, errors: str) -> list[int]:
        """Return the bytes before every `_STEP`th code point."""
        marks = self._marks.get((codec, errors))
        if marks is None:
            marks = [0]
            for start in range(0, len(self.text) - _STEP + 1, _STEP):
                marks.append(marks[-1] + len(self.text[start : start + _STEP].encode(codec, errors)))
            self._marks[codec, errors] = marks
        return marks

    def line(self, number: int) -> str:
        """Return one line without its end."""
        start, end = self.line_span(number)
        return self.text[start:end]

    def line_span(self, number: int) -> tuple[int, int]:
        """Return the offsets of one line, its end excluded."""
        starts = self.starts
        end = starts[number + 1] if number + 1 < len(starts) else len(self.text)
        while end > starts[number] and self.text[end - 1] in "\r\n":
            end -= 1
        return starts[number], end

    def line_of(self, offset: int) -> int:
        """Return the line that holds `offset`."""
        return bisect_right(self.starts, offset) - 1

    def position(self, offset: int, encoding: PositionEncoding = "utf-16") -> tuple[int, int]:
        """Turn an offset into a position."""
        line = self.line_of(offset)
        start = self.starts[line]
        if encoding == "utf-32" or self._ascii:
            return line, offset - start
        if offset - start <= _STEP:
            return line, code_units(self.text[start:offset], encoding)
        codec, width = _CODECS[encoding]
        before = self._distance(start, codec, "surrogatepass")
        return line, (self._distance(offset, codec, "surrogatepass") - before) // width

    def offset(self, line: int, column: int, encoding: PositionEncoding = "utf-16") -> int:
        """Turn a position into an offset. What lies beyond the line's or the text's end is taken to that end."""
        if line < 0:
            return 0
        if line >= len(self.starts):
            return len(self.text)
        start, end = self.line_span(line)
        return start + clamp_units(self.text[start:end], column, encoding)
