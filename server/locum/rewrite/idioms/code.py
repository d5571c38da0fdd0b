"""Languages that differ in their tables only: a literal becomes what reads the variable, a part of one is joined to it.

A small lexer, driven by `code_languages.py`, finds strings and comments (also in the fields of other strings); what may
stand where is asked of the text around with strings and comments blanked. No grammar is loaded: half-written code, which an
editor holds most of the time, is read as well as finished code.
"""

from __future__ import annotations

import re
import string

from locum.rewrite.idioms.code_imports import add_imports
from locum.rewrite.idioms.code_languages import LANGUAGES, Encoder, Language, Quote
from locum.rewrite.idioms.code_lexer import Lexer, Token, blank, outline
from locum.rewrite.plan import Plan
from locum.rewrite.target import NoSafeEdit, Target
from locum.text.edits import Edit

_BEFORE, _AFTER = 600, 120
"""How far, in characters, a look around goes."""
_HEAD = 40
"""Characters before a bracket that say what it opens."""
_ESCAPE = re.compile(r"\\(?:x[0-9a-fA-F]{2}|u\{[0-9a-fA-F]{1,6}\}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)|\r\n|.", re.DOTALL)
_SIMPLE = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'", "$": "$", "/": "/"}
_OPENS_CALMLY = re.compile(r"(?:[=(,\[{:;?]|\breturn|=>|<<|->|&&|\|\||^)\s*$")
_CONVERSION = re.compile(r"%(?:%|[^A-Za-z%]*[A-Za-z])")
_ARGUMENT = re.compile(r"\s*,(?:[^(),\[\]{}]|\((?:[^()]|\([^()]*\))*\)|\[[^\[\]]*\]|\{[^{}]*\})+")
_LEAVES = re.compile(r"(?:\breturn|=>|\{|\||->\s*&(?:'\w+\s+)?str\s*\{|:\s*&'static\s+str\s*=)\s*$")
_ENDS_CALMLY = re.compile(r"\s*(?:[;,)\]}:]|$|[\r\n])")


def rewrite(target: Target) -> Plan:
    """Replace the secret by a look at the environment."""
    language = LANGUAGES[target.kind]
    tokens = Lexer(target.text, target.kind).tokens
    around = [token for token in tokens if token.start <= target.start and target.end <= token.end]
    if not around:
        raise NoSafeEdit("the secret is not inside of one string or comment")
    token = max(around, key=lambda found: found.start)
    if token.quote is None:
        return target.as_prose("comment")
    if token.quote.why_not:
        raise NoSafeEdit(token.quote.why_not.replace("{name}", target.name))
    if token.end < 0 or not token.body <= target.start <= target.end <= token.close:
        raise NoSafeEdit("the secret is more than the content of one string")
    return _Literal(target, language, tokens, token, token.quote).plan()


