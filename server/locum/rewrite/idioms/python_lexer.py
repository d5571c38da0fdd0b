"""Where strings and comments lie in Python text. Tolerant: a text that no compiler takes is read all the same.

`tokenize` of the standard library gives up on broken text and differs between versions about f-strings; this reads the
grammar of all of them: what Python 3.12 allows inside of f-strings is a superset of what 3.11 does.
Offsets are code points.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

_TOKEN = re.compile(
    r"""(?P<comment>\#[^\r\n]*)
      | (?P<string>(?<!\w)(?P<prefix>[rRbBuUfFtT]{0,2})(?P<quote>\"{3}|'{3}|"|'))
      | (?P<late>(?P<late_quote>\"{3}|'{3}|"|'))
      | (?P<open>[(\[{]) | (?P<close>[)\]}])
      | (?P<join>\\(?:\r\n|\n|\r)) | (?P<newline>\r\n|\n|\r)
      | (?P<blank>[ \t\f]+) | (?P<word>\w+) | (?P<other>.)""",
    re.VERBOSE,
)
_UNIT = re.compile(
    r"\\(?:N\{[^}\r\n]*\}|x[0-9a-fA-F]{0,2}|u[0-9a-fA-F]{0,4}|U[0-9a-fA-F]{0,8}|[0-7]{1,3}|\r\n|.)|\r\n|.", re.DOTALL
)
_RAW_UNIT = re.compile(r"\\(?:\r\n|.)|\r\n|.", re.DOTALL)
_PREFIXES = {"", "r", "u", "b", "br", "rb", "f", "fr", "rf", "t", "tr", "rt"}
_MAX_NESTING = 40

Kind = Literal["comment", "string", "open", "close", "newline", "code"]


@dataclass(frozen=True, slots=True)
class Token:
    """A comment, a string literal, a bracket, the end of a logical line, or a run of other code."""

    kind: Kind
    start: int
    end: int
    prefix: str = ""
    """Of a string, as it is spelt."""
    quote: str = ""
    closed: bool = True
    fields: tuple[tuple[int, int], ...] = field(default=())
    """Of an f-string: the spans of its `{…}`, braces included."""

    @property
    def body(self) -> tuple[int, int]:
        """Where a string's content lies, quotes excluded."""
        tail = len(self.quote) if self.closed else 0
        return self.start + len(self.prefix) + len(self.quote), self.end - tail

    def has(self, letter: str) -> bool:
        """Say whether a string's prefix has this letter: r, b, f, u or t."""
        return letter in self.prefix.lower()


def tokens(text: str) -> Iterator[Token]:
    """Read the text; white space, joined lines and line ends inside of brackets are left out."""
    position = depth = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            return
        position = match.end()
        kind = match.lastgroup
        if match["quote"] or match["late_quote"]:
            token = _string(text, match, 0)
            position = token.end
            yield token
        elif kind == "comment":
            yield Token("comment", match.start(), position)
        elif kind == "open":
            depth += 1
            yield Token("open", match.start(), position)
        elif kind == "close":
            depth = max(0, depth - 1)
            yield Token("close", match.start(), position)
        elif kind == "newline":
            if depth == 0:
                yield Token("newline", match.start(), position)
        elif kind in {"word", "other"}:
            yield Token("code", match.start(), position)


def units(text: str, start: int, end: int, *, raw: bool) -> Iterator[tuple[int, int]]:
    """Split a string's content into what cannot be cut: escapes and characters, as spans."""
    pattern = _RAW_UNIT if raw else _UNIT
    for match in pattern.finditer(text, start, end):
        yield match.span()


def _string(text: str, match: re.Match[str], nesting: int) -> Token:
    """Read the literal that begins with this match."""
    prefix = match["prefix"] or ""
    quote = match["quote"] or match["late_quote"]
    start = match.start()
    if prefix.lower() not in _PREFIXES:  # `bu"…"`: no prefix of Python's, so the letters are a word of their own
        start, prefix = match.end() - len(quote), ""
    if nesting > _MAX_NESTING:
        return Token("string", start, match.end(), prefix, quote, closed=False)
    letters = prefix.lower()
    fields: list[tuple[int, int]] = []
    end, closed = _body(text, match.end(), quote, fields if "f" in letters or "t" in letters else None, nesting)
    return Token("string", start, end, prefix, quote, closed, tuple(fields))


def _body(text: str, position: int, quote: str, fields: list[tuple[int, int]] | None, nesting: int) -> tuple[int, bool]:
    """Return where the literal ends, and whether it is closed there; a one-line literal ends with its line."""
    while position < len(text):
        char = text[position]
        if char == "\\":
            position += 3 if text.startswith("\r\n", position + 1) else 2
        elif text.startswith(quote, position):
            return position + len(quote), True
        elif char in "\r\n" and len(quote) == 1:
            return position, False
        elif fields is not None and char == "{" and text.startswith("{{", position):
            position += 2
        elif fields is not None and char == "{":
            end = _field(text, position + 1, quote, nesting)
            fields.append((position, end))
            position = end
        else:
            position += 1
    return len(text), False


def _field(text: str, position: int, quote: str, nesting: int) -> int:
    """Return the end of an f-string's `{…}` whose content begins at `position`."""
    depth, spec = 0, False
    while position < len(text):
        char = text[position]
        if spec and text.startswith(quote, position):
            return position  # the literal ends inside of its own field: broken
        if char in "\r\n" and len(quote) == 1:
            return position
        if char == "}" and depth == 0:
            return position + 1
        if char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
        elif char == ":" and depth == 0:
            spec = True
        elif char in "\"'" and not spec:
            match = _TOKEN.match(text, position)
            if match is None or nesting >= _MAX_NESTING:
                return position
            position = _string(text, match, nesting + 1).end
            continue
        position += 1
    return len(text)
