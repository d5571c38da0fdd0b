"""Texts made to hurt: the work stays bounded, in numbers and not by a watch, what was cut is told, and memory is bounded.

What one expression may cost at one place is held by the pack's lint; here it is counted how often expressions are asked.
"""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import samples

from locum.detect import engine as engine_module
from locum.detect.engine import MAX_FINDINGS, Engine
from locum.detect.pack import Pack, Rule

MB = 1 << 20
ASKED = 24
"""Expressions asked for one byte of text, at most: a word of four letters and a blank asks some twenty, each six times."""
PARTS = 8


RULES = {rule.id: rule for rule in Pack.built_in().rules.values() if rule.regex}


class Counting:
    """An expression that counts how often it is asked."""

    def __init__(self, rule: Rule, asked: list[int]) -> None:
        self._pattern = re.compile(rule.regex.encode(), re.VERBOSE)
        self._asked = asked
        self.groupindex = self._pattern.groupindex

    def match(self, data: bytes, *window: int) -> re.Match[bytes] | None:
        self._asked[0] += 1
        return self._pattern.match(data, *window)


class Counted:
    """An engine of its own, and how often its expressions were asked since the last look."""

    def __init__(self) -> None:
        self._asked = [0]
        pack = Pack.built_in()
        for rule in map(pack.rules.__getitem__, RULES):
            rule.__dict__["pattern"] = Counting(rule, self._asked)
        self.engine = Engine(pack)

    def asked(self) -> int:
        count, self._asked[0] = self._asked[0], 0
        return count


