"""Makes values that a rule is for, from its own expression, and texts that hold them, from a seed; and values that it is not for.

A sample is made by walking the parsed expression and choosing at random at each branch, repetition and class. Nothing here
asks the engine's filters: how many of the values pass them is for the tests to say. Where random characters cannot do
(checksums, structures that an expression does not tell), `OVERRIDES` says how a value is made.
"""

from __future__ import annotations

import base64
import json
import random
import re
import string
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from re import _constants as ops  # type: ignore[attr-defined] - the expression's own parser has no public name
from re import _parser  # type: ignore[attr-defined] - likewise
from typing import Any

import detect_cases as cases

from locum.detect.candidate import IN_URL
from locum.detect.pack import Rule
from locum.detect.rulefile import BEFORE

Tree = list[tuple[Any, Any]]
Span = tuple[int, int]

_PRINTABLE = frozenset(map(ord, string.ascii_letters + string.digits + "-_+/=.~!:@ "))
_USUAL = frozenset(map(ord, string.ascii_letters + string.digits))
_DIGITS = frozenset(map(ord, string.digits))
_CATEGORIES: dict[Any, frozenset[int]] = {
    ops.CATEGORY_DIGIT: _DIGITS,
    ops.CATEGORY_WORD: _USUAL,
    ops.CATEGORY_SPACE: frozenset({32}),
    ops.CATEGORY_NOT_SPACE: _USUAL,
    ops.CATEGORY_NOT_WORD: frozenset({ord("-")}),
    ops.CATEGORY_NOT_DIGIT: frozenset(map(ord, string.ascii_letters)),
}
_REPEATS = (ops.MAX_REPEAT, ops.MIN_REPEAT, ops.POSSESSIVE_REPEAT)
_TRIES = 200
_APART = b"\n# " + b"- " * 40 + b"\n"
_SOME_MORE = 24
"""How many characters over the least a sample has, where the expression sets no narrower bound."""


@dataclass(frozen=True)
class Sample:
    """A text, and where the value stands in it."""

    text: bytes
    start: int
    end: int

    @property
    def value(self) -> bytes:
        return self.text[self.start : self.end]

    def with_value(self, value: bytes) -> Sample:
        return Sample(self.text[: self.start] + value + self.text[self.end :], self.start, self.start + len(value))


class _Walk:
    """One way through an expression: chooses at each branch, repetition and class."""

    def __init__(self, source: random.Random, *, fill: str = "", longest: bool = False, shortest: bool = False) -> None:
        """`fill`: the one character that classes become where they hold it. `longest`, `shortest`: how often what repeats does."""
        self._source = source
        self._fill = fill
        self._longest = longest
        self._shortest = shortest
        self._any_case = False
        self.out = bytearray()
        self.groups: dict[int, Span] = {}

    def tree(self, tree: Tree) -> None:
        out = self.out
        for op, value in tree:
            if op is ops.LITERAL:
                out.append(ord(chr(value).upper()) if self._any_case and self._source.random() < 0.3 else value)
            elif op is ops.IN:
                out.append(self._one_of(value))
            elif op in _REPEATS:
                least, most, inner = value
                for _ in range(self._times(least, most, inner)):
                    self.tree(inner)
            else:
                self._structure(op, value)

    def _structure(self, op: Any, value: Any) -> None:
        if op is ops.BRANCH:
            self.tree(self._source.choice(value))
        elif op is ops.SUBPATTERN:
            number, flags, inner = value
            start, before = len(self.out), self._any_case
            self._any_case = before or bool(flags & re.IGNORECASE)
            self.tree(inner)
            self._any_case = before
            if number:
                self.groups[number] = (start, len(self.out))
        elif op is ops.GROUPREF:
            start, end = self.groups[value]
            self.out += self.out[start:end]
        elif op is ops.GROUPREF_EXISTS:
            self.tree(value[1] if value[0] in self.groups else value[2])

    def _times(self, least: int, most: int, inner: Tree) -> int:
        if self._shortest:
            return least
        if self._longest:
            return min(most, least + 4000)
        if least == 0 and inner and inner[0][0] is ops.IN and 32 in inner[0][1]:
            return self._source.randint(0, min(most, 1))  # blanks between two signs
        return self._source.randint(least, min(most, max(least + _SOME_MORE, 2 * least)))

    def _one_of(self, choice: bytes) -> int:
        if self._fill:
            return next((char for char in (self._fill + "x0X").encode() if char in choice), choice[0])
        char = self._source.choice(choice)
        if self.out and char == self.out[-1]:  # machines write few runs, and filters know that
            char = self._source.choice(choice)
        return char


def members(items: list[tuple[Any, Any]]) -> bytes:
    """Return the characters of a class: for one that says what is not in it, the ordinary ones that are."""
    held: set[int] = set()
    negated = False
    for op, value in items:
        if op is ops.NEGATE:
            negated = True
        elif op is ops.LITERAL:
            held.add(value)
        elif op is ops.RANGE:
            held.update(range(value[0], value[1] + 1))
        elif op is ops.CATEGORY:
            held |= _CATEGORIES[value]
    return bytes(sorted(_USUAL - held if negated else held & _PRINTABLE or held))


