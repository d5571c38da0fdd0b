"""Completion and meanings in a manifest, whole or half written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum.refs.manifest import read_manifest
from locum.refs.manifest_help import at, meaning_of, proposals
from locum.refs.manifest_places import name_span, written
from locum.text.toml_places import inside

NAMES = {"A": "one", "B": "two"}

PROPOSED = [
    ("|", ["[project]", "[secrets.", "[tasks."]),
    ("[se|", ["[project]", "[secrets.", "[tasks."]),
    ("[secrets.A]\n|", ["description = ", "source = ", "docs = "]),
    ("[secrets.A]\nsou|", ["description = ", "source = ", "docs = "]),
    ("[secrets.A]\nsource = |", ['"local"', '"op://', '"ref+vault://']),
    ('[secrets.A]\nsource = "|"\n', ["local", "op://", "ref+vault://"]),
    ("[secrets.A.env]\nprod = '|", ["local'", "op://", "ref+vault://"]),
    ("[secrets]\nA = { source = |", ['"local"', '"op://', '"ref+vault://']),
    ('[tasks.t]\nsecrets = ["|', ['A"', 'B"']),
    ('[tasks.t]\nsecrets = [\n  "A", # x ]\n  |', ['"A"', '"B"']),
    ('[tasks.t]\nsecrets = { X = "|', ['locum://A"', 'locum://B"']),
    ('[tasks.t.secrets]\nX = "|"', ["locum://A", "locum://B"]),
    ('[tasks.t]\ncommand = ["x"]\n|', ["secrets = [", "ttl = ", "max_ttl = "]),
    ('[tasks.t]\nttl = "|"', ["5m", "15m", "30m"]),
    ("[scan]\n|", ["exclude = [", "rules = ["]),
    ("[[scan.allow]]\n|", ["rule = ", "path = ", "fingerprint = "]),
    ('[[scan.rule]]\nseverity = "|"', ["error", "warning", "information"]),
    ('[secrets.A]\ndescription = "|"', []),
    ("[secrets.A]\nsource = 'local' |", []),
    ("# |", []),
]  # fmt: skip


@pytest.mark.parametrize(("marked", "wanted"), PROPOSED)
def test_proposed(marked: str, wanted: list[str]) -> None:
    offset = marked.index("|")
    found = proposals(marked.replace("|", ""), offset, NAMES)
    assert [item.new_text for item in found][:3] == wanted
    assert all(item.start <= offset <= item.end for item in found)


@pytest.mark.parametrize("marked", [marked for marked, wanted in PROPOSED if wanted])
def test_what_is_proposed_can_be_taken(marked: str) -> None:
    """Whatever is chosen, the manifest knows the key or the value, once what was begun is closed."""
    offset = marked.index("|")
    text = marked.replace("|", "")
    for item in proposals(text, offset, NAMES):
        after = text[: item.start] + item.new_text + text[item.end :]
        problems = [p for p in read_manifest("[secrets.A]\n[secrets.B]\n" + after)[1] if "unknown key" in p.message]
        assert not problems


@given(st.text(alphabet="[]{}'\"=.,#\n abAsecretsk1\\😋", max_size=60), st.integers(0, 60))
def test_no_text_stops_it(text: str, offset: int) -> None:
    offset = min(offset, len(text))
    for item in proposals(text, offset, NAMES):
        assert 0 <= item.start <= offset <= item.end <= len(text)
    item = at(text, offset)
    assert item is None or item.start <= offset <= item.end
    for word in written(text):
        start, end = inside(text, word.start, word.end)
        assert word.start <= start <= end <= word.end
        assert name_span(text, word.place)[0] <= len(text)


@pytest.mark.parametrize(
    "place",
    [("project",), ("project", "id"), ("secrets",), ("secrets", "A"), *[("secrets", "A", k) for k in ("description", "source", "docs", "env")],
     ("tasks",), ("tasks", "t"), *[("tasks", "t", k) for k in ("command", "secrets", "ttl")], ("scan",),
     *[("scan", k) for k in ("exclude", "rules")], *[("scan", "allow", 0, k) for k in ("rule", "path", "reason", "expires", "value")]],
)  # fmt: skip
def test_every_key_has_a_meaning(place: tuple[str | int, ...]) -> None:
    assert meaning_of(place)


def test_the_reader_goes_on_after_what_is_not_finished() -> None:
    text = (
        '[secrets.A]\nsource = "lo\n[tasks.t]\nsecrets = ["A", \n[tasks.u]\nsecrets = { X = \n[secrets.B\n[secrets.C]\n'
    )
    headers = [item.place for item in written(text) if item.role == "header" and len(item.place) == 2]
    assert headers == [("secrets", "A"), ("tasks", "t"), ("tasks", "u"), ("secrets", "B"), ("secrets", "C")]
