"""What every idiom is given: the text, where the secret stands in it, and what it shall be called.

Offsets are code points. Nothing here knows a language.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from locum.refs.reference import find, locum_reference
from locum.rewrite.plan import Plan
from locum.rewrite.urls import Part, part_of_url
from locum.secret import SecretBytes
from locum.text.edits import Edit, apply_edits

_LINE_END = re.compile(r"\r\n|\n|\r")


class NoSafeEdit(Exception):
    """An idiom gives up. The reason is for people and holds no part of the text that was read."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Target:
    """One secret in one text."""

    text: str = field(repr=False)
    start: int
    end: int
    name: str
    path: str = ""
    """With `/`, as the project sees it; may be empty."""
    kind: str = ""
    """The idiom's key, see `languages.py`; tells TypeScript from JavaScript for idioms that serve both."""
    beside: tuple[str, ...] = field(default=(), repr=False)
    """The other texts that are read as one with this one, see `languages.read_with`; empty where they are not known."""

    @property
    def raw(self) -> str:
        """The secret as it is spelt in the text, escapes and all."""
        return self.text[self.start : self.end]

    @property
    def newline(self) -> str:
        """The line end that this text uses."""
        match = _LINE_END.search(self.text)
        return match.group() if match else "\n"

    @property
    def reference(self) -> str:
        """`locum://NAME`."""
        return locum_reference(self.name)

    def covers(self, start: int, end: int) -> bool:
        """Say whether the secret is exactly `[start, end)`."""
        return (self.start, self.end) == (start, end)

    def url_part(self, start: int, end: int) -> Part | None:
        """Say which part of a URL the secret is, when it is one, in a string's content `[start, end)`."""
        return part_of_url(self.text[start : self.start], self.text[self.end : end])

    def run_note(self, start: int, end: int, *, encodes: bool = False) -> str:
        """Say how to run a program that now reads a variable in the place of the literal `[start, end)` or in it.

        `encodes`: whether the program escapes the value for the URL around it.
        """
        note = f"Run it under 'locum run --secret {self.name} -- …', which sets the variable."
        if encodes:
            return f"The value is stored as it is; the program escapes it for the URL. {note}"
        if self.covers(start, end):
            return note
        if "://" in self.text[start : self.start] and "%" in self.raw:
            return f"The value is stored percent-encoded, as the URL around it needs it. {note}"
        if self.url_part(start, end):
            return f"The URL takes the value as it is stored: store a new one percent-encoded. {note}"
        return note

    def plan(self, edits: Iterable[Edit], value: str | bytes, idiom: str, note: str = "") -> Plan:
        """Make the plan. Raises NoSafeEdit for a value that no environment variable can hold."""
        try:
            data = value.encode() if isinstance(value, str) else value
        except UnicodeEncodeError:
            raise NoSafeEdit("the value is not valid Unicode: no environment variable can hold it") from None
        if not data:
            raise NoSafeEdit("there is no value here: nothing has to move")
        if b"\0" in data:
            raise NoSafeEdit("the value holds a NUL character: no environment variable can hold it")
        return Plan(self.name, tuple(sorted(edits)), SecretBytes(data), idiom, note)

    def as_prose(self, place: str) -> Plan:
        """Put the reference where no program looks (a comment, a docstring).

        Where the neighbours would be read as part of the reference, it stands in angle brackets.
        """
        shown = self.reference
        edit = Edit(self.start, self.end, shown)
        near = apply_edits(self.text, (edit,))[max(0, self.start - 1) : self.start + len(shown) + 64]
        if shown not in {occurrence.text for occurrence in find(near)}:
            shown = f"<{shown}>"
            edit = Edit(self.start, self.end, shown)
        return self.plan((edit,), self.raw, shown, f"It stood in a {place}, so nothing reads it there.")