@cache
def simplified(regex: str) -> Tree:
    """Return an expression as a tree in which classes are the characters that they hold, and what only looks is left out."""
    return _simple(_parser.parse(regex.encode(), re.VERBOSE))


def _simple(tree: Iterable[tuple[Any, Any]]) -> Tree:
    nodes: Tree = []
    for op, value in tree:
        if op is ops.IN:
            nodes.append((op, members(value)))
        elif op is ops.ANY:
            nodes.append((ops.IN, bytes(sorted(_USUAL))))
        elif op is ops.NOT_LITERAL:
            nodes.append((ops.IN, bytes(sorted(_USUAL - {value}))))
        elif op is ops.BRANCH:
            nodes.append((op, [_simple(branch) for branch in value[1]]))
        elif op is ops.SUBPATTERN:
            nodes.append((op, (value[0] or 0, value[1], _simple(value[3]))))
        elif op is ops.ATOMIC_GROUP:
            nodes += _simple(value)
        elif op in _REPEATS:
            least, most, inner = value
            nodes.append((op, (least, int(most), _simple(inner))))
        elif op is ops.GROUPREF_EXISTS:
            nodes.append((op, (value[0], _simple(value[1]), _simple(value[2] or []))))
        elif op in {ops.LITERAL, ops.GROUPREF}:
            nodes.append((op, value))
        elif op not in {ops.ASSERT, ops.ASSERT_NOT, ops.AT}:  # these are looked at when the whole is there
            raise NotImplementedError(str(op))
    return nodes


def value_width(rule: Rule) -> Span:
    """Return how long the rule's values are: at least, and at most."""
    tree = _parser.parse(rule.regex.encode(), re.VERBOSE)
    least, most = (_group(tree, rule.group) if rule.group else tree).getwidth()
    return int(least), int(most)


def _group(tree: Any, number: int) -> Any:
    """Return what stands in a group."""
    for op, value in tree:
        if op is ops.SUBPATTERN and value[0] == number:
            return value[3]
        inner = value[1] if op is ops.BRANCH else [value[3]] if op is ops.SUBPATTERN else []
        for part in inner:
            found = _group(part, number)
            if found is not None:
                return found
    return None


def match_of(rule: Rule, source: random.Random, **how: Any) -> tuple[bytes, Span]:
    """Return a text that the expression matches from end to end, and where the value stands in it. LookupError for none."""
    if rule.id in OVERRIDES and not how:
        value = OVERRIDES[rule.id](source).encode()
        return value, (0, len(value))
    tree = simplified(rule.regex)
    for _ in range(_TRIES):
        walk = _Walk(source, **how)
        walk.tree(tree)
        text = bytes(walk.out)
        match = rule.pattern.fullmatch(text)
        if match is not None and match.span(rule.group) == walk.groups.get(rule.group, (0, len(text))):
            return text, match.span(rule.group)
    raise LookupError(f"{rule.id}: no value can be made of the expression")


def samples(rule: Rule, count: int, **how: Any) -> Iterator[Sample]:
    """Yield texts with one value each, as they stand in code, settings and notes. The same ones each time."""
    source = random.Random(f"samples of {rule.id}")
    if rule.id in TEMPLATES:
        case = cases.Case(rule.id, TEMPLATES[rule.id], "")
        for seed in range(count):
            text, ((start, end),) = case.build(seed)
            yield Sample(text, start, end)
        return
    forms = _near_forms(rule) if rule.near else _OWN if _brings_its_place(rule) else _forms(rule)
    for number in range(count):
        match, (start, end) = match_of(rule, source, **how)
        before, after = forms[number % len(forms)]
        yield Sample(before.encode() + match + after.encode(), len(before) + start, len(before) + end)


def joined(texts: Iterable[Sample]) -> tuple[bytes, list[Span]]:
    """Return one text of many, so far from each other that no word reaches the next value, and where the values stand."""
    whole, places = bytearray(), list[Span]()
    for sample in texts:
        places.append((len(whole) + sample.start, len(whole) + sample.end))
        whole += sample.text + _APART
    return bytes(whole), places


