"""Python: a literal becomes `os.environ["NAME"]`; a part of one becomes a field of an f-string.

What may stand where is asked of the tree where the text parses (a `match` pattern takes no expression); where it does
not parse, of the tokens alone.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Sequence

from locum.rewrite.idioms.python_imports import Access, access, nodes_around, parse, quoting, readable_head
from locum.rewrite.idioms.python_lexer import Token, tokens, units
from locum.rewrite.plan import Plan
from locum.rewrite.target import NoSafeEdit, Target
from locum.rewrite.urls import UNRESERVED, part_of_url
from locum.text.edits import Edit, apply_edits
from locum.text.source import SourceText

_MAGIC = re.compile(r"^[%!]", re.MULTILINE)
_COMMAND = re.compile(r"[ \t]*(?:[!%]|\w+[ \t]*=[ \t]*[!%])")
"""A line of a notebook that runs a shell command or a magic."""
_SAFE = frozenset("!$&()*+,;=:")
"""What may stand in a user name or password as it is (RFC 3986), but for the quote that a string may be in."""
_OTHER_QUOTE = {'"': "'", "'": '"'}


def rewrite(target: Target) -> Plan:
    """Replace the secret by a look at the environment."""
    if target.path.endswith(".ipynb") and _COMMAND.match(target.text[_line_start(target) : target.start]):
        raise NoSafeEdit(
            "IPython reads this line itself: put the value into a variable with os.environ, and use {it} here"
        )
    before, token, after = _around(target)
    if token.kind == "string" and target.end > token.end and (row := _row(target)):
        return _across(target, row)
    if token.kind == "comment":
        return target.as_prose("comment")
    if token.kind != "string":
        raise NoSafeEdit("the secret is not inside of one string or comment")
    if not token.closed:
        raise NoSafeEdit("the string that holds the secret does not end")
    if not (token.body[0] <= target.start and target.end <= token.body[1]):
        raise NoSafeEdit("the secret is more than the content of one string")
    if _is_line(before) and _is_line(after) and not token.has("f"):
        return target.as_prose("docstring")
    source = SourceText(target.text)
    code = _python_of(target, target.text)
    tree, _ = parse(code)
    if tree is not None:
        _check_context(tree, source, token)
    head = tree or readable_head(SourceText(code))
    reach = access(source, head, token.start, target.newline)
    template = _template(tree, source, token)
    literal = _Literal(target, token, reach, (_row_text(target, before), _row_text(target, after)), template)
    if literal.encodes:
        literal.quote, added = quoting(source, head, token.start, target.newline)
        literal.reach = Access(reach.environ, reach.environb, _joined(reach.edits, added, target.newline))
    made = literal.plan()
    if tree is not None and parse(_python_of(target, apply_edits(target.text, made.edits)))[0] is None:
        raise NoSafeEdit("the text would not parse afterwards")
    return made


def _line_start(target: Target) -> int:
    if target.text.startswith("%%"):
        return 0  # all of the cell is the magic's
    return max(target.text.rfind("\n", 0, target.start), target.text.rfind("\r", 0, target.start)) + 1


def _joined(first: tuple[Edit, ...], second: tuple[Edit, ...], newline: str) -> tuple[Edit, ...]:
    """Make one edit of two imports that go to the same place."""
    if not (first and second and first[0].start == second[0].start):
        return (*first, *second)
    text = first[0].new_text.rstrip("\r\n") + newline + second[0].new_text.lstrip("\r\n")
    return (Edit(first[0].start, first[0].end, text),)


def _row(target: Target) -> list[Token]:
    """Return the literals that Python joins, from the one where the secret begins to the one where it ends; or none."""
    row: list[Token] = []
    for token in tokens(target.text):
        if token.end <= target.start:
            continue
        if token.kind != "string" or not token.closed or token.prefix or token.quote != (row or [token])[0].quote:
            return []
        row.append(token)
        if target.end <= token.end:
            inside = row[0].body[0] <= target.start <= row[0].body[1] and token.body[0] <= target.end <= token.body[1]
            return row if inside else []
    return []


def _across(target: Target, row: list[Token]) -> Plan:
    """Put one literal in the place of those that hold the secret together, as a key over lines often is."""
    text, first, last = target.text, row[0], row[-1]
    left, right = text[first.body[0] : target.start], text[target.end : last.body[1]]
    parts: list[str] = []
    for token in row:
        start, end = max(token.body[0], target.start), min(token.body[1], target.end)
        spans = list(units(text, *token.body, raw=False))
        if {start, end} - {token.body[1], *(at for at, _ in spans)}:
            raise NoSafeEdit("the secret begins or ends inside of an escape")
        parts += [text[at:stop] for at, stop in spans if start <= at < end]
    value = _decode(parts, first, raw=False)
    source = SourceText(text)
    tree, _ = parse(text)
    reach = access(source, tree or readable_head(source), first.start, target.newline)
    if "\\N" in left + right or _template(tree, source, first):
        raise NoSafeEdit("the secret is a part of a format over lines: put the value into a variable first")
    inner = _OTHER_QUOTE[first.quote[0]]
    field = f'{{{reach.environ}["{target.name}"]}}'.replace('"', inner)
    doubled = [part.replace("{", "{{").replace("}", "}}") for part in (left, right)]
    written = f"f{first.quote}{doubled[0]}{field}{doubled[1]}{first.quote}"
    if not (left or right or _touches(target, first, last)):
        written = f'{reach.environ}["{target.name}"]'
    edits = (Edit(first.start, last.end, written), *reach.edits)
    return target.plan(edits, value, field, target.run_note(target.start, target.end))


def _touches(target: Target, first: Token, last: Token) -> bool:
    """Say whether a row of literals goes on before or behind these."""
    found = [token for token in tokens(target.text) if token.kind != "comment"]
    strings = [token.start for token in found if token.kind == "string"]
    before = [token for token in found if token.end <= first.start][-1:]
    after = [token for token in found if token.start >= last.end][:1]
    return any(token.start in strings for token in (*before, *after))


def _template(tree: ast.Module | None, source: SourceText, token: Token) -> str:
    """Say which sign counts in a literal that is formatted where it stands."""
    if tree is None:
        return ""
    line = source.line_of(token.start) + 1
    for node in nodes_around(tree, line):
        match node:
            case ast.BinOp(op=ast.Mod(), left=ast.Constant() | ast.JoinedStr() as text):
                sign = "%"
            case ast.Call(
                func=ast.Attribute(attr="format" | "format_map", value=ast.Constant() | ast.JoinedStr() as text)
            ):
                sign = "{"
            case _:
                continue
        if _holds(text, source, line, token):
            return sign
    return ""


def _python_of(target: Target, text: str) -> str:
    """Return what the compiler reads: in a notebook, lines that speak to its shell count as comments."""
    return _MAGIC.sub("#", text) if target.path.endswith(".ipynb") else text


class _Literal:
    """One string literal, its neighbours and the secret in it."""

    def __init__(
        self, target: Target, token: Token, reach: Access, beside: tuple[str | None, str | None], template: str
    ) -> None:
        self.target = target
        self.token = token
        self.reach = reach
        self.beside = beside
        """What the literals before and behind it hold: Python joins a row of them. None: there is none."""
        self.joined = beside != (None, None)
        self.template = template
        """The sign that counts in it, where it is formatted on the spot: `%`, `{` or none."""
        self.raw = token.has("r")
        self.value = self._formatted(self._value())
        self.safe = ""
        """What `quote` leaves alone besides what needs no escape."""
        self.encodes = self._is_encoded()
        self.quote = ""
        """How `urllib.parse.quote` is called, when it encodes."""

    def _is_encoded(self) -> bool:
        """Store what the URL around the secret means, not how it spells it."""
        target, (start, end) = self.target, self.token.body
        left, right = (text or "" for text in self.beside)
        part = part_of_url(left + target.text[start : target.start], target.text[target.end : end] + right)
        try:
            spelt = self.value.decode()
        except UnicodeDecodeError:
            return False
        if part is None:
            return False
        self.safe = "".join(sorted(set(spelt) & _SAFE)) if part.kind == "userinfo" else ""
        plain = part.decoded(spelt, UNRESERVED + self.safe)
        if plain is None:
            return False
        self.value = plain.encode()
        return True

    def _formatted(self, value: bytes) -> bytes:
        """Undo what a format undoes."""
        for sign in {"%": b"%", "{": b"{}"}.get(self.template, b"").decode():
            doubled = sign.encode() * 2
            if sign.encode() in value.replace(doubled, b""):
                raise NoSafeEdit("the value is put together by a format")
            value = value.replace(doubled, sign.encode())
        return value

    def _expression(self, quote: str) -> str:
        """Return what reads the value, with this quote around its strings."""
        read = f'{self.reach.environ}["{self.target.name}"]'
        if self.encodes:
            read = f'{self.quote}({read}, safe="{self.safe}")'
        if self.template == "%":
            read += '.replace("%", "%%")'
        elif self.template and not self.encodes:  # an encoder leaves no braces
            read += '.replace("{", "{{").replace("}", "}}")'
        return read.replace('"', quote)

    def plan(self) -> Plan:
        token = self.token
        if token.has("t"):
            raise NoSafeEdit("this is a template string")
        if token.has("b"):
            edits, idiom = self._bytes()
        elif self.target.covers(*token.body) and not self.joined:
            idiom = self._expression('"')
            edits = (self._replace(idiom),)
        else:
            edits, idiom = self._field()
        edits = (*edits, *self.reach.edits)
        note = self.target.run_note(*token.body, encodes=self.encodes)
        return self.target.plan(edits, self.value, idiom, note)

    def _field(self) -> tuple[tuple[Edit, ...], str]:
        """Make the literal an f-string, or use that it is one, with edits that leave the rest untouched."""
        token, target = self.token, self.target
        idiom = f"{{{self._expression(_OTHER_QUOTE[token.quote[0]])}}}"  # Python 3.11: no outer quote inside of a field
        edits = [Edit(target.start, target.end, idiom)]
        if not token.has("f"):
            edits += self._braces()
            # `u` cannot stand beside `f`; a word may touch the quote: `return"…"`
            space = self._space()
            prefix = token.prefix.replace("u", "").replace("U", "")
            edits.append(Edit(token.start, token.start + len(token.prefix), f"{space}{prefix}f"))
        return tuple(edits), f"f-string with {idiom}"

    def _braces(self) -> list[Edit]:
        """Double every brace around the secret that the string means literally."""
        target = self.target
        edits: list[Edit] = []
        for start, end in units(target.text, *self.token.body, raw=self.raw):
            unit = target.text[start:end]
            if target.start <= start < target.end or unit.startswith("\\N{"):
                continue
            edits += [Edit(start + i, start + i + 1, char * 2) for i, char in enumerate(unit) if char in "{}"]
        return edits

    def _bytes(self) -> tuple[tuple[Edit, ...], str]:
        token, target = self.token, self.target
        if self.joined:
            raise NoSafeEdit("it is a part of several bytes literals in a row: join them first")
        try:
            self.value.decode()
            idiom = self._expression('"') + ".encode()"
        except UnicodeDecodeError:
            idiom = f'{self.reach.environb}[b"{target.name}"]'
        if target.covers(*token.body):
            return (self._replace(idiom),), idiom
        start, end = token.body
        opening = f"{token.prefix}{token.quote}"
        if self.raw and target.text[target.start - 1] == "\\" and target.start > start:
            raise NoSafeEdit("a raw literal cannot end in a backslash")
        left = f"{token.quote} + " if target.start > start else ""
        right = f" + {opening}" if target.end < end else ""
        edits = [
            Edit(token.start, start, f"{self._space()}({opening if left else ''}"),
            Edit(target.start, target.end, f"{left}{idiom}{right}"),
            Edit(end, token.end, f"{token.quote if right else ''})"),
        ]
        return tuple(edits), idiom

    def _replace(self, idiom: str) -> Edit:
        return Edit(self.token.start, self.token.end, self._space() + idiom)

    def _space(self) -> str:
        before = self.target.text[self.token.start - 1 : self.token.start]
        return " " if before.isalnum() or before == "_" else ""

    def _value(self) -> bytes:
        """Undo the escapes. An edge of the secret inside of an escape, or of a field, is no edge."""
        target, token = self.target, self.token
        if any(start < target.end and target.start < end for start, end in token.fields):
            raise NoSafeEdit("the secret is inside of an f-string's field")
        inside: list[str] = []
        edges: set[int] = {target.end}
        spans = units(target.text, *token.body, raw=self.raw)
        for start, end in spans:
            edges.add(start)
            if target.start <= start < target.end:
                inside.append(target.text[start:end])
        if target.start not in edges or not _ends_at_edge(target, token, self.raw):
            raise NoSafeEdit("the secret begins or ends inside of an escape")
        return _decode(inside, token, raw=self.raw)


def _decode(parts: Sequence[str], token: Token, *, raw: bool) -> bytes:
    """Turn units of a literal into the bytes that the program sees."""
    kind = "b" if token.has("b") else ""
    pieces: list[str | bytes] = []
    for part in parts:
        unit = part.replace("\r\n", "\n").replace("\r", "\n")  # as Python reads a file
        if raw or not unit.startswith("\\"):
            pieces.append(unit.encode() if kind else unit)
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # an unknown escape is Python's to complain of, not ours
                pieces.append(ast.literal_eval(f"{kind}'''{unit}'''"))
        except (SyntaxError, ValueError):
            raise NoSafeEdit("the string has an escape that Python does not know") from None
    if kind:
        return b"".join(piece for piece in pieces if isinstance(piece, bytes))
    text = "".join(piece for piece in pieces if isinstance(piece, str))
    if token.has("f"):
        text = text.replace("{{", "{").replace("}}", "}")
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise NoSafeEdit("the value is not valid Unicode: no environment variable can hold it") from None


def _ends_at_edge(target: Target, token: Token, raw: bool) -> bool:
    return target.end == token.body[1] or any(
        start == target.end for start, _ in units(target.text, *token.body, raw=raw)
    )


def _around(target: Target) -> tuple[Token | None, Token, Token | None]:
    """Return the token that holds the secret's start and its neighbours; comments are no neighbours."""
    before: Token | None = None
    found: Token | None = None
    for token in tokens(target.text):
        if found is not None:
            if token.kind != "comment":
                return before, found, token
        elif token.end > target.start:
            found = token
        elif token.kind != "comment":
            before = token
    if found is None:
        raise NoSafeEdit("there is no code here")
    return before, found, None


