"""Rules as data: read from TOML, checked loudly, compiled when they are first needed."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast, get_args

from locum.detect.checks import CHECKS
from locum.detect.finding import Confidence, Severity

MAX_SPAN = 16 * 1024
"""No rule looks at more bytes from its anchor on."""


class PackProblem(ValueError):
    """A rule pack that cannot mean what it says. Names the rule and the field."""


@dataclass(frozen=True)
class Rule:
    """How one kind of secret looks."""

    id: str
    title: str
    anchors: tuple[str, ...]
    """Lower-case ASCII literals, one of which every match begins with, or holds within its first `lookback` bytes."""
    regex: str
    """Over bytes; group `value` is the secret, else the whole match. Every part is bounded."""
    severity: Severity = "error"
    confidence: Confidence = "high"
    secret_name: str = ""
    url: str = ""
    """The vendor's page on this kind of secret."""
    explanation: str = ""
    lookback: int = 0
    span: int = 1024
    min_entropy: float = 0.0
    check: str = ""
    generic: bool = False
    """The value says nothing by itself: the place does, and the value must look like a secret."""

    @cached_property
    def pattern(self) -> re.Pattern[bytes]:
        """The compiled expression. Raises PackProblem when it is none."""
        try:
            return re.compile(self.regex.encode(), re.VERBOSE)
        except re.error as error:
            raise PackProblem(f"{self.id}: bad regex, {error}") from None

    @cached_property
    def group(self) -> int:
        """The number of the group that holds the value."""
        return self.pattern.groupindex.get("value", 0)


class Pack:
    """Rules and their anchors."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules: dict[str, Rule] = {}
        for rule in rules:
            if rule.id in self.rules:
                raise PackProblem(f"{rule.id}: there are two rules of this id")
            self.rules[rule.id] = rule
        if not self.rules:
            raise PackProblem("a pack without rules would find nothing")
        self.anchors: list[str] = sorted({anchor for rule in self.rules.values() for anchor in rule.anchors})
        numbers = {anchor: number for number, anchor in enumerate(self.anchors)}
        self.routes: list[list[Rule]] = [[] for _ in self.anchors]
        """Rules by the number of their anchor."""
        for rule in self.rules.values():
            for anchor in rule.anchors:
                self.routes[numbers[anchor]].append(rule)

    @classmethod
    def built_in(cls) -> Pack:
        """Read the rules that ship with Locum."""
        return cls(rule for text in _built_in_texts() for rule in read_rules(text))


def _built_in_texts() -> list[str]:
    """Return the rule files in the order of their names."""
    folder = os.path.join(os.path.dirname(__file__), "rules")  # noqa: PTH118, PTH120 - see below
    if os.path.isdir(folder):  # noqa: PTH112 - importlib.resources takes 8 ms to import, which hooks do not have
        names = sorted(name for name in os.listdir(folder) if name.endswith(".toml"))  # noqa: PTH208
        return [_read(os.path.join(folder, name)) for name in names]  # noqa: PTH118
    from importlib.resources import files  # inside a zip

    items = sorted(files("locum.detect").joinpath("rules").iterdir(), key=lambda item: item.name)
    return [item.read_text("utf-8") for item in items if item.name.endswith(".toml")]


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:  # noqa: PTH123
        return file.read()


def read_rules(text: str) -> list[Rule]:
    """Read `[[rule]]` tables. Raises PackProblem. Expressions are compiled later, when one of their anchors is seen."""
    try:
        tables = tomllib.loads(text)["rule"]
    except (tomllib.TOMLDecodeError, KeyError) as error:
        raise PackProblem(f"no rules: {error}") from None
    if not isinstance(tables, list):
        raise PackProblem("no rules: write [[rule]]")
    return [_rule(table) for table in cast("list[Any]", tables)]


def _rule(table: Any) -> Rule:
    if not isinstance(table, dict):
        raise PackProblem("a rule is a table: write [[rule]]")
    values = cast("dict[str, Any]", table)
    name = str(values.get("id", "a rule without id"))
    for key, value in values.items():
        if key not in _TYPES:
            raise PackProblem(f"{name}: unknown field {key}")
        if type(value) not in _TYPES[key]:
            raise PackProblem(f"{name}: bad {key}, it is {' or '.join(kind.__name__ for kind in _TYPES[key])}")
    fields: dict[str, Any] = {**values, "anchors": tuple(values.get("anchors", ()))}
    try:
        rule = Rule(**fields)
    except TypeError as error:
        raise PackProblem(f"{name}: {error}") from None
    _check(rule)
    return rule


_TYPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("id", "title", "regex", "severity", "confidence", "secret_name", "url", "explanation", "check"), (str,)),
    **dict.fromkeys(("lookback", "span"), (int,)),
    "min_entropy": (int, float),
    "generic": (bool,),
    "anchors": (list,),
}  # fmt: skip
"""What a rule's fields are in TOML."""


def _check(rule: Rule) -> None:
    problems = {
        "id": not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", rule.id),
        "anchors": not rule.anchors or not all(map(_is_anchor, rule.anchors)),
        "severity": rule.severity not in get_args(Severity),
        "confidence": rule.confidence not in get_args(Confidence),
        "check": bool(rule.check) and rule.check not in CHECKS,
        "span": not 0 < rule.span <= MAX_SPAN,
        "regex": not rule.regex or not rule.regex.isascii(),
        "lookback": not 0 <= rule.lookback < rule.span,
        "secret_name": not re.fullmatch(r"[A-Z][A-Z0-9_]*", rule.secret_name),
        "explanation": not rule.explanation,
    }
    for name, wrong in problems.items():
        if wrong:
            raise PackProblem(f"{rule.id}: bad {name}")


def _is_anchor(anchor: object) -> bool:
    return isinstance(anchor, str) and anchor.isascii() and anchor == anchor.lower() and len(anchor) >= 3
