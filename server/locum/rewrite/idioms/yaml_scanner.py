"""Where scalars, keys and comments lie in YAML. A scanner, no parser: it knows no anchors' targets and builds no tree.

Reads block and flow style, the three inline scalars and the block scalars. Offsets are code points.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

_SPACE = re.compile(r"[ \t]*")
_COMMENT = re.compile(r"#[^\r\n]*")
_DOUBLE = re.compile(r'"(?:[^"\\]|\\.)*"?', re.DOTALL)
_SINGLE = re.compile(r"'(?:[^']|'')*'?")
_PLAIN = re.compile(r"(?:[^\s:#]|:(?=\S)|(?<=\S)#|[ \t]+(?![\s#]|:(?:\s|\Z)))+")
_PLAIN_FLOW = re.compile(r"(?:[^\s:#,\[\]{}]|:(?=[^\s,\[\]{}])|(?<=\S)#|[ \t]+(?![\s#,\[\]{}]|:(?:\s|\Z)))+")
_PROPERTY = re.compile(r"[&!*][^\s,\[\]{}]*")
_BLOCK = re.compile(r"[|>](?P<marks>[1-9+-]{0,2})[ \t]*(?:#[^\r\n]*)?(?=\r|\n|\Z)")
_INDICATOR = re.compile(r"[-?:](?=\s|\Z)|[,\[\]{}]")
_MARKER = re.compile(r"(?:---|\.\.\.)(?=\s|\Z)|%[^\r\n]*")
_END = re.compile(r"\r\n|\n|\r")
_LEAD = re.compile(r"(?P<space>[ ]*)(?P<items>(?:-[ ]+)*)(?=[^\s])")
_KEY_THERE = re.compile(r"[\"']?(?P<key>[\w.-]+)[\"']?[ \t]*:(?=\s|\Z)")
_MOST_LINES = 10_000
_NEXT_LINE = re.compile(r"[ \t]*(?:\r\n|\n|\r)(?:[ \t]*(?:\r\n|\n|\r))*(?P<space> *)(?P<line>[^\r\n]*)")
_BEGINS = re.compile(r"- |[^\s'\"][^:]*:(\s|$)|[\]},]|#")
_KEY = re.compile(r"[ \t]*:(?:\s|\Z)")
_KEY_FLOW = re.compile(r"[ \t]*:")

Kind = Literal["comment", "plain", "double", "single", "block"]


@dataclass(frozen=True, slots=True)
class Piece:
    """A scalar or a comment. A quoted scalar's span includes its quotes; a block scalar's is its text alone."""

    kind: Kind
    start: int
    end: int
    is_key: bool = False
    flow: bool = False
    """Whether it stands inside of `[…]` or `{…}`."""
    property: str = ""
    """The tag, anchor or alias right before it."""
    indent: int = 0
    """How far its line is indented."""
    header: int = -1
    """Of a block scalar: where its `|` or `>` stands."""
    marks: str = ""
    """Of a block scalar: the header, as `|-`."""


def pieces(text: str) -> Iterator[Piece]:
    """Yield every scalar and comment in order."""
    return _Scanner(text).run()


def goes_on(text: str, piece: Piece) -> bool:
    """Say whether a plain scalar has more lines: the next one is deeper and begins nothing of its own."""
    if piece.kind != "plain" or piece.is_key:
        return False
    match = _NEXT_LINE.match(text, piece.end)
    if match is None or not match["line"].strip():
        return False
    return len(match["space"]) > piece.indent and not _BEGINS.match(match["line"])


def keys_above(text: str, offset: int) -> str:
    """Return the keys that lead to what stands at an offset, from the top down, as `a/b/c`, judged by indents.

    Of what is in flow style, only the first and the last key of the line are known.
    """
    start = text.rfind("\n", 0, offset) + 1
    before = text[start:offset]
    own = [match["key"] for match in _KEY_THERE.finditer(before)]
    lead = _LEAD.match(text, start)
    keys = [*own[:1], *own[1:][-1:]]
    column, dash = (lead.end() - start, len(lead["space"]) if lead["items"] else -1) if lead else (0, -1)
    for _ in range(_MOST_LINES):
        if start == 0 or (column == 0 and dash < 0):
            break
        end, start = start - 1, text.rfind("\n", 0, start - 1) + 1
        line = text[start:end]
        lead = _LEAD.match(line)
        if lead is None or not line.strip() or line[lead.end()] == "#":
            continue
        indent = len(lead["space"])
        if dash < 0 and lead["items"] and lead.end() == column:
            dash = indent  # the line that begins this item
        elif (indent < dash or (indent == dash and not lead["items"])) if dash >= 0 else lead.end() < column:
            column, dash = lead.end(), indent if lead["items"] else -1
            keys[:0] = [match["key"] for match in [_KEY_THERE.match(line, column)] if match]
    return "/".join(keys)


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.position: int = 0
        self.depth: int = 0
        self.line_start: int = 0
        self.property = ""

    def run(self) -> Iterator[Piece]:
        while self.position < len(self.text):
            if not self._nothing():
                yield from self._piece()

    def _nothing(self) -> bool:
        """Pass over spaces, line ends and indicators."""
        start = self.position
        space = _SPACE.match(self.text, start)
        self.position = space.end() if space else start
        if end := _END.match(self.text, self.position):
            self.position = self.line_start = end.end()
        elif self.position == self.line_start and not self.depth and (mark := _MARKER.match(self.text, self.position)):
            self.position = mark.end()
        elif mark := _INDICATOR.match(self.text, self.position):
            self.depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(mark.group(), 0)
            self.depth = max(0, self.depth)
            self.position = mark.end()
            self.property = ""
        return self.position > start

    def _piece(self) -> Iterator[Piece]:
        start = self.position
        char = self.text[start]
        if char == "#" and (comment := _COMMENT.match(self.text, start)):
            self.position = comment.end()
            yield Piece("comment", start, self.position)
        elif char in "&!*" and (mark := _PROPERTY.match(self.text, start)):
            self.property = mark.group()
            self.position = mark.end()
        elif not self.depth and (header := _BLOCK.match(self.text, start)):
            yield self._block(header)
        else:
            yield self._inline(start, char)

    def _inline(self, start: int, char: str) -> Piece:
        kind: Kind = "double" if char == '"' else "single" if char == "'" else "plain"
        plain = _PLAIN_FLOW if self.depth else _PLAIN
        pattern = {"double": _DOUBLE, "single": _SINGLE, "plain": plain}[kind]
        match = pattern.match(self.text, start)
        self.position = match.end() if match and match.end() > start else start + 1
        key = (_KEY_FLOW if self.depth and kind != "plain" else _KEY).match(self.text, self.position)
        piece = Piece(kind, start, self.position, key is not None, self.depth > 0, self.property, self._indent())
        self.property = ""
        return piece

    def _indent(self) -> int:
        space = _SPACE.match(self.text, self.line_start)
        return space.end() - self.line_start if space else 0

    def _block(self, header: re.Match[str]) -> Piece:
        """Take every line that is blank or deeper than the line of the header."""
        indent = self._indent()
        outer = indent if not self._in_list(header.start()) else self._item_indent(header.start())
        self.position = header.end()
        start = position = min(len(self.text), header.end() + self._end_width(header.end()))
        end = start
        while position < len(self.text):
            stop = _END.search(self.text, position)
            next_line = stop.end() if stop else len(self.text)
            line = self.text[position:next_line]
            if line.strip() and len(line) - len(line.lstrip(" ")) <= outer:
                break
            end = position = next_line
        self.position = end
        self.line_start = end
        marks = header.group()[0] + header["marks"]
        mark, self.property = self.property, ""
        return Piece("block", start, end, property=mark, indent=indent, header=header.start(), marks=marks)

    def _end_width(self, position: int) -> int:
        match = _END.match(self.text, position)
        return match.end() - match.start() if match else 0

    def _in_list(self, header: int) -> bool:
        return self.text[self.line_start : header].lstrip().startswith("- ")

    def _item_indent(self, header: int) -> int:
        """Return the indent of the innermost `- ` of the header's line, or of the key behind it."""
        line = self.text[self.line_start : header]
        marks = re.match(r"(?P<marks>[ ]*(?:-[ ]+)+)(?P<key>\S)?", line)
        if marks is None:
            return self._indent()
        return marks.end("marks") if marks["key"] else line.rindex("-")
