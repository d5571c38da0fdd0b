"""RE2 behind one door: Go's syntax over bytes, told errors, linear time."""

from __future__ import annotations

import time

import pytest

from locum.text.linear import BadExpression, any_of, compiled, installed

MEMORY = 8 << 20


def test_offsets_are_bytes_and_edges_are_those_asked_for() -> None:
    assert installed()
    expression = compiled(r"(?i)(ä)(x)?key", MEMORY)
    match = expression.search("ö ÄKEY".encode())
    assert match is not None
    assert (match.span(), match.span(1), match.span(2), expression.groups) == ((3, 8), (3, 5), (-1, -1), 2)
    assert compiled("^a|a$", MEMORY).search(b"xax", 1, 2) is None
    assert compiled(r"\ba", MEMORY).search(b"xax", 1, 2) is None
    assert compiled(r"(?m)^a$", MEMORY).search(b"x\na\nx", 2, 3) is not None
    assert [found.span() for found in compiled("a", MEMORY).finditer(b"aaaa", 1, 3)] == [(1, 2), (2, 3)]


@pytest.mark.parametrize("wrong", ["(", "a**", "(?=a)", r"(a)\1", "a{1001}", "[z-a]"])
def test_what_it_does_not_take_is_said(wrong: str) -> None:
    with pytest.raises(BadExpression) as told:
        compiled(wrong, MEMORY)
    assert str(told.value)
    assert "b'" not in str(told.value)


def test_too_much_memory_is_refused() -> None:
    with pytest.raises(BadExpression, match="too large"):
        compiled("([ж-я]{300}[^a]{300}){1,3}", 1 << 14)


def test_what_hurts_others_is_linear() -> None:
    expression = compiled(r"(a|a)*(a|aa)+$", MEMORY)
    before = time.process_time()
    assert expression.search(b"a" * 200_000 + b"!") is None
    assert time.process_time() - before < 2.0


def test_the_longest_of_many() -> None:
    expression = any_of([b"a.", b"a.b", b"\xff"], MEMORY)
    assert [match.span() for match in expression.finditer(b"axb a.b \xff a.c")] == [(4, 7), (8, 9), (10, 12)]
