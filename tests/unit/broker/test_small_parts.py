"""Fields of values, scrubbed texts, pace and cool-down: the broker's small pure parts."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum.broker.fields import field_of
from locum.broker.pace import AFTER_A_NO, AFTER_MANY_NOES, MANY_NOES, REQUESTS_A_MINUTE, Cooldown, Pace
from locum.broker.question import boxed
from locum.broker.scrub import scrub
from locum.errors import NotAllowed
from locum.secret import SecretBytes
from support.home import canary


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


VALUE = {"user": "me", "port": 5432, "on": True, "a.b": "dotted", "deep": {"er": "x"}, "list": [1], "none": None}


@pytest.mark.parametrize(
    ("field", "found"), [("user", b"me"), ("port", b"5432"), ("on", b"true"), ("a.b", b"dotted"), ("deep.er", b"x")]
)
def test_a_field(field: str, found: bytes) -> None:
    value = field_of(SecretBytes(json.dumps(VALUE).encode()), field, "locum://X#f")
    assert bytes(value.view()) == found


@pytest.mark.parametrize("field", ["nope", "deep", "list", "none", "user.x", "deep.nope", "list.0"])
def test_a_field_that_is_none(field: str) -> None:
    with pytest.raises(NotAllowed) as refused:
        field_of(SecretBytes(json.dumps(VALUE).encode()), field, "locum://X#f")
    said = refused.value.explain()
    assert "dotted" not in said
    assert "port" not in said  # names of fields are the value's own


@pytest.mark.parametrize("raw", [b"", b"plain", b"[1]", b"{", b"\xff", b"[" * 100_000, b'"x"'])
def test_a_value_that_has_no_fields(raw: bytes) -> None:
    with pytest.raises(NotAllowed) as refused:
        field_of(SecretBytes(raw), "x", "locum://X#x")
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


@given(before=st.text(max_size=20), after=st.text(max_size=20))
def test_what_looks_like_a_value_is_left_out(before: str, after: str) -> None:
    token = canary(40)
    assert token not in scrub(f"{before} {token} {after}")


@pytest.mark.parametrize(
    "text", ["npm run test:integration --workspace=packages/server", "locum://STRIPE_SECRET_KEY_FOR_TESTS",
             "/usr/lib/python3/dist-packages/some-package_with_a_long_name"]
)  # fmt: skip
def test_ordinary_words_stay(text: str) -> None:
    assert scrub(text) == text


def test_a_pace_is_each_ones_own() -> None:
    clock = Clock()
    pace = Pace(clock=clock)
    for _ in range(REQUESTS_A_MINUTE):
        pace.take(1)
    with pytest.raises(NotAllowed):
        pace.take(1)
    pace.take(2)
    clock.now += 61
    pace.take(1)


def test_a_no_to_an_agent_rests() -> None:
    clock = Clock()
    cooldown = Cooldown(clock)
    cooldown.check("a", 1, agent=True)
    cooldown.refused("a", 1)
    with pytest.raises(NotAllowed) as refused:
        cooldown.check("a", 2, agent=True)
    assert refused.value.code == "denied.cooldown"
    cooldown.check("a", 2, agent=False)  # a person may have said no by mistake
    cooldown.check("b", 1, agent=True)
    clock.now += AFTER_A_NO + 1
    cooldown.check("a", 1, agent=True)


@pytest.mark.parametrize("agent", [True, False])
def test_many_noes_quiet_a_session(agent: bool) -> None:
    clock = Clock()
    cooldown = Cooldown(clock)
    for number in range(MANY_NOES):
        cooldown.refused(number, 1)
    with pytest.raises(NotAllowed):
        cooldown.check("other", 1, agent=agent)
    cooldown.check("other", 2, agent=agent)
    clock.now += AFTER_MANY_NOES + 1
    cooldown.check("other", 1, agent=agent)


@given(lines=st.lists(st.text(st.characters(min_codepoint=32, exclude_categories=["C", "M", "Z"]) | st.just(" "), max_size=300), max_size=6),
       width=st.integers(40, 100))  # fmt: skip
def test_a_box_is_as_wide_as_it_says_and_every_line_has_its_edge(lines: list[str], width: int) -> None:
    import unicodedata

    for row in boxed(lines, width):
        assert row.startswith("│ ")
        assert sum(2 if unicodedata.east_asian_width(char) in {"W", "F"} else 1 for char in row) <= width + 1
    joined = "".join(row[2:].strip(" ") for row in boxed(lines, width)).replace(" ", "")
    assert joined == "".join(lines).replace(" ", "")
