"""A task's output as an agent may read it: by pages, bounded, and with what still looks like a secret taken out. Pure.

The launcher has masked the values that it handed out. Here goes what the task had from elsewhere: a finding that is certain
or nearly so becomes its rule's name (`marker`). Text is looked at in whole lines, and a private key as a whole: half of one
is no finding.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass

from locum.detect.engine import default_engine

KEPT = 2 * 1024 * 1024
"""Characters of one task that are kept; older ones go."""
_LONGEST_LINE = 64 * 1024
_LONGEST_BLOCK = 64 * 1024
_SURE = {"certain", "high"}
_BUDGET = 2.0
"""Seconds for one look."""


@dataclass(frozen=True, slots=True)
class Page:
    """A part of the output, in characters of all of it."""

    text: str
    offset: int
    next_offset: int
    total: int
    lost: int


class Output:
    """What a task has written so far."""

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._open = ""
        """What has come and is not looked at yet."""
        self._text = ""
        self.lost = 0

    @property
    def total(self) -> int:
        """Characters so far, those that are no longer kept included."""
        return self.lost + len(self._text)

    def add(self, data: bytes, *, last: bool = False) -> None:
        """Take what came; `last`: nothing more comes."""
        self._open += self._decode(data, last)
        end = len(self._open) if last else _whole(self._open)
        ready, self._open = self._open[:end], self._open[end:]
        self._text += marked(ready)
        if len(self._text) > KEPT:
            cut = len(self._text) - KEPT
            self._text, self.lost = self._text[cut:], self.lost + cut

    def page(self, offset: int | None, limit: int) -> Page:
        """Return at most `limit` characters from `offset` on; None: the end."""
        start = self.total - limit if offset is None else offset
        start = min(max(start, self.lost), self.total)
        text = self._text[start - self.lost : start - self.lost + limit]
        return Page(text, start, start + len(text), self.total, self.lost)


def marker(rule: str) -> str:
    """Return what stands in the place of a finding."""
    return f"\u2039{rule}\u203a"


def marked(text: str) -> str:
    """Return a text with the secrets that stand in it replaced by the names of their rules."""
    if not text:
        return text
    data = text.encode("utf-8", "replace")
    result = default_engine().scan(data, path="output.log", budget=_BUDGET, ignore=False)
    if result.truncated:
        return marker("not looked at") + "\n"
    found = sorted((item for item in result.findings if item.confidence in _SURE), key=lambda item: item.start)
    parts: list[bytes] = []
    at = 0
    for finding in found:
        if finding.start >= at:
            parts += [data[at : finding.start], marker(finding.rule).encode()]
            at = finding.end
    return b"".join([*parts, data[at:]]).decode("utf-8", "replace")


def _whole(text: str) -> int:
    """Return how much of a text can be looked at: up to its last line end, and not into a private key."""
    end = text.rfind("\n") + 1
    if not end:
        return len(text) if len(text) > _LONGEST_LINE else 0
    begun = text.rfind("-----BEGIN ", 0, end)
    if begun >= 0 and text.find("-----END ", begun, end) < 0 and end - begun < _LONGEST_BLOCK:
        end = text.rfind("\n", 0, begun) + 1
    return end
