"""What must not be written: the registered forms of the secrets of one task, ready for search at C speed.

Knows normalised text (see `locum.run.visible`) and which secret a piece of it belongs to. Knows nothing of streams:
every question is about one text in memory.

How a run of WINDOW (12) bytes of a form is found: every piece of GRAM (8) bytes of every form is registered as a
64-bit number. A text is read as numbers at every 4th byte; any 12 bytes contain one of those whole. A first hit,
rare, starts the slow search that finds where the run begins and ends. Forms of 6 to 11 bytes are searched whole.
"""

from __future__ import annotations

import re
import sys
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple, TypeVar

from locum.run.variants import forms, part_forms
from locum.run.visible import literal, visible
from locum.secret import SecretBytes

WINDOW = 12
"""So many bytes of a form in a row are never written."""
GRAM = 8
STRIDE = WINDOW - GRAM
SHORTEST = 6
"""A value below this is not masked: it would turn up everywhere by chance."""
FREE = 3
"""So many bytes at the end of a text are never worth waiting for."""

_SAMPLES = range(0, GRAM, STRIDE)
_QUAD = 4
_Key = TypeVar("_Key", bytes, int)
_SEPARATOR = b"\n"  # never part of normalised text


class Span(NamedTuple):
    """A stretch of normalised text that must not be written, and the secret that it shows."""

    start: int
    end: int
    owner: int


class Patterns:
    """The forms of a set of secrets. Holds pieces of the values for as long as it lives."""

    def __init__(self, values: Iterable[SecretBytes]) -> None:
        """Register the values; their owner number is their place. `unmaskable` holds the numbers of those too short."""
        long: dict[bytes, int] = {}
        short: dict[bytes, int] = {}
        unmaskable: list[int] = []
        raws = [bytes(value.view()) for value in values]
        for owner, raw in enumerate(raws):
            if len(literal(raw)) < SHORTEST:
                unmaskable.append(owner)
            for form in _normalised(forms(raw) if len(raw) >= SHORTEST else ()):
                # `long` and `short` are apart because a short form is a secret only as a whole
                _claim(long if len(form) >= WINDOW else short, form, owner)
        for owner, raw in enumerate(raws):
            for form in _normalised(part_forms(raw)):  # a part that is a value of its own belongs to that one
                (long if len(form) >= WINDOW else short).setdefault(form, owner)
        self.unmaskable: tuple[int, ...] = tuple(unmaskable)
        self._long = long
        self._owners = _gram_owners(long)
        self._grams = frozenset(self._owners)
        self._short = short
        self._short_pattern = _any_of(short)
        # Without its last byte each form holds exactly the beginnings that can still grow.
        self._beginnings = _SEPARATOR.join([form[:-1] for form in (*long, *short)])
        self._quads = frozenset(self._beginnings[at : at + _QUAD] for at in range(len(self._beginnings)))

    def empty(self) -> bool:
        """Say whether nothing is registered, so that nothing can ever be found."""
        return not self._owners and not self._short

    def occurs_in(self, text: bytes) -> bool:
        """Say whether the text may hold something to mask. Quick; `spans` has the last word."""
        isdisjoint = self._grams.isdisjoint
        for start in _SAMPLES:
            if not isdisjoint(_numbers(text, start)):
                return True
        for form in self._short:  # noqa: SIM110 - a generator costs more than most of these searches
            if form in text:
                return True
        return False

    def spans(self, text: bytes) -> list[Span]:
        """Return what must not be written of the text, in order of its beginning; spans may overlap."""
        found = [*self._runs(text), *self._whole(text)]
        found.sort()
        return found

    def growing(self, text: bytes, free: int = FREE) -> int:
        """Return how many bytes at the end of the text may be the beginning of something to mask: 0 or `free`+1..11."""
        last = text[1 - WINDOW :]
        for start in range(len(last) - free):
            if last[start : start + _QUAD] in self._quads and last[start:] in self._beginnings:
                return len(last) - start
        return 0

    def _runs(self, text: bytes) -> Iterator[Span]:
        """Yield the runs of WINDOW or more bytes in which every GRAM is registered."""
        owners = self._owners
        searched = 0
        for start in self._hits(text):
            if start < searched:
                continue
            first = last = start
            while first > 0 and _number(text[first - 1 : first - 1 + GRAM]) in owners:
                first -= 1
            while last + GRAM < len(text) and _number(text[last + 1 : last + 1 + GRAM]) in owners:
                last += 1
            searched = last + 1
            end = last + GRAM
            if end - first >= WINDOW:
                yield Span(first, end, self._owner_of(text[first:end]))

    def _hits(self, text: bytes) -> list[int]:
        """Return where a sampled piece of the text is registered, in order."""
        found: list[int] = []
        for start in _SAMPLES:
            numbers = _numbers(text, start)
            known = self._grams.intersection(numbers)
            if known:
                found += [start + place * GRAM for place, number in enumerate(numbers) if number in known]
        return sorted(found)

    def _owner_of(self, run: bytes) -> int:
        """Return whose form the run is, else whose it is for the most part; what several share does not count."""
        whole = self._long.get(run)
        if whole is not None:
            return _one_of(whole)
        owners = [self._owners[_number(run[at : at + GRAM])] for at in range(len(run) - GRAM + 1)]
        votes = Counter(owner for owner in owners if owner >= 0)
        return votes.most_common(1)[0][0] if votes else _one_of(owners[0])

    def _whole(self, text: bytes) -> Iterator[Span]:
        for match in self._short_pattern.finditer(text):
            yield Span(match.start(), match.end(), _one_of(self._short[match[0]]))


def _normalised(found: Iterable[bytes]) -> Iterator[bytes]:
    readings: tuple[Callable[[bytes], bytes], ...] = (literal, visible)
    for form in found:
        for reading in readings:
            normal = reading(form)
            if len(normal) >= SHORTEST:
                yield normal


def _gram_owners(found: Mapping[bytes, int]) -> dict[int, int]:
    owners: dict[int, int] = {}
    for form, owner in found.items():
        for gram in _grams(form):
            _claim(owners, gram, owner)
    return owners


def _claim(table: dict[_Key, int], key: _Key, owner: int) -> None:
    """Note the owner of a key; what a second one claims too becomes `~first`, negative: shared, but somebody's."""
    known = table.get(key, owner)
    table[key] = owner if known == owner else known if known < 0 else ~known


def _one_of(owner: int) -> int:
    return owner if owner >= 0 else ~owner


def _grams(text: bytes) -> Iterator[int]:
    """Yield every piece of GRAM bytes of the text as a number."""
    for start in range(GRAM):
        yield from _numbers(text, start)


def _numbers(text: bytes, start: int) -> array[int]:
    """Return the text from `start` as numbers of GRAM bytes each; an incomplete one at the end is left out."""
    usable = max(0, len(text) - start) // GRAM * GRAM
    return array("Q", text[start : start + usable])  # a set goes through an array faster than through a memoryview


def _number(piece: bytes) -> int:
    return int.from_bytes(piece, sys.byteorder)


def _any_of(found: Iterable[bytes]) -> re.Pattern[bytes]:
    longest_first = sorted(found, key=len, reverse=True)
    return re.compile(b"|".join(map(re.escape, longest_first)) or rb"(?!)")
