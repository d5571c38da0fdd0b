"""The engine: anchors first, then exact expressions at each of them, then filters.

Layer 1 (`selectors`) finds anchor literals in one pass. Layer 2 matches each rule of an anchor at that place, bounded.
Layer 3 (`checks`, `names`, `suppress`) asks whether a candidate is a secret. Expressions compile when they are first
needed. What a text gives does not depend on the selector: a rule sees every place at which one of its anchors stands.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING

from locum.detect.candidate import Candidate, confirm
from locum.detect.context import values_near
from locum.detect.finding import Finding, ScanResult, Suppressed
from locum.detect.pack import Pack, Rule
from locum.detect.resolve import findings, without_overlaps
from locum.detect.selectors import choose
from locum.detect.suppress import ANCHORS as MARKERS
from locum.detect.suppress import Markers

if TYPE_CHECKING:
    from datetime import date

MAX_FINDINGS = 500
"""A file with more than this many is not read by anybody; the result is then marked as cut short."""
_ENOUGH = MAX_FINDINGS + 100
"""Places after which layer 2 stops: some overlap, and some are silenced."""
_CLOCK_EVERY = 256
"""Hits between two looks at the clock."""


class Engine:
    """A pack of rules, ready to scan. Holds no text between calls; may be used from several threads."""

    def __init__(self, pack: Pack, selector: str = "auto") -> None:
        self._pack = pack
        anchors = [*pack.anchors, *MARKERS]
        self._lengths = [len(anchor) for anchor in anchors]
        self._selector = choose(anchors, selector)

    @property
    def rules(self) -> Mapping[str, Rule]:
        """All rules, by id."""
        return self._pack.rules

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
        deadline = None if budget is None else time.perf_counter() + budget
        candidates, places, truncated = self._candidates(data, path, deadline)
        if not candidates:
            return ScanResult((), truncated)
        best = without_overlaps(candidates)
        markers = Markers(data, places if ignore else (), path, today)
        kept: list[Finding] = []
        suppressed: list[Suppressed] = []
        # All get their fingerprints before any is silenced: those of equals are counted, and must not change by that.
        for c, finding in zip(best, findings(best, candidates, data, path, project), strict=True):
            mechanism = markers.silenced_by(c.rule.id, c.rule.generic, c.start, c.end) if ignore else ""
            if mechanism:
                suppressed.append(Suppressed(finding, mechanism))
            else:
                kept.append(finding)
        return ScanResult(tuple(kept[:MAX_FINDINGS]), truncated or len(kept) > MAX_FINDINGS, tuple(suppressed))

    def _candidates(self, data: bytes, path: str, deadline: float | None) -> tuple[list[Candidate], list[int], bool]:
        """Run layers 1 and 2 and the filters on single values.

        Returns candidates, the places of inline markers, and whether something was left out.
        """
        lengths, routes, rules_end = self._lengths, self._pack.routes, len(self._pack.anchors)
        tried: set[tuple[str, tuple[int, int]]] = set()  # one value, seen from several anchors, is asked about once
        found: list[Candidate] = []
        places: set[int] = set()
        markers: list[int] = []
        for count, (number, end) in enumerate(self._selector.hits(data)):
            if count % _CLOCK_EVERY == 0 and deadline is not None and time.perf_counter() > deadline:
                return found, markers, True
            start = end - lengths[number]
            if number >= rules_end:
                markers.append(start)
                continue
            for rule in routes[number]:
                for span in _spans(rule, data, start, end):
                    if (rule.id, span) not in tried:
                        tried.add((rule.id, span))
                        candidate = confirm(rule, data, path, (start, end), span)
                        if candidate is not None:
                            found.append(candidate)
                            places.add(candidate.start)
            if len(places) > _ENOUGH:
                return found, markers, True
        return found, markers, False


@cache
def default_engine() -> Engine:
    """Return the engine over the built-in rules, made once."""
    return Engine(Pack.built_in())


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