class _Literal:
    """One string literal with the secret in it."""

    def __init__(self, target: Target, language: Language, tokens: list[Token], token: Token, quote: Quote) -> None:
        self.target, self.language, self.token, self.quote = target, language, token, quote
        self.whole = target.covers(token.body, token.close) and not quote.only_part
        self.code = code = blank(target.text, tokens)
        self.offset = max(0, token.start - _BEFORE)
        self.before = "" if quote.here else code[self.offset : token.start]
        self.after = "" if quote.here else code[token.end : token.end + _AFTER]
        self.around = "" if quote.here else outline(code, token.start, _BEFORE)
        self.tokens = tokens
        self.format = any(re.search(pattern, self.before) for pattern in language.formats)

    def plan(self) -> Plan:
        target, token = self.target, self.token
        if any(start < target.end and target.start < end for start, end in token.fields):
            raise NoSafeEdit("the secret is inside of an expression in a string")
        if self.quote.mixes and re.search(self.quote.mixes, target.raw):
            raise NoSafeEdit("the value is put together from other variables")
        self._check()
        value, encoder = self._stored(self._value())
        expression = self.language.expression.format(name=target.name)
        needs = [self.language.needs] if self.language.needs is not None else []
        edits, note = self._changes()
        if encoder is not None:
            expression = encoder.call.format(expression)
            needs += encoder.needs
            note += encoder.note
        expression, imports = add_imports(target, self.code, expression, needs)
        edits += [*self._edits(expression), *imports]
        if target.kind == "rust" and self._outlives():
            note += "It stays in memory (Box::leak), as a &'static str does. "
        note += target.run_note(token.body, token.close, encodes=encoder is not None)
        if self.language.silent:
            note += " Without it the program reads an empty text."
        return target.plan(edits, value, expression, note)

    def _stored(self, value: str) -> tuple[str, Encoder | None]:
        """Return what to store for the value that the program sees, and what makes that of it again in a URL."""
        part = None if self.whole else self.target.url_part(self.token.body, self.token.close)
        encoder = self.language.encoder
        if part is None or encoder is None:
            return value, None
        plain = part.decoded(value, encoder.keeps)
        return (value, None) if plain is None else (plain, encoder)

    def _check(self) -> None:
        for never in self.language.never:
            if not (never.whole if self.whole else never.part):
                continue
            if never.before and re.search(never.before, self.around) is None:
                continue
            if never.after and re.match(never.after, self.after) is None:
                continue
            if never.inside and not any(re.search(never.inside, head) for head in self._open_heads()):
                continue
            raise NoSafeEdit(
                never.reason.replace("{{{name}}}", f"{{{self.target.name}}}").replace("{name}", self.target.name)
            )
        for constant in self.language.constants:
            declared = re.search(constant.declared, self.around)
            name = declared and re.escape(declared["name"])
            if name and any(re.search(used.replace("NAME", name), self.code) for used in constant.used):
                raise NoSafeEdit("another place in this file takes the constant, and a constant only")
        if self.language.adjacent and self._has_neighbour():
            raise NoSafeEdit("the compiler joins it to the string beside it: make them one first")
        if self.quote.here and re.search(r"[\r\n]", self.target.raw):
            raise NoSafeEdit("the secret runs over lines of a heredoc: put it into a variable first")
        if self.target.kind == "c" and _depth(self.before, self.target.text, self.tokens, self.token.start) == 0:
            raise NoSafeEdit("a variable outside of functions wants a constant: set it in a function")

    def _open_heads(self) -> list[str]:
        """Return what stands before each round bracket that is open where the literal begins, the innermost last."""
        opened: list[int] = []
        for match in re.finditer(r"[()]", self.code[: self.token.start]):
            if match.group() == "(":
                opened.append(match.start())
            elif opened:
                opened.pop()
        return [self.code[max(0, at - _HEAD) : at] for at in opened]

    def _has_neighbour(self) -> bool:
        text = self.target.text
        for other in self.tokens:
            if other is self.token or other.quote is None or other.quote.why_not or other.quote.here:
                continue
            near = (other.end, self.token.start) if other.end <= self.token.start else (self.token.end, other.start)
            gap = text[near[0] : near[1]] if near[0] <= near[1] else "x"
            blank = r"[ \t]*" if self.target.kind == "ruby" else r"[\s\\]*"
            if re.fullmatch(blank, gap):
                return True
        return False

    def _changes(self) -> tuple[list[Edit], str]:
        for change in self.language.changes:
            match = re.search(change.before, self.before)
            if match is not None:
                start, end = match.span("old")
                return [
                    Edit(self.offset + start, self.offset + end, change.new)
                ], f"{change.note}: no constant can be read at run time. "
        return [], ""

    def _edits(self, expression: str) -> list[Edit]:
        target, token = self.target, self.token
        if self.format:
            return self._as_argument(expression)
        if self.whole:
            return [Edit(token.start, token.end, self._whole(expression))]
        if target.kind == "rust":
            return self._format(expression.removeprefix("&*"))
        if self.quote.inside:
            return self._inside(expression)
        operator = self.language.joined
        if target.kind == "cpp":
            return self._cpp(expression)
        if not operator:
            raise NoSafeEdit("the secret is a part of a longer string: put the string together at run time first")
        if self.quote.lines and re.search(r"[\r\n]", target.text[token.start : token.end]) and self.quote.open == '"""':
            raise NoSafeEdit("the secret is a part of a text block: put the value into a variable first")
        opening, closing = target.text[token.start : token.body], target.text[token.close : token.end]
        left, right = target.start > token.body, target.end < token.close
        calm = _OPENS_CALMLY.search(self.before) and _ENDS_CALMLY.match(self.after)
        edits = [
            Edit(
                target.start,
                target.end,
                f"{f'{closing} {operator} ' if left else ''}{expression}{f' {operator} {opening}' if right else ''}",
            )
        ]
        start, end = ("", "") if calm else ("(", ")")
        if not left:
            edits.append(Edit(token.start, token.body, start))
        elif start:
            edits.append(Edit(token.start, token.start, start))
        if not right:
            edits.append(Edit(token.close, token.end, end))
        elif end:
            edits.append(Edit(token.end, token.end, end))
        return edits

    def _inside(self, expression: str) -> list[Edit]:
        target, token, quote = self.target, self.token, self.quote
        edits = [Edit(target.start, target.end, quote.inside.format(expression))]
        if target.kind == "perl" and re.match(r"[\[{]|->[\[{]", target.text[target.end : token.close]):
            edits.append(Edit(target.end, target.end, "\\"))  # it would be taken for a subscript
        if quote.becomes:
            if re.search(r"\\|#[{$@]", target.text[token.body : token.close]):
                raise NoSafeEdit(
                    "the list has signs in it that would count where an expression does: write it with quotes"
                )
            edits.append(Edit(token.start, token.body, quote.becomes))
        return edits

    def _as_argument(self, expression: str) -> list[Edit]:
        """Leave `%s` in a format, and pass the expression in the order of the format's conversions."""
        target, token = self.target, self.token
        before = [found.group() for found in _CONVERSION.finditer(target.text, token.body, target.start)]
        after = [found.group() for found in _CONVERSION.finditer(target.text, target.end, token.close)]
        if any(re.search(r"[*$\[\]]", found) for found in [*before, *after]):
            raise NoSafeEdit("the format counts its arguments: pass the secret as one by hand")
        at = token.end
        for _ in [found for found in before if found != "%%"]:
            argument = _ARGUMENT.match(self.code, at)
            if argument is None:
                raise NoSafeEdit("the format's arguments cannot be told apart: pass the secret as one by hand")
            at = argument.end()
        if not re.match(r"\s*[,)]", self.code[at : at + _AFTER]):
            raise NoSafeEdit("the format's arguments cannot be told apart: pass the secret as one by hand")
        return [Edit(target.start, target.end, "%s"), Edit(at, at, f", {expression}")]

    def _outlives(self) -> bool:
        """Rust: say whether a reference to what is read here would outlive it."""
        if _LEAVES.search(self.before) and not re.match(r"\s*[.?]", self.after):
            return True
        field = re.search(r"\b(\w+)\s*:\s*(?:Some\(\s*)?$", self.before)
        return field is not None and bool(re.search(rf"\b{field[1]}\s*:\s*(?:Option<\s*)?&'static\s+str", self.code))

    def _whole(self, expression: str) -> str:
        text, end = self.target.text, self.token.end
        if self.target.kind == "rust" and re.match(r"\s*[.?]", text[end : end + _AFTER]):
            return expression.removeprefix("&*")
        if self.target.kind == "rust" and self._outlives():
            return f"&*Box::leak({expression.removeprefix('&*')}.into_boxed_str())"
        if self.target.kind == "cpp" and re.match(r"\s*[.+]", text[end : end + _AFTER]):
            return f"std::string({expression})"
        left = " " if text[self.token.start - 1 : self.token.start].isalnum() else ""
        return left + expression

    def _format(self, expression: str) -> list[Edit]:
        """Rust: `&format!("a{}b", …)`, its other braces doubled."""
        target, token = self.target, self.token
        if re.search(r"\b\w+!\s*[(\[{][^;]*$", self.before):
            raise NoSafeEdit("the secret is a part of a string inside of a macro: put the string into a variable first")
        opening, closing = ("&*Box::leak(format!(", ").into_boxed_str())") if self._outlives() else ("&*format!(", ")")
        if re.match(r"\s*[.?]", self.after):  # a method of the text is one of the String, too
            opening = "format!("
        edits = [Edit(token.start, token.start, opening), Edit(target.start, target.end, "{}")]
        edits.append(Edit(token.end, token.end, f", {expression}{closing}"))
        for offset in range(token.body, token.close):
            char = target.text[offset]
            if char in "{}" and not target.start <= offset < target.end:
                if target.text.rfind("\\u", token.body, offset) >= 0:
                    raise NoSafeEdit("the string has escapes with braces")
                edits.append(Edit(offset, offset, char))
        return edits

    def _cpp(self, expression: str) -> list[Edit]:
        target, token = self.target, self.token
        statement = re.split(r"[;{}]", self.before)[-1]
        if not re.search(r"\bstring\b|\bauto\b", statement):
            raise NoSafeEdit("the secret is a part of a longer string: make it a std::string first")
        opening, closing = target.text[token.start : token.body], target.text[token.close : token.end]
        right = f" + {opening}" if target.end < token.close else ""
        edits = [
            Edit(token.start, token.start, "(std::string("),
            Edit(target.start, target.end, f"{closing}) + {expression}{right}"),
        ]
        edits.append(Edit(token.end, token.end, ")") if right else Edit(token.close, token.end, ")"))
        return edits

    def _value(self) -> str:
        """Return what the program sees. An edge of the secret inside of an escape is no edge."""
        target, token, quote = self.target, self.token, self.quote
        raw = target.raw
        if self.format:
            if "%" in raw.replace("%%", ""):
                raise NoSafeEdit("the secret has a conversion of the format in it")
            if "%" in raw:
                raise NoSafeEdit("the secret is spelt with signs of the format: write it plainly first")
        if quote.doubled:
            mark = quote.close
            if len(raw) - len(raw.replace(mark * 2, "")) != 2 * raw.count(mark * 2) or mark in raw.replace(
                mark * 2, ""
            ):
                raise NoSafeEdit("the secret begins or ends inside of an escape")
            return self._lines(raw.replace(mark * 2, mark) if mark else raw)
        if quote.escape != "\\" or "\\" not in target.text[token.body : target.end]:
            return self._lines(raw)
        parts: list[str] = []
        edges: set[int] = {token.close}
        for match in _ESCAPE.finditer(target.text, token.body, token.close):
            edges.add(match.start())
            if target.start <= match.start() < target.end:
                parts.append(self._unit(match.group()))
        if target.start not in edges or target.end not in edges:
            raise NoSafeEdit("the secret begins or ends inside of an escape")
        return "".join(parts)

    def _lines(self, text: str) -> str:
        """Return a string over lines as the program sees it."""
        return text if self.language.keeps_line_ends else text.replace("\r\n", "\n")

    def _unit(self, unit: str) -> str:
        if not unit.startswith("\\"):
            return self._lines(unit)
        rest = unit[1:]
        single = self.quote.open.endswith("'") and self.target.kind in {"ruby", "php", "perl"}
        if single:
            return rest if rest in {"\\", "'"} else unit
        if rest in _SIMPLE and not (rest == "/" or (rest == "$" and self.target.kind not in {"kotlin", "php", "perl"})):
            return _SIMPLE[rest]
        if (
            len(rest) > 1
            and rest[0] in "uU"
            and (code := int(rest[1:].strip("{}"), 16)) <= 0x10FFFF
            and not 0xD800 <= code < 0xE000
        ):
            return chr(code)
        if len(rest) == 3 and rest[0] == "x" and int(rest[1:], 16) < 0x80:
            return chr(int(rest[1:], 16))
        if self.target.kind in {"perl", "ruby"} and rest in string.punctuation:
            return rest
        raise NoSafeEdit("the secret is spelt with an escape that is not read here: write it plainly first")


def _depth(before: str, text: str, tokens: list[Token], at: int) -> int:
    code = blank(text, tokens)[:at]
    if re.search(r"(?m)^[ \t]*#[ \t]*define\b[^\r\n]*$", before):
        return 1
    return code.count("{") - code.count("}")
