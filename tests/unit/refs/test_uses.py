"""Where texts use a name: the table of cases, and what holds for every text."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum.refs.uses import is_variable, uses_in, written_for
from locum.text.edits import Edit, apply_edits

TABLE = Path(__file__).with_name("uses.txt").read_text("utf-8").splitlines()
CASES = [tuple(re.split(r"[ ]+", line, maxsplit=1)) for line in TABLE if line and not line.startswith("#")]
_MARKS = re.compile("[«»]")


def plain(marked: str, path: str) -> str:
    return marked if path.endswith(".ipynb") else marked.replace("\\n", "\n").replace("\\t", "\t")


@pytest.mark.parametrize(("path", "marked"), CASES, ids=[f"{path}-{number}" for number, (path, _) in enumerate(CASES)])
def test_a_case(path: str, marked: str) -> None:
    marked = plain(marked, path)
    text = _MARKS.sub("", marked)
    uses = [use for use in uses_in(text, path) if use.name == "A_KEY"]
    assert all(text[use.start : use.end] == use.name for use in uses)
    shown = apply_edits(text, [Edit(use.start, use.end, f"«{use.name}»") for use in uses])
    assert shown == marked


@pytest.mark.parametrize(("path", "marked"), CASES)
def test_renamed_it_is_used_in_the_same_places(path: str, marked: str) -> None:
    """After a rename the new name is used where the old one was, and the old one nowhere."""
    text = _MARKS.sub("", plain(marked, path))

    def renamed(text: str, old: str, new: str) -> str:
        uses = [use for use in uses_in(text, path) if use.name == old]
        return apply_edits(text, [Edit(use.start, use.end, written_for(use, new, text)) for use in uses])

    after = renamed(text, "A_KEY", "B_2")
    assert not [use for use in uses_in(after, path) if use.name == "A_KEY"]
    if "} = " not in text:  # what is destructured keeps its variable
        assert renamed(after, "B_2", "A_KEY") == text


@pytest.mark.parametrize("path", ["a.py", "a.sh", "a.yaml", "locum.toml", ".env", "a.json", "Dockerfile", ""])
@given(
    parts=st.lists(
        st.sampled_from(["locum://", "A", "=", "\n", '"', "'", "$", "{", "}", "env", "process.env.", "os.environ[", "- ", ":", " ",
                         "[", "]", "secrets", ".", "😋", "ENV ", "--secret ", "in os.environ", "${{ secrets."]), max_size=40,
    )
)  # fmt: skip
def test_no_text_stops_it(path: str, parts: list[str]) -> None:
    text = "".join(parts)
    uses = uses_in(text, path)
    assert all(text[use.start : use.end] == use.name for use in uses if use.sort not in {"declaration", "task"})
    places = [(use.start, use.end) for use in uses]
    assert places == sorted(set(places))
    assert all(one[1] <= other[0] for one, other in pairwise(places)), "they do not overlap: all can be edited"


def test_variables() -> None:
    assert is_variable("A_1")
    assert not is_variable("a.b")
    assert not is_variable("a\n")
