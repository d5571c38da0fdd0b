"""Inline markers: what people already write to silence a finding, ours and other tools', in any comment syntax."""

from __future__ import annotations

import re

_SAME_LINE = re.compile(
    rb"""(?xi)
    locum:allow | gitleaks:allow | betterleaks:allow | trufflehog:ignore | kingfisher:(?:ignore|allow) | \bggignore\b
    | pragma:\ ?(?:allow|white)list[ -]secret | secretlint-disable-line
    """
)
_NEXT_LINE = re.compile(
    rb"(?i)pragma:\ ?(?:allow|white)list[ -]nextline[ -]secret|secretlint-disable-next-line|locum:allow-next-line"
)


def is_suppressed(data: bytes, start: int, end: int) -> bool:
    """Say whether a marker on a line of `[start, end)`, or on the line before it, silences what stands there."""
    first = data.rfind(b"\n", 0, start) + 1
    last = data.find(b"\n", end)
    if _SAME_LINE.search(data, first, len(data) if last < 0 else last):
        return True
    before = data.rfind(b"\n", 0, max(0, first - 1)) + 1
    return first > 0 and _NEXT_LINE.search(data, before, first) is not None
