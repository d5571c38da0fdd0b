"""A scan after an edit: looks at a window around what changed and moves what was found elsewhere.

The answer is always that of a full scan. Where something may reach further than a window (an inline marker, a key over many
lines, a format that gives places their meaning, a result that was cut short), the whole text is scanned. How far things
reach is written down here, and a property test holds this module to it. Pure.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from heapq import merge
from typing import TYPE_CHECKING, NamedTuple

from locum.detect.finding import Finding, Related, ScanResult, Suppressed
from locum.detect.fingerprint import fingerprint
from locum.detect.resolve import SAME_VALUE, equal_values

if TYPE_CHECKING:
    from datetime import date

    from locum.detect.engine import Engine

REACH = 2048
"""Bytes. No match over several lines, with all that it asks of its surroundings, is longer, but for what begins with one of
`FAR`. Lines are always looked at as a whole."""
_LINE = 4096
"""Bytes. A text with longer lines near the edit is scanned as a whole."""
_SMALL = 16 * 1024
"""Bytes of a text that takes no longer to scan than a window of it."""
_MOST_CHANGED = 16 * 1024
_MOST_FOUND = 300
"""Findings. From some more on the engine's own limits count, and they count over the whole text."""
_CHUNK = 64 * 1024

_LINE_BY_LINE = re.compile(
    r"""(?xi) (?: \. (?: pyi?w? | [cm]?[jt]sx? | go | rs | rb | java | kts? | scala | groovy | swift | cc? | hh? | [ch]pp | cs
    | php | p[lm] | lua | r | jl | exs? | erl | hs | clj | dart | sh | bash | zsh | fish | ps1 | sql | vue | svelte | s?css )
    | (?:^|/|\.)env )$"""
)
"""Paths of texts in which a line means the same wherever it stands. In others (YAML, JSON, XML, notebooks, login files, those
of unknown kind) something far away may say what a place means."""
FAR = (
    b"-----BEGIN ", b"Private-Lines:", b"$ANSIBLE_VAULT;", b"SealedSecret", b"sops:", b'sops": {', b'"encrypted_data"',
    b"secure:", b'secure":',
)  # fmt: skip
"""What keys and encrypted values over many lines begin with."""
_WRAPPED = re.compile(rb"[A-Za-z0-9+/_=-]{60}")
"""A run that may go on in the lines around it, as base64 does."""


@dataclass(frozen=True, slots=True)
class Scanned:
    """One text and what a scan of it found: what the scan after the next edit begins with."""

    data: bytes
    result: ScanResult
    path: str
    project: str
    today: date | None
    near: bool | None
    """Whether nothing in the text reaches far; None while nobody has looked."""
    engine: Engine
    """Another one may have other rules."""


class _Item(NamedTuple):
    """A finding, and what silences it ("" for nothing)."""

    finding: Finding
    mechanism: str


class _Change(NamedTuple):
    """`[start, old_end)` became `[start, new_end)`; what stands behind it has moved by `by`."""

    start: int
    old_end: int
    new_end: int
    by: int


def rescan(
    engine: Engine, before: Scanned | None, data: bytes, *, path: str = "", project: str = "",
    budget: float | None = None, today: date | None = None,
) -> Scanned:  # fmt: skip
    """Scan `data` (UTF-8), which was `before.data` until now; None for a text that is new.

    The other arguments are those of `Engine.scan`.
    """
    if before is not None and (before.engine, before.path, before.project, before.today) == (
        engine, path, project, today,
    ):  # fmt: skip
        result = _from_window(engine, before, data, budget)
        if result is not None:
            return Scanned(data, result, path, project, today, near=True, engine=engine)
    result = engine.scan(data, path=path, project=project, budget=budget, today=today)
    return Scanned(data, result, path, project, today, near=None, engine=engine)


