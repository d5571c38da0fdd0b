"""The engine: anchors first, then exact expressions at each of them, then filters.

Layer 1 (`selectors`) finds anchor literals in one pass. Layer 2 matches each rule of an anchor at that place, bounded.
Layer 3 (`checks`, `names`, `suppress`) asks whether a candidate is a secret. Expressions compile when they are first
needed. What a text gives does not depend on the selector: a rule sees every place at which one of its anchors stands.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from locum.detect import formats
from locum.detect.candidate import Candidate, confirm, confirm_slot, in_original
from locum.detect.context import values_near
from locum.detect.finding import Finding, ScanResult, Suppressed
from locum.detect.pack import MAX_LOOKBACK, Pack, Rule
from locum.detect.resolve import findings, without_overlaps
from locum.detect.selectors import choose, hits_in_parts
from locum.detect.suppress import ANCHORS as MARKERS
from locum.detect.suppress import Markers

if TYPE_CHECKING:
    from datetime import date

    from locum.detect.userrules import UserRule

MAX_FINDINGS = 500
"""A file with more than this many is not read by anybody; the result is then marked as cut short."""
_ENOUGH = MAX_FINDINGS + 100
"""Places after which layer 2 stops: some overlap, and some are silenced."""
_REMEMBERED = 20_000
"""Values that were asked about, after which those that are out of reach are forgotten."""
_CLOCK_EVERY = 256
"""Hits between two looks at the clock."""


class Engine:
    """A pack of rules, ready to scan. Holds no text between calls; may be used from several threads."""

    def __init__(self, pack: Pack, selector: str = "auto", user_rules: Sequence[UserRule] = ()) -> None:
        """Take the built-in rules and those of other people, which only add. Raises ValueError when these are too many."""
        self._pack = pack
        self._wanted = selector
        self._own = None
        if user_rules:
            from locum.detect.userrules import UserRules  # most projects have none

            self._own = UserRules(user_rules)
        keywords = self._own.keywords if self._own else ()
        anchors = list(dict.fromkeys((*pack.anchors, *MARKERS, *formats.ANCHORS, *keywords)))
        self.anchors = anchors
        """What layer 1 looks for, in its own order."""
        self._lengths = [len(anchor) for anchor in anchors]
        self._routes = [*pack.routes, *([] for _ in anchors[len(pack.anchors) :])]
        marks, kinds = frozenset(MARKERS), frozenset(formats.ANCHORS)
        self._marks = [anchor in marks for anchor in anchors]
        self._formats = [anchor if anchor in kinds else "" for anchor in anchors]
        own = frozenset(keywords)
        self._keywords = [anchor if anchor in own else "" for anchor in anchors]
        self._selector = choose(anchors, selector)

    def with_rules(self, user_rules: Sequence[UserRule]) -> Engine:
        """Return an engine that looks for these, too. Raises ValueError when they are too many."""
        return Engine(self._pack, self._wanted, user_rules)

    @property
    def rules(self) -> Mapping[str, Rule]:
        """All rules, by id."""
        return self._pack.rules if self._own is None else {**self._pack.rules, **self._own.rules}

    @property
    def selector(self) -> str:
        """The name of the selector in use, for logs."""
        return self._selector.name

    def scan(
        self, data: bytes, *, path: str = "", project: str = "", budget: float | None = None, ignore: bool = True,
        today: date | None = None,
    ) -> ScanResult:  # fmt: skip
        """Find the secrets in a text.

        `data` is UTF-8, and findings are byte offsets into it. `path` (relative to the project, with `/`) and `project`
        go into fingerprints. After `budget` seconds the scan stops, and the result says so. With `ignore` unset what inline
        markers silence is a finding too; `today` is the day on which markers that end are judged (None: they have ended).
        """
        look = self._look(data, path, None if budget is None else time.perf_counter() + budget)
        candidates = look.candidates
        near = not look.markers and not look.far and formats.FAR.isdisjoint(look.places)
        if not candidates:
            return ScanResult((), look.truncated, near=near)
        best, more = self._best(candidates)
        markers = Markers(data, look.markers if ignore else (), path, today)
        kept: list[Finding] = []
        suppressed: list[Suppressed] = []
        # All get their fingerprints before any is silenced: those of equals are counted, and must not change by that.
        for c, finding in zip(best, findings(best, candidates, data, path, project), strict=True):
            mechanism = markers.silenced_by(c.rule.id, c.rule.generic, c.start, c.end) if ignore else ""
            if mechanism:
                suppressed.append(Suppressed(finding, mechanism))
            else:
                kept.append(finding)
        cut = look.truncated or more or len(kept) > MAX_FINDINGS
        return ScanResult(tuple(kept[:MAX_FINDINGS]), cut, tuple(suppressed), near)

    def _look(self, data: bytes, path: str, deadline: float | None) -> _Look:
        """Look at a text and at the texts that stand encoded in it."""
        look = _Look(data, path, deadline)
        self._match(look)
        work = formats.Work.for_text(data)
        for view in formats.views(data, path, look.places, work):
            inner = _Look(view.text, path, deadline)
            self._match(inner)
            self._take_slots(inner, work)
            self._take_own(inner)
            look.far |= inner.far
            look.candidates += [in_original(candidate, view) for candidate in inner.candidates]
            look.truncated |= inner.truncated
        self._take_slots(look, work)
        self._take_own(look)
        if look.candidates:
            look.candidates = _outside(look.candidates, formats.encrypted(data, path, work, look.places))
        look.truncated |= work.cut
        return look

    def _match(self, look: _Look) -> None:
        """Run layers 1 and 2 over one text, and the filters on single values."""
        data, path = look.data, look.path
        lengths, routes, marks, kinds, keywords = (
            self._lengths, self._routes, self._marks, self._formats, self._keywords,
        )  # fmt: skip
        tried: set[tuple[str, tuple[int, int]]] = set()  # one value, seen from several anchors, is asked about once
        places: set[int] = set()
        for count, (number, end) in enumerate(hits_in_parts(self._selector, data, lengths, look.is_late)):
            if count % _CLOCK_EVERY == 0 and look.is_late():
                return
            start = end - lengths[number]
            if marks[number]:
                look.markers.append(start)
            if kinds[number]:
                look.places.setdefault(kinds[number], []).append(start)
            if keywords[number]:
                look.keywords.setdefault(keywords[number], []).append(start)
            for rule in routes[number]:
                for span in _spans(rule, data, start, end):
                    if (rule.id, span) not in tried:
                        tried.add((rule.id, span))
                        candidate = confirm(rule, data, path, (start, end), span)
                        if candidate is not None:
                            look.candidates.append(candidate)
                            places.add(candidate.start)
            if len(places) > _ENOUGH:
                look.truncated = True
                return
            if len(tried) > _REMEMBERED:
                tried = {one for one in tried if one[1][0] >= start - MAX_LOOKBACK}  # no anchor reaches what is before

    def _take_slots(self, look: _Look, work: formats.Work) -> None:
        """Add what the format says is a credential."""
        for slot in formats.slots(look.data, look.path, look.places, work):
            candidate = confirm_slot(self._pack.rules[slot.rule], look.data, slot)
            if candidate is not None:
                look.candidates.append(candidate)

    def _take_own(self, look: _Look) -> None:
        """Add what rules of other people find."""
        if self._own is not None:
            found, cut = self._own.candidates(look.data, look.path, look.keywords, look.deadline)
            look.candidates += found
            look.truncated |= cut
            look.far |= self._own.reach_far(look.keywords)

    def _best(self, candidates: list[Candidate]) -> tuple[list[Candidate], bool]:
        """Return the best of those that overlap, and whether some were left out for want of room."""
        if self._own is None:
            return without_overlaps(candidates), False
        from locum.detect.userrules import resolved

        return resolved(candidates, MAX_FINDINGS)


@dataclass(slots=True)
class _Look:
    """One text while it is looked at."""

    data: bytes
    path: str
    deadline: float | None
    candidates: list[Candidate] = field(default_factory=list[Candidate])
    markers: list[int] = field(default_factory=list[int])
    """Where inline markers begin, perhaps."""
    places: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    """Where the anchors of file formats begin."""
    keywords: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    """Where the keywords of other people's rules begin."""
    far: bool = False
    """Whether rules of other people have looked at it."""
    truncated: bool = False

    def is_late(self) -> bool:
        """Say whether the time is up; what is not looked at then is left out, and that is told."""
        if self.deadline is not None and time.perf_counter() > self.deadline:
            self.truncated = True
        return self.truncated


