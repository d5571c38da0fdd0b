"""YAML: a scalar becomes a reference; where the file's reader expands variables itself, what it expands.

Quotes stay as they are. A reference is a valid plain scalar in block and in flow style.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from locum.rewrite.idioms.yaml_scanner import Piece, pieces
from locum.rewrite.plan import Plan
from locum.rewrite.target import NoSafeEdit, Target
from locum.text.edits import Edit


@dataclass(frozen=True, slots=True)
class _Form:
    """What a certain reader of YAML puts a value in the place of."""

    path: str
    write: str
    note: str
    inside: bool = True
    """Whether it may stand in the middle of a longer scalar."""


# The first pattern that matches the whole path (lower case) decides.
_FORMS = (
    _Form(
        r"(.*/)?(docker-)?compose[^/]*\.ya?ml",
        "${{{name}}}",
        "Start it with 'locum run --secret {name} -- docker compose …', which sets the variable.",
    ),
    _Form(
        r"(.*/)?\.(github|gitea|forgejo)/(workflows|actions)/.*",
        "${{{{ secrets.{name} }}}}",
        "Give the repository this secret too: 'gh secret set {name}'.",
    ),
    _Form(
        r".*",
        "locum://{name}",
        "Nothing resolves references in YAML by itself: the program that reads this file must take the value from the "
        "variable {name} when it sees locum://{name}.",
        inside=False,
    ),
)
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*=")
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", re.DOTALL)
_ESCAPES = {"0": "\0", "a": "\a", "b": "\b", "t": "\t", "\t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r",
            "e": "\x1b", " ": " ", '"': '"', "/": "/", "\\": "\\", "N": "\x85", "_": "\xa0", "L": "\u2028",
            "P": "\u2029"}  # fmt: skip
_LINE_END = re.compile(r"\r\n|\n|\r")
_LINES = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+")
_NEXT_LINE = re.compile(r"[ \t]*(?:\r\n|\n|\r)(?:[ \t]*(?:\r\n|\n|\r))*(?P<space> *)(?P<line>[^\r\n]*)")
_BEGINS = re.compile(r"- |[^\s'\"][^:]*:(\s|$)|[\]},]|#")
_DOUBLE_UNIT = re.compile(r"\\.|.", re.DOTALL)
_CUT_ESCAPE = re.compile(r"(?<!\\)(?:\\\\)*\\$")


def rewrite(target: Target) -> Plan:
    """Replace the scalar that holds the secret."""
    for piece in pieces(target.text):
        if piece.end <= target.start:
            continue
        if piece.start > target.start or target.end > piece.end:
            break
        return _rewrite(target, piece)
    raise NoSafeEdit("the secret is not inside of one value or comment")


def _rewrite(target: Target, piece: Piece) -> Plan:
    if piece.kind == "comment":
        return target.as_prose("comment")
    if piece.is_key:
        raise NoSafeEdit("the secret is a key")
    if piece.property:
        raise NoSafeEdit("the value has a tag or an anchor")
    form = next(form for form in _FORMS if re.fullmatch(form.path, target.path.lower()))
    written = form.write.format(name=target.name)
    note = form.note.format(name=target.name)
    if piece.kind == "block":
        return _block(target, piece, written, note)
    if piece.flow and piece.kind == "plain" and "{" in written:
        raise NoSafeEdit("braces cannot stand here without quotes: put the value in quotes first")
    start, end = _body(target, piece)
    if _LINE_END.search(target.text, start, end) or _goes_on(target.text, piece):
        raise NoSafeEdit("the value runs over several lines")
    assignment = _ASSIGNMENT.match(target.text, start, end)
    if assignment and target.start >= assignment.end():  # `- KEY=value`, a list of variables
        start = assignment.end()
    if form.inside:
        start, end = target.start, target.end
    elif not target.covers(start, end):
        if re.search(r"\s", target.text[start:end]):
            raise NoSafeEdit("the secret is a part of a longer text, and YAML cannot put a value into one")
        note = f"The whole value is stored, not only the secret in it. {note}"
    value = _decode(target, piece, start, end)
    if form.write.startswith("${{{name"):
        value = value.replace("$$", "$")  # how Compose spells a dollar sign
    return target.plan((Edit(start, end, written),), value, written, note)


def _body(target: Target, piece: Piece) -> tuple[int, int]:
    if piece.kind == "plain":
        return piece.start, piece.end
    quote = target.text[piece.start]
    if piece.end - piece.start < 2 or target.text[piece.end - 1] != quote:
        raise NoSafeEdit("the string that holds the secret does not end")
    body = piece.start + 1, piece.end - 1
    if not body[0] <= target.start <= target.end <= body[1]:
        raise NoSafeEdit("the secret is more than the content of one string")
    return body


def _goes_on(text: str, piece: Piece) -> bool:
    """Say whether a plain scalar has more lines: the next one is deeper and begins nothing of its own."""
    if piece.kind != "plain":
        return False
    match = _NEXT_LINE.match(text, piece.end)
    if match is None or not match["line"].strip():
        return False
    return len(match["space"]) > piece.indent and not _BEGINS.match(match["line"])


def _decode(target: Target, piece: Piece, start: int, end: int) -> str:
    """Return what `[start, end)` of a scalar means."""
    raw = target.text[start:end]
    if piece.kind == "single":
        quotes = re.fullmatch(r"(?:[^']|'')*", raw)
        if quotes is None:
            raise NoSafeEdit("the secret begins or ends inside of an escape")
        return raw.replace("''", "'")
    if piece.kind != "double":
        return raw
    edges = {piece.end - 1}
    edges.update(match.start() for match in _DOUBLE_UNIT.finditer(target.text, piece.start + 1, end))
    if start not in edges or _CUT_ESCAPE.search(raw):
        raise NoSafeEdit("the secret begins or ends inside of an escape")
    return _ESCAPE.sub(_unescaped, raw)


def _unescaped(match: re.Match[str]) -> str:
    code = match[1]
    if code in _ESCAPES:
        return _ESCAPES[code]
    if code[0] in "xuU" and len(code) > 1 and (number := int(code[1:], 16)) <= 0x10FFFF:
        return chr(number)
    raise NoSafeEdit("the string has an escape that YAML does not know")


def _block(target: Target, piece: Piece, written: str, note: str) -> Plan:
    """A whole `|` scalar, a private key for example, becomes a plain one."""
    text = target.text[piece.start : piece.end]
    lines = [match.group() for match in _LINES.finditer(text)]
    if text.strip() != target.raw.strip():
        raise NoSafeEdit("the secret is a part of a block of text, and YAML cannot put a value into one")
    if piece.marks[0] == ">" or any(mark.isdigit() for mark in piece.marks):
        raise NoSafeEdit("the value is a folded block or one with a set indent")
    first = next(line for line in lines if line.strip())
    indent = len(first) - len(first.lstrip(" "))
    value = "".join(_LINE_END.sub("\n", line[indent:] or "\n") for line in lines)
    if "+" not in piece.marks:
        value = value.rstrip("\n") + ("" if "-" in piece.marks else "\n")
    end = piece.end
    tail = _LINE_END.search(target.text, target.end)
    if "+" not in piece.marks and tail:
        end = tail.end()  # blank lines below are layout
    newline = target.newline if target.text[piece.end - 1] in "\r\n" else ""
    quoted = json.dumps(written) if written.startswith("$") else written
    return target.plan((Edit(piece.header, end, quoted + newline),), value, written, note)
