"""Blocks, attributes, strings and comments of HCL's native syntax. Tolerant; offsets are code points.

Facts are those of the HCL Native Syntax Specification. Knows neither Terraform nor any other program that reads HCL.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from locum.rewrite.target import NoSafeEdit

_CODE = re.compile(
    r"""(?P<comment>\#[^\r\n]*|//[^\r\n]*|/\*.*?(?:\*/|\Z)) | (?P<here><<(?P<flush>-?)(?P<mark>[A-Za-z_][\w-]*)[ \t]*\r?\n)
      | (?P<quote>") | (?P<line>\r?\n) | (?P<word>[A-Za-z_][\w-]*) | (?P<blank>[ \t]+)
      | (?P<sign>==|=>|<=|>=|!=|&&|\|\||.)""",
    re.VERBOSE | re.DOTALL,
)
_PIECE = re.compile(r'\\.|\$\$\{|%%\{|[$%]\{|"|\r?\n', re.DOTALL)
_UNIT = re.compile(r"\\(?:u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)|\$\$\{|%%\{|.", re.DOTALL)
_HERE_UNIT = re.compile(r"\$\$\{|%%\{|.", re.DOTALL)
_SIMPLE = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}
_PAIRS = {"{": "}", "(": ")", "[": "]"}
_DEEPEST, _MAX_MISSES = 40, 8


@dataclass(frozen=True, slots=True)
class String:
    """A quoted or here-document template: `[start, end)` with its marks, `[body, close)` without."""

    start: int
    body: int
    close: int
    end: int
    here: str = ""
    """Of a here-document: `<<` or `<<-`."""
    fields: tuple[tuple[int, int], ...] = ()
    """The spans of its `${…}` and `%{…}`."""


@dataclass(slots=True)
class Attribute:
    """`name = …`; `[start, end)` is all of it, `equals` where its sign stands."""

    name: str
    start: int
    equals: int
    end: int


@dataclass(slots=True)
class Block:
    """A block, or the file itself. `words` are its type and labels; `[body, close)` stands between its braces."""

    words: tuple[str, ...]
    start: int
    body: int
    close: int = -1
    parent: Block | None = None
    attributes: list[Attribute] = field(default_factory=list[Attribute])

    def attribute(self, name: str) -> Attribute | None:
        """Return the attribute of this name."""
        return next((found for found in self.attributes if found.name == name), None)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a string stands that is in no other string."""

    string: String
    block: Block
    attribute: Attribute | None
    """None: it is a label of a block, or the text is broken."""
    inside: str
    """The brackets of the attribute's expression that are open around it, outer ones first."""


class Reader:
    """Reads one text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.comments: list[tuple[int, int]] = []
        self.strings: list[String] = []
        """All, also those in the fields of others."""
        self.places: list[Place] = []
        self.file = Block((), 0, 0)
        self.blocks: list[Block] = []
        self._open: set[str] = set()
        """Marks of here-documents that nothing ends from here on."""
        self._deepest, self._misses = _DEEPEST, 0
        self._block = self.file
        self._current: Attribute | None = None
        self._inside = ""
        self._words: list[tuple[int, str]] = []
        """Of a statement that has no `=` yet, with their places."""
        at = 0
        while (match := _CODE.match(text, at)) is not None:
            at = self._step(match)
        self.file.close = len(text)

    def _step(self, match: re.Match[str]) -> int:
        """Take one piece of code; return where reading goes on."""
        at = match.end()
        match match.lastgroup:
            case "comment":
                self.comments.append(match.span())
            case "line":
                if not self._inside:
                    self._current, self._words = None, []
            case "word":
                if self._current is None:
                    self._words.append((match.start(), match.group()))
                else:
                    self._current.end = at
            case "sign":
                self._sign(match.group(), match.start(), at)
            case _:
                if (match["quote"] or match["here"]) and (string := self._string(match, 0)) is not None:
                    self._place(string)
                    return string.end
        return at

    def _place(self, string: String) -> None:
        self.places.append(Place(string, self._block, self._current, self._inside))
        if self._current is None:
            self._words.append((string.start, self._text[string.body : string.close]))
        else:
            self._current.end = string.end

    def _sign(self, sign: str, start: int, end: int) -> None:
        if self._current is None and not self._inside and self._opens(sign, start, end):
            return
        if sign in _PAIRS:
            self._inside += sign
        elif self._inside and sign == _PAIRS[self._inside[-1]]:
            self._inside = self._inside[:-1]
        elif sign == "}" and self._block.parent is not None:
            self._block.close = start
            self._block, self._current, self._inside, self._words = self._block.parent, None, "", []
            return
        if self._current is not None:
            self._current.end = end

    def _opens(self, sign: str, start: int, end: int) -> bool:
        """Begin an attribute or a block, if this sign does."""
        words = self._words
        if sign == "=" and len(words) == 1:
            self._current = Attribute(words[0][1], words[0][0], start, end)
            self._block.attributes.append(self._current)
            return True
        if sign == "{" and words:
            self._block = Block(tuple(word for _, word in words), words[0][0], end, -1, self._block)
            self.blocks.append(self._block)
            self._words = []
            return True
        return False

    def _string(self, match: re.Match[str], depth: int) -> String | None:
        """Read the string that begins with this match, and those in its fields; None where it does not end."""
        text, start = self._text, match.end()
        fields: list[tuple[int, int]] = []
        if match["here"]:
            ends = None
            if match["mark"] not in self._open:
                ends = re.compile(rf"^[ \t]*{re.escape(match['mark'])}[ \t]*(?=\r?$)", re.MULTILINE).search(text, start)
            if ends is None:
                self._open.add(match["mark"])
                return None
            at = start
            while (piece := _PIECE.search(text, at, ends.start())) is not None:
                at = piece.end()
                if piece.group() in {"${", "%{"}:
                    at = self._field(piece.start(), at, depth, fields)
                elif piece.group().startswith("\\"):
                    at = piece.start() + 1
            found = String(match.start(), start, ends.start(), ends.end(), f"<<{match['flush']}", tuple(fields))
            self.strings.append(found)
            return found
        at = start
        while (piece := _PIECE.search(text, at)) is not None:
            at = piece.end()
            if piece.group() == '"':
                found = String(match.start(), start, piece.start(), at, "", tuple(fields))
                self.strings.append(found)
                return found
            if piece.group() in {"${", "%{"}:
                at = self._field(piece.start(), at, depth, fields)
            elif piece.group() in {"\n", "\r\n"}:
                return None
        return None

    def _field(self, start: int, at: int, depth: int, fields: list[tuple[int, int]]) -> int:
        """Read `${…}` up to its brace; return what stands behind it."""
        level = 0
        while depth < self._deepest and (match := _CODE.match(self._text, at)) is not None:
            at = match.end()
            if match["quote"] or match["here"]:
                string = self._string(match, depth + 1)
                if string is None:
                    self._miss()
                    break
                at = string.end
            elif match.group() == "{":
                level += 1
            elif match.group() == "}":
                level -= 1
                if level < 0:
                    break
        else:
            self._miss()
        fields.append((start, at))
        return at

    def _miss(self) -> None:
        """Count a field that does not end. Each was read to the text's end: soon, fields are taken for text."""
        self._misses += 1
        if self._misses >= _MAX_MISSES:
            self._deepest = 0

    def decoded(self, string: String, start: int, end: int) -> str:
        """Return what `[start, end)` of a string means. Raises NoSafeEdit where an edge is none, or for a field in it."""
        if any(first < end and start < last for first, last in string.fields):
            raise NoSafeEdit("the value is put together from other values")
        units = list(self._units(string))
        edges = {string.close, *(first for first, _ in units)}
        if start not in edges or end not in edges:
            raise NoSafeEdit("the secret begins or ends inside of an escape")
        value = "".join(_meaning(unit, string) for first, unit in units if start <= first < end)
        value = value.replace("\r\n", "\n")
        return self._flush(string, start, value) if string.here == "<<-" else value

    def _units(self, string: String) -> Iterator[tuple[int, str]]:
        unit = _HERE_UNIT if string.here else _UNIT
        for match in unit.finditer(self._text, string.body, string.close):
            yield match.start(), match.group()

    def _flush(self, string: String, start: int, value: str) -> str:
        """Take away the margin that all lines of a `<<-` here-document have."""
        lines = self._text[string.body : string.close].splitlines()
        margin = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
        first, *others = value.split("\n")
        line_start = max(self._text.rfind("\n", 0, start) + 1, string.body)
        cut = max(0, margin - (start - line_start))
        return "\n".join([first[cut:], *(line[margin:] for line in others)])


def _meaning(unit: str, string: String) -> str:
    if unit in {"$${", "%%{"}:
        return unit[1:]
    if string.here or not unit.startswith("\\"):
        return unit
    kind, digits = unit[1], unit[2:]
    if kind in "uU" and digits:
        number = int(digits, 16)
        if number <= 0x10FFFF and not 0xD800 <= number < 0xE000:
            return chr(number)
    elif kind in _SIMPLE:
        return _SIMPLE[kind]
    raise NoSafeEdit("the string has an escape that HCL does not know")
