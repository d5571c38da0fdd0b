"""A place in a configuration file that can hold a value. Plain data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """A value or a comment; offsets are code points."""

    style: str
    """A key of `spelling.STYLES`, or `comment`."""
    start: int
    end: int
    """Of the value, quotes excluded."""
    key: str = ""
    """What the value belongs to, as far as the format's reader knows it; for people and for `forms.py`."""
    outer: tuple[int, int] = (-1, -1)
    """Of the value with its quotes."""
