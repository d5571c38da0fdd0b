"""The selectors give the same answer: every occurrence of every anchor."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from locum.detect.pack import Pack
from locum.detect.selectors import AhoCorasickSelector, Selector, TrieSelector
from locum.detect.suppress import ANCHORS as MARKERS

BUILT_IN = [*Pack.built_in().anchors, *MARKERS]
REAL: list[Selector] = [AhoCorasickSelector(BUILT_IN), TrieSelector(BUILT_IN)]
PIECES = st.lists(
    st.sampled_from([*BUILT_IN, *(anchor.upper() for anchor in BUILT_IN)]) | st.text("abks_-.:/\n", max_size=4)
)
ANCHORS = st.lists(st.text("abc-_", min_size=1, max_size=5), min_size=1, max_size=12, unique=True)


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
    assert [selector.hits(data) for selector in REAL] == [wanted, wanted]


@given(st.binary(max_size=400))
def test_any_bytes(data: bytes) -> None:
    wanted = naive(BUILT_IN, data)
    assert [selector.hits(data) for selector in REAL] == [wanted, wanted]


@given(ANCHORS, st.text("abcABC-_", max_size=60))
def test_anchors_that_hold_each_other(anchors: list[str], text: str) -> None:
    data = text.encode()
    wanted = naive(anchors, data)
    assert AhoCorasickSelector(anchors).hits(data) == wanted
    assert TrieSelector(anchors).hits(data) == wanted
