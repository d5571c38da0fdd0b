"""References inside a longer text: what is found in it, what is refused, and that what is written is found again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum.refs.embedded import embed, embedded
from locum.refs.reference import ReferenceProblem


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("https://h/mcp", []),
        ("locum://A", [("locum://A", "A")]),
        ("Bearer locum://a.b-c", [("locum://a.b-c", "a.b-c")]),
        ("https://h/?k=locum://A&b=locum://B", [("locum://A", "A"), ("locum://B", "B")]),
        ("https://me:{locum://A}@h/{locum://B}/x", [("{locum://A}", "A"), ("{locum://B}", "B")]),
        ("{{locum://A}} {locum://B locum://C}", [("{locum://A}", "A"), ("locum://B", "B"), ("locum://C", "C")]),
        ("op://a/b/c ${A}", []),
    ],
)
def test_what_is_found(text: str, found: list[tuple[str, str]]) -> None:
    assert [(text[item.start : item.end], item.name) for item in embedded(text)] == found


@pytest.mark.parametrize(
    "text",
    ["locum://tulip?env=prod", "locum://tulip#id", "locum://tulip/x", "https://me:locum://tulip@h", "locum://1", "xlocum://tulip", "locum://",
     "locum://tulip locum://", "${locum://tulip}", "locum://tulip%20", "locum://tulip${B}"],
)  # fmt: skip
def test_what_is_refused(text: str) -> None:
    with pytest.raises(ReferenceProblem) as refused:
        embedded(text)
    assert "tulip" not in refused.value.message


_AROUND = st.text("aZ0_.-:/?#&=,;|@%+~!*{}()'\"\\ $é", max_size=8)


@given(st.lists(st.tuples(_AROUND, st.sampled_from(["A", "b.c", "D_9-e"])), min_size=1, max_size=3), _AROUND)
def test_what_is_written_is_found_again(parts: list[tuple[str, str]], last: str) -> None:
    """One after the other, from the last to the first, as fixes come; what stands around them stays."""
    text, names = last, [name for _, name in parts]
    try:
        for before, name in reversed(parts):
            text = before + embed(before, name, text) + text
    except ReferenceProblem:
        assert any(before.endswith("$") for before, _ in parts)
        return
    found = embedded(text)
    assert [item.name for item in found] == names
    pieces, at = [], 0
    for item in found:
        pieces.append(text[at : item.start])
        at = item.end
    assert [*pieces, text[at:]] == [*(before for before, _ in parts), last]
