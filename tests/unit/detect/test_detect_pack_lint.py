"""What the pack as a whole promises: anchors that begin every alternative and are rare, bounded work, no rule twice."""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from pathlib import Path
from re import _constants as ops  # type: ignore[attr-defined] - the expression's own parser has no public name
from re import _parser  # type: ignore[attr-defined] - likewise
from typing import Any

import pytest
from backtracking import ENDLESS, steps
from samples import Tree, simplified

from locum.detect.context import WIDEST
from locum.detect.pack import Pack, Rule
from locum.detect.rulefile import read_blocks
from locum.detect.selectors import AhoCorasickSelector

PACK = Pack.built_in()
RULES = [rule for rule in PACK.rules.values() if rule.regex]
WORK = 20_000
"""Steps at one place: a fraction of a millisecond."""
WORKS_MORE = {
    "private-key": 200_000,  # a key is that long, and read in one possessive run
    "generic-secret": 2e7,  # the bound multiplies alternatives that exclude each other by more than their first byte
    "generic-password": 2e7,
    "openai-api-key": 6e6,  # begins at each of 112 places, and fails at once where no `sk-` stands
}
OFTEN = 200.0
"""Hits of one anchor in a million bytes of ordinary code: more cost every file too much."""
HITS = 2_500.0
"""Hits of all anchors together."""
MAY_BE_FREQUENT = {"est"}
"""Anchors whose rules fail at the next byte."""
NARROWER = {"generic-secret", "generic-password"}
"""Rules whose anchors are narrower than their expressions on purpose: `auth=`, and not every word with `auth` in it."""
SHORT_NAMES = {"dhl", "ftx", "glm", "iex", "okx", "otx", "owm"}
"""Services with names that short: the words that hold them are few, and values stand only behind whole words."""


@pytest.fixture(scope="module")
def code() -> bytes:
    """Ten megabytes of ordinary code: Python's own library."""
    library = Path(os.__file__).parent
    files = sorted(path for pattern in ("*.py", "*/*.py") for path in library.glob(pattern))
    ordinary = [path for path in files if not {"test", "tests", "site-packages", "idlelib"} & set(path.parts)]
    return b"\n".join(path.read_bytes() for path in ordinary)[:10_000_000]


def test_anchors_are_rare_in_ordinary_code(code: bytes) -> None:
    megabytes = len(code) / 1e6
    hits = Counter(number for number, _ in AhoCorasickSelector(PACK.anchors).hits(code))
    often = {
        PACK.anchors[number]: [rule.id for rule in PACK.routes[number]]
        for number, count in hits.items()
        if count / megabytes > OFTEN and PACK.anchors[number] not in MAY_BE_FREQUENT
    }
    assert not often, f"these begin too many words: {often}"
    assert sum(hits.values()) / megabytes < HITS, hits.most_common(9)


@pytest.mark.parametrize(
    "rule",
    [rule for rule in RULES if not rule.near and not rule.lookback and rule.id not in NARROWER],
    ids=lambda rule: rule.id,
)
def test_every_alternative_begins_with_an_anchor(rule: Rule) -> None:
    """What the expression may match begins with one of the anchors, whichever way is taken through it."""
    longest = max(map(len, rule.anchors))
    begins = beginnings(simplified(rule.regex), longest)
    assert begins
    missed = sorted(begin for begin in begins if not begin.lower().startswith(tuple(rule.anchors)))
    assert not missed, "no anchor begins what the expression may begin with"


def test_work_at_one_place_is_bounded() -> None:
    much = {
        rule.id: work
        for rule in RULES
        if (work := steps(rule.regex, window(rule)) * (rule.lookback or 1)) > WORKS_MORE.get(rule.id, WORK)
    }
    assert not much, f"on some texts these try too many ways: {much}"


