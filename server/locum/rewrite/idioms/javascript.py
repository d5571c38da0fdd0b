"""JavaScript and TypeScript: a string becomes `process.env.NAME`; a part of one becomes a `${…}` of a template.

TypeScript gets `process.env.NAME!`, which compiles under `strict` and does not hide that the variable is missing, as a
default would.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from locum.rewrite.idioms.javascript_lexer import Lexed, Token
from locum.rewrite.plan import Plan
from locum.rewrite.target import NoSafeEdit, Target
from locum.text.edits import Edit

_UNIT = re.compile(
    r"\\(?:x[0-9a-fA-F]{2}|u\{[0-9a-fA-F]{1,8}\}|u[0-9a-fA-F]{4}|[0-3][0-7]{0,2}|[4-7][0-7]?|\r\n|.)|\r\n|.", re.DOTALL
)
_SIMPLE = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "\n": "", "\r": "", "\r\n": "",
           "\u2028": "", "\u2029": ""}  # fmt: skip
_OCTAL = re.compile(r"\\[0-9]")
_ENTITY = re.compile(r"&#?\w+;")
_KEPT = "-_.!~*'()"  # by encodeURIComponent: ECMAScript, 19.2.6.4
_MODULE_WORDS = {"import", "from"}
_TYPE_MARKS = {"|", "&"}
_BROWSER = "What runs in a browser is visible to every visitor: keep this part on the server. "


def rewrite(target: Target) -> Plan:
    """Replace the secret by a look at the environment."""
    typed = target.kind == "typescript"
    lexed = Lexed(target.text, jsx=not typed or target.path.lower().endswith("x"))
    for start, end in lexed.comments:
        if start <= target.start and target.end <= end:
            return target.as_prose("comment")
    for index, token in enumerate(lexed.tokens):
        if token.start <= target.start and target.end <= token.end and token.kind in _REWRITERS:
            return _REWRITERS[token.kind](_Place(target, lexed.tokens, index, typed))
    raise NoSafeEdit("the secret is not inside of one string, template or comment")


class _Place:
    """A token, its neighbours and the secret in it."""

    def __init__(self, target: Target, tokens: list[Token], index: int, typed: bool) -> None:
        self.target = target
        self.token = tokens[index]
        self.before = [token.text for token in tokens[max(0, index - 3) : index]]
        self.after = [token.text for token in tokens[index + 1 : index + 3]]
        self.typed = typed
        self.plain = f"{'globalThis.' if _is_taken(tokens) else ''}process.env.{target.name}"
        self.expression = self.plain + ("!" if typed else "")
        self.encodes = False

    def replace(self, start: int, end: int) -> Edit:
        """Put the expression in a literal's place, and a space where a word or `=` touches it."""
        text = self.target.text
        before, after = text[start - 1 : start], text[end : end + 1]
        left = " " if _is_word(before) else ""
        right = " " if _is_word(after) or (self.typed and after == "=") else ""
        return Edit(start, end, f"{left}{self.expression}{right}")

    def read(self, body: tuple[int, int], value: str) -> str:
        """Return the value to store, and choose the expression that stands for it in a string with this content.

        encodeURIComponent takes no `undefined`: TypeScript wants the mark there, which a template does without.
        """
        part = self.target.url_part(*body)
        plain = part.decoded(value, _KEPT) if part else None
        if plain is None:
            return value
        self.encodes = True
        self.plain = f"encodeURIComponent({self.expression})"
        return plain

    def plan(self, edits: list[Edit], value: str, body: tuple[int, int], warning: str = "") -> Plan:
        partial = not self.target.covers(*body)
        idiom = f"${{{self.plain}}}" if partial else self.expression
        return self.target.plan(edits, value, idiom, warning + self.target.run_note(*body, encodes=self.encodes))

    def last(self) -> str:
        return self.before[-1] if self.before else ""


def _string(place: _Place) -> Plan:
    target, token = place.target, place.token
    body = _body(place)
    _check_context(place)
    value = place.read(body, _decode(target, body))
    if target.covers(*body):
        return place.plan([place.replace(token.start, token.end)], value, body)
    edits = [Edit(token.start, body[0], "`"), Edit(body[1], token.end, "`"), *_interpolation(place)]
    for start, end in _units(target, body):
        unit = target.text[start:end]
        if target.start <= start < target.end:
            continue
        if _OCTAL.match(unit) and unit != "\\0":
            raise NoSafeEdit("the string has an octal escape, which no template may have")
        edits += _escaped(target, start, unit)
    return place.plan(edits, value, body)


def _template(place: _Place) -> Plan:
    target, token = place.target, place.token
    template = token.template
    if template is None or template.end < 0:
        raise NoSafeEdit("the template that holds the secret does not end")
    if template.tagged:
        raise NoSafeEdit("this is a tagged template: its tag would see a different call")
    body = (token.start, token.end)
    whole = (template.start + 1, template.end - 1)
    value = place.read(whole, _decode(target, body))
    if target.covers(*whole):
        return place.plan([place.replace(template.start, template.end)], value, whole)
    return place.plan(_interpolation(place), value, whole)


