"""JSON and JSON with comments, read with the place of everything. Offsets are code points.

Takes comments and trailing commas, as editors do; refuses the rest that JSON refuses. Knows nothing of secrets.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, NoReturn, cast

_SKIP = re.compile(r"(?:[ \t\r\n\ufeff]+|//[^\r\n]*|/\*.*?(?:\*/|\Z))+", re.DOTALL)
_STRING = re.compile(r'"(?:[^"\\\r\n]|\\.)*"')
_OTHER = re.compile(r"-?\d[\d.eE+-]*|true|false|null")
_COMMENT = re.compile(r'"(?:[^"\\\r\n]|\\.)*"|(//[^\r\n]*|/\*.*?(?:\*/|\Z))', re.DOTALL)
_MAX_DEPTH = 100


class JsonProblem(Exception):
    """No JSON. `offset` says where reading stopped; the text is not quoted."""

    def __init__(self, offset: int) -> None:
        super().__init__("this is no valid JSON")
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Node:
    """One value and its span, quotes and brackets included."""

    kind: Literal["object", "array", "string", "other"]
    start: int
    end: int
    keys: tuple[Node, ...] = field(default=())
    """Of an object: its keys, as many as `items`."""
    items: tuple[Node, ...] = field(default=())

    def holds(self, start: int, end: int) -> bool:
        """Say whether `[start, end)` lies inside of it."""
        return self.start <= start and end <= self.end


def read(text: str) -> Node:
    """Read one document. Raises JsonProblem."""
    reader = _Reader(text)
    node = reader.value(0)
    reader.skip()
    if reader.position != len(text):
        reader.fail()
    return node


def decode(text: str, node: Node) -> str:
    """Return what a string node means. Raises JsonProblem."""
    try:
        return cast("str", json.loads(text[node.start : node.end], strict=False))
    except ValueError:  # the error holds the whole text
        raise JsonProblem(node.start) from None


def member(text: str, node: Node, key: str) -> tuple[Node, Node] | None:
    """Return an object's key and value by the key's meaning; the last one counts, as for every reader."""
    pairs = [(name, item) for name, item in zip(node.keys, node.items, strict=False) if decode(text, name) == key]
    return pairs[-1] if pairs else None


def way_to(text: str, node: Node, start: int, end: int) -> Iterator[tuple[str | int, Node]]:
    """Yield (key or index, value) from the top down to the innermost value that holds `[start, end)`."""
    for index, item in enumerate(node.items):
        if item.holds(start, end):
            yield (decode(text, node.keys[index]) if node.kind == "object" else index), item
            yield from way_to(text, item, start, end)
            return


def comments(text: str) -> Iterator[tuple[int, int]]:
    """Yield the span of every comment, also where the text is no valid JSON."""
    for match in _COMMENT.finditer(text):
        if match[1]:
            yield match.span(1)


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0

    def fail(self) -> NoReturn:
        raise JsonProblem(self.position)

    def skip(self) -> None:
        match = _SKIP.match(self.text, self.position)
        if match:
            self.position = match.end()

    def take(self, char: str) -> bool:
        self.skip()
        if not self.text.startswith(char, self.position):
            return False
        self.position += 1
        return True

    def value(self, depth: int) -> Node:
        self.skip()
        if depth > _MAX_DEPTH:
            self.fail()
        start = self.position
        if self.take("{"):
            return self._container("object", "}", start, depth)
        if self.take("["):
            return self._container("array", "]", start, depth)
        if self.text.startswith('"', start):
            return self.string()
        match = _OTHER.match(self.text, start)
        if match is None:
            self.fail()
        self.position = match.end()
        return Node("other", start, match.end())

    def string(self) -> Node:
        self.skip()
        match = _STRING.match(self.text, self.position)
        if match is None:
            self.fail()
        self.position = match.end()
        return Node("string", match.start(), match.end())

    def _container(self, kind: Literal["object", "array"], close: str, start: int, depth: int) -> Node:
        keys: list[Node] = []
        items: list[Node] = []
        while not self.take(close):
            if items and not self._comma(close):
                break
            if kind == "object":
                keys.append(self.string())
                if not self.take(":"):
                    self.fail()
            items.append(self.value(depth + 1))
        return Node(kind, start, self.position, tuple(keys), tuple(items))

    def _comma(self, close: str) -> bool:
        """Take the comma between two items; return False when it was a trailing one and the bracket is taken too."""
        if not self.take(","):
            self.fail()
        return not self.take(close)
