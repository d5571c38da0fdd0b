"""Each rule finds what it is for, exactly, with every selector; and nothing in ordinary code."""

from __future__ import annotations

import re
import warnings
from re import _parser  # type: ignore[attr-defined]

import pytest
from detect_cases import SEEDS, Case, clean_texts, provider_cases
from oracle import brute_force_engine, spans

from locum.detect.engine import Engine
from locum.detect.pack import MAX_SPAN, Pack, Rule

PACK = Pack.built_in()
ENGINES = [Engine(PACK, "ahocorasick"), Engine(PACK, "trie")]
CASES = provider_cases()
IDS = [f"{number}-{case.rule}" for number, case in enumerate(CASES)]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_exact_spans(case: Case, seed: int) -> None:
    data, expected = case.build(seed)
    for engine in ENGINES:
        found = engine.scan(data).findings
        assert spans(found) == [(case.rule, start, end) for start, end in expected], (engine.selector, case.template)
        if case.name:
            assert [finding.secret_name for finding in found] == [case.name] * len(found)


@pytest.mark.parametrize("seed", SEEDS)
def test_clean_texts(seed: int) -> None:
    for data in clean_texts(seed):
        for engine in ENGINES:
            assert not [one for one in engine.scan(data).findings if one.confidence != "low"], data


@pytest.mark.parametrize("seed", SEEDS)
def test_a_file_of_all_cases_gives_what_brute_force_gives(seed: int) -> None:
    texts = [case.build(seed)[0] for case in CASES]
    data = b"\n".join([*texts, *clean_texts(seed), b" ".join(texts)])
    wanted = brute_force_engine(PACK).scan(data)
    assert len(wanted.findings) > len(CASES)
    for engine in ENGINES:
        assert engine.scan(data) == wanted


@pytest.mark.parametrize("rule", [rule for rule in PACK.rules.values() if rule.regex], ids=lambda rule: rule.id)
def test_rule_is_well_made(rule: Rule) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a doubtful escape in an expression
        pattern = rule.pattern
    least, most = _parser.parse(rule.regex, re.VERBOSE).getwidth()
    assert least > 0
    assert most <= rule.span <= MAX_SPAN, "a match that is cut at the window's end would be a lie"
    assert rule.lookback <= 256
    assert not set(pattern.groupindex) - {"value", "quote"}
    assert re.fullmatch(r"[A-Z][A-Z0-9_]*", rule.secret_name)
    assert rule.url.startswith("https://")
    assert 40 <= len(rule.explanation) <= 600
    assert rule.explanation.endswith(".")
