"""Many findings of one text: one set of edits, one import, one name a value, and no value in what is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum.detect.finding import Finding
from locum.rewrite.batch import Batch, plan_all
from locum.rewrite.naming import Names
from locum.text.edits import apply_edits
from locum.text.source import SourceText
from support.marked import CLOSE, OPEN, finding_at

WORD = "tulip"


def planned(marked: str, path: str) -> tuple[str, Batch]:
    """Plan all marked secrets of a text."""
    findings: list[tuple[int, int]] = []
    text = ""
    for part in marked.replace("<", OPEN).replace(">", CLOSE).split(OPEN):
        inside, close, rest = part.partition(CLOSE)
        if close:
            findings.append((len(text), len(text) + len(inside)))
        text += inside + rest
    source, names = SourceText(text), Names()
    return text, plan_all(
        source,
        [finding_at(source, start, end) for start, end in findings],
        path=path,
        language="",
        name_for=lambda finding, value: names.choose(finding, value, (), lambda _: ""),
    )


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        (
            "a.py",
            'A = "<tulip-1>"\nB = "<tulip-2>"\nC = "<tulip-1>"\n',
            'import os\n\nA = os.environ["NAME"]\nB = os.environ["NAME_2"]\nC = os.environ["NAME"]\n',
        ),
        ("a.json", '["<tulip-1>", 2, "<tulip-2>"]', '["locum://NAME_2", 2, "locum://NAME"]'),
        (".env", "A=x:<tulip-1>@<tulip-2>\nB=1\n", "A=locum://NAME\nB=1\n"),
    ],
)
def test_all_of_a_text(path: str, before: str, after: str) -> None:
    text, batch = planned(before, path)
    assert batch.text == apply_edits(text, batch.edits) == after
    assert not batch.left


def test_what_goes_along_in_one_string_needs_no_fix_of_its_own() -> None:
    _, batch = planned("A=x:<tulip-1>@<tulip-2>\n", ".env")
    assert (len(batch.moved), len(batch.along)) == (1, 1)
    assert bytes(batch.moved[0].plan.value.view()) == b"x:tulip-1@tulip-2"


def test_what_cannot_move_stays_and_is_said_and_the_rest_moves() -> None:
    _, batch = planned('package a\nconst (\n\tA = "<tulip-1>"\n)\nvar B = "<tulip-2>"\n', "a.go")
    assert [moved.plan.name for moved in batch.moved] == ["NAME"]
    (left,) = batch.left
    assert "Go constant" in left.reason
    assert 'A = "tulip-1"' in batch.text
    assert all(WORD not in edit.new_text for edit in batch.edits)


def test_an_edit_that_would_carry_another_secret_is_refused() -> None:
    """The command of an MCP server moves into its arguments: with a secret in it, it would be written down again."""
    before = '{"mcpServers": {"x": {"command": "<tulip-1>", "env": {"K": "<tulip-2>"}}}}'
    _, batch = planned(before, ".mcp.json")
    assert not any(WORD in edit.new_text for edit in batch.edits)
    assert len(batch.left) == 2


@given(st.lists(st.tuples(st.sampled_from("ABC"), st.booleans()), min_size=1, max_size=12))
def test_same_value_same_name_and_a_program_that_compiles(rows: list[tuple[str, bool]]) -> None:
    lines = [f'x{number} = {"f" if is_f else ""}"<tulip-{value}>"' for number, (value, is_f) in enumerate(rows)]
    _, batch = planned("\n".join(lines) + "\n", "a.py")
    compile(batch.text, "a.py", "exec")
    assert batch.text.count("import os") == 1
    assert WORD not in batch.text
    names = {bytes(moved.plan.value.view()): moved.plan.name for moved in batch.moved}
    assert len(set(names.values())) == len(names) == len({value for value, _ in rows})
    for moved in batch.moved:
        assert names[bytes(moved.plan.value.view())] == moved.plan.name


def test_names_are_remembered_by_value() -> None:
    from locum.secret import SecretBytes

    names, finding = Names(), Finding("r", "t", 0, 1, "error", "high", (), "K", "f")
    assert names.choose(finding, SecretBytes(b"one"), {"K"}, lambda _: "") == "K_2"
    assert names.choose(finding, SecretBytes(b"one"), (), lambda _: "") == "K_2"
    assert names.choose(finding, SecretBytes(b"two"), (), lambda _: "OTHER") == "OTHER"
    assert names.of(SecretBytes(b"three")) == ""


@pytest.mark.parametrize("other", ["<tulip-1>", "<tulip-2>"])
def test_what_people_are_told_holds_no_secret(other: str) -> None:
    """Somebody called an MCP server by its token, or by another one of this text."""
    _, batch = planned(f'{{"mcpServers": {{"{other}": {{"command": "x", "env": {{"K": "<tulip-1>"}}}}}}}}', ".mcp.json")
    assert (len(batch.moved), len(batch.left)) == (1, 1)
    assert WORD not in batch.moved[0].plan.note + batch.moved[0].plan.idiom + batch.left[0].reason


def test_a_text_of_nothing_but_secrets_takes_several_goes() -> None:
    rows = 1200
    text, left = "".join(f"K{row}=<tulip-{row}>\n" for row in range(rows)), rows
    _, batch = planned(text, ".env")
    assert 100 < len(batch.moved) <= 500
    assert len(batch.moved) + len(batch.left) == left
    assert {item.reason for item in batch.left} == {"there are too many secrets in this text for one go: fix it again."}
    assert batch.moved[0].finding.start < batch.left[0].finding.start
