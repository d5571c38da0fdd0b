"""What the readers of formats share: places, derived texts with their way back, and a limit on work. Knows no format.

All offsets are bytes. Nothing here or in the readers keeps a text after its scan.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

UNITS = 400_000
"""Units of work (some bytes that an expression looks at, a line, a token) that any text may cost, about a microsecond each; long
texts may cost more in proportion."""
ROOM = 64 * 1024
"""Bytes of derived text that any text may give, besides as many as it has itself."""
GAP = b"\n" + b" " * 62 + b"\n"
"""Stands between two parts of a derived text: wider than any rule reaches from a word to its value."""


class Slot(NamedTuple):
    """A place that holds a credential because the format says so, however the value looks. Byte offsets."""

    start: int
    end: int
    name: bytes
    """What the format calls it there; b"" when it says nothing more than the rule."""
    rule: str
    why: str


@dataclass(slots=True)
class Work:
    """How much may still be done for one text. `cut` says that something was left undone."""

    left: int
    cut: bool = False

    @classmethod
    def for_text(cls, data: bytes) -> Work:
        """Return what is enough for any honest text of this length."""
        return cls(UNITS + len(data) // 4)

    def take(self, units: int = 1) -> bool:
        """Use up units; False when there are none left."""
        self.left -= units
        if self.left < 0:
            self.cut = True
            return False
        return True


@dataclass(slots=True)
class Source:
    """A text while it is read."""

    data: bytes
    path: str
    """Relative, with `/`, in lower case; may be ""."""
    work: Work
    done: dict[str, int] = field(default_factory=dict[str, int])
    """How far a reader has come, for those that read more than one line at an anchor."""


Reader = Callable[[Source, int], Iterable[Slot]]
"""Looks at a text around one anchor's place."""
FileReader = Callable[[Source], Iterable[Slot]]
"""Looks at a whole text whose name says what it is."""


class Expression:
    """A regular expression over bytes, in verbose mode, that is compiled when it is first needed."""

    def __init__(self, source: bytes) -> None:
        self._source = source

    @cached_property
    def compiled(self) -> re.Pattern[bytes]:
        """The expression, ready."""
        return re.compile(self._source, re.VERBOSE)


class Piece(NamedTuple):
    """A part of a derived text, from `at` to where the next one begins, and where it comes from."""

    at: int
    start: int
    end: int
    plain: bool
    """Byte for byte the same as in the original; else the part is what the whole of `[start, end)` says."""


class View:
    """A text that is derived from another one: decoded, unescaped, joined. It is scanned like a text."""

    __slots__ = ("_pieces", "_starts", "text", "why")

    def __init__(self, text: bytes, why: str, pieces: list[Piece]) -> None:
        self.text = text
        self.why = why
        self._pieces = pieces
        self._starts = [piece.at for piece in pieces]

    def original(self, start: int, end: int) -> tuple[int, int]:
        """Return the smallest range of the original's bytes that `text[start:end]` comes from (`start < end`)."""
        first = self._pieces[bisect_right(self._starts, start) - 1]
        last = self._pieces[bisect_right(self._starts, max(start, end - 1)) - 1]
        return (
            first.start + start - first.at if first.plain else first.start,
            last.start + end - last.at if last.plain else last.end,
        )

    @property
    def pieces(self) -> list[Piece]:
        """Where each part comes from."""
        return self._pieces


class Builder:
    """Puts a derived text together."""

    def __init__(self, data: bytes, room: Room) -> None:
        self._data = data
        self._room = room
        self._parts: list[bytes] = []
        self._pieces: list[Piece] = []
        self._length = 0

    def plain(self, start: int, end: int) -> None:
        """Go on with the original's bytes."""
        if start < end:
            self._add(self._data[start:end], start, end, plain=True)

    def coded(self, text: bytes, start: int, end: int) -> None:
        """Go on with what the original's bytes stand for."""
        if text:
            self._add(text, start, end, plain=False)

    def gap(self) -> None:
        """End a part: what follows has nothing to do with what came before."""
        if self._pieces:
            self._add(GAP, self._pieces[-1].end, self._pieces[-1].end, plain=False)

    def views(self, why: str) -> list[View]:
        """Return the text, if there is one."""
        text = b"".join(self._parts)
        self._room.take(len(text))
        return [View(text, why, self._pieces)] if text else []

    def _add(self, text: bytes, start: int, end: int, *, plain: bool) -> None:
        if self._length + len(text) > self._room.left:
            self._room.overflow()
            return
        self._parts.append(text)
        self._pieces.append(Piece(self._length, start, end, plain))
        self._length += len(text)


class Room:
    """How many bytes of derived text there may still be."""

    def __init__(self, data: bytes, work: Work) -> None:
        self.left = len(data) + ROOM
        self._work = work

    def take(self, length: int) -> None:
        """Use up bytes."""
        self.left -= length

    def overflow(self) -> None:
        """Remember that something found no room."""
        self._work.cut = True
