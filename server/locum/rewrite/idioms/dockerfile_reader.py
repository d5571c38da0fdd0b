"""The instructions of a Dockerfile: where each begins and ends, its here-documents, and the words of ENV and ARG.

Facts are those of Docker's Dockerfile reference. Tolerant; offsets are code points.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from locum.rewrite.target import NoSafeEdit

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r|\Z)")
_HEAD = re.compile(r"[ \t]*(?P<name>[A-Za-z]+)(?:[ \t]+|$)", re.MULTILINE)
_COMMENT = re.compile(r"[ \t]*#")
_DIRECTIVE = re.compile(r"#[ \t]*(?P<key>[A-Za-z]+)[ \t]*=[ \t]*(?P<value>[^\r\n]*?)[ \t]*\r?(?:\n|\Z)")
_HERE = re.compile(r"(?<![^\s\d])<<(?P<dash>-?)(?P<quote>['\"]?)(?P<word>[A-Za-z_]\w*)(?P=quote)")
_WITH_DOCUMENTS = frozenset({"RUN", "COPY", "ADD"})
_FLAG = re.compile(r"--[a-z-]+(?:=\S*)?[ \t]+")
_GAP = re.compile(r"(?:[ \t\r\n]|\\[ \t]*\r?\n|(?<=\n)[ \t]*#[^\r\n]*)+")
_WORD = re.compile(r"""(?!\\[ \t]*\r?\n)(?:'[^']*'|"(?:\\.|[^"\\])*"|\\(?:[ \t]*\r?\n|.)|[^\s'"\\])+""", re.DOTALL)
_UNIT = re.compile(
    r"""'(?P<single>[^']*)'|"(?P<double>(?:\\.|[^"\\])*)"|\\(?P<joint>[ \t]*\r?\n)|\\(?P<escaped>.)|.""", re.DOTALL
)
_IN_DOUBLE = re.compile(r"\\(?:(?P<joint>[ \t]*\r?\n)|(?P<escaped>[\"\\$]))")
_EXPANSION = re.compile(r"(?<!\\)\$")


@dataclass(frozen=True, slots=True)
class Document:
    """A here-document; `[start, end)` is its content."""

    start: int
    end: int
    opens: int
    """Where its `<<` stands."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """`[start, end)` without the line's end; what follows its name begins at `body`."""

    name: str
    start: int
    body: int
    line_end: int
    """Where its own lines end and its here-documents begin."""
    end: int
    comments: tuple[tuple[int, int], ...] = ()
    """Comment lines between its lines."""
    documents: tuple[Document, ...] = field(default=())

    def holds(self, start: int, end: int) -> bool:
        """Say whether `[start, end)` lies behind its name."""
        return self.body <= start and end <= self.end


@dataclass(frozen=True, slots=True)
class Assignment:
    """`NAME=value`, or `ENV NAME value`, at `[start, end)`; the value begins at `value`."""

    name: str
    start: int
    value: int
    end: int


class Reader:
    """Reads one text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.comments: list[tuple[int, int]] = []
        self.instructions: list[Instruction] = []
        self.directives: dict[str, str] = {}
        at = 0
        while (match := _DIRECTIVE.match(text, at)) is not None:
            self.directives.setdefault(match["key"].lower(), match["value"])
            at = match.end()
        self._escape = self.directives.get("escape", "\\")
        at = 0
        while at < len(text):
            at = self._line(at)

    def _line(self, at: int) -> int:
        line = _end(self._text, at)
        if _COMMENT.match(self._text, at):
            self.comments.append((at, line))
            return line
        head = _HEAD.match(self._text, at, line)
        return self._instruction(head, line) if head is not None else line

    def _instruction(self, head: re.Match[str], line: int) -> int:
        text, comments = self._text, list[tuple[int, int]]()
        start = at = head.start("name")
        while at < len(text):
            line = _end(text, at)
            content = text[at:line].rstrip()
            if at != start and _COMMENT.match(text, at):
                comments.append((at, line))
            elif (content or at == start) and not content.endswith(self._escape):
                break
            at = line
        stop = at + len(text[at:line].rstrip("\r\n")) if at < len(text) else len(text)
        name, documents = head["name"].upper(), list[Document]()
        end = stop
        if name in _WITH_DOCUMENTS:
            for here in _HERE.finditer(text, head.end(), stop):
                tabs = r"\t*" if here["dash"] else ""
                closing = re.compile(rf"^{tabs}{re.escape(here['word'])}(?=\r?$)", re.MULTILINE).search(text, line)
                documents.append(Document(line, closing.start() if closing else len(text), here.start()))
                end = closing.end() if closing else len(text)
                line = _end(text, end)
        self.instructions.append(Instruction(name, start, head.end(), stop, end, tuple(comments), tuple(documents)))
        self.comments += comments
        return line

    def command(self, instruction: Instruction) -> int:
        """Return where an instruction's text begins behind its flags."""
        at = instruction.body
        while (flag := _FLAG.match(self._text, at, instruction.line_end)) is not None:
            at = flag.end()
        return at

    def assignments(self, instruction: Instruction) -> list[Assignment]:
        """Return what ENV or ARG sets."""
        text, at, found = self._text, instruction.body, list[Assignment]()
        while at < instruction.line_end:
            gap = _GAP.match(text, at, instruction.line_end)
            at = gap.end() if gap else at
            word = _WORD.match(text, at, instruction.line_end)
            if word is None:
                break
            name, sign, _ = word.group().partition("=")
            if not sign and not found and instruction.name == "ENV":
                gap = _GAP.match(text, word.end(), instruction.line_end)
                value = gap.end() if gap else word.end()
                return [Assignment(name, at, value, instruction.line_end)]
            found.append(Assignment(name, at, at + len(name) + len(sign), word.end()))
            at = word.end()
        return found


def _end(text: str, at: int) -> int:
    match = _LINE.match(text, at)
    return match.end() if match else len(text)


def unquoted(spelt: str) -> str:
    """Return what an assignment's value means. Raises NoSafeEdit when it takes in other variables."""
    parts: list[str] = []
    for unit in _UNIT.finditer(spelt):
        if unit["single"] is not None:
            parts.append(unit["single"])
        elif unit["double"] is not None:
            if _EXPANSION.search(unit["double"]):
                raise NoSafeEdit("the value is put together from other variables")
            parts.append(_IN_DOUBLE.sub(lambda match: match["escaped"] or "", unit["double"]))
        elif unit["joint"] is not None:
            continue
        elif unit["escaped"] is not None:
            parts.append(unit["escaped"])
        elif unit.group() == "$":
            raise NoSafeEdit("the value is put together from other variables")
        else:
            parts.append(unit.group())
    return "".join(parts)
