"""Strings and comments of a language that `code_languages.py` describes, also those in the fields of other strings.

It reads whatever stands there: a string that does not end is none, and reading goes on behind its line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache

from locum.rewrite.idioms.code_languages import LANGUAGES, Quote

_PAIRS = {"{": "}", "(": ")", "[": "]"}
_OPENS = {close: opening for opening, close in _PAIRS.items()}
_DEEPEST, _MAX_MISSES = 8, 8
_LINE_END = re.compile(r"[\r\n]|$")
_GROUP = re.compile(r"(?<!\\)\((?!\?)")
_BRACKET = re.compile(r"[()\[\]{}]")
_HEAD = 120
"""How much, in characters, of what stands before an open bracket tells what is in it."""


@dataclass(slots=True)
class Token:
    """A string, or a comment when `quote` is None: `[start, end)` with quotes, `[body, close)` without."""

    quote: Quote | None
    start: int
    body: int
    close: int
    end: int
    fields: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    """The expressions in it, with their brackets."""


@cache
def _starts(kind: str) -> re.Pattern[str]:
    """Return what opens a comment (b, l), a string (q) or a bracket. A quote's own group is called g."""
    language = LANGUAGES[kind]
    parts = [rf"(?P<b{i}>{re.escape(opening)})" for i, (opening, _) in enumerate(language.block_comments)]
    parts += [rf"(?P<l{i}>{re.escape(prefix)})" for i, prefix in enumerate(language.line_comments)]
    for i, quote in enumerate(language.quotes):
        pattern = _GROUP.sub(f"(?P<g{i}>", quote.open, count=1).replace("\\1", f"(?P=g{i})")
        parts.append(rf"(?P<q{i}>{pattern})")
    return re.compile("|".join([*parts, r"[(\[{]", r"[)\]}]"]))


@cache
def _pieces(quote: Quote, close: str) -> re.Pattern[str]:
    """Return what counts inside of a string: a field, its end, an escape, the end of a line that it may not cross."""
    parts = [
        quote.field,
        re.escape(close),
        re.escape(quote.escape) + "." if quote.escape else "",
        "" if quote.lines else r"[\r\n]",
    ]
    return re.compile("|".join(part for part in parts if part), re.DOTALL)


class Lexer:
    """Reads one text. `tokens` come in the order of their ends."""

    def __init__(self, text: str, kind: str) -> None:
        self._text = text
        self._language = LANGUAGES[kind]
        self._starts = _starts(kind)
        self.tokens: list[Token] = []
        self._here: tuple[int, int] | None = None
        """Where the line of a here-document's mark ends, and where reading goes on behind its content."""
        self._open: set[str] = set()
        """Words of here-documents that nothing ends from here on."""
        self._misses = 0
        self._code(0, "", 0)

    def _code(self, at: int, stop: str, depth: int) -> int:
        """Read code from `at` to the bracket `stop` that closes it, or to the end; return where that is."""
        level = 0
        while (match := self._starts.search(self._text, at)) is not None:
            if self._here is not None and match.start() >= self._here[0]:
                at, self._here = self._here[1], None
                continue
            at = match.end()
            name = next((key for key, found in match.groupdict().items() if found is not None and key[0] != "g"), "")
            if not name:
                level += (match.group() == _OPENS.get(stop)) - (match.group() == stop)
                if level < 0:
                    return match.start()
            elif name[0] == "q":
                at = self._string(
                    match, self._language.quotes[int(name[1:])], match.groupdict().get(f"g{name[1:]}") or "", depth
                )
            else:
                at = self._comment_end(at, name)
                self.tokens.append(Token(None, match.start(), match.end(), at, at))
        return len(self._text)

    def _string(self, opening: re.Match[str], quote: Quote, group: str, depth: int) -> int:
        """Read a string's body; add its token; return where reading goes on."""
        text, start = self._text, opening.end()
        if quote.here:
            self._document(start, quote, group, depth)
            return start
        if not quote.close:  # of a form that is not read to its end: what follows on its line is taken for it
            end = max(text.find("\n", start), start)
            self.tokens.append(Token(quote, opening.start(), start, end, end))
            return start
        close = quote.close.format(group)
        token = Token(quote, opening.start(), start, -1, -1)
        at = start
        while (match := _pieces(quote, close).search(text, at)) is not None:
            found, at = match.group(), match.end()
            if found == close:
                if quote.doubled and text.startswith(close, at):
                    at += len(close)
                    continue
                token.close, token.end = match.start(), at
                self.tokens.append(token)
                return at
            if quote.field and re.fullmatch(quote.field, found):
                if depth == _DEEPEST or self._misses >= _MAX_MISSES:
                    continue
                end = self._code(at, _PAIRS[found[-1]], depth + 1)
                if end == len(text):  # each miss is read to the text's end, so a broken text gets only so many
                    self._misses += 1
                    return start
                token.fields.append((match.start(), end + 1))
                at = end + 1
            elif found[0] in "\r\n" and not quote.lines:
                return match.start()
        return start

    def _document(self, at: int, quote: Quote, word: str, depth: int) -> None:
        """Read a here-document whose mark ends at `at`: its content is a string of its own, below the line."""
        text = self._text
        line = text.find("\n", at) + 1 or len(text)
        start = self._here[1] if self._here is not None and self._here[0] == line else line
        closing = None
        if word not in self._open:
            closing = re.compile(quote.here.format(re.escape(word)), re.MULTILINE).search(text, start)
        if closing is None:
            self._open.add(word)
            return
        token = Token(quote, start, start, closing.start(), closing.start())
        self._here = None
        if quote.field and depth < _DEEPEST:
            inner = start
            while (found := re.compile(quote.field).search(text, inner, closing.start())) is not None:
                inner = self._code(found.end(), _PAIRS[found.group()[-1]], depth + 1) + 1
                token.fields.append((found.start(), inner))
        self.tokens.append(token)
        self._here = (line, closing.end())

    def _comment_end(self, at: int, name: str) -> int:
        if name[0] == "l":
            end = _LINE_END.search(self._text, at)
            return end.start() if end else len(self._text)
        begin, close = self._language.block_comments[int(name[1:])]
        level = 1
        pattern = re.compile(re.escape(close) + (f"|{re.escape(begin)}" if self._language.nested else ""))
        while level and (match := pattern.search(self._text, at)) is not None:
            level += 1 if match.group() == begin else -1
            at = match.end()
        return at if not level else len(self._text)


def blank(text: str, tokens: Iterable[Token]) -> str:
    """Return the text with every string's body and every comment as blanks of the same length; quotes stay."""
    pieces: list[str] = []
    at = 0
    for token in sorted(tokens, key=lambda found: (found.start, -found.end)):
        if token.start < at:
            continue
        start, close = (token.body, token.close) if token.quote else (token.start, token.end)
        pieces += [text[at:start], re.sub(r"[^\r\n]", " ", text[start:close])]
        at = close
    return "".join([*pieces, text[at:]])


def outline(code: str, at: int, size: int) -> str:
    """Return the last `size` characters of code before `at` (blanked), and before them, however far up they are, the heads
    of the brackets that are still open: of a list of a hundred lines too one sees what it is a list of.
    """
    start, still_open = max(0, at - size), list[int]()
    for match in _BRACKET.finditer(code, 0, start):
        opening = _OPENS.get(match.group())
        if opening is None:
            still_open.append(match.start())
        elif still_open and code[still_open[-1]] == opening:
            still_open.pop()
    heads = [code[max(0, place - _HEAD) : place + 1] for place in still_open[-_DEEPEST:]]
    return "".join([*heads, code[start:at]])
