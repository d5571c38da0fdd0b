"""A block of ours in somebody's text file, between two marker lines: put in, renewed, taken out. Pure.

Taking it out leaves the text as it was before it was put in, byte for byte: a text whose last line had no end is marked so.
"""

from __future__ import annotations

import re

JOINED = " (no line end before)"
"""Stands in the block when the line before it was the last of its file, and had no end."""


def with_block(text: str, begin: str, lines: list[str], end: str) -> str:
    """Return the text with our block in it: renewed where it stands, else at the end.

    `begin` and `end` are how its first and last line start; `lines` are all of it. Line ends are the text's own.
    """
    newline = "\r\n" if "\r\n" in text else "\n"
    found = _find(text, begin, end)
    joined = JOINED in found.group() if found else bool(text) and not text.endswith("\n")
    last = lines[-1].replace(end, end + JOINED) if joined else lines[-1]
    block = newline.join([*lines[:-1], last, ""])
    if found:
        return text[: found.start()] + block + text[found.end() :]
    return text + (newline if joined else "") + block


def without_block(text: str, begin: str, end: str) -> str:
    """Return the text without our block, "" when nothing else is in it."""
    found = _find(text, begin, end)
    if found is None:
        return text
    before, after = text[: found.start()], text[found.end() :]
    return (re.sub(r"\r?\n\Z", "", before) if JOINED in found.group() and not after else before) + after


def _find(text: str, begin: str, end: str) -> re.Match[str] | None:
    return re.search(rf"^{re.escape(begin)}\b.*?^{re.escape(end)}[^\n]*\n?", text, re.MULTILINE | re.DOTALL)
