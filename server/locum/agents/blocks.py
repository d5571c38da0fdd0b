"""A block of ours in somebody's text file, between two marker lines: put in, renewed, taken out. Pure.

Taking it out leaves the text as it was before it was put in, byte for byte.
"""

from __future__ import annotations

import re


def with_block(text: str, begin: str, lines: list[str], end: str) -> str:
    """Return the text with our block in it: renewed where it stands, else at the end.

    `begin` and `end` are how its first and last line start; `lines` are all of it. Line ends are the text's own.
    """
    newline = "\r\n" if "\r\n" in text else "\n"
    found = _find(text, begin, end)
    # A text whose last line has no end gets none behind the block either: so it can be put back as it was.
    close = newline if (found.group().endswith("\n") if found else not text or text.endswith("\n")) else ""
    block = newline.join(lines) + close
    if found:
        return text[: found.start()] + block + text[found.end() :]
    return text + ("" if close else newline) + block


def without_block(text: str, begin: str, end: str) -> str:
    """Return the text without our block, "" when nothing else is in it."""
    found = _find(text, begin, end)
    if found is None:
        return text
    before = text[: found.start()]
    if found.end() == len(text) and not found.group().endswith("\n"):
        before = re.sub(r"\r?\n\Z", "", before)
    return before + text[found.end() :]


def _find(text: str, begin: str, end: str) -> re.Match[str] | None:
    return re.search(rf"^{re.escape(begin)}\b.*?^{re.escape(end)}[^\n]*\n?", text, re.MULTILINE | re.DOTALL)
