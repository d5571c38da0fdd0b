"""One text, its lines and its offsets in every unit that somebody counts in.

Units, named the same everywhere in Locum:
- *byte offset*: into `SourceText.utf8`, the text encoded as UTF-8 (what the detector scans);
- *offset*: code points into `SourceText.text` (what edits use);
- *position*: (line, column), both from 0, the column in a client's unit: "utf-8", "utf-16" or "utf-32".

Lines end at `\\n`, `\\r\\n` and `\\r`, as in LSP, and nowhere else: form feeds and U+2028 are ordinary characters.
"""

from __future__ import annotations

import codecs
import re
from bisect import bisect_right
from functools import cached_property
from typing import Literal

PositionEncoding = Literal["utf-8", "utf-16", "utf-32"]

_SURROGATE = re.compile("[\ud800-\udfff]")
_LINE_END = re.compile(r"\r\n|\n|\r")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def line_starts(text: str) -> list[int]:
    """Return the offset at which each line starts; the first is 0, and there is always one."""
    return [0, *(match.end() for match in _LINE_END.finditer(text))]


def code_units(text: str, encoding: PositionEncoding) -> int:
    """Return how many units of `encoding` the text takes."""
    if encoding == "utf-32" or text.isascii():
        return len(text)
    if encoding == "utf-8":
        return len(text.encode("utf-8", "surrogatepass"))
    return len(text) + sum(char > "\uffff" for char in text)


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
        self, text: str, *, encoding: str = "utf-8", bom: bytes = b"", starts: list[int] | None = None
    ) -> None:
        self.text = text
        self.encoding = encoding
        self.bom = bom
        self._starts = starts

    @classmethod
    def from_bytes(cls, raw: bytes) -> SourceText:
        """Decode a file's bytes: a byte-order mark decides, else UTF-8, else Latin-1 (which never fails)."""
        for mark, encoding in _BOMS:
            if raw.startswith(mark):
                try:
                    return cls(raw[len(mark) :].decode(encoding), encoding=encoding, bom=mark)
                except UnicodeDecodeError:
                    break
        try:
            return cls(raw.decode("utf-8"))
        except UnicodeDecodeError:
            return cls(raw.decode("latin-1"), encoding="latin-1")

    def to_bytes(self, text: str | None = None) -> bytes:
        """Encode `text` (default: this text) as the file it came from was encoded. Raises UnicodeEncodeError."""
        return self.bom + (self.text if text is None else text).encode(self.encoding)

    @cached_property
    def utf8(self) -> bytes:
        """The bytes that detectors scan. Lone surrogates survive, so that offsets stay true."""
        return self.text.encode("utf-8", "surrogatepass")

    @cached_property
    def _ascii(self) -> bool:
        return len(self.utf8) == len(self.text)

    @property
    def starts(self) -> list[int]:
        """The offset at which each line starts."""
        if self._starts is None:
            self._starts = line_starts(self.text)
        return self._starts

    def offset_of_byte(self, byte_offset: int) -> int:
        """Turn a byte offset (at a character's edge) into an offset."""
        return byte_offset if self._ascii else len(self.utf8[:byte_offset].decode("utf-8", "surrogatepass"))

    def byte_of_offset(self, offset: int) -> int:
        """Turn an offset into a byte offset."""
        return offset if self._ascii else len(self.text[:offset].encode("utf-8", "surrogatepass"))

    def stored_range(self, start: int, end: int) -> tuple[int, int]:
        """Turn an offset range into the half-open byte range in the file as it is stored, mark included."""
        first = len(self.bom) + len(self.text[:start].encode(self.encoding, "surrogatepass"))
        return first, first + len(self.text[start:end].encode(self.encoding, "surrogatepass"))

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
        return line, code_units(self.text[start:offset], encoding)

    def offset(self, line: int, column: int, encoding: PositionEncoding = "utf-16") -> int:
        """Turn a position into an offset. What lies beyond the line's or the text's end is taken to that end."""
        if line < 0:
            return 0
        if line >= len(self.starts):
            return len(self.text)
        start, end = self.line_span(line)
        return start + clamp_units(self.text[start:end], column, encoding)
