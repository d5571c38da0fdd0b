"""A rule for finding secrets as somebody wrote it down: in `locum.toml`, in their `rules.toml`, or for gitleaks. Plain data.

Says nothing of what an expression means; `detect.userrules` runs them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

OWN = ("own-", "user-")
"""What the ids of these rules begin with in findings: the project's, the user's. No built-in rule's does."""
MAX_GROUP = 100
MAX_ENTROPY = 8
"""Bits a byte."""
MAX_ID = 64

_SIGNS = re.compile(r"[^a-z0-9]+")

Place = tuple[str | int, ...]


class RuleProblem(ValueError):
    """A rule that cannot mean what it says; `rule` is its id, or "" for the file as such."""

    def __init__(self, message: str, rule: str = "") -> None:
        super().__init__(message)
        self.rule = rule


@dataclass(frozen=True, slots=True)
class RuleException:
    """What a rule does not mean. Expressions are in Go's syntax; what is "" or () says nothing."""

    regexes: tuple[str, ...] = ()
    target: str = "secret"
    """What they look at: secret, match or line."""
    stopwords: tuple[str, ...] = ()
    """Parts of a value, in lower case."""
    paths: tuple[str, ...] = ()
    every: bool = False
    """All that is said must hold; else one thing is enough."""


@dataclass(frozen=True, slots=True)
class OwnRule:
    """One rule."""

    id: str
    regex: str
    """In Go's syntax."""
    title: str = ""
    keywords: tuple[str, ...] = ()
    """One of them stands near every match; without any, the whole text is looked at."""
    secret_group: int = 0
    """The group that is the secret; 0: the first that matched, else all."""
    entropy: float = 0.0
    severity: str = ""
    confidence: str = ""
    explanation: str = ""
    path: str = ""
    """A gitignore pattern."""
    path_regex: str = ""
    exceptions: tuple[RuleException, ...] = ()
    file: str = "locum.toml"
    """Where it was read, for people."""
    place: Place = ()
    """What of the manifest brought it, () for none."""


def gitleaks_rules(raw: Mapping[str, Any], file: str, place: Place) -> tuple[OwnRule, ...]:
    """Return the rules of a decoded gitleaks configuration, which need not be ours to judge: unknown keys are passed over.

    Rules for paths alone, and those that only support others (`skipReport`), find no values and are left out.
    Raises RuleProblem.
    """
    shared = _exceptions(raw, "")
    rules: list[OwnRule] = []
    for entry in _tables(raw, "rules", ""):
        written = _text(entry, "id", "")
        regex = _text(entry, "regex", written)
        if not regex or entry.get("skipReport") is True:
            continue
        group, entropy = entry.get("secretGroup", 0), entry.get("entropy", 0.0)
        if type(group) is not int or not 0 <= group <= MAX_GROUP:
            raise RuleProblem("secretGroup is the number of a group", written)
        if type(entropy) not in {int, float} or not 0 <= entropy <= MAX_ENTROPY:
            raise RuleProblem("entropy is a number of bits, up to 8", written)
        named = _SIGNS.sub("-", written.lower()).strip("-")[:MAX_ID].rstrip("-")
        if not named:
            raise RuleProblem("every rule has an id")
        meant = (*_exceptions(entry, written), *shared)
        rules.append(
            OwnRule(
                named, regex, _text(entry, "description", written) or written, _texts(entry, "keywords", written),
                group, float(entropy), path_regex=_text(entry, "path", written),
                exceptions=tuple(exception for exception, only in meant if not only or written in only),
                file=file, place=place,
            )
        )  # fmt: skip
    return tuple(rules)


def _exceptions(table: Mapping[str, Any], rule: str) -> list[tuple[RuleException, tuple[str, ...]]]:
    """Return the allowlists of a table, old and new spelling, each with the rules that it is for: () for all."""
    written = _tables(table, "allowlists", rule)
    single: Any = table.get("allowlist", [])
    written += [single] if isinstance(single, dict) else _tables(table, "allowlist", rule)
    return [
        (
            RuleException(
                _texts(entry, "regexes", rule),
                _text(entry, "regexTarget", rule) or "secret",
                tuple(word.lower() for word in _texts(entry, "stopwords", rule)),
                _texts(entry, "paths", rule),
                _text(entry, "condition", rule).upper() in {"AND", "&&"},
            ),
            _texts(entry, "targetRules", rule),
        )
        for entry in written
    ]


def _tables(table: Mapping[str, Any], name: str, rule: str) -> list[dict[str, Any]]:
    value: Any = table.get(name, [])
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in cast("list[Any]", value)):
        raise RuleProblem(f"{name} is a list of tables: [[{name}]]", rule)
    return list(cast("list[dict[str, Any]]", value))


def _texts(table: Mapping[str, Any], name: str, rule: str) -> tuple[str, ...]:
    value: Any = table.get(name, [])
    if not isinstance(value, list) or not all(isinstance(text, str) for text in cast("list[Any]", value)):
        raise RuleProblem(f"{name} is a list of texts", rule)
    return tuple(cast("list[str]", value))


def _text(table: Mapping[str, Any], name: str, rule: str) -> str:
    value = table.get(name, "")
    if not isinstance(value, str):
        raise RuleProblem(f"{name} is a text", rule)
    return value