def near_misses(rule: Rule) -> Iterator[tuple[str, Sample]]:
    """Yield texts like samples, with a value that is none of the rule's, and why: too short, too long, filled in…"""
    least, most = value_width(rule)
    for short in samples(rule, 2, shortest=True):
        value = short.value
        if len(value) == least:
            yield "too short", short.with_value(value[:-1])
            middle = len(value) * 2 // 3
            for sign in (b"!", b"~", b"\x7f"):
                wrong = short.with_value(value[:middle] + sign + value[middle + 1 :])
                if not rule.pattern.search(wrong.text):  # else it is not foreign to this rule
                    yield "a foreign sign", wrong
                    break
        prefix = next((anchor for anchor in rule.anchors if value.lower().startswith(anchor.encode())), "")
        if prefix and not rule.near:
            yield "another prefix", short.with_value(value[: len(prefix) - 1] + b"!" + value[len(prefix) :])
            rest = len(value) - len(prefix)
            yield "words", short.with_value(value[: len(prefix)] + (b"your-secret-key-here-" * (rest // 20 + 1))[:rest])
        if least == most and value[-2:].isalnum():
            yield "too long", short.with_value(value + value[-2:-1])
    for fill in "x0":
        with suppress(LookupError):  # the expression itself asks for variety
            yield f"filled with {fill}", next(samples(rule, 1, fill=fill))


_OWN = [("", ""), ("  ", "\n"), ("\r\n", "\r\n")]
"""What stands around an expression that brings its own name or address with it."""


def _brings_its_place(rule: Rule) -> bool:
    """Say whether the expression holds more than the value: a name, an address."""
    return bool(rule.group) and not rule.regex.startswith(BEFORE[:8])


def _forms(rule: Rule) -> list[tuple[str, str]]:
    """What stands around a value that says itself what it is."""
    name = rule.secret_name
    return [
        (f"{name}=", "\n"),
        ('value: "', '"\n'),
        (f"const settings = {{ {name.lower()}: '", "' };\n"),
        ("1. use ", " for it\n"),
        ("\t<entry>", "</entry>\r\n"),
        ("", ""),
        ("x = [`", "`]\n"),
        ("see\\n", "\\nand more\n"),
    ]


def _near_forms(rule: Rule) -> list[tuple[str, str]]:
    """What stands around a value that says nothing, near each of the words of its service."""
    forms: list[tuple[str, str]] = []
    for number, word in enumerate(rule.anchors):
        plain = word.strip("_-. ")
        label = word if word[-1] in "_-./= " else f"{word}_"
        ways = [
            (f"{label.upper()}API_KEY=", "\n"),
            (f'{{"{word}": "', '"}\n'),
            (f"{plain}: ", "\n") if plain == word else (f"{word}key: ", "\n"),
            (f'"{word}Token": "', '"\n') if word[-1].isalnum() else (f'"{word}token": "', '"\n'),
            (f"my {word} key is ", " today\n"),
            (f"{label}secret = '", "'\n"),
        ]
        forms += ways[number % len(ways) :] + ways[: number % len(ways)]
    spread = [forms[start::6] for start in range(6)]  # each word once, before any is seen in a second way
    return [form for part in spread for form in part if len(form[0]) < rule.near]


def _jwt(source: random.Random) -> str:
    return cases.jwt(source)


def _github(prefix: str) -> Callable[[random.Random], str]:
    return lambda source: f"{prefix}_{cases.github_body(source)}"


def _grafana(source: random.Random) -> str:
    body = "glsa_" + cases.characters(source, "alnum", 32)
    return f"{body}_{zlib.crc32(body.encode()).to_bytes(4, 'little').hex()}"


def _synapse(source: random.Random) -> str:
    user = base64.b64encode(cases.characters(source, "lower", 6).encode()).decode().rstrip("=")
    body = f"syt_{user}_{cases.characters(source, 'alpha', 20)}"
    return f"{body}_{cases.checksum(body, string.digits + string.ascii_letters)}"


def _sentry(source: random.Random) -> str:
    facts = json.dumps({"iat": source.randrange(10**9), "url": "https://sentry.io", "org": "shop"}).encode()
    return f"sntrys_{base64.b64encode(facts).decode()}_{cases.characters(source, 'b64', 43)}"


def _anthropic(kind: str) -> Callable[[random.Random], str]:
    return lambda source: f"sk-ant-{kind}03-{cases.characters(source, 'b64u', 93)}AA"


def _pem(source: random.Random) -> str:
    lines = [cases.characters(source, "b64", 64) for _ in range(5)]
    kind = source.choice(("RSA ", "EC ", "OPENSSH ", "")) + "PRIVATE" + " KEY"
    return "\n".join([f"-----BEGIN {kind}-----", *lines, f"-----END {kind}-----"])


OVERRIDES: dict[str, Callable[[random.Random], str]] = {
    "github-pat": _github("ghp"),
    "github-oauth-token": _github("gho"),
    "github-user-token": _github("ghu"),
    "github-app-token": _github("ghs"),
    "github-refresh-token": _github("ghr"),
    "grafana-service-account-token": _grafana,
    "matrix-access-token": _synapse,
    "sentry-org-token": _sentry,
    "anthropic-api-key": _anthropic("api"),
    "anthropic-admin-key": _anthropic("admin"),
    "private-key": _pem,
    "jwt": _jwt,
}
"""How the values of some rules are made: those with a checksum, or with a structure that the expression does not tell."""

TEMPLATES = {
    "generic-secret": 'token = "[[{alnum:24}]]"\n',
    "generic-password": "db_pass{_}word: '[[{alnum:14}]]'\n",
    "secret-in-text": "the to{_}ken is [[{alnum:32}]]\n",
    IN_URL: "postgres://shop:[[{pw}]]@db.internal:5432/shop\n",
}
"""Texts for rules whose values are told by their place alone."""
