"""Rules as data: what a rule says, and how rule files become rules. Expressions are compiled when they are first needed.

The built-in files are trusted at start (tests hold them to `problems`), other people's rules are checked when they are read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from functools import cache, cached_property
from typing import Any, get_args

from locum.detect.checks import CHECKS
from locum.detect.finding import Confidence, Severity
from locum.detect.formats.ruletext import RULES
from locum.detect.rulefile import (
    Block,
    RuleFileProblem,
    after_escapes,
    bounded,
    expanded,
    identity,
    read_blocks,
    split_blocks,
)

MAX_SPAN = 16 * 1024
"""No rule looks at more bytes from its anchor on."""
MAX_LOOKBACK = 256
"""No match begins farther before its anchor."""
GAP = 48
"""Bytes between the word of a context rule and its value, unless the rule says otherwise."""
_SERVICE = (
    "Whoever holds it can act as your account at {service}. Revoke it there, make a new one, and look at what the account "
    "did since the value was written down. Found by its shape near the service's name, so look before you rotate."
)


class PackProblem(ValueError):
    """A rule pack that cannot mean what it says. Names the rule and the field."""


class Rule:
    """How one kind of secret looks.

    Of the many rules that ship, a text needs few: only `id` and `anchors` are read at once, all else when it is asked for.
    """

    id: str
    title: str
    anchors: tuple[str, ...]
    """Lower-case ASCII literals, one of which every match begins with, or holds within its first `lookback` bytes.
    For a context rule: the words that its value stands near. For a rule that only a format's reader names: none."""
    regex: str
    """Over bytes, verbose; group `value` is the secret, else the whole match. Every part is bounded."""
    secret_name: str
    """A good name in a vault, as an environment variable is spelt."""
    url: str
    """The vendor's page on this kind of secret."""
    explanation: str
    severity: Severity
    """The most that it is worth; findings that are less sure are worth less."""
    confidence: Confidence
    lookback: int
    span: int
    min_entropy: float
    check: str
    near: int
    """A context rule: the value stands at most this many bytes after one of the anchors."""
    generic: bool
    """The value says nothing by itself: the place does, and the value must look like a secret."""

    def __init__(self, text: str) -> None:
        """Take the rule's block of a rule file. Raises RuleFileProblem when it has no head."""
        self.id, self.anchors = identity(text)
        self._text = text

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or "title" in self.__dict__:
            raise AttributeError(name)
        self.__dict__.update(_fields(next(read_blocks(self._text))))
        return getattr(self, name)

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
        return cls(Rule(block) for text in (*_built_in_texts(), RULES) for block in split_blocks(text))


def read_rules(text: str) -> list[Rule]:
    """Read and check a rule file that is not ours. Raises PackProblem."""
    try:
        list(read_blocks(text))  # what stands outside of blocks, too
        rules = [Rule(block) for block in split_blocks(text)]
        for rule in rules:
            for problem in problems(rule):
                raise PackProblem(problem)
    except RuleFileProblem as error:
        raise PackProblem(str(error)) from None
    return rules


def _fields(block: Block) -> dict[str, Any]:
    """Return what a rule's block means. Raises PackProblem for numbers that are none, RuleFileProblem for unknown shapes."""
    near, confidence = 0, block.get("confidence", "high")
    if "token" in block:
        regex = bounded(block["token"])
    elif "near" in block:
        regex = bounded(block.get("value", ""), context=True)
        near, confidence = int(_number(block, "gap", GAP)), block.get("confidence", "medium")
    else:
        regex = after_escapes(expanded(block.get("regex", "")))
    service = block.get("service", "")
    return {
        "title": block["title"],
        "regex": regex,
        "secret_name": block.get("name") or block["id"].upper().replace("-", "_"),
        "url": block.get("url", ""),
        "explanation": block.get("about") or (_SERVICE.format(service=service) if service else ""),
        "severity": block.get("severity", "error"),
        "confidence": confidence,
        "lookback": int(_number(block, "lookback", 0)),
        "span": int(_number(block, "span", 1024)),
        "min_entropy": _number(block, "entropy", 2.8 if near else 3.0 if "token" in block else 0.0),
        "check": block.get("check", ""),
        "near": near,
        "generic": block.get("generic") == "yes",
    }


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
        "lookback": not 0 <= rule.lookback < min(rule.span, MAX_LOOKBACK + 1),
        "name": not re.fullmatch(r"[A-Z][A-Z0-9_]*", rule.secret_name),
        "about": not rule.explanation,
    }
    return [f"{rule.id}: bad {name}" for name, bad in wrong.items() if bad]


def _number(block: Block, key: str, default: float) -> float:
    try:
        return float(block[key]) if key in block else default
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
