"""Edits as plain data: what to put where, in offsets (code points) of the text before any of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """Replace `[start, end)` by `new_text`."""

    start: int
    end: int
    new_text: str


def apply_edits(text: str, edits: Iterable[Edit]) -> str:
    """Return the text after all edits. Raises ValueError when two of them overlap or one lies outside."""
    parts: list[str] = []
    position = 0
    for edit in sorted(edits):
        if edit.start < position or edit.end < edit.start or edit.end > len(text):
            raise ValueError("edits overlap or lie outside of the text")
        parts += (text[position : edit.start], edit.new_text)
        position = edit.end
    parts.append(text[position:])
    return "".join(parts)