@cache
def default_engine() -> Engine:
    """Return the engine over the built-in rules, made once."""
    return Engine(Pack.built_in())


def _outside(candidates: list[Candidate], spans: list[tuple[int, int]]) -> list[Candidate]:
    """Leave out what stands in one of the spans (in order, without overlaps): it is encrypted."""
    if not spans:
        return candidates
    starts = [start for start, _ in spans]
    return [
        candidate
        for candidate in candidates
        if (before := bisect_right(starts, candidate.start)) == 0 or spans[before - 1][1] <= candidate.start
    ]


def _spans(rule: Rule, data: bytes, anchor: int, anchor_end: int) -> Iterable[tuple[int, int]]:
    """Return where the rule's values stand whose matches begin at the anchor, or at most `lookback` bytes before it.

    For a context rule: those that begin at most `near` bytes after the word.
    """
    if rule.near:
        return values_near(rule, data, anchor, anchor_end)
    pattern = rule.pattern
    if not rule.lookback:
        match = pattern.match(data, anchor, anchor + rule.span)
        return () if match is None else (match.span(rule.group),)
    matches = (
        pattern.match(data, begin, anchor + rule.span) for begin in range(max(0, anchor - rule.lookback), anchor + 1)
    )
    return [match.span(rule.group) for match in matches if match is not None]
