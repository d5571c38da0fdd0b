"""Layer 1: where do anchor literals occur? Interchangeable selectors with identical answers.

A hit is (anchor's number, end offset): every occurrence, overlapping ones too, in any case of ASCII letters, ordered by
where it starts and then by number. Anchors are lower-case ASCII.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.util import find_spec
from operator import itemgetter
from typing import Any, Protocol

from locum.text.linear import any_of

Hit = tuple[int, int]

PART = 1 << 18
"""Bytes of a long text that are looked through at once: a hit costs a hundred times as many bytes as the text it stands in."""
_PAYS = 2_000_000
"""Bytes of text after which the faster automaton (20 ms to make) is worth it."""
_MEMORY = 256 << 20
"""Bytes that RE2 may take for its automaton. It is made as texts need it: five thousand anchors reach some 20 MB."""
_BY_START = itemgetter(1, 0)
_MODULES = {"ahocorasick": "ahocorasick_rs", "re2": "re2"}
"""What selectors need that may not be installed; the fastest first."""


class Selector(Protocol):
    """Finds anchors."""

    name: str

    def hits(self, data: bytes) -> list[Hit]:
        """Return all hits in `data`."""
        ...


class AhoCorasickSelector:
    """One pass in Rust (the `ahocorasick_rs` wheel, extra `[fast]`).

    Begins with an automaton that is made in a third of the time, and takes the faster one when there turns out to be
    enough text for it to pay.
    """

    name = "ahocorasick"

    def __init__(self, anchors: Sequence[str]) -> None:
        import ahocorasick_rs

        self._module: Any = ahocorasick_rs
        self._patterns = [anchor.encode("ascii") for anchor in anchors]
        self._automaton = self._made(self._module.Implementation.ContiguousNFA)
        self._left = _PAYS

    def hits(self, data: bytes) -> list[Hit]:
        """Return all hits in `data`."""
        if self._left > 0:
            self._left -= len(data)
            if self._left <= 0:
                self._automaton = self._made(self._module.Implementation.DFA)
        found: list[tuple[int, int, int]] = self._automaton.find_matches_as_indexes(data.lower(), overlapping=True)
        found.sort(key=_BY_START)
        return [(number, end) for number, _, end in found]

    def _made(self, implementation: Any) -> Any:
        return self._module.BytesAhoCorasick(self._patterns, implementation=implementation)


class Re2Selector:
    """One alternation in RE2 (the `google-re2` wheel, extra `[re2]`): nearly as fast as the Rust pass, and made as quickly.

    RE2 gives the longest anchor at the leftmost place, and matches that do not overlap; so it is asked again one byte behind
    where a match begins. The shorter anchors at a place are prefixes of the longest, known beforehand.
    """

    name = "re2"

    def __init__(self, anchors: Sequence[str]) -> None:
        raw = [anchor.encode("ascii") for anchor in anchors]
        self._search = any_of(raw, _MEMORY).search if raw else None
        self._begin_with = _prefixes(raw)

    def hits(self, data: bytes) -> list[Hit]:
        """Return all hits in `data`."""
        if self._search is None:
            return []
        lower = data.lower()
        search, begin_with = self._search, self._begin_with
        found: list[Hit] = []
        match = search(lower)
        while match is not None:
            start, end = match.span()
            found += [(number, start + length) for number, length in begin_with[lower[start:end]]]
            match = search(lower, start + 1)
        return found


class TrieSelector:
    """One trie-shaped regular expression of the standard library: slower, and there on every system.

    At each place it matches the longest anchor; the shorter ones that begin there are its prefixes, known beforehand.
    """

    name = "trie"

    def __init__(self, anchors: Sequence[str]) -> None:
        raw = [anchor.encode("ascii") for anchor in anchors]
        self._pattern = re.compile(b"(?=(" + trie_pattern(set(raw)) + b"))") if raw else None
        self._begin_with = _prefixes(raw)

    def hits(self, data: bytes) -> list[Hit]:
        """Return all hits in `data`."""
        if self._pattern is None:
            return []
        found: list[Hit] = []
        for match in self._pattern.finditer(data.lower()):
            start = match.start()
            found += [(number, start + length) for number, length in self._begin_with[match[1]]]
        return found


def hits_in_parts(
    selector: Selector, data: bytes, lengths: Sequence[int], late: Callable[[], bool] = bool
) -> Iterable[Hit]:
    """Return all hits in `data`, as `selector.hits` does: found part by part in a long text, so that they take little room.

    `lengths` are those of the anchors, by their numbers. Between parts `late` is asked whether to stop there.
    """
    return selector.hits(data) if len(data) <= PART else _hits_in_parts(selector, data, lengths, late)


def _hits_in_parts(selector: Selector, data: bytes, lengths: Sequence[int], late: Callable[[], bool]) -> Iterator[Hit]:
    beyond = max(lengths, default=1) - 1
    for begin in range(0, len(data), PART):
        if late():
            return
        for number, end in selector.hits(data[begin : begin + PART + beyond]):
            if end - lengths[number] < PART:  # else it begins in the next part
                yield number, begin + end


def choose(anchors: Sequence[str], wanted: str = "auto") -> Selector:
    """Return the selector that is asked for, or with "auto" the fastest one that is installed.

    `LOCUM_SELECTOR` decides for "auto", which tests use. Raises ValueError for an unknown name.
    """
    if wanted == "auto":
        wanted = os.environ.get("LOCUM_SELECTOR") or fastest()
    selectors = {"ahocorasick": AhoCorasickSelector, "re2": Re2Selector, "trie": TrieSelector}
    if wanted in selectors:
        return selectors[wanted](anchors)
    raise ValueError(f"no selector named {wanted!r}: there are {', '.join(selectors)}")


def fastest() -> str:
    """Return the name of the fastest selector whose module is installed."""
    return next((name for name, module in _MODULES.items() if find_spec(module)), "trie")


def _prefixes(raw: Sequence[bytes]) -> dict[bytes, list[Hit]]:
    """Return for each anchor those that it begins with, itself too: their numbers, in order, and their lengths."""
    numbers = {anchor: number for number, anchor in enumerate(raw)}
    return {
        longest: sorted(
            (numbers[longest[:length]], length) for length in range(1, len(longest) + 1) if longest[:length] in numbers
        )
        for longest in numbers
    }


def trie_pattern(words: set[bytes]) -> bytes:
    """Write words as one regular expression that prefers the longest and tries each byte once."""
    branches: dict[int, set[bytes]] = {}
    ends = False
    for word in words:
        if word:
            branches.setdefault(word[0], set()).add(word[1:])
        else:
            ends = True
    parts = [re.escape(bytes([first])) + trie_pattern(rest) for first, rest in sorted(branches.items())]
    if not parts:
        return b""
    joined = parts[0] if len(parts) == 1 and not ends else b"(?:" + b"|".join(parts) + b")"
    return joined + b"?" if ends else joined
