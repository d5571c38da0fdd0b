"""A draft says many steps as one: the same text, and places that are still where it says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum.text.edits import Draft, Edit, apply_edits

TEXTS = st.text("ab\né😋", max_size=20)


@st.composite
def steps(draw: st.DrawFn) -> tuple[str, list[list[Edit]]]:
    """Return a text and some rounds of edits, each of the text that the rounds before it leave."""
    original = text = draw(TEXTS)
    rounds: list[list[Edit]] = []
    for _ in range(draw(st.integers(0, 5))):
        places = sorted(draw(st.lists(st.integers(0, len(text)), max_size=6)))
        pairs = list(zip(places[::2], places[1::2], strict=False))
        edits = [Edit(start, end, draw(st.text("xyz", max_size=3))) for start, end in dict(pairs).items()]
        rounds.append(edits)
        text = apply_edits(text, edits)
    return original, rounds


@given(steps())
def test_all_steps_as_one(case: tuple[str, list[list[Edit]]]) -> None:
    original, rounds = case
    draft, text = Draft(original), original
    for edits in rounds:
        draft.apply(edits)
        text = apply_edits(text, edits)
    assert draft.text == text
    assert apply_edits(original, draft.edits()) == text


@given(steps(), st.data())
def test_places_are_where_it_says(case: tuple[str, list[list[Edit]]], data: st.DataObject) -> None:
    original, rounds = case
    marked = [chr(0xE000 + index) for index in range(len(original))]  # each character is one of a kind
    draft = Draft("".join(marked))
    for edits in rounds:
        draft.apply(edits)
    start = data.draw(st.integers(0, len(original)))
    end = data.draw(st.integers(start, len(original)))
    place = draft.now(start, end)
    if place is not None:
        assert draft.text[slice(*place)] == "".join(marked[start:end])
    elif start < end:
        assert "".join(marked[start:end]) not in draft.text or any(
            edit.start == edit.end for edits in rounds for edit in edits
        )


def test_edits_that_overlap_change_nothing() -> None:
    draft = Draft("abc")
    with pytest.raises(ValueError, match="overlap"):
        draft.apply([Edit(0, 2, ""), Edit(1, 3, "")])
    assert draft.text == "abc"
    assert draft.edits() == ()
