"""The selectors give the same answer: every occurrence of every anchor."""

from __future__ import annotations

import re
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from locum.detect import formats
from locum.detect.pack import Pack
from locum.detect.selectors import AhoCorasickSelector, Re2Selector, Selector, TrieSelector, choose, hits_in_parts
from locum.detect.suppress import ANCHORS as MARKERS

KINDS = (AhoCorasickSelector, Re2Selector, TrieSelector)
BUILT_IN = list(dict.fromkeys([*Pack.built_in().anchors, *MARKERS, *formats.ANCHORS]))
REAL: list[Selector] = [kind(BUILT_IN) for kind in KINDS]
PIECES = st.lists(
    st.sampled_from([*BUILT_IN, *(anchor.upper() for anchor in BUILT_IN)]) | st.text("abks_-.:/\n", max_size=4)
)
ANCHORS = st.lists(st.text("abc-_", min_size=1, max_size=5), min_size=1, max_size=12, unique=True)
SIGNS = st.lists(st.text("a.*[(\\|^$ \n\0", min_size=1, max_size=4), min_size=1, max_size=8, unique=True)
BYTES = st.lists(
    st.sampled_from([b"a", b"A", b"b", b"B", b"-", b"\0", b"\xe4", b"\xc4", b"\xc3\xa4", b"\xff", b"\n"]), max_size=60
)


def naive(anchors: list[str], data: bytes) -> list[tuple[int, int]]:
    lower = data.lower()
    return [
        (number, start + len(anchor))
        for start in range(len(data))
        for number, anchor in enumerate(anchors)
        if lower.startswith(anchor.encode(), start)
    ]


@settings(deadline=None)
@given(PIECES)
def test_texts_made_of_anchors(pieces: list[str]) -> None:
    data = "".join(pieces).encode()
    wanted = naive(BUILT_IN, data)
    for selector in REAL:
        assert selector.hits(data) == wanted, selector.name


@given(st.binary(max_size=400))
def test_any_bytes(data: bytes) -> None:
    wanted = naive(BUILT_IN, data)
    for selector in REAL:
        assert selector.hits(data) == wanted, selector.name


@given(ANCHORS, st.text("abcABC-_", max_size=60))
def test_anchors_that_hold_each_other(anchors: list[str], text: str) -> None:
    same(anchors, text.encode())


@given(ANCHORS, BYTES)
def test_case_is_that_of_ascii_and_bytes_are_bytes(anchors: list[str], pieces: list[bytes]) -> None:
    same(anchors, b"".join(pieces))


@given(SIGNS, st.text("aA.*[(\\|^$ \n\0", max_size=40))
def test_signs_stand_for_themselves(anchors: list[str], text: str) -> None:
    same(anchors, text.encode())


def test_a_place_that_every_anchor_shares() -> None:
    anchors = ["a" * length for length in range(1, 30)]
    same(anchors, b"aA" * 40)
    same([], b"text")


def same(anchors: list[str], data: bytes) -> None:
    wanted = naive(anchors, data)
    for kind in KINDS:
        assert kind(anchors).hits(data) == wanted, kind.name


@pytest.mark.parametrize(
    ("missing", "chosen"),
    [((), "ahocorasick"), (("ahocorasick_rs",), "re2"), (("ahocorasick_rs", "re2"), "trie"), (("re2",), "ahocorasick")],
)
def test_the_fastest_that_is_installed_is_chosen(
    monkeypatch: pytest.MonkeyPatch, missing: tuple[str, ...], chosen: str
) -> None:
    monkeypatch.delenv("LOCUM_SELECTOR", raising=False)

    class Hidden:
        """An import path on which some modules are not."""

        def __init__(self, finder: object) -> None:
            self.finder = finder

        def find_spec(self, name: str, path: object = None, target: object = None) -> object:
            return None if name in missing else self.finder.find_spec(name, path, target)  # type: ignore[attr-defined]

    for name in missing:
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(sys, "meta_path", [Hidden(finder) for finder in sys.meta_path])
    assert choose(["abc"]).name == chosen


def test_the_environment_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("re2", "trie", "ahocorasick"):
        monkeypatch.setenv("LOCUM_SELECTOR", name)
        assert choose(["abc"]).name == name
    monkeypatch.setenv("LOCUM_SELECTOR", "grep")
    with pytest.raises(ValueError, match=re.escape("no selector named 'grep': there are ahocorasick, re2, trie")):
        choose(["abc"])


@given(ANCHORS, st.text("abcABC-_", max_size=200), st.integers(1, 40))
def test_a_long_text_in_parts_gives_what_it_gives_as_a_whole(anchors: list[str], text: str, part: int) -> None:
    data = text.encode()
    for kind in KINDS:
        selector = kind(anchors)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("locum.detect.selectors.PART", part)
            assert list(hits_in_parts(selector, data, [len(anchor) for anchor in anchors])) == selector.hits(data)


def test_between_parts_it_can_be_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("locum.detect.selectors.PART", 10)
    late = iter([False, False, True])
    assert list(hits_in_parts(TrieSelector(["ab"]), b"ab" * 50, [2], lambda: next(late))) == [
        (0, 2 * n) for n in range(1, 11)
    ]
