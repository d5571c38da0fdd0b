"""The budget for comparing values with the vault's, and its record."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locum.broker.audit_files import AuditFailed
from locum.broker.comparisons import BULK, BURST, REFILL, Comparisons
from locum.errors import LocumError, Unavailable
from unit.broker.test_core import Clock


def about() -> dict[str, Any]:
    return {"pid": 4}


def use(comparisons: Comparisons, asker: object, times: int) -> int:
    """Ask so often; return how often it was allowed."""
    allowed = 0
    for _ in range(times):
        try:
            comparisons.take(asker, 4, about)
            allowed += 1
        except Unavailable:
            continue
    return allowed


@given(st.lists(st.tuples(st.floats(0, 1000), st.integers(0, 700), st.integers(0, 2)), max_size=12))
def test_all_askers_together_never_get_more_than_burst_and_refill(steps: list[tuple[float, int, int]]) -> None:
    clock = Clock()
    comparisons = Comparisons(lambda _: None, clock)
    began, allowed = clock.now, 0
    for pause, times, asker in steps:
        clock.now += pause
        allowed += use(comparisons, asker, times)
    assert allowed <= BURST + (clock.now - began) * REFILL + 1e-6


def test_the_budget_comes_back_and_not_beyond_the_burst() -> None:
    clock = Clock()
    comparisons = Comparisons(lambda _: None, clock)
    assert use(comparisons, "a", BURST + 9) == BURST
    clock.now += 3
    assert use(comparisons, "b", 9) == 3
    clock.now += 10 * BURST
    assert use(comparisons, "a", BURST + 9) == BURST


def test_one_record_for_many_says_who_how_many_and_what_was_told() -> None:
    clock, written = Clock(), list[dict[str, Any]]()
    comparisons = Comparisons(written.append, clock)
    use(comparisons, "a", BURST + 2)
    comparisons.told("a", about, "KEY")
    comparisons.told("a", about, "KEY")
    comparisons.write_down(older_than=BULK)
    comparisons.left("b")
    assert written == []
    clock.now += BULK
    comparisons.write_down(older_than=BULK)
    comparisons.write_down()
    assert written == [{"pid": 4, "tried": BURST + 2, "refused": 2, "processes": 1, "resources": ["KEY"]}]


def test_what_cannot_be_written_is_kept_and_then_nothing_more_is_compared() -> None:
    clock, written, broken = Clock(), list[dict[str, Any]](), True

    def write(fields: dict[str, Any]) -> None:
        if broken:
            raise AuditFailed("the disk is full")
        written.append(fields)

    comparisons = Comparisons(write, clock)
    use(comparisons, "a", 2)
    with pytest.raises(AuditFailed):
        comparisons.write_down()
    clock.now += BULK
    with pytest.raises(LocumError):
        comparisons.take("b", 4, about)
    broken = False
    comparisons.take("b", 4, about)
    assert [fields["tried"] for fields in written] == [2]


def test_many_commands_of_one_program_are_one_record_a_minute() -> None:
    clock, written = Clock(), list[dict[str, Any]]()
    comparisons = Comparisons(written.append, clock)
    for process in range(20):
        comparisons.take("locum fix", process, about)
        comparisons.left("locum fix")
    assert written == []
    clock.now += BULK
    comparisons.write_down(older_than=BULK)
    assert written == [{"pid": 4, "tried": 20, "refused": 0, "processes": 20, "resources": []}]


@pytest.mark.parametrize("signal", ["told", "refused"])
def test_whoever_learnt_something_or_was_refused_is_written_down_when_it_leaves(signal: str) -> None:
    clock, written = Clock(), list[dict[str, Any]]()
    comparisons = Comparisons(written.append, clock)
    use(comparisons, "a", 1 if signal == "told" else BURST + 1)
    if signal == "told":
        comparisons.told("a", about, "KEY")
    comparisons.left("a")
    assert [(fields["resources"], fields["refused"]) for fields in written] == [
        (["KEY"], 0) if signal == "told" else ([], 1)
    ]
