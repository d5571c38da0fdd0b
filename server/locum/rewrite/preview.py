"""What a fix would change, for people: a unified diff in which no value stands, neither those that go nor those that stay."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator

from locum.detect.finding import Finding
from locum.text.source import SourceText

HIDDEN = "•••"
"""Stands in the place of a value, however long that is."""
_CONTEXT = 1


def masked_diff(source: SourceText, findings: Iterable[Finding], after: str, name: str) -> Iterator[str]:
    """Yield the lines of a diff from `source` to the text `after`; `name` is how the file is called, with `/`."""
    values = {
        source.text[source.offset_of_byte(finding.start) : source.offset_of_byte(finding.end)] for finding in findings
    }
    before = source.text
    for value in sorted(values, key=len, reverse=True):
        before, after = before.replace(value, HIDDEN), after.replace(value, HIDDEN)
    yield from difflib.unified_diff(before.splitlines(), after.splitlines(), name, name, n=_CONTEXT, lineterm="")