def _row_text(target: Target, token: Token | None) -> str | None:
    """Return what a literal holds, when the token is one."""
    return target.text[slice(*token.body)] if token is not None and token.kind == "string" else None


def _is_line(token: Token | None) -> bool:
    return token is None or token.kind == "newline"


def _check_context(tree: ast.Module, source: SourceText, token: Token) -> None:
    """Refuse where the grammar or the types want a literal."""
    place = source.line_of(token.start) + 1
    for node in nodes_around(tree, place):
        match node:
            case ast.MatchValue() | ast.MatchMapping() if _holds(node, source, place, token):
                raise NoSafeEdit("a 'case' pattern takes no expression: compare with 'if' instead")
            case ast.Subscript(value=ast.Name(id="Literal") | ast.Attribute(attr="Literal")) if _holds(
                node, source, place, token
            ):
                raise NoSafeEdit("a Literal type takes no expression")
            case _:
                continue


def _holds(node: ast.expr | ast.pattern, source: SourceText, line: int, token: Token) -> bool:
    """Say whether a node's range holds the token. The tree counts columns in UTF-8 bytes."""
    last = node.end_lineno or node.lineno
    if not node.lineno <= line <= last:
        return False
    byte = source.byte_of_offset(token.start)
    start = source.byte_of_offset(source.starts[node.lineno - 1]) + node.col_offset
    end = source.byte_of_offset(source.starts[last - 1]) + (node.end_col_offset or 0)
    return start <= byte < end
