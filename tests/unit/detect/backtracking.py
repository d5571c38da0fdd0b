"""How much work an expression can make at most, at one place in the worst text: read off the expression, nothing is run.

A backtracking matcher tries, in the worst case, every way in which the parts of an expression can share a text among them.
A repetition gives such a choice when what it repeats can also begin what follows; when it cannot, giving back what it took
fails at once, and behind the end nothing can fail. Possessive repetitions and atomic groups give nothing back. `steps` multiplies the choices and adds up the
bytes: an upper bound, so that an expression below a limit is safe, and one above it may only look unsafe.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from re import _constants as ops  # type: ignore[attr-defined] - the expression's own parser has no public name
from re import _parser  # type: ignore[attr-defined] - likewise
from typing import Any

_ALL = frozenset(range(256))
_NONE: frozenset[int] = frozenset()
_GREEDY = (ops.MAX_REPEAT, ops.MIN_REPEAT)
_DIGIT = frozenset(range(48, 58))
_WORD = _DIGIT | frozenset(range(65, 91)) | frozenset(range(97, 123)) | {95}
_SPACE = frozenset(b" \t\n\r\f\v")
_CATEGORIES: dict[Any, frozenset[int]] = {
    ops.CATEGORY_DIGIT: _DIGIT,
    ops.CATEGORY_NOT_DIGIT: _ALL - _DIGIT,
    ops.CATEGORY_WORD: _WORD,
    ops.CATEGORY_NOT_WORD: _ALL - _WORD,
    ops.CATEGORY_SPACE: _SPACE,
    ops.CATEGORY_NOT_SPACE: _ALL - _SPACE,
}
ENDLESS = float("inf")


@dataclass(frozen=True)
class _Part:
    """What a piece of an expression can do."""

    first: frozenset[int]
    """The bytes that it may begin with, and, when it may be empty, those that what follows may begin with."""
    ways: float
    """In how many ways it may match one text, from one place on."""
    cost: float
    """Steps for all of these ways together."""


@cache
def steps(regex: str, window: int) -> float:
    """Return how many steps a verbose expression over bytes takes at one place of any text, at most, in a window of bytes."""
    tree = _parser.parse(regex.encode(), re.VERBOSE)
    return _Bound(window, tree.state.groupwidths).sequence(list(tree), _NONE).cost


class _Bound:
    """Reads a parsed expression, from its end to its beginning."""

    def __init__(self, window: int, group_widths: list[Any]) -> None:
        self._window = window
        self._group_widths = group_widths
        self._any_case = False

    def sequence(self, nodes: list[Any], after: frozenset[int]) -> _Part:
        parts: list[_Part] = []
        for op, value in reversed(nodes):
            parts.append(self._node(op, value, after))
            after = parts[-1].first
        ways, cost = 1.0, 0.0
        for part in reversed(parts):
            cost += ways * part.cost
            ways *= part.ways
        return _Part(after, ways, cost)

    def _node(self, op: Any, value: Any, after: frozenset[int]) -> _Part:
        if op in {ops.LITERAL, ops.NOT_LITERAL, ops.IN, ops.ANY}:
            return _Part(_bytes(op, value, any_case=self._any_case), 1, 1)
        if op is ops.SUBPATTERN:
            before, self._any_case = self._any_case, self._any_case or bool(value[1] & re.IGNORECASE)
            inner = self.sequence(list(value[3]), after)
            self._any_case = before
            return inner
        if op is ops.BRANCH:
            return self._either([list(branch) for branch in value[1]], after)
        if op is ops.GROUPREF_EXISTS:
            return self._either([list(branch or []) for branch in value[1:]], after)
        if op in {ops.MAX_REPEAT, ops.MIN_REPEAT, ops.POSSESSIVE_REPEAT}:
            return self._repeat(op, value[0], value[1], value[2], after)
        return self._look(op, value, after)

    def _look(self, op: Any, value: Any, after: frozenset[int]) -> _Part:
        if op is ops.GROUPREF:
            return _Part(_ALL, 1, min(self._group_widths[value][1], self._window))
        if op is ops.ATOMIC_GROUP:
            inner = self.sequence(list(value), after)
            return _Part(inner.first, 1, inner.cost)
        after = after or _ALL  # at the end of the expression, too, this can fail
        if op is ops.AT:
            return _Part(after, 1, 1)
        inner = self.sequence(list(value[1]), _NONE)
        if op is ops.ASSERT_NOT and value[0] > 0 and len(value[1]) == 1 and value[1][0][0] in {ops.IN, ops.LITERAL}:
            after -= inner.first  # what must not follow cannot begin what follows
        return _Part(after, 1, inner.cost)

    def _either(self, branches: list[list[Any]], after: frozenset[int]) -> _Part:
        parts = [self.sequence(branch, after) for branch in branches]
        heads = [_head(branch) for branch in branches]
        apart = all(
            parts[one].first.isdisjoint(parts[other].first)
            or not (heads[one].startswith(heads[other]) or heads[other].startswith(heads[one]))
            for one in range(len(parts))
            for other in range(one)
        )
        ways = max(part.ways for part in parts) if apart else sum(part.ways for part in parts)
        return _Part(frozenset[int]().union(*(part.first for part in parts)), ways, sum(part.cost for part in parts))

    def _repeat(self, op: Any, least: int, most: Any, nodes: Any, after: frozenset[int]) -> _Part:
        alone = self.sequence(list(nodes), _NONE)
        inner = self.sequence(list(nodes), alone.first | after)
        most = self._window if most is ops.MAXREPEAT else most
        choices = 1 + most - least if alone.first & after else 1
        many = ENDLESS if inner.ways > 1 and inner.ways ** min(most, 99) > 1e9 else inner.ways**most
        ways, cost = choices * many, inner.cost * most * many
        return _Part(inner.first | after if least == 0 else inner.first, ways if op in _GREEDY else 1, cost)


def _head(nodes: list[Any]) -> bytes:
    """Return the literal that a sequence begins with."""
    head = bytearray()
    for op, value in nodes:
        if op is not ops.LITERAL:
            break
        head.append(value)
    return bytes(head)


def _bytes(op: Any, value: Any, *, any_case: bool) -> frozenset[int]:
    if op is ops.ANY:
        return _ALL - {10}
    if op is ops.LITERAL:
        held, negated = {value}, False
    elif op is ops.NOT_LITERAL:
        held, negated = {value}, True
    else:
        held, negated = set[int](), False
        for kind, item in value:
            if kind is ops.NEGATE:
                negated = True
            elif kind is ops.LITERAL:
                held.add(item)
            elif kind is ops.RANGE:
                held.update(range(item[0], item[1] + 1))
            else:
                held |= _CATEGORIES[item]
    if any_case:
        held |= {ord(chr(char).swapcase()) for char in held if chr(char).isascii() and chr(char).isalpha()}
    return _ALL - held if negated else frozenset(held)