def test_the_bound_knows_what_hurts() -> None:
    for bad in ("(a+)+b", "(a{1,10}){1,10}b", "(?:a|a){40}b", "(?:a|ab|b){0,60}c"):
        assert steps(bad, 1024) == ENDLESS
    assert steps("a{0,40}[ab]{0,40}c", 1024) > 1600
    for good in (
        "(?:ab?){0,30}c",
        "[a-z]{20,40}(?![a-z])",
        "(?>(?:a|b){20})b",
        "a{0,40}b{0,40}c",
        "[a-z]{1,300}+[a-z0-9]{1,300}+!",
    ):
        assert steps(good, 1024) < 2000


def test_values_fit_into_what_is_looked_at() -> None:
    wide = [rule.id for rule in RULES if _parser.parse(rule.regex, re.VERBOSE).getwidth()[1] > window(rule)]
    assert not [name for name in wide if name not in {"oxylabs-password", "smartproxy-password"}], wide


def test_no_rule_is_there_twice() -> None:
    seen: defaultdict[tuple[str, str, bool], list[str]] = defaultdict(list)
    for rule in RULES:
        for anchor in rule.anchors:
            seen[anchor, rule.regex, bool(rule.near)].append(rule.id)
    assert not {key[0]: names for key, names in seen.items() if len(names) > 1}


def test_words_of_services_are_words() -> None:
    short = {
        word: rule.id
        for rule in RULES
        if rule.near
        for word in rule.anchors
        if len(re.sub(r"[^a-z0-9]", "", word)) < 4 and word not in SHORT_NAMES and "_" not in word
    }
    assert not short, f"these stand in too many other words: {short}"


def test_what_is_read_at_once_is_what_the_block_says() -> None:
    for rule in PACK.rules.values():
        block = next(read_blocks(rule._text))
        written = block.get("anchors") or block.get("near") or ""
        if written:
            assert [
                word.strip().replace("<space>", " ") for word in written.replace("\n", " ").split(",") if word.strip()
            ] == [*rule.anchors]


@pytest.mark.parametrize("rule", PACK.rules.values(), ids=lambda rule: rule.id)
def test_what_people_read(rule: Rule) -> None:
    assert rule.title == rule.title.strip()
    assert not rule.title.endswith(".")
    assert len(rule.title) <= 80
    assert re.fullmatch(r"https://[a-z0-9.-]+\.[a-z]{2,}(?:/[^\s<>]*)?", rule.url), rule.url
    assert "  " not in rule.explanation
    assert not re.search(r"\{|TODO|example\.com", rule.explanation)


def window(rule: Rule) -> int:
    return min(rule.span, WIDEST) if rule.near else rule.span


def beginnings(tree: Tree, longest: int) -> set[str]:
    """Return how the texts that an expression matches may begin, in lower case, as far as an anchor is long."""
    found: set[str] = set()
    texts = {""}
    for op, value in tree:
        texts, done = extended(texts, op, value, longest)
        found |= done
        if not texts or len(texts) > 100_000:
            break
    return found | texts


def extended(texts: set[str], op: Any, value: Any, longest: int) -> tuple[set[str], set[str]]:
    """Return the texts with one more part, and those that are long enough already."""
    if op is ops.LITERAL:
        more = {chr(value).lower()}
    elif op is ops.IN:
        more = {char.lower() for char in value.decode("latin-1")}
    elif op is ops.BRANCH:
        more = set[str]().union(*(beginnings(branch, longest) for branch in value))
    elif op is ops.SUBPATTERN:
        more = beginnings(value[2], longest)
    elif op in {ops.GROUPREF, ops.GROUPREF_EXISTS}:
        return set(), texts
    else:
        least, most, inner = value
        once, more = beginnings(inner, longest), {""}
        for count in range(min(most, longest)):
            fewer = more if count >= least else set[str]()
            more = fewer | {begin + end for begin in more for end in once}
            if len(more) > 2_000:  # any signs: no anchor stands behind them
                return set(), {text + begin for text in texts for begin in sorted(more)[:50]}
    both = {(text + end)[:longest] for text in texts for end in more}
    done = {text for text in both if len(text) >= longest}
    return both - done, done
