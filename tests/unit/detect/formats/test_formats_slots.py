"""Formats say exactly where their credentials stand, and nothing of what is none."""

from __future__ import annotations

import re

import pytest
from format_cases import Case, cases, slots

from locum.detect import formats
from locum.detect.pack import Pack, Rule
from unit.detect.detect_cases import SEEDS

CASES = cases("slots.txt")
PACK = Pack.built_in().rules
RULES = {name: PACK[name] for name in re.findall(r"(?m)^\[([a-z-]+)\]", formats.RULES)}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.rule}-{case.path}")
def test_exact_slots(case: Case, seed: int) -> None:
    data, expected = case.build(seed)
    found = slots(data, case.path)
    assert [(slot.rule, data[slot.start : slot.end]) for slot in found] == [
        (case.rule, data[start:end]) for start, end in expected
    ], data
    assert [slot[:2] for slot in found] == expected
    if case.name:
        assert {slot.name for slot in found} == {case.name.encode()}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("case", cases("quiet.txt"), ids=lambda case: f"{case.path}-{case.template[:30]}")
def test_nothing_in_what_holds_nothing(case: Case, seed: int) -> None:
    data, _ = case.build(seed)
    assert not slots(data, case.path), data


def test_rules_and_cases_belong_together() -> None:
    assert set(RULES) == {case.rule for case in CASES}


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.id)
def test_rule_explains_itself(rule: Rule) -> None:
    assert rule.url.startswith("https://")
    assert 40 <= len(rule.explanation) <= 600
    assert rule.explanation.endswith(".")


def test_anchors_are_fit_for_layer_one() -> None:
    assert len(set(formats.ANCHORS)) == len(formats.ANCHORS)
    for anchor in formats.ANCHORS:
        assert anchor.isascii()
        assert anchor == anchor.lower()
        assert len(anchor) >= 4
