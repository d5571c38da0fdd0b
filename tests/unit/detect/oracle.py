"""Brute force: every rule's expression over the whole text, without anchors, windows or selectors."""

from __future__ import annotations

from locum.detect.candidate import confirm
from locum.detect.finding import Finding
from locum.detect.pack import Pack, Rule
from locum.detect.resolve import without_overlaps

Span = tuple[str, int, int]


def brute_force(pack: Pack, data: bytes) -> list[Span]:
    """Return (rule, start, end) of what a scan must find, by the filters of the engine on every match there is."""
    candidates = [
        candidate
        for rule in pack.rules.values()
        for span in matches(rule, data)
        if (candidate := confirm(rule, data, "", (-1, -1), span))
    ]
    return [(best.rule.id, best.start, best.end) for best in without_overlaps(candidates)]


def matches(rule: Rule, data: bytes) -> list[tuple[int, int]]:
    """Return the values of all matches, overlapping ones too, each once."""
    found: dict[tuple[int, int], None] = {}
    match = rule.pattern.search(data)
    while match is not None:
        found[match.span(rule.group)] = None
        match = rule.pattern.search(data, match.start() + 1)
    return list(found)


def spans(findings: tuple[Finding, ...]) -> list[Span]:
    return [(finding.rule, finding.start, finding.end) for finding in findings]
