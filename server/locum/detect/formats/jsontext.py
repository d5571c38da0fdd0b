"""Reads JSON (and JSON with comments) as a stream of values with their places, in one pass and without recursion.

It does not judge: text that is no JSON gives what can be read of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from locum.detect.formats.model import Expression, Work

_TOKEN = Expression(rb'"(?:[^"\\]++|\\.)*+"|[{}\[\],:]|true|//[^\n"]*+\n')
_DEEPEST = 200
"""Levels of which the keys are told apart; deeper ones are read, with the keys of this level."""


class Value(NamedTuple):
    """A string, or `true`, in an object or a list."""

    keys: list[bytes]
    """The keys that lead to it, outermost first, b"[]" for a list. The same list each time: copy what you keep."""
    containers: list[int]
    """Numbers of the objects and lists that hold it, outermost first, counted in the order in which they begin. As `keys`."""
    start: int
    end: int
    """Without the quotes."""
    text: bool
    """A string, rather than `true`."""


def values(data: bytes, work: Work, start: int = 0, end: int | None = None) -> Iterator[Value]:
    """Yield the values in `data[start:end]`, in order."""
    keys: list[bytes] = []
    containers: list[int] = []
    count, depth = 0, 0
    pending, pending_is_value = (0, 0), False
    for match in _TOKEN.compiled.finditer(data, start, len(data) if end is None else end):
        if not work.take():
            return
        first = match[0][0]
        if first == 0x22:
            pending = (match.start() + 1, match.end() - 1)
            if keys and (keys[-1] == b"[]" or pending_is_value):
                yield Value(keys, containers, *pending, True)
                pending_is_value = False
        elif first == 0x3A and keys and keys[-1] != b"[]":
            keys[-1] = data[pending[0] : pending[1]]
            pending_is_value = True
        elif first in b"{[":
            depth += 1
            count += 1
            if depth <= _DEEPEST:
                keys.append(b"[]" if first == 0x5B else b"")
                containers.append(count)
            pending_is_value = False
        elif first in b"}]":
            if 0 < depth <= _DEEPEST:
                keys.pop()
                containers.pop()
            depth = max(0, depth - 1)
            pending_is_value = False
        elif first == 0x2C:
            pending_is_value = False
        elif first == 0x74 and keys:
            yield Value(keys, containers, match.start(), match.end(), False)
