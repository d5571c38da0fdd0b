"""Brute force, in two parts: anchors found one by one, and a rule's expression over the whole text without anchors."""

from __future__ import annotations

from collections.abc import Sequence

from locum.detect.engine import Engine
from locum.detect.finding import Finding
from locum.detect.pack import Pack, Rule

Span = tuple[str, int, int]


class NaiveSelector:
    """Looks for one anchor after the other."""

    name = "naive"

    def __init__(self, anchors: Sequence[str]) -> None:
        self._anchors = [anchor.encode() for anchor in anchors]

    def hits(self, data: bytes) -> list[tuple[int, int]]:
        lower, found = data.lower(), list[tuple[int, int, int]]()
        for number, anchor in enumerate(self._anchors):
            at = lower.find(anchor)
            while at >= 0:
                found.append((at, number, at + len(anchor)))
                at = lower.find(anchor, at + 1)
        return [(number, end) for _, number, end in sorted(found)]


def brute_force_engine(pack: Pack) -> Engine:
    """Return an engine whose first layer is brute force."""
    engine = Engine(pack, "trie")
    engine._selector = NaiveSelector(engine.anchors)
    return engine


def matches(rule: Rule, data: bytes) -> set[tuple[int, int]]:
    """Return the values of all matches, overlapping ones too."""
    found = set[tuple[int, int]]()
    match = rule.pattern.search(data)
    while match is not None:
        found.add(match.span(rule.group))
        match = rule.pattern.search(data, match.start() + 1)
    return found


def spans(findings: tuple[Finding, ...]) -> list[Span]:
    return [(finding.rule, finding.start, finding.end) for finding in findings]
