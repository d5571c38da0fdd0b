"""What a line for a shell would show: the table says it; and no line makes the reader fail."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum.agents.hooks.commands import Reading, read

CASES = [
    tuple(part.strip() for part in line.split("|", 1))
    for line in Path(__file__).with_name("commands.txt").read_text().splitlines()
    if line and not line.startswith("#")
]


def _said(reading: Reading) -> dict[str, object]:
    """Return what the table may say of a reading."""
    return {
        "files": reading.files, "variables": reading.variables, "all": reading.all_variables, "process": reading.process,
        "gives": reading.credential, "unsure": reading.unsure, "encoded": reading.encoded, "masked": reading.masked,
    }  # fmt: skip


@pytest.mark.parametrize(("expected", "line"), CASES, ids=[line for _, line in CASES])
def test_a_line_shows_what_the_table_says(expected: str, line: str) -> None:
    said = _said(read(line))
    wanted = {item.partition("=")[0]: item.partition("=")[2] for item in expected.split(",") if item != "-"}
    for name, value in wanted.items():
        shown = said.pop(name)
        if isinstance(shown, list):
            assert value in shown
        else:
            assert shown == (value or True)
    if "files" not in wanted:  # what a reader may read beside is no harm
        del said["files"]
    if "masked" in wanted or "unsure" in wanted or "process" in wanted:
        said.pop("unsure", None)
    assert not any(said.values()), said


@given(st.text(max_size=200))
def test_any_line_can_be_read(line: str) -> None:
    read(line)


@given(
    st.lists(
        st.sampled_from([*"$()`'\"|&;<>{}\n \\=", "cat", ".env", "sh", "-c", "locum", "mask", "--", "eval"]),
        max_size=60,
    )
)
def test_a_line_of_what_shells_take_as_signs_can_be_read(parts: list[str]) -> None:
    read("".join(parts))
    read(" ".join(parts))
