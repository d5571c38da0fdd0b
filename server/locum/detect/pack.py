"""Rules as data: what a rule says, and how rule files become rules. Expressions are compiled when they are first needed.

The built-in files are trusted at start (tests hold them to `problems`), other people's rules are checked when they are read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import cast, get_args

from locum.detect.checks import CHECKS
from locum.detect.finding import Confidence, Severity
from locum.detect.formats.ruletext import RULES
from locum.detect.rulefile import Block, RuleFileProblem, beginning, bounded, expanded, read_blocks

MAX_SPAN = 16 * 1024
"""No rule looks at more bytes from its anchor on."""
GAP = 48
"""Bytes between the word of a context rule and its value, unless the rule says otherwise."""
_SERVICE = (
    "Whoever holds it can act as your account at {service}. Revoke it there, make a new one, and look at what the account "
    "did since the value was written down. Found by its shape near the service's name, so look before you rotate."
)


class PackProblem(ValueError):
    """A rule pack that cannot mean what it says. Names the rule and the field."""


@dataclass(frozen=True)
class Rule:
    """How one kind of secret looks."""

    id: str
    title: str
    anchors: tuple[str, ...]
    """Lower-case ASCII literals, one of which every match begins with, or holds within its first `lookback` bytes.
    For a context rule: the words that its value stands near."""
    regex: str
    """Over bytes, verbose; group `value` is the secret, else the whole match. Every part is bounded."""
    secret_name: str
    """A good name in a vault, as an environment variable is spelt."""
    url: str = ""
    """The vendor's page on this kind of secret."""
    explanation: str = ""
    severity: Severity = "error"
    """The most that it is worth; findings that are less sure are worth less."""
    confidence: Confidence = "high"
    lookback: int = 0
    span: int = 1024
    min_entropy: float = 0.0
    check: str = ""
    near: int = 0
    """A context rule: the value stands at most this many bytes after one of the anchors."""
    generic: bool = False
    """The value says nothing by itself: the place does, and the value must look like a secret."""

    @cached_property
    def pattern(self) -> re.Pattern[bytes]:
        """The compiled expression. Raises PackProblem when it is none."""
        try:
            return _compiled(self.regex)
        except re.error as error:
            raise PackProblem(f"{self.id}: bad regex, {error}") from None

    @cached_property
    def group(self) -> int:
        """The number of the group that holds the value."""
        return self.pattern.groupindex.get("value", 0)


@cache
def _compiled(regex: str) -> re.Pattern[bytes]:
    """Compile once what many context rules share."""
    return re.compile(regex.encode(), re.VERBOSE)


class Pack:
    """Rules and their anchors."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules: dict[str, Rule] = {}
        numbers: dict[str, int] = {}
        self.anchors: list[str] = []
        self.routes: list[list[Rule]] = []
        """Rules by the number of their anchor."""
        for rule in rules:
            if rule.id in self.rules:
                raise PackProblem(f"{rule.id}: there are two rules of this id")
            self.rules[rule.id] = rule
            for anchor in rule.anchors:
                number = numbers.setdefault(anchor, len(numbers))
                if number == len(self.anchors):
                    self.anchors.append(anchor)
                    self.routes.append([])
                self.routes[number].append(rule)
        if not self.rules:
            raise PackProblem("a pack without rules would find nothing")

    @classmethod
    def built_in(cls) -> Pack:
        """Read the rules that ship with Locum."""
        return cls(rule_of(block) for text in (*_built_in_texts(), RULES) for block in read_blocks(text))


def read_rules(text: str) -> list[Rule]:
    """Read and check a rule file that is not ours. Raises PackProblem."""
    try:
        rules = [rule_of(block) for block in read_blocks(text)]
    except RuleFileProblem as error:
        raise PackProblem(str(error)) from None
    for rule in rules:
        for problem in problems(rule):
            raise PackProblem(problem)
    return rules


def rule_of(block: Block) -> Rule:
    """Make a rule of what its file says. Raises PackProblem for numbers that are none, RuleFileProblem for unknown shapes."""
    name = block["id"]
    anchors = _words(block.get("anchors") or block.get("near", ""))
    near, confidence = 0, block.get("confidence", "high")
    if "token" in block:
        regex = bounded(block["token"])
        anchors = anchors or _words(beginning(block["token"]))
    elif "near" in block:
        regex = bounded(block.get("value", ""))
        near, confidence = _number(block, "gap", GAP), block.get("confidence", "medium")
    else:
        regex = expanded(block.get("regex", ""))
    service = block.get("service", "")
    return Rule(
        name,
        block["title"],
        anchors,
        regex,
        block.get("name") or name.upper().replace("-", "_"),
        block.get("url", ""),
        block.get("about") or (_SERVICE.format(service=service) if service else ""),
        cast("Severity", block.get("severity", "error")),
        cast("Confidence", confidence),
        _number(block, "lookback", 0),
        _number(block, "span", 1024),
        _number(block, "entropy", 2.8 if near else 3.0 if "token" in block else 0.0),
        block.get("check", ""),
        near,
        block.get("generic") == "yes",
    )


def problems(rule: Rule) -> Iterable[str]:
    """Say what is wrong with a rule as such: "id: bad field"."""
    wrong = {
        "id": not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", rule.id),
        "anchors": not rule.anchors or not all(map(_is_anchor, rule.anchors)),
        "severity": rule.severity not in get_args(Severity),
        "confidence": rule.confidence not in get_args(Confidence),
        "check": bool(rule.check) and rule.check not in CHECKS,
        "span": not 0 < rule.span <= MAX_SPAN,
        "gap": not 0 <= rule.near <= 256,
        "regex": not rule.regex or not rule.regex.isascii(),
        "lookback": not 0 <= rule.lookback < rule.span,
        "name": not re.fullmatch(r"[A-Z][A-Z0-9_]*", rule.secret_name),
        "about": not rule.explanation,
    }
    return [f"{rule.id}: bad {name}" for name, bad in wrong.items() if bad]


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip().replace("<space>", " ") for word in text.split(",") if word.strip())


def _number(block: Block, key: str, default: float) -> int:
    try:
        return (
            cast("int", float(block[key]) if "." in block[key] else int(block[key]))
            if key in block
            else cast("int", default)
        )
    except ValueError:
        raise PackProblem(f"{block['id']}: {key} is a number") from None


def _is_anchor(anchor: object) -> bool:
    return isinstance(anchor, str) and anchor.isascii() and anchor == anchor.lower() and len(anchor) >= 3


def _built_in_texts() -> list[str]:
    """Return the rule files in the order of their names."""
    folder = os.path.join(os.path.dirname(__file__), "rules")  # noqa: PTH118, PTH120 - see below
    if os.path.isdir(folder):  # noqa: PTH112 - importlib.resources takes 8 ms to import, which hooks do not have
        names = sorted(name for name in os.listdir(folder) if name.endswith(".rules"))  # noqa: PTH208
        return [_read(os.path.join(folder, name)) for name in names]  # noqa: PTH118
    from importlib.resources import files  # inside a zip

    items = sorted(files("locum.detect").joinpath("rules").iterdir(), key=lambda item: item.name)
    return [item.read_text("utf-8") for item in items if item.name.endswith(".rules")]


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:  # noqa: PTH123
        return file.read()
