"""`[[scan.allow]]`: strict to read, gentle to write."""

from __future__ import annotations

import json
from datetime import date

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum.refs.manifest import Allowance, ManifestProblem, parse_manifest
from locum.refs.manifest_allow import add_allowance, literal_pattern
from locum.refs.manifest_schema import manifest_schema
from locum.workspace.walk import read_patterns

PRINT = "0123456789abcdef" * 2
WRONG = [
    ('reason = "x"', "everything"),
    ('rule = "a"', "reason"),
    ('rule = "a"\nreason = "  "', "reason"),
    ('rule = "a"\nreason = "x"\nrules = "b"', "did you mean rule?"),
    ('fingerprint = "xyz"\nreason = "x"', "32 hexadecimal"),
    ('value = "my-secret-in-the-wrong-place"\nreason = "x"', "never the value"),
    ('rule = ["a"]\nreason = "x"', "text"),
    ('rule = "a"\nreason = "x"\nexpires = "2027-01-01"', "date"),
    ('rule = "a"\nreason = "x"\nexpires = 2027-01-01T00:00:00Z', "date"),
]
MANIFESTS = [
    "", "# only a comment", '[project]\nid = "a"\n', '[scan]  # here\nexclude = ["x"]\n', "[scan]\nallow = []\n", 'scan.exclude = ["a"]\n',
    '[[scan.allow]]  # one\nrule = "a"\nreason = "b"\n\n[secrets.A]  # last\n', '[scan]\nallow = [{ rule = "a", reason = "b" }]\n',
    '# x\r\n[scan]\r\nexclude = ["x"]  # y\r\n', '[tasks.t]\ncommand = ["true"]\n# the end',
]  # fmt: skip


@pytest.mark.parametrize(("entry", "says"), WRONG)
def test_wrong_is_loud_and_repeats_no_value(entry: str, says: str) -> None:
    with pytest.raises(ManifestProblem) as caught:
        parse_manifest(f"[[scan.allow]]\n{entry}\n")
    assert caught.value.exit_code == 2
    assert says in caught.value.explain()
    assert caught.value.key == "scan.allow"
    assert "my-secret" not in caught.value.explain()


@pytest.mark.parametrize(
    "entry",
    [
        {"rule": "a", "reason": "b"}, {"path": "a/**", "reason": "b"}, {"fingerprint": PRINT, "reason": "b"}, {"value": PRINT, "reason": "b"},
        {"rule": "a", "path": "b", "fingerprint": PRINT, "value": PRINT, "reason": "c"},
    ],
)  # fmt: skip
def test_reader_and_schema_take_the_same(entry: dict[str, str]) -> None:
    text = "[[scan.allow]]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in entry.items())
    (read,) = parse_manifest(text).allow
    assert {name: getattr(read, name) for name in entry} == entry
    jsonschema.validate({"scan": {"allow": [entry]}}, manifest_schema())
    for wrong in (
        {"reason": "b"},
        entry | {"value": "secret"},
        entry | {"more": "x"},
        {k: v for k, v in entry.items() if k != "reason"},
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({"scan": {"allow": [wrong]}}, manifest_schema())


@pytest.mark.parametrize("text", MANIFESTS)
@given(
    rule=st.sampled_from(["", "github-pat"]), path=st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=12),
    reason=st.text(min_size=1, max_size=20).filter(lambda reason: reason.strip() and "\x7f" not in reason), expires=st.sampled_from([None, date(2030, 2, 3)]),
)  # fmt: skip
def test_adding_keeps_every_byte_that_was_there(
    text: str, rule: str, path: str, reason: str, expires: date | None
) -> None:
    allowance = Allowance(rule=rule, path=literal_pattern(path), reason=reason, expires=expires)
    before, added = parse_manifest(text), add_allowance(text, allowance)
    after = parse_manifest(added)
    assert after.allow == (*before.allow, allowance)
    assert (after.exclude, after.secrets, after.tasks, after.project_id) == (
        before.exclude,
        before.secrets,
        before.tasks,
        before.project_id,
    )
    if "allow = [" not in text:
        assert added.startswith(text)
        assert ("\r\n" in text) == ("\r\n" in added)
    if expires is None:
        assert add_allowance(added, Allowance(rule=rule, path=allowance.path, reason="another")) == added, (
            "it is there already"
        )


def test_one_that_ends_does_not_stand_in_for_one_that_stays() -> None:
    ended = add_allowance("", Allowance(rule="a", reason="b", expires=date(2001, 1, 1)))
    assert len(parse_manifest(add_allowance(ended, Allowance(rule="a", reason="b"))).allow) == 2


@pytest.mark.parametrize(
    "text", ["scan = { exclude = [] }\n", '[scan]\nallow = [ {rule="a", reason="b"}, # c\n]\n', "[scam]\n", "a = \n"]
)
def test_what_cannot_be_added_to_is_left_alone(text: str) -> None:
    with pytest.raises(ManifestProblem) as caught:
        add_allowance(text, Allowance(rule="x", reason="y"))
    assert caught.value.explain()


NAMES = st.text(st.sampled_from("ab [](){}*?!#\\.é😋-"), min_size=1, max_size=8).filter(
    lambda name: name.strip(".") != ""
)


@given(st.lists(NAMES, min_size=1, max_size=3), NAMES)
def test_a_literal_pattern_means_one_file(parts: list[str], other: str) -> None:
    path = "/".join(parts)
    spec = read_patterns([literal_pattern(path)])
    assert spec is not None
    assert spec.match_file(path)
    assert other == parts[0] or not spec.match_file(f"{other}/{path}")
    assert not spec.match_file(path + "x")
