"""YAML: a scalar becomes a reference; where the file's reader expands variables itself, what it expands.

Quotes stay as they are. A reference is a valid plain scalar in block and in flow style.
"""

from __future__ import annotations

import re

from locum.rewrite.idioms import kubernetes
from locum.rewrite.idioms.forms import Choice, check_plain, choose, replaced_span
from locum.rewrite.idioms.spelling import STYLES, is_yaml_text
from locum.rewrite.idioms.yaml_scanner import Piece, goes_on, keys_above, pieces
from locum.rewrite.plan import Plan
from locum.rewrite.target import NoSafeEdit, Target
from locum.text.edits import Edit

_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*=")
_LINE_END = re.compile(r"\r\n|\n|\r")
_LINES = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+")
_DOUBLE_UNIT = re.compile(r"\\.|.", re.DOTALL)
_NAMED = re.compile(r"name:[ \t]*[\"']?(?P<name>\w+)[\"']?[ \t]*\r?\n[ \t]*value:[ \t]*[\"']?\Z")
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
    keys = keys_above(target.text, piece.start if piece.header < 0 else piece.header)
    choice = choose(target, keys)
    _check_definition(target, choice, keys, piece.start)
    encoded = any(start <= piece.start < end for start, end in kubernetes.yaml_data(target.text))
    if piece.kind == "block":
        return _block(target, piece, choice, encoded=encoded)
    start, end = _body(target, piece)
    if _LINE_END.search(target.text, start, end) or goes_on(target.text, piece):
        raise NoSafeEdit("the value runs over several lines")
    assignment = _ASSIGNMENT.match(target.text, start, end)
    if assignment and target.start >= assignment.end():  # `- KEY=value`, a list of variables
        start = assignment.end()
    start, end, about = replaced_span(target, choice, start, end)
    value = _decode(target, piece, start, end)
    if encoded:
        return target.plan((Edit(start, end, choice.written),), kubernetes.decoded(value), choice.written, choice.note)
    check_plain(choice, value)
    if choice.form.dollars:
        value = value.replace("$$", "$")
    if not choice.form.inside and piece.kind == "plain" and not is_yaml_text(target.text[piece.start : piece.end]):
        about += "YAML took it for a number or the like; the copy has it as text. "
    edit = _edit(target, piece, choice, start, end)
    return target.plan((edit,), value, choice.written, about + choice.note)


def _check_definition(target: Target, choice: Choice, keys: str, offset: int) -> None:
    """Refuse `variables: NAME: $(NAME)`, which defines a variable by itself, for readers that then know no other."""
    if not choice.form.defines or "variables/" not in f"/{keys}/".lower():
        return
    last = keys.rpartition("/")[2]
    named = _NAMED.search(target.text[max(0, offset - 200) : offset]) if last == "value" else None
    if (named["name"] if named else last).upper() == target.name.upper():
        raise NoSafeEdit(
            "a variable cannot be defined by itself: take the entry out, "
            "and the pipeline's own secret variable of that name takes its place"
        )


def _edit(target: Target, piece: Piece, choice: Choice, start: int, end: int) -> Edit:
    """Write the form as the scalar's quotes need it; a plain scalar gets quotes where it must."""
    if piece.kind != "plain":
        return Edit(start, end, STYLES[f"yaml-{piece.kind}"].encode(choice.written))
    if piece.flow and "{" in choice.written:
        raise NoSafeEdit("braces cannot stand here without quotes: put the value in quotes first")
    try:
        STYLES["yaml-plain"].encode(target.text[piece.start : start] + choice.written + target.text[end : piece.end])
    except NoSafeEdit:
        if (start, end) != (piece.start, piece.end):
            raise NoSafeEdit("this value needs quotes afterwards: put it in quotes first") from None
        return Edit(start, end, f'"{choice.written}"')
    return Edit(start, end, choice.written)


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


def _decode(target: Target, piece: Piece, start: int, end: int) -> str:
    """Return what `[start, end)` of a scalar means."""
    raw = target.text[start:end]
    if piece.kind == "double":
        edges = {piece.end - 1}
        edges.update(match.start() for match in _DOUBLE_UNIT.finditer(target.text, piece.start + 1, end))
        if start not in edges or _CUT_ESCAPE.search(raw):
            raise NoSafeEdit("the secret begins or ends inside of an escape")
    return STYLES[f"yaml-{piece.kind}"].decode(raw)


def _block(target: Target, piece: Piece, choice: Choice, *, encoded: bool) -> Plan:
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
        value = value.rstrip("\n") + ("" if "-" in piece.marks or text[-1] not in "\r\n" else "\n")
    end = piece.end
    tail = _LINE_END.search(target.text, target.end)
    if "+" not in piece.marks and tail:
        end = tail.end()  # blank lines below are layout
    newline = target.newline if target.text[piece.end - 1] in "\r\n" else ""
    data = kubernetes.decoded(value) if encoded else value
    check_plain(choice, value)
    quote = "" if choice.written.startswith("locum:") else '"'
    edit = Edit(piece.header, end, f"{quote}{choice.written}{quote}{newline}")
    return target.plan((edit,), data, choice.written, choice.note)