def _from_window(engine: Engine, before: Scanned, data: bytes, budget: float | None) -> ScanResult | None:
    """Return the result, or None when only a full scan can tell."""
    known = before.result
    count = len(known.findings) + len(known.suppressed)
    if known.truncated or not known.near or count > _MOST_FOUND or len(data) < _SMALL:
        return None
    if not _LINE_BY_LINE.search(before.path) or not (before.near or _is_near(before.data)):
        return None
    change = _changed(before.data, data)
    items = list(_items(known))
    zone = _zone(items, data, change)
    if zone is None:
        return None
    low, high = _line_start(data, zone[0] - REACH), _line_end(data, zone[1] + REACH)
    if low < 0 or high < 0:
        return None
    first = _line_start(data, _line_start(data, change.start) - 1)
    touched = data[first : _line_end(data, _line_end(data, change.new_end))]  # with a line on each side
    if not _is_near(touched) or _WRAPPED.search(touched):
        return None
    part = data[low:high]
    seen = engine.scan(part, path=before.path, project=before.project, budget=budget, today=before.today)
    if seen.truncated or not seen.near:
        return None
    return _merged(
        before, data, items, [_Item(_at(item.finding, low), item.mechanism) for item in _items(seen)], zone, change
    )


def _merged(
    before: Scanned, data: bytes, old: list[_Item], found: list[_Item], zone: tuple[int, int], change: _Change
) -> ScanResult | None:
    """Put together what is known and what the window shows; None when they contradict each other around the zone."""
    start, end = zone
    if any(item.finding.start < edge < item.finding.end for item in found for edge in zone):
        return None
    first = next((number for number, item in enumerate(old) if item.finding.end > start), len(old))
    last = next((number for number in range(first, len(old)) if old[number].finding.start >= end - change.by), len(old))
    kept = [item for item in found if start <= item.finding.start and item.finding.end <= end]
    ahead, behind = old[:first], old[last:]
    if change.by:
        ahead = [_moved(item, change) for item in ahead]
        behind = [_moved(item, change) for item in behind]
    half = REACH // 2
    for mine, edge in ((ahead, (start - half, start)), (behind, (end, end + half))):
        if [_what(item) for item in _within(mine, *edge)] != [_what(item) for item in _within(found, *edge)]:
            return None
    inside = [_moved(item, change) for item in old[first:last]]
    clear = not any(item.finding.start < change.old_end and change.start < item.finding.end for item in old[first:last])
    if clear and [_named(item) for item in kept] == [_named(item) for item in inside]:
        items = [*ahead, *inside, *behind]  # the edit is in none of their values
    else:
        ordinals = _ordinals(old)
        numbers = [*ordinals[:first], *[-1] * len(kept), *ordinals[last:]]
        items = _settled([*ahead, *kept, *behind], numbers, data, before)
    findings = tuple(item.finding for item in items if not item.mechanism)
    return ScanResult(findings, suppressed=tuple(Suppressed(*item) for item in items if item.mechanism))


def _zone(items: list[_Item], data: bytes, change: _Change) -> tuple[int, int] | None:
    """Return the whole lines of `data` in which the edit may change what is found; None when they cannot be told."""
    if max(change.old_end, change.new_end) - change.start > _MOST_CHANGED:
        return None
    start, end = change.start - REACH, change.new_end + REACH
    while True:
        start, end = _line_start(data, start), _line_end(data, end)
        if start < 0 or end < 0:
            return None
        over = [  # what stands on an edge, as it stands in `data`
            (item.finding.start if item.finding.start < change.start else max(change.start, item.finding.start + change.by),
             item.finding.end + change.by if item.finding.end >= change.old_end else item.finding.end)
            for item in items
            if item.finding.start < start < item.finding.end or item.finding.start < end - change.by < item.finding.end
        ]  # fmt: skip
        if not over:
            return start, end
        start, end = min(start, *(span[0] for span in over)), max(end, *(span[1] for span in over))


def _settled(items: list[_Item], ordinals: list[int], data: bytes, before: Scanned) -> list[_Item]:
    """Give each what depends on the others in the text: where the same value stands, and the number in its fingerprint.

    `ordinals` says of each with which number its fingerprint was made, -1 when nobody knows.
    """
    same = equal_values([(finding.start, finding.end) for finding, _ in items], data)
    settled: list[_Item] = []
    for number, (now, (finding, mechanism)) in enumerate(zip(_ordinals(items), items, strict=True)):
        others = (place for place in finding.related if place.note != SAME_VALUE)
        related = (*same.get(number, ()), *others)
        name, value = finding.secret_name, data[finding.start : finding.end]
        if now != ordinals[number]:
            identity = fingerprint(before.project, before.path, finding.rule, value, name, now)
            finding = replace(finding, related=related, fingerprint=identity)  # noqa: PLW2901 - the same one, told anew
        elif related != finding.related:
            finding = replace(finding, related=related)  # noqa: PLW2901
        settled.append(_Item(finding, mechanism))
    return settled


