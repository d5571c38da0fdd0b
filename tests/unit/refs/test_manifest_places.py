"""Every problem of a manifest is told, each where it stands."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from locum.refs.manifest import Place, read_manifest
from locum.refs.manifest_places import span_of

PROBLEMS = [
    ("«secret».A = 1", "did you mean secrets?"),
    ("[project]\n«idd» = 'x'", "did you mean id?"),
    ("# [secrets.A]\n[secrets.A]\nsource = «'here'»  # there", "neither"),
    ("[secrets.A]\nsource = «'locum://B'»", "native"),
    ("[secrets.A]\ndocs = «1»\n", "text"),
    ("[secrets.A]\n[secrets.A.env]\nprod = «'x y'»", "neither"),
    ('[secrets.A.env]\nprod = «"""x\ny"""»', "neither"),
    ("«[secrets.'a b']»\n", "name"),
    ("[secrets]\n'a b' = { source = 'local' }", "name"),
    ("[tasks.t]\ncommand = «'pytest'»", "list"),
    ("[tasks.t]\ncommand = ['a', # «b»\n  «2» ]", "list of texts"),
    ("[secrets.A]\n[tasks.t]\nsecrets = ['A', «'NOPE'»]", "no [secrets.NOPE]"),
    ("[secrets.A]\n[tasks.t]\nsecrets = { X = «'locum://B'» }", "no [secrets.B]"),
    ("[tasks.t]\nttl = «'1y'» # s", "duration"),
    ("[[scan.allow]]\nreason = 'a'\nrule = 'r'\n«[[scan.allow]]»\nrule = 'x'", "reason"),
    ("[[scan.allow]]\nreason = 'z'\nexpires = «'2027-01-01'»", "date"),
    ("[scan]\nallow = [{ reason = 'z', rule = 'r' }, { reason = 'z', rule = 'r', «rul» = 2 }]", "did you mean rule?"),
    ("[secrets]\nA.docs = «2»", "text"),
    ('[secrets."A\\u0042"]\ndocs = «2»', "text"),
    ("😋 = 1\n", "TOML"),
]  # fmt: skip


@pytest.mark.parametrize(("marked", "says"), PROBLEMS)
def test_a_problem_stands_where_it_is(marked: str, says: str) -> None:
    text = marked.replace("«b»", "b").replace("«", "").replace("»", "")
    (problem,) = read_manifest(text)[1]
    assert says in problem.explain()
    if "«" in marked:
        start, end = span_of(text, problem.place, key=problem.on_key)
        wanted = marked.replace("«b»", "b")
        assert f"{text[:start]}«{text[start:end]}»{text[end:]}" == wanted


def test_all_problems_are_told_and_the_rest_is_read() -> None:
    manifest, problems = read_manifest(
        "[secrets.A]\n[secrets.B]\nsource = 1\n[tasks.t]\nsecrets = ['A', 'B']\n[tasks.u]\nttl = 2\n"
        "[scan]\nexclude = 'x'\n[[scan.allow]]\nreason = ''\n[[scan.allow]]\nreason = 'r'\nrule = 'x'\n"
    )
    assert [problem.place for problem in problems] == [
        ("secrets", "B", "source"), ("tasks", "u", "ttl"), ("scan", "exclude"), ("scan", "allow", 0, "reason"),
    ]  # fmt: skip
    assert list(manifest.secrets) == ["A"]
    assert list(manifest.tasks) == ["t"], "B is declared, though not well"
    assert [allowance.rule for allowance in manifest.allow] == ["x"]


VALUES = st.recursive(
    st.sampled_from(["1", "true", "'a'", '"b]#,}"', "2027-01-01", "'''x\n]'''", '"""\n"y\\""""', "-1.5e3"]),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: "[" + " ,\n # ],\n ".join(items) + "]")
        | st.lists(inner, max_size=3).map(
            lambda items: "{ " + ", ".join(f"k{n} = {item}" for n, item in enumerate(items)) + " }"
        )
    ),
    max_leaves=6,
)


@given(st.lists(st.tuples(st.sampled_from(["[t{}]", "[[l]]", "[t{}.'x.y']", "a{} = 0"]), VALUES), max_size=5))
def test_whatever_toml_reads_is_found_where_it_stands(parts: list[tuple[str, str]]) -> None:
    """What stands at the place of a value, read alone, is that value."""
    text = "z = 1\n"
    for number, (header, value) in enumerate(parts):
        text += f"{header.format(number)}  # = [\nv{number} = {value}\n"
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    for place, value in leaves(raw, ()):
        start, end = span_of(text, place)
        assert tomllib.loads(f"v = {text[start:end]}")["v"] == value


def leaves(value: Any, place: Place) -> list[tuple[Place, Any]]:
    if isinstance(value, dict) and value:
        return [leaf for key, inner in value.items() for leaf in leaves(inner, (*place, key))]
    if isinstance(value, list) and value:
        return [leaf for number, inner in enumerate(value) for leaf in leaves(inner, (*place, number))]
    return [(place, value)] if not isinstance(value, (dict, list)) else []


@example('"\\a"', ("a",))
@given(st.text(alphabet="[]{}'\"=.,#\n ab1\\", max_size=60), st.sampled_from([("a",), ("a", 0, "b"), ()]))
def test_no_text_stops_it(text: str, place: Place) -> None:
    start, end = span_of(text, place)
    assert 0 <= start <= end <= len(text)