@pytest.fixture(scope="module")
def counted() -> Counted:
    return Counted()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A clock that goes on by a second with each look; what it shows is how often it was looked at."""
    looks = [0]

    def tick() -> float:
        looks[0] += 1
        return float(looks[0])

    monkeypatch.setattr(engine_module, "time", SimpleNamespace(perf_counter=tick))
    return looks


def pumped(rule: Rule) -> Iterator[bytes]:
    """Yield what a rule's anchors and values become when they do not stop."""
    for anchor in rule.anchors[:2]:
        word = anchor.encode()
        for between in (b"", b" ", b'="'):
            yield (word + between) * (400 // (len(word) + len(between)))
    for sample in samples(rule, 1):
        last = sample.value[-1:]
        yield sample.text[: sample.end] + last * 300
        yield sample.text[: sample.end - 1] * 3 + b"!"


@pytest.mark.parametrize("part", range(PARTS))
def test_pumped_texts_of_every_rule(counted: Counted, part: int) -> None:
    for rule in list(RULES.values())[part::PARTS]:
        for text in pumped(rule):
            counted.engine.scan(text)
            assert counted.asked() <= ASKED * len(text), (rule.id, text[:80])


@pytest.mark.parametrize("between", [b" ", b"=", b'": "', b"_", b"\n"])
def test_all_anchors_in_one_text(counted: Counted, between: bytes) -> None:
    text = between.join(anchor.encode() for anchor in counted.engine.anchors)
    counted.engine.scan(text * 3)
    assert counted.asked() <= ASKED * len(text) * 3


def everything(size: int) -> bytes:
    """Return a text of anchors of all kinds, of about that many bytes."""
    text = b' = "1'.join(anchor.encode() for anchor in Engine(Pack.built_in()).anchors)
    return text * (size // len(text) + 1)


LONG = {
    "one letter": b"a" * (10 * MB),
    "brackets": b"[" * (5 * MB) + b"]" * (5 * MB),
    "objects": b'{"a":' * (2 * MB),
    "quotes": b'"' * (10 * MB),
    "items of a list": b"- " * (5 * MB),
    "aliases": b"a: &a [" + b"*a," * (3 * MB) + b"]",
    "escapes": b"\\n" * (5 * MB),
    "percents": b"%41" * (3 * MB),
    "digits": b"0123456789abcdef" * (10 * MB // 16),
    "zeros": b"\0" * (10 * MB),
    "line ends": b"\r\n" * (5 * MB),
    "short lines": b"x = 1\n" * 1_000_000,
}


@pytest.mark.parametrize("text", LONG.values(), ids=LONG.keys())
def test_ten_megabytes_of_nothing(counted: Counted, text: bytes) -> None:
    result = counted.engine.scan(text)
    assert not result.findings
    assert counted.asked() < len(text) // 100


BUSY = {
    "names without values": b"key=" * (10 * MB // 4),
    "placeholders": b"key=abcdefgh " * (10 * MB // 13),
    "addresses": b"://" * (10 * MB // 3),
    "heads of tokens": b"eyJ" * (10 * MB // 3),
    "heads of keys": (b"-----BEGIN RSA PRI" + b"VATE KEY-----\n") * (10 * MB // 32),
    "escaped quotes": b'pass%s: "aaaaaaaa\\"' % b"word" * (10 * MB // 21),
    "everything": b"",
}


@pytest.mark.parametrize("name", BUSY)
def test_a_deadline_is_kept_and_told(counted: Counted, clock: list[int], name: str) -> None:
    """After the last look at the clock in time, at most as many hits are looked at as stand between two looks."""
    text = BUSY[name] or everything(10 * MB)
    budget = 20
    result = counted.engine.scan(text, budget=budget)
    assert result.truncated
    assert counted.asked() <= ASKED * 10 * engine_module._CLOCK_EVERY * budget
    assert clock[0] <= 10 * budget, (
        "the clock is looked at in texts that are derived, too, and nowhere in a loop without end"
    )


def test_what_is_found_before_the_deadline_is_kept(clock: list[int]) -> None:
    value = f"glpat-{'h4Kq9ZrT2mXw7PbN5vLc'}"
    result = Engine(Pack.built_in()).scan(f"TOKEN={value}\n".encode() + everything(MB), budget=10)
    assert result.truncated
    assert [finding.start for finding in result.findings][:1] == [6]


def test_more_findings_than_anybody_reads(counted: Counted) -> None:
    text = b"".join(sample.text for sample in samples(RULES["gitlab-pat"], 4_000))
    result = counted.engine.scan(text)
    assert result.truncated
    assert len(result.findings) <= MAX_FINDINGS
    assert counted.asked() < 20_000, "nothing is looked at after that"


def test_a_million_lines_hide_nothing(counted: Counted) -> None:
    (sample,) = samples(RULES["npm-access-token"], 1)
    text = sample.text + b"x = 1\n" * 1_000_000 + sample.text
    found = [(finding.start, finding.end) for finding in counted.engine.scan(text).findings]
    last = len(text) - len(sample.text)
    assert found == [(sample.start, sample.end), (last + sample.start, last + sample.end)]


@pytest.mark.parametrize("name", LONG)
def test_memory(counted: Counted, name: str) -> None:
    assert peak(counted.engine, LONG[name][: 2 * MB]) <= 12 * 2 * MB


@pytest.mark.parametrize("name", BUSY)
def test_memory_for_what_is_seen_everywhere(counted: Counted, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a few times the text, and what one part of a long text needs: not what all the hits in it would need."""
    part = 1 << 14
    monkeypatch.setattr("locum.detect.selectors.PART", part)
    monkeypatch.setattr(engine_module, "_REMEMBERED", 500)
    text = (BUSY[name] or everything(MB))[: 8 * part]
    assert peak(counted.engine, text) <= 12 * len(text) + 160 * part


def peak(engine: Engine, text: bytes) -> int:
    """Return how many bytes a scan takes at most."""
    engine.scan(text[: 64 * 1024])  # what is made once
    tracemalloc.start()
    try:
        engine.scan(text)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@given(
    st.lists(
        st.sampled_from([anchor.encode() for anchor in Pack.built_in().anchors]) | st.binary(max_size=12), max_size=40
    )
)
def test_any_bytes(pieces: list[bytes]) -> None:
    data = b"".join(pieces)
    result = ENGINE.scan(data)
    for finding in result.findings:
        assert 0 <= finding.start < finding.end <= len(data)
        for place in finding.related:
            assert 0 <= place.start < place.end <= len(data)
    starts = [cast("Any", finding).start for finding in result.findings]
    assert starts == sorted(starts)


ENGINE = Engine(Pack.built_in())
