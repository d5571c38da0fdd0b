"""POSIX shells and bash: a word, or a part of one, becomes `"${NAME}"`, whatever quotes are around it.

Quoting is that of POSIX, Shell Command Language, 2.2, and bash's `$'…'`; here-documents are 2.7.4.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from locum.rewrite.plan import Plan
from locum.rewrite.target import NoSafeEdit, Target
from locum.text.edits import Edit

_CODE = re.compile(
    r"(?P<skip>\\.)|(?P<single>'[^']*')|(?P<ansi>\$'(?:[^'\\]|\\.)*')|(?P<double>\")"
    r"|(?P<comment>(?:(?<=[\s;|&()])|^)#[^\r\n]*)"
    r"|(?P<here><<(?!<)(?P<dash>-?)[ \t]*(?P<mark>['\"\\]?)(?P<word>[\w.-]+)(?P=mark)?)|(?P<line>\n)"
    r"|(?P<open>\$?\()|(?P<close>\))",
    re.DOTALL | re.MULTILINE,
)
_DOUBLE = re.compile(r'\\.|"|\$\(|`', re.DOTALL)
_MIXED = re.compile(r"(?<!\\)(?:\\\\)*[$`]")
_PLAIN = re.compile(r"[^\s;&|<>()'\"`$\\*?\[\]{}~#!^]+")
_FORMAT = re.compile(r"\bprintf[ \t]+(?:-v[ \t]+\w+[ \t]+)?(?:--[ \t]+)?(?:\"[^\"]*|'[^']*)?\Z")
_WORD, _WORD_ENDS = re.compile(r"[^\s'\"]*\Z"), re.compile(r"[^\s'\"]*")
_ESCAPE = re.compile(r"\\([\\\"$`\n])")
_ANSI = re.compile(r"\\(.)", re.DOTALL)
_SIMPLE = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"'}
_DEEPEST = 16


@dataclass(frozen=True, slots=True)
class _Piece:
    kind: str
    start: int
    end: int
    """With quotes."""
    margin: int = 1
    """How long the opening quote is; the closing one is one long, or none when this is none."""


def rewrite(target: Target) -> Plan:
    """Replace the secret by an expansion of the variable."""
    around = [piece for piece in _Pieces(target.text).pieces if piece.start <= target.start and target.end <= piece.end]
    piece = max(around, key=lambda found: found.start, default=None)
    if piece is None:
        return _bare(target)
    if piece.kind == "comment":
        return target.as_prose("comment")
    if piece.kind == "literal":
        raise NoSafeEdit(
            "the here-document's word is quoted, so that nothing in it is expanded: take the quotes away first"
        )
    body = (piece.start + piece.margin, piece.end - min(piece.margin, 1))
    if not body[0] <= target.start <= target.end <= body[1]:
        raise NoSafeEdit("the secret is more than the content of one string")
    written = f"${{{target.name}}}"
    whole = target.covers(*body)
    if piece.kind in {"double", "here"}:
        return _plan(target, Edit(target.start, target.end, written), _expanded(target, piece.kind, body[0]), body)
    value = target.raw if piece.kind == "single" else _ansi(target, body)
    quote = target.text[piece.start : body[0]]
    edit = (
        Edit(piece.start, piece.end, f'"{written}"')
        if whole
        else Edit(target.start, target.end, f'\'"{written}"{quote}')
    )
    return _plan(target, edit, value, body)


def _bare(target: Target) -> Plan:
    if not _PLAIN.fullmatch(target.raw):
        raise NoSafeEdit("the secret is not inside of one word: put it into single quotes first")
    if target.text[max(0, target.start - 1) : target.start] in {"\\", "$"}:
        raise NoSafeEdit("the secret begins inside of an escape")
    left, right = _WORD.search(target.text[: target.start]), _WORD_ENDS.match(target.text, target.end)
    word = (left.start() if left else target.start, right.end() if right else target.end)
    return _plan(target, Edit(target.start, target.end, f'"${{{target.name}}}"'), target.raw, word)


def _plan(target: Target, edit: Edit, value: str, body: tuple[int, int]) -> Plan:
    before = target.text[: edit.start]
    if _FORMAT.search(before[-80:]) and re.search(r"[%\\]", value):
        raise NoSafeEdit("it is the format of printf: pass the secret as an argument, with %s in its place")
    note = target.run_note(*body)
    own = re.search(rf"(?:^|[\s;])(?:export[ \t]+)?{re.escape(target.name)}=['\"]?$", before)
    if own is not None:
        note = f"The assignment now keeps what the environment has. {note}"
    return target.plan((edit,), value, f"${{{target.name}}}", note)


def _expanded(target: Target, kind: str, start: int) -> str:
    """Return what double quotes or a here-document make of the secret."""
    raw = target.raw
    if _MIXED.search(raw):
        raise NoSafeEdit("the value is put together from other variables or commands")
    before = re.search(r"\\*$", target.text[start : target.start])
    if (before and len(before.group()) % 2) or re.search(r"(?<!\\)(?:\\\\)*\\$", raw):
        raise NoSafeEdit("the secret begins or ends inside of an escape")
    if kind == "here" and '\\"' in raw:
        raise NoSafeEdit("the secret has a backslash before a quote: write it plainly first")
    return _ESCAPE.sub(lambda match: "" if match[1] == "\n" else match[1], raw)


def _ansi(target: Target, body: tuple[int, int]) -> str:
    if "\\" in target.text[body[0] : target.start] or not all(
        match[1] in _SIMPLE for match in _ANSI.finditer(target.raw)
    ):
        raise NoSafeEdit("the secret is spelt with an escape that is not read here: write it plainly first")
    if re.search(r"(?<!\\)(?:\\\\)*\\$", target.raw):
        raise NoSafeEdit("the secret ends inside of an escape")
    return _ANSI.sub(lambda match: _SIMPLE[match[1]], target.raw)


class _Pieces:
    """Strings, comments and here-documents of a script, those in command substitutions too."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._waiting: list[re.Match[str]] = []
        self.pieces: list[_Piece] = []
        self._code(0, 0)

    def _code(self, at: int, depth: int) -> int:
        """Read up to the bracket that closes a substitution, or to the end; return what stands behind it."""
        level = 0
        while (match := _CODE.search(self._text, at)) is not None:
            at = match.end()
            match match.lastgroup:
                case "single":
                    self.pieces.append(_Piece("single", match.start(), at))
                case "ansi":
                    self.pieces.append(_Piece("ansi", match.start(), at, 2))
                case "comment":
                    self.pieces.append(_Piece("comment", match.start(), at, 0))
                case "double":
                    at = self._double(match.start(), depth)
                case "line":
                    at = self._here_documents(at)
                case "open":
                    level += 1
                case "close":
                    if depth and not level:
                        return at
                    level = max(0, level - 1)
                case _:
                    if match["here"]:
                        self._waiting.append(match)
        return len(self._text)

    def _double(self, start: int, depth: int) -> int:
        at = start + 1
        while (match := _DOUBLE.search(self._text, at)) is not None:
            at = match.end()
            if match.group() == '"':
                self.pieces.append(_Piece("double", start, at))
                return at
            if match.group() == "$(":
                if depth == _DEEPEST:
                    break
                at = self._code(at, depth + 1)
        return start + 1

    def _here_documents(self, at: int) -> int:
        for here in self._waiting:
            tabs = r"\t*" if here["dash"] else ""
            end = re.compile(rf"^{tabs}{re.escape(here['word'])}\r?$", re.MULTILINE).search(self._text, at)
            stop = end.start() if end else len(self._text)
            self.pieces.append(_Piece("literal" if here["mark"] else "here", at, stop, 0))
            at = end.end() if end else stop
        self._waiting = []
        return at
