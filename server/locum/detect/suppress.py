"""Inline markers: what people already write to silence a finding, ours and other tools', in any comment syntax.

Markers are found by layer 1 like anchors, so a text without any costs nothing. Knows nothing of rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

ANCHORS = (
    "locum:allow", "gitleaks:allow", "betterleaks:allow", "trufflehog:ignore", "kingfisher:ignore", "kingfisher:allow",
    "ggignore", "pragma: ", "pragma:allow", "pragma:white", "secretlint-disable-",
)  # fmt: skip
"""Lower-case literals that every marker begins with."""
_SAME_LINE = re.compile(
    rb"""(?xi)
    (?: locum:allow | (?:gitleaks|betterleaks|kingfisher) :allow | (?:trufflehog|kingfisher) :ignore
      | (?<![A-Za-z0-9_]) ggignore (?!-(?:start|end)) | pragma: [ ]? (?:allow|white)list [ -] secret | secretlint-disable-line
    )(?![A-Za-z0-9_]|-next-line)"""
)
_NEXT_LINE = re.compile(
    rb"""(?xi)
    (?: locum:allow-next-line | pragma: [ ]? (?:allow|white)list [ -] nextline [ -] secret | secretlint-disable-next-line )
    (?![A-Za-z0-9_])"""
)


class Markers:
    """The lines that markers silence in one text."""

    def __init__(self, data: bytes, places: Iterable[int]) -> None:
        """Take the text and the places at which layer 1 saw the beginning of a marker."""
        self._data = data
        self._silent: set[int] = set()
        for place in places:
            if _SAME_LINE.match(data, place):
                self._silent.add(self._line(place))
            elif _NEXT_LINE.match(data, place):
                after = data.find(b"\n", place)
                if after >= 0:
                    self._silent.add(after + 1)

    def silence(self, start: int, end: int) -> bool:
        """Say whether a marker stands for one of the lines of `[start, end)`."""
        if not self._silent:
            return False
        line = self._line(start)
        while line not in self._silent:
            after = self._data.find(b"\n", line, end)
            if after < 0:
                return False
            line = after + 1
        return True

    def _line(self, place: int) -> int:
        """Return where the line that holds `place` begins."""
        return self._data.rfind(b"\n", 0, place) + 1