def _attribute(place: _Place) -> Plan:
    """In JSX, `key="…"` takes no escapes but entities, and becomes `key={…}`."""
    target, token = place.target, place.token
    body = _body(place)
    if _ENTITY.search(target.text, *body):
        raise NoSafeEdit("the attribute has HTML entities in it")
    value = place.read(body, target.raw)
    if target.covers(*body):
        edits = [Edit(token.start, token.end, f"{{{place.expression}}}")]
        return place.plan(edits, value, body, _BROWSER)
    edits = [Edit(token.start, body[0], "{`"), Edit(body[1], token.end, "`}"), *_interpolation(place)]
    for offset in range(*body):
        if not target.start <= offset < target.end:
            char = target.text[offset]
            edits += [Edit(offset, offset, "\\")] if char == "\\" else _escaped(target, offset, char)
    return place.plan(edits, value, body, _BROWSER)


def _text(place: _Place) -> Plan:
    target = place.target
    if _ENTITY.search(target.raw) or re.search(r"[\r\n]", target.raw):
        raise NoSafeEdit("the secret runs over lines or has HTML entities in it")
    edit = Edit(target.start, target.end, f"{{{place.plain}}}")
    return target.plan((edit,), target.raw, f"{{{place.plain}}}", _BROWSER + target.run_note(target.start, target.end))


_REWRITERS = {"string": _string, "template": _template, "attribute": _attribute, "text": _text}


def _body(place: _Place) -> tuple[int, int]:
    """Return the span between the quotes."""
    target, token = place.target, place.token
    quote = target.text[token.start]
    if token.end - token.start < 2 or target.text[token.end - 1] != quote:
        raise NoSafeEdit("the string that holds the secret does not end")
    body = token.start + 1, token.end - 1
    if not (body[0] <= target.start and target.end <= body[1]):
        raise NoSafeEdit("the secret is more than the content of one string")
    return body


def _check_context(place: _Place) -> None:
    """Refuse where the grammar wants a literal."""
    after = place.after[0] if place.after else ""
    if place.last() in _MODULE_WORDS:
        raise NoSafeEdit("it is the name of a module")
    if place.last() in {"{", ","} and after in {":", "("}:
        raise NoSafeEdit("it is the key of a property")
    if not place.typed:
        return
    if place.token.opener in {"enum", "interface", "type"} or place.before[:1] == ["type"]:
        raise NoSafeEdit(f"a literal must stand in this {place.token.opener or 'type'}")
    if place.last() in _TYPE_MARKS or after in _TYPE_MARKS or place.after == ["as", "const"]:
        raise NoSafeEdit("a type wants a literal here")
    if place.last() == "<" and after in {">", ","}:
        raise NoSafeEdit("a type wants a literal here")
    if place.last() == ":" and place.before[0] in {"const", "let", "var"}:
        raise NoSafeEdit("a type wants a literal here")


def _interpolation(place: _Place) -> list[Edit]:
    return [Edit(place.target.start, place.target.end, f"${{{place.plain}}}")]


def _escaped(target: Target, offset: int, unit: str) -> list[Edit]:
    """Escape what a template would read differently."""
    opens = unit == "$" and target.text.startswith("{", offset + 1) and offset + 1 != target.start
    return [Edit(offset, offset, "\\")] if unit == "`" or opens else []


def _units(target: Target, body: tuple[int, int]) -> Iterator[tuple[int, int]]:
    for match in _UNIT.finditer(target.text, *body):
        yield match.span()


def _decode(target: Target, body: tuple[int, int]) -> str:
    """Undo the escapes of the secret. Raises NoSafeEdit when one of its edges lies inside of an escape."""
    spans = list(_units(target, body))
    edges = {body[1], *(start for start, _ in spans)}
    if target.start not in edges or target.end not in edges:
        raise NoSafeEdit("the secret begins or ends inside of an escape")
    parts = [_unit(target.text[start:end]) for start, end in spans if target.start <= start < target.end]
    try:  # two escapes of UTF-16 may be one character
        return "".join(parts).encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        raise NoSafeEdit("the value is not valid Unicode: no environment variable can hold it") from None


def _unit(unit: str) -> str:
    if not unit.startswith("\\"):
        return "\n" if unit in {"\r\n", "\r"} else unit
    rest = unit[1:]
    if rest in _SIMPLE:
        return _SIMPLE[rest]
    if len(rest) > 1 and rest[0] in "xu":
        number = int(rest[1:].strip("{}"), 16)
        if number > 0x10FFFF:
            raise NoSafeEdit("the string has an escape that JavaScript does not know")
        return chr(number)
    if rest[0] in "01234567":
        return chr(int(rest, 8))
    if rest in {"x", "u"}:
        raise NoSafeEdit("the string has an escape that JavaScript does not know")
    return rest


def _is_taken(tokens: list[Token]) -> bool:
    """Say whether the text calls something of its own `process`: a function, a parameter."""
    for index, token in enumerate(tokens):
        if token.text != "process":
            continue
        before = tokens[index - 1].text if index else ""
        after = tokens[index + 1].text if index + 1 < len(tokens) else ""
        declares = before in {"function", "*"} if after == "(" else after not in {".", "?.", "["}
        declares = declares and (after != ":" or before == "(")
        if declares and before not in {".", "?.", "typeof"}:
            return True
    return False


def _is_word(char: str) -> bool:
    return char.isalnum() or char in {"_", "$"}
