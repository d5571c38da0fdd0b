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


class Draft:
    """A text that is edited step by step, and can say all steps as one set of edits of the text that it was.

    Offsets given to `apply` are into the text as it is now; `now` and `edits` speak of the original.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._original = text
        self._pieces: list[tuple[int, int] | str] = [(0, len(text))] if text else []
        """In order: spans of the original that still stand, and what was put in between."""

    def apply(self, edits: Iterable[Edit]) -> None:
        """Make one step. Raises ValueError as `apply_edits` does; nothing has changed then."""
        wanted = sorted(edits)
        text = apply_edits(self.text, wanted)
        for edit in reversed(wanted):  # from the end: places before it stay where they are
            before, rest = _split(self._pieces, edit.start)
            _, after = _split(rest, edit.end - edit.start)
            self._pieces = [*before, *([edit.new_text] if edit.new_text else []), *after]
        self.text = text

    def now(self, start: int, end: int) -> tuple[int, int] | None:
        """Return where a span of the original stands now; None when it does not stand there whole any more."""
        position = 0
        for piece in self._pieces:
            if isinstance(piece, str):
                position += len(piece)
                continue
            if piece[0] <= start and end <= piece[1]:
                return position + start - piece[0], position + end - piece[0]
            position += piece[1] - piece[0]
        return None

    def edits(self) -> tuple[Edit, ...]:
        """Return the edits that turn the original into the text as it is now: sorted, not overlapping."""
        found: list[Edit] = []
        position, put = 0, ""
        for piece in [*self._pieces, (len(self._original), len(self._original))]:
            if isinstance(piece, str):
                put += piece
                continue
            if put or piece[0] > position:
                found.append(Edit(position, piece[0], put))
            position, put = piece[1], ""
        return tuple(found)


def _split(
    pieces: list[tuple[int, int] | str], offset: int
) -> tuple[list[tuple[int, int] | str], list[tuple[int, int] | str]]:
    """Cut a row of pieces at an offset into what they say."""
    before: list[tuple[int, int] | str] = []
    for index, piece in enumerate(pieces):
        length = len(piece) if isinstance(piece, str) else piece[1] - piece[0]
        if offset >= length:
            before.append(piece)
            offset -= length
            continue
        if not offset:
            return before, pieces[index:]
        if isinstance(piece, str):
            return [*before, piece[:offset]], [piece[offset:], *pieces[index + 1 :]]
        middle = piece[0] + offset
        return [*before, (piece[0], middle)], [(middle, piece[1]), *pieces[index + 1 :]]
    return before, []
