"""Inline markers: which findings of one text they silence.

`markers` reads a marker, `statements` knows which lines a formatter made of one; here the two become ranges. A marker
covers its own line and, where it stands behind the end of a statement over several lines, that statement; one for the
next line covers the statement that begins there. Blocks and whole files are opened by a comment that stands alone, so
that a text which speaks of markers, such as this one, opens none. Knows nothing of rules but their ids.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from datetime import date

from locum.detect.markers import ANCHORS, Mark, is_comment, mark_at, python_marker, stands_alone
from locum.detect.statements import Lines

__all__ = ["ANCHORS", "Markers"]

MAX_MARKERS = 5000
"""What comes after so many in one text is not read, and silences nothing."""
_MAX_ON_LINE = 16
_MAX_OPEN = 200
_FILE_LINES = 5
"""Lines at the top in which a marker speaks for the whole file."""
_PYTHON = (".py", ".pyi", ".pyw", ".ipynb")
_LINE = 4000
"""Bytes around a finding in which its line is looked at."""


class Markers:
    """The parts of one text that markers silence."""

    def __init__(self, data: bytes, places: Iterable[int], path: str = "", today: date | None = None) -> None:
        """Take a text and the byte offsets at which layer 1 saw an anchor of a marker.

        `path` says which language it is ("" for unknown). A marker that ends on a day counts only where `today` is given.
        """
        self._data = data
        self._lines = Lines(data)
        self._python = not path or path.endswith(_PYTHON)
        self._covered: list[tuple[int, int, Mark]] = []
        self._open: list[tuple[int, Mark]] = []
        self._behind: list[tuple[int, bool, Mark]] = []
        line = seen = on_line = 0
        for place in sorted(places)[:MAX_MARKERS]:
            end = max(data.rfind(b"\n", seen, place), data.rfind(b"\r", seen, place))
            line, on_line, seen = (end + 1, 0, place) if end >= 0 else (line, on_line + 1, place)
            mark = mark_at(data, place, line, today) if on_line < _MAX_ON_LINE else None
            if mark is not None:
                self._add(mark, place if mark.begin < 0 else mark.begin, line)
        for start, mark in self._open:
            if not mark.mechanism.startswith("locum:"):  # ours must be closed: one that is forgotten silences nothing
                self._covered.append((start, len(data), mark))
        self._sort()

    def silenced_by(self, rule: str, generic: bool, start: int, end: int) -> str:
        """Return what silences a finding at `[start, end)`, as counts name it: "gitleaks:allow"; "" for nothing.

        `generic` says that the rule knows a secret by its name, not by its form.
        """
        mechanism = self._covering(rule, start, end, generic=generic)
        if not mechanism and self._behind:
            self._cover_statements()
            mechanism = self._covering(rule, start, end, generic=generic)
        if mechanism or not generic or not self._python:
            return mechanism
        floor = max(0, start - _LINE)
        return python_marker(self._data[self._lines.start(start, floor) : min(self._lines.end(end), end + _LINE)])

    def _covering(self, rule: str, start: int, end: int, *, generic: bool) -> str:
        place = bisect_left(self._covered, (max(end, start + 1),), key=lambda covered: covered[:1]) - 1
        while place >= 0 and self._furthest[place] > start:
            _, until, mark = self._covered[place]
            if until > start and mark.means(rule, generic=generic):
                return mark.mechanism
            place -= 1
        return ""

    def _cover_statements(self) -> None:
        """Let markers speak for the statements that they stand behind. Asked for when their own lines do not answer."""
        for line, alone, mark in self._behind:
            begin = self._lines.moved_from(line) if alone else self._lines.statement_start(line)
            if begin < line:
                self._cover(begin, line, mark)
        self._behind.clear()
        self._sort()

    def _sort(self) -> None:
        self._covered.sort(key=lambda covered: covered[:2])
        self._furthest = _running_maximum([end for _, end, _ in self._covered])

    def _add(self, mark: Mark, place: int, line: int) -> None:
        lines, alone = self._lines, stands_alone(self._data, line, place)
        if mark.scope == "line":
            self._cover(line, lines.end(place), mark)
            if is_comment(self._data, line, place):
                self._behind.append((line, alone, mark))
        elif mark.scope == "next":
            self._cover_next(place, mark)
        elif mark.scope in {"line-or-next", "around"}:
            self._cover(line, lines.end(place), mark)
            if alone:
                self._cover_next(place, mark)
            if alone and mark.scope == "around" and line:
                self._cover(lines.before(line), line, mark)
        elif alone:
            self._add_block(mark, place)

    def _add_block(self, mark: Mark, place: int) -> None:
        if mark.scope == "file":
            top = 0
            for _ in range(_FILE_LINES):
                top = self._lines.after(top)
            if place < top:
                self._cover(0, len(self._data), mark)
        elif mark.scope == "start":
            if len(self._open) < _MAX_OPEN:
                self._open.append((place, mark))
        else:
            self._close(mark, place)

    def _close(self, mark: Mark, place: int) -> None:
        """End blocks: of ours the one that was opened last; of another tool's all, or those that name the same."""
        tool = mark.mechanism.partition("-")[0]
        for number in range(len(self._open) - 1, -1, -1):
            start, opened = self._open[number]
            same = not mark.names or not opened.names or bool(mark.names & opened.names)
            if opened.mechanism.partition("-")[0] == tool and same:
                self._cover(start, place, opened)
                del self._open[number]
                if tool.startswith("locum:"):
                    return

    def _cover_next(self, place: int, mark: Mark) -> None:
        line = self._lines.after(place)
        if line < len(self._data):
            self._cover(line, self._lines.statement_end(line), mark)

    def _cover(self, start: int, end: int, mark: Mark) -> None:
        self._covered.append((start, end, mark))


def _running_maximum(numbers: list[int]) -> list[int]:
    result: list[int] = []
    for number in numbers:
        result.append(max(number, result[-1]) if result else number)
    return result
