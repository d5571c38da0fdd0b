"""Every rule of the pack against values made of its own expression, and against what only looks like them."""

from __future__ import annotations

from pathlib import Path

import pytest
from oracle import NaiveSelector, brute_force_engine, matches
from samples import OVERRIDES, TEMPLATES, joined, near_misses, samples

from locum.detect.engine import Engine, _spans
from locum.detect.pack import Pack, Rule

PACK = Pack.built_in()
ENGINE = Engine(PACK, "ahocorasick")
RULES = [rule for rule in PACK.rules.values() if rule.regex]
FORMATS = {rule.id for rule in PACK.rules.values() if not rule.regex}
SAMPLES = 10
MAY_LOOK_ORDINARY = 3
"""So many of a rule's random values may look like words, paths or versions by accident, and be left out."""
BESIDE = {
    "bitrix24-webhook": "bitrix24-inbound-webhook",  # nearly the same
    "google-chat-webhook": "google-api-key",  # the address holds both
    "openai-service-account-key": "openai-api-key",  # the shortest that can be made of the one is the other too
}
"""Rules whose values another rule's finding may stand beside, or for."""


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_rule(rule: Rule) -> None:
    """Its values are found, what only looks like them is not, and its anchors miss nothing that its expression matches."""
    text, places = joined(samples(rule, SAMPLES))
    values_are_found_exactly(rule, text, places)
    if not rule.near:
        anchors_miss_nothing(rule, text)
    if rule.id not in {*OVERRIDES, *TEMPLATES}:
        near_misses_are_not_found(rule)


def values_are_found_exactly(rule: Rule, text: bytes, wanted: list[tuple[int, int]]) -> None:
    found = {(finding.start, finding.end): finding.rule for finding in ENGINE.scan(text).findings}
    ordinary = 0
    for start, end in wanted:
        by = found.pop((start, end), None)
        if by == rule.id or by in FORMATS or (by is not None and BESIDE.get(rule.id) == by):
            continue
        assert by in {None, "generic-secret", "generic-password", "secret-in-text"}, (
            f"taken for {by}: {text[start - 40 : end]}"
        )
        overlapping = [place for place in found if place[0] < end and start < place[1]]
        ordinary += 1
        for place in overlapping:
            del found[place]
        assert ordinary <= MAY_LOOK_ORDINARY, f"not found: {text[start - 40 : end + 5]}, but {overlapping}"
    others = {by for by in found.values() if BESIDE.get(rule.id) != by}
    assert not others, f"besides the values: {others}"


def anchors_miss_nothing(rule: Rule, text: bytes) -> None:
    tried = {
        span
        for number, end in NaiveSelector(rule.anchors).hits(text)
        for span in _spans(rule, text, end - len(rule.anchors[number]), end)
    }
    assert tried >= outermost(matches(rule, text))


@pytest.mark.parametrize("part", range(8))
def test_the_selectors_agree_with_brute_force(part: int) -> None:
    text, _ = joined([sample for rule in RULES[part::8] for sample in samples(rule, 1)])
    wanted = brute_force_engine(PACK).scan(text)
    assert len(wanted.findings) > len(RULES) // 12
    for name in ("ahocorasick", "trie"):
        assert Engine(PACK, name).scan(text) == wanted, name


def near_misses_are_not_found(rule: Rule) -> None:
    """One character less or more, a foreign one, another prefix, or filling in place of a value: not this rule's."""
    whys, wrong = zip(*near_misses(rule), strict=True)
    text, places = joined(wrong)
    found = [(finding.start, finding.end) for finding in ENGINE.scan(text).findings if finding.rule == rule.id]
    taken = [
        (why, text[start - 40 : end])
        for why, (start, end) in zip(whys, places, strict=True)
        if any(first < end and start < last for first, last in found)
    ]
    assert not taken


def test_there_are_near_misses() -> None:
    some = RULES[::9]
    assert sum(len(list(near_misses(rule))) >= 5 for rule in some) > len(some) * 0.8


def test_every_rule_without_an_expression_has_a_case() -> None:
    lines = (Path(__file__).parent / "formats" / "slots.txt").read_text("utf-8").splitlines()
    assert {line.partition(" ¦ ")[0] for line in lines} >= FORMATS


def outermost(places: set[tuple[int, int]]) -> set[tuple[int, int]]:
    """Leave out matches that begin within another one: brute force begins at every byte."""
    return {
        place
        for place in places
        if not any(other[0] < place[0] < other[1] or (other[0] == place[0] and other[1] > place[1]) for other in places)
    }
