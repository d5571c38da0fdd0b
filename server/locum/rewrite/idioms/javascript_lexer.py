"""Where strings, templates, comments and JSX lie in JavaScript and TypeScript. Tolerant; offsets are code points.

No parser: what is needed is which characters are content and what stands beside them. Whether `/` divides or begins a
regular expression, and whether `<` compares or begins an element, is told from the token before, as the grammar nearly
always allows.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

_CODE = re.compile(
    r"""(?P<blank>[\s\ufeff]+)
      | (?P<comment>//[^\r\n]*|/\*.*?(?:\*/|\Z)|\A\#![^\r\n]*)
      | (?P<string>"(?:[^"\\\r\n]|\\(?:\r\n|.))*"?|'(?:[^'\\\r\n]|\\(?:\r\n|.))*'?)
      | (?P<word>[\w$]+)
      | (?P<punct>=>|\?\.|\+\+|--|.)""",
    re.VERBOSE | re.DOTALL,
)
_REGEX = re.compile(r"/(?:[^/\\\[\r\n]|\\.|\[(?:[^\]\\\r\n]|\\.)*\])+/\w*")
_CHUNK = re.compile(r"(?:[^`\\$]|\\(?:\r\n|.|\Z)|\$(?!\{))*", re.DOTALL)
_TAG = re.compile(
    r"""(?P<blank>\s+) | (?P<comment>//[^\r\n]*|/\*.*?(?:\*/|\Z)) | (?P<attribute>"[^"]*"?|'[^']*'?)
      | (?P<end>/\s*>|>) | (?P<brace>\{) | (?P<word>[\w$.:-]+) | (?P<punct>.)""",
    re.VERBOSE | re.DOTALL,
)
_CLOSING_TAG = re.compile(r"</[^>]*(?:>|\Z)")
_TEXT = re.compile(r"[^<{]+")
_ELEMENT = re.compile(r"<(?=[A-Za-z_$>])(?!\s*[\w$]+\s*(?:,|extends\b))")
_BEFORE_OPERAND = frozenset(
    (
        "await", "case", "default", "delete", "do", "else", "in", "instanceof", "new", "of", "return", "throw",
        "typeof", "void", "yield",
    )
)  # fmt: skip
_MAX_MISSES = 60
_HEADS = frozenset({"if", "while", "for", "with"})
_MEANINGFUL_OPENERS = frozenset({"enum", "interface", "type"})

Kind = Literal["word", "punct", "string", "template", "attribute", "text", "regex"]


@dataclass(slots=True)
class Template:
    """One template literal; `end` is set when its closing backtick is seen."""

    start: int
    tagged: bool
    end: int = -1


@dataclass(frozen=True, slots=True)
class Token:
    """Something that is neither space nor comment. A template comes as one token for each stretch of text."""

    kind: Kind
    start: int
    end: int
    text: str = field(default="", repr=False)
    """Of words and punctuation."""
    opener: str = ""
    """The word that gave the innermost open bracket its sense: enum, interface, type."""
    template: Template | None = None


@dataclass(slots=True)
class _Frame:
    mode: Literal["code", "template", "tag", "children"]
    brackets: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Of code: what is open, and the word before it."""
    template: Template | None = None


class Lexed:
    """The tokens and comments of one text."""

    def __init__(self, text: str, *, jsx: bool) -> None:
        self.text = text
        self.jsx = jsx
        self.tokens: list[Token] = []
        self.comments: list[tuple[int, int]] = []
        self._frames = [_Frame("code")]
        self._position: int = 0
        self._misses: int = 0
        self._operand: bool = True  # whether an operand may begin here
        steps: dict[str, Callable[[_Frame], None]] = {
            "code": self._code,
            "template": self._chunk,
            "tag": self._tag,
            "children": self._children,
        }
        while self._position < len(text) and self._frames:
            steps[self._frames[-1].mode](self._frames[-1])

    def _add(self, kind: Kind, start: int, end: int, template: Template | None = None) -> None:
        text = self.text[start:end] if kind in {"word", "punct"} else ""
        brackets = self._frames[-1].brackets
        opener = brackets[-1][1] if brackets else ""
        self.tokens.append(Token(kind, start, end, text, opener, template))
        self._position = end

    def _code(self, frame: _Frame) -> None:
        match = _CODE.match(self.text, self._position)
        if match is None:
            self._position += 1
            return
        kind = match.lastgroup
        start, end = match.span()
        if kind == "blank":
            self._position = end
        elif kind == "comment":
            self.comments.append((start, end))
            self._position = end
        elif kind == "string":
            self._add("string", start, end)
            self._operand = False
        elif kind == "word":
            self._add("word", start, end)
            member = len(self.tokens) > 1 and self.tokens[-2].text in {".", "?."}
            self._operand = match.group() in _BEFORE_OPERAND and not member
        else:
            self._punctuation(frame, start, match.group())

    def _punctuation(self, frame: _Frame, start: int, text: str) -> None:
        if text == "`":
            template = Template(start, not self._operand)
            self._frames.append(_Frame("template", template=template))
            self._position = start + 1
        elif text == "/" and self._operand and (regex := self._regex(start)):
            self._add("regex", start, regex.end())
            self._operand = False
        elif text == "<" and self.jsx and self._operand and _ELEMENT.match(self.text, start):
            self._add("punct", start, start + 1)
            self._frames.append(_Frame("tag"))
        elif text in "([{":
            word = self._word_before()
            self._add("punct", start, start + 1)
            frame.brackets.append((text, word))
            self._operand = True
        elif text in ")]}":
            self._close(frame, start, text)
        else:
            self._add("punct", start, start + len(text))
            self._operand = text not in {"++", "--"} or self._operand

    def _regex(self, start: int) -> re.Match[str] | None:
        """Match a regular expression; each miss reads to the end of the line, so a broken text gets only so many."""
        match = _REGEX.match(self.text, start) if self._misses < _MAX_MISSES else None
        self._misses += match is None
        return match

    def _close(self, frame: _Frame, start: int, text: str) -> None:
        if text == "}" and not frame.brackets and len(self._frames) > 1:  # the end of `${…}` or of JSX's `{…}`
            self._frames.pop()
            self._position = start + 1
            return
        opened = frame.brackets.pop() if frame.brackets else ("", "")
        self._add("punct", start, start + 1)
        self._operand = text == "}" or (text == ")" and opened[1] in _HEADS)

    def _word_before(self) -> str:
        """Return the word that tells what the bracket about to open is."""
        recent = [token.text for token in self.tokens[-4:]]
        last = recent[-1] if recent else ""
        if last in _HEADS:
            return last
        named = {word for word in recent if word in _MEANINGFUL_OPENERS}
        if "enum" in recent[-2:] or "interface" in named:
            return "enum" if "enum" in recent[-2:] else "interface"
        return "type" if recent[-3:-2] == ["type"] and last == "=" else ""

    def _chunk(self, frame: _Frame) -> None:
        template = frame.template
        match = _CHUNK.match(self.text, self._position)
        end = match.end() if match else self._position
        self._add("template", self._position, end, template)
        if self.text.startswith("${", end):
            self._frames.append(_Frame("code"))
            self._position, self._operand = end + 2, True
            return
        if template is not None and end < len(self.text):
            template.end = end + 1
        self._frames.pop()
        self._position, self._operand = end + 1, False

    def _tag(self, frame: _Frame) -> None:
        match = _TAG.match(self.text, self._position)
        if match is None:
            self._position += 1
            return
        kind = match.lastgroup
        start, end = match.span()
        self._position = end
        if kind == "comment":
            self.comments.append((start, end))
        elif kind == "attribute":
            self._add("attribute", start, end)
        elif kind == "brace":
            self._frames.append(_Frame("code"))
            self._operand = True
        elif kind == "end" and match.group() == ">":
            frame.mode = "children"
        elif kind == "end":
            self._end_element()

    def _children(self, _frame: _Frame) -> None:
        start = self._position
        if closing := _CLOSING_TAG.match(self.text, start):
            self._position = closing.end()
            self._end_element()
        elif self.text.startswith("<", start):
            self._frames.append(_Frame("tag"))
            self._position = start + 1
        elif self.text.startswith("{", start):
            self._frames.append(_Frame("code"))
            self._position, self._operand = start + 1, True
        elif match := _TEXT.match(self.text, start):
            self._add("text", start, match.end())

    def _end_element(self) -> None:
        self._frames.pop()
        self._operand = False