def _ordinals(items: Iterable[_Item]) -> list[int]:
    """Return of each which of its equals it is, from 0, as fingerprints count them."""
    seen: Counter[tuple[str, str]] = Counter()
    ordinals: list[int] = []
    for finding, _ in items:
        ordinals.append(seen[finding.rule, finding.secret_name])
        seen[finding.rule, finding.secret_name] += 1
    return ordinals


def _items(result: ScanResult) -> Iterator[_Item]:
    """Return what was found, silenced or not, in the order of the text."""
    if not result.suppressed:
        return (_Item(finding, "") for finding in result.findings)
    silent = (_Item(item.finding, item.mechanism) for item in result.suppressed)
    loud = (_Item(finding, "") for finding in result.findings)
    return merge(loud, silent, key=lambda item: item.finding.start)


def _within(items: Iterable[_Item], start: int, end: int) -> list[_Item]:
    return [item for item in items if start <= item.finding.start and item.finding.end <= end]


def _what(item: _Item) -> tuple[str, int, int, str]:
    return item.finding.rule, item.finding.start, item.finding.end, item.mechanism


def _named(item: _Item) -> tuple[object, ...]:
    """Return all that a finding says by itself: without what depends on others in the text."""
    f = item.finding
    related = [place for place in f.related if place.note != SAME_VALUE]
    return f.rule, f.start, f.end, f.severity, f.confidence, f.why, f.secret_name, related, item.mechanism


def _moved(item: _Item, change: _Change) -> _Item:
    """Move a finding with what stands behind the change; what belongs to it may stand on the other side."""
    finding = item.finding
    related = finding.related
    if related:
        related = tuple(_place(place, change.by) if place.start >= change.old_end else place for place in related)
    elif finding.start < change.old_end:
        return item
    return _Item(_at(finding, change.by if finding.start >= change.old_end else 0, related), item.mechanism)


def _at(finding: Finding, by: int, related: tuple[Related, ...] | None = None) -> Finding:
    """Return the finding `by` bytes further on; what belongs to it as well, unless that is given."""
    if related is None:
        related = tuple(_place(place, by) for place in finding.related)
    return Finding(
        finding.rule, finding.title, finding.start + by, finding.end + by, finding.severity, finding.confidence,
        finding.why, finding.secret_name, finding.fingerprint, related,
    )  # fmt: skip


def _place(place: Related, by: int) -> Related:
    return Related(place.start + by, place.end + by, place.note)


def _changed(before: bytes, after: bytes) -> _Change:
    """Return what differs between two texts: what is the same at both ends is not looked at byte by byte."""
    most = min(len(before), len(after))
    start = 0
    step = _CHUNK
    while step:
        while start + step <= most and before[start : start + step] == after[start : start + step]:
            start += step
        step //= 4
    most -= start
    same, step = 0, _CHUNK
    while step:
        while same + step <= most and _tail(before, same, step) == _tail(after, same, step):
            same += step
        step //= 4
    return _Change(start, len(before) - same, len(after) - same, len(after) - len(before))


def _tail(data: bytes, skip: int, length: int) -> bytes:
    """Return the `length` bytes before the last `skip`."""
    return data[len(data) - skip - length : len(data) - skip]


def _line_start(data: bytes, place: int) -> int:
    """Return where the line that holds `place` begins, -1 when that is too far."""
    if place <= 0:
        return 0
    end = data.rfind(b"\n", max(0, place - _LINE), place)
    return end + 1 if end >= 0 else 0 if place <= _LINE else -1


def _line_end(data: bytes, place: int) -> int:
    """Return where the line after the one that holds `place` begins, -1 when that is too far."""
    if place >= len(data):
        return len(data)
    end = data.find(b"\n", place, place + _LINE)
    return end + 1 if end >= 0 else len(data) if len(data) - place <= _LINE else -1


def _is_near(data: bytes) -> bool:
    """Say whether a text holds nothing that goes on over many lines."""
    return not any(word in data for word in FAR)
