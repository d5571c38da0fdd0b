"""Where in a TOML text something stands: a small reader that keeps places and throws values away.

It does not judge: of a text that `tomllib` refuses, such as one that somebody is writing, it reads what it can and goes on at
the next line. Offsets are code points.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Literal

Place = tuple[str | int, ...]
"""The way to something: names of keys, numbers in lists."""
Span = tuple[int, int]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_COMMENT = re.compile(r"#[^\r\n]*")
_STRING = re.compile(r"""\"{3}(?:[^\\]|\\.)*?\"{3,5}|'{3}.*?'{3,5}|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'""", re.DOTALL)
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_PLAIN = re.compile(r"[^,\]}#\r\n]+")
_DOT = re.compile(r"[ \t]*\.[ \t]*")
_SPACE = re.compile(r"[ \t]*")
_LINE = re.compile(r"[^\n]*\n?")
_NEXT = re.compile(
    r"\[\[?[ \t]*(?!(?:true|false|inf|nan)\b)[A-Za-z_][^\],=\n]*\]?\]?[ \t]*(?:#[^\n]*)?$|[A-Za-z0-9_.-]+[ \t]*=",
    re.MULTILINE,
)
"""What can stand in no list: the table or the pair that follows one whose end is not written yet."""
_QUOTES = ('"""', "'''", '"', "'")
_DEEPEST = 50


@dataclass(frozen=True, slots=True)
class Written:
    """One name or value as it is written at `[start, end)`, quotes included.

    The place of a name leads to what it names: of `[a.b]` they are ("a",) and ("a", "b").
    """

    place: Place
    start: int
    end: int
    role: Literal["header", "key", "value"]


def inside(text: str, start: int, end: int) -> Span:
    """Return where the words of a quoted `[start, end)` stand; of one without quotes, all of it."""
    for quote in _QUOTES:
        if text.startswith(quote, start):
            closed = end - start >= 2 * len(quote) and text.endswith(quote, start, end)
            return start + len(quote), end - len(quote) if closed else end
    return start, end


class TomlPlaces:
    """The places of one text, read when it is made."""

    def __init__(self, text: str) -> None:
        self.keys: dict[Place, Span] = {}
        """A key where it is first written, and a table by its last header, brackets included."""
        self.values: dict[Place, Span] = {}
        """What is written after a key or in a list, quotes and brackets included."""
        self.comments: list[Span] = []
        self.written: list[Written] = []
        """Every name and value, in the order of the text."""
        self._text = text
        self._at: int = 0
        self._tables = Counter[Place]()
        """How many entries each list of tables has so far."""
        self._read()
        self.written.sort(key=lambda item: (item.start, -item.end))

    def _read(self) -> None:
        table: Place = ()
        while self._skip(_BLANK) < len(self._text):
            before = self._at
            if self._text.startswith("[", self._at):
                table = self._header()
            else:
                self._pair(table, 0)
            if self._at == before:  # no TOML
                self._skip(_LINE)

    def _header(self) -> Place:
        """Read `[a.b]` or `[[a.b]]`; return the table that what follows belongs to."""
        start = self._at
        is_list = self._text.startswith("[[", start)
        self._at += 2 if is_list else 1
        place: Place = ()
        names = self._names()
        for number, (name, span) in enumerate(names, 1):
            place = (*place, name)
            self.keys.setdefault(place, span)
            self.written.append(Written(place, *span, "header"))
            if is_list and number == len(names):
                self._tables[place] += 1
            if place in self._tables:
                place = (*place, self._tables[place] - 1)
        line = _LINE.match(self._text, self._at)
        close = self._text.find("]", self._at, line.end() if line else self._at)
        self._at = close + (2 if is_list else 1) if close >= 0 else len(self._text[: self._at].rstrip())
        self.keys[place] = (start, self._at)
        return place

    def _pair(self, table: Place, depth: int) -> None:
        """Read `a.b = value`."""
        place = table
        for name, span in self._names():
            place = (*place, name)
            self.keys.setdefault(place, span)
            self.written.append(Written(place, *span, "key"))
        self._skip(_SPACE)
        if not self._text.startswith("=", self._at):
            self._skip(_LINE)
            return
        self._at += 1
        self._skip(_SPACE)
        self._value(place, depth)

    def _names(self) -> list[tuple[str, Span]]:
        found: list[tuple[str, Span]] = []
        while True:
            self._skip(_SPACE)
            start = self._at
            match = _STRING.match(self._text, start) or _BARE.match(self._text, start)
            if match is None:
                return found
            self._at = match.end()
            found.append((_unquoted(match[0]), match.span()))
            dot = _DOT.match(self._text, self._at)
            if dot is None:
                return found
            self._at = dot.end()

    def _value(self, place: Place, depth: int) -> None:
        start = self._at
        first = self._text[start : start + 1]
        if first == "[" and depth < _DEEPEST:
            self._items(place, depth)
        elif first == "{" and depth < _DEEPEST:
            self._inline(place, depth)
        else:
            match = _STRING.match(self._text, start) or _PLAIN.match(self._text, start)
            self._at = match.end() if match else start + 1
        end = start + len(self._text[start : self._at].rstrip())
        self.values.setdefault(place, (start, end))
        self.written.append(Written(place, start, end, "value"))

    def _items(self, place: Place, depth: int) -> None:
        self._at += 1
        number = 0
        while self._skip(_BLANK) < len(self._text) and not self._text.startswith("]", self._at):
            if _NEXT.match(self._text, self._at):
                return
            if not self._text.startswith(",", self._at):
                self._value((*place, number), depth + 1)
                number += 1
            else:
                self._at += 1
        self._at += 1

    def _inline(self, place: Place, depth: int) -> None:
        self._at += 1
        while self._skip(_BLANK) < len(self._text) and not self._text.startswith("}", self._at):
            if self._text.startswith("[", self._at):  # the next table: the end of this one is not written yet
                return
            if not self._text.startswith(",", self._at):
                self._pair(place, depth + 1)
            else:
                self._at += 1
        self._at += 1

    def _skip(self, pattern: re.Pattern[str]) -> int:
        match = pattern.match(self._text, self._at)
        if match is not None:
            if pattern is _BLANK and "#" in match[0]:
                self.comments += [item.span() for item in _COMMENT.finditer(self._text, self._at, match.end())]
            self._at = match.end()
        return self._at


def _unquoted(name: str) -> str:
    """Return what a key says. Escapes are rare there; `tomllib` undoes them."""
    if name[:1] not in {'"', "'"}:
        return name
    if "\\" not in name:
        return name[1:-1]
    import tomllib

    try:
        return next(iter(tomllib.loads(f"{name} = 0")))
    except tomllib.TOMLDecodeError:
        return name
