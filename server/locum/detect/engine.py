"""The engine: anchors first, then exact expressions at each of them, then filters.

Layer 1 (`selectors`) finds anchor literals in one pass. Layer 2 matches each rule of an anchor at that place, bounded.
Layer 3 (`checks`, `names`, `suppress`) asks whether a candidate is a secret. Expressions compile when they are first
needed. What a text gives does not depend on the selector: a rule sees every place at which one of its anchors stands.
"""

from __future__ import annotations

import re
import time
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from locum.detect.checks import CHECK_NAMES, CHECKS, entropy, is_placeholder
from locum.detect.context import says_credential, values_near
from locum.detect.finding import Confidence, Finding, ScanResult
from locum.detect.fingerprint import fingerprint
from locum.detect.generic import is_code_file, judge
from locum.detect.names import assigned_name, holds_a_value, is_name, url_name, variable
from locum.detect.pack import Pack, Rule
from locum.detect.selectors import choose
from locum.detect.severity import severity
from locum.detect.suppress import ANCHORS as MARKERS
from locum.detect.suppress import Markers
from locum.detect.values import is_code, is_plain, names_itself

MAX_FINDINGS = 500
"""A file with more than this many is not read by anybody; the result is then marked as cut short."""
_ENOUGH = 3 * MAX_FINDINGS
"""Places after which layer 2 stops: several rules may see one secret, each beginning elsewhere."""
_CLOCK_EVERY = 256
"""Hits between two looks at the clock."""

_RANK: dict[Confidence, int] = {"certain": 3, "high": 2, "medium": 1, "low": 0}
QUOTES = b"\"'`"
_ALONE = re.compile(rb"[ \t]*(?:[,;)}\]\\]{0,3}[ \t]*(?:#|//|--|/\*|\r?\n|$)|[&?])")
"""What may follow an unquoted value that is all of its line, or of its part of a query."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    rule: Rule
    start: int
    end: int
    confidence: Confidence
    why: tuple[str, ...]
    name: bytes
    name_start: int


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

    def scan(self, data: bytes, *, path: str = "", project: str = "", budget: float | None = None) -> ScanResult:
        """Find the secrets in a text.

        `data` is UTF-8, and findings are byte offsets into it. `path` (relative to the project, with `/`) and `project`
        go into fingerprints. After `budget` seconds the scan stops, and the result says so.
        """
        deadline = None if budget is None else time.perf_counter() + budget
        candidates, places, truncated = self._candidates(data, path, deadline)
        if not candidates:
            return ScanResult((), truncated)
        best = _without_overlaps(candidates)
        markers = Markers(data, places)
        kept = [candidate for candidate in best if not markers.silence(candidate.start, candidate.end)]
        findings = _findings(kept[:MAX_FINDINGS], _secret_spans(candidates), data, path, project)
        return ScanResult(findings, truncated or len(kept) > MAX_FINDINGS, len(best) - len(kept))

    def _candidates(self, data: bytes, path: str, deadline: float | None) -> tuple[list[_Candidate], list[int], bool]:
        """Run layers 1 and 2 and the filters on single values.

        Returns candidates, the places of inline markers, and whether something was left out.
        """
        lengths, routes, rules_end = self._lengths, self._pack.routes, len(self._pack.anchors)
        tried: set[tuple[str, tuple[int, int]]] = set()  # one value, seen from several anchors, is asked about once
        found: list[_Candidate] = []
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
                        candidate = _confirm(rule, data, path, (start, end), span)
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


def _confirm(rule: Rule, data: bytes, path: str, anchor: tuple[int, int], span: tuple[int, int]) -> _Candidate | None:
    """Ask the filters about one value."""
    start, end = span
    value = data[start:end]
    if rule.generic:
        return _confirm_generic(rule, data, path, span)
    if rule.near and (is_plain(value) or is_code(value)):
        return None
    verdict = CHECKS[rule.check](value) if rule.check else None
    if rule.id == "url-password" and names_itself(value):
        return None
    if not verdict and (
        entropy(value) < rule.min_entropy or (is_placeholder(value) and not value.startswith(b"-----BEGIN"))
    ):
        return None  # a checksum that fits is stronger than any look of a placeholder
    name, place = url_name(data, start, path) if rule.id == "url-password" else assigned_name(data, start)
    prefix = data[anchor[0] : anchor[1]].decode("ascii") if anchor[0] == start else ""  # the vendor's, and public
    confidence, why = rule.confidence, [f"prefix {prefix}" if prefix else f"format of {rule.title}"]
    if rule.near:
        why = [f"near {data[anchor[0] : anchor[1]].decode('ascii')}", "looks random"]
        if not says_credential(data, anchor[1], start):
            confidence = "low"
    if verdict is not None:
        confidence = "certain" if verdict and rule.check != "jwt" else "medium"
        why.append(f"{CHECK_NAMES[rule.check]} {'ok' if verdict else 'wrong'}")
    return _Candidate(rule, start, end, confidence, tuple(why), name, place)


def _confirm_generic(rule: Rule, data: bytes, path: str, span: tuple[int, int]) -> _Candidate | None:
    """Ask whether a name and a value together make a secret."""
    start, end = span
    name, place = assigned_name(data, start)
    if not holds_a_value(name):
        return None
    quoted = start > 0 and data[start - 1] in QUOTES
    alone = quoted or _ALONE.match(data, end) is not None
    judged = judge(name, data[start:end], quoted=quoted, alone=alone, code=is_code_file(path))
    if judged is None:
        return None
    confidence, why = judged
    return _Candidate(rule, start, end, confidence, (why,), name, place)


def _without_overlaps(candidates: list[_Candidate]) -> list[_Candidate]:
    """Keep the best of those that overlap: the specific before the generic, the surer, the longer, the earlier."""
    order = sorted(
        candidates, key=lambda c: (c.rule.generic, -_RANK[c.confidence], c.start - c.end, c.start, c.rule.id)
    )
    kept: list[_Candidate] = []
    starts: list[int] = []
    ends: list[int] = []
    for candidate in order:
        place = bisect_right(starts, candidate.start)
        clear_before = place == 0 or ends[place - 1] <= candidate.start
        clear_after = place == len(starts) or candidate.end <= starts[place]
        if clear_before and clear_after:
            starts.insert(place, candidate.start)
            ends.insert(place, candidate.end)
            kept.append(candidate)
    return sorted(kept, key=lambda candidate: candidate.start)


def _secret_spans(candidates: list[_Candidate]) -> list[tuple[int, int]]:
    """Return where secrets stand, merged and in order."""
    spans: list[tuple[int, int]] = []
    for start, end in sorted((candidate.start, candidate.end) for candidate in candidates):
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    return spans


def _findings(
    candidates: list[_Candidate], secrets: list[tuple[int, int]], data: bytes, path: str, project: str
) -> tuple[Finding, ...]:
    """Turn candidates into findings with names and fingerprints."""
    seen: Counter[tuple[str, str]] = Counter()
    findings: list[Finding] = []
    for c in candidates:
        assigned = c.name
        name_end = min(c.name_start + len(assigned), c.start)
        before = bisect_left(secrets, (name_end,)) - 1
        if (before >= 0 and secrets[before][1] > c.name_start) or not is_name(assigned):
            assigned = b""  # what stands there is a secret itself, and must not be shown as a name
        name = variable(assigned, c.rule.secret_name, generic=c.rule.generic)
        why = (f"assigned to {assigned.decode('ascii', 'replace')}", *c.why) if assigned and c.rule.generic else c.why
        ordinal = seen[c.rule.id, name]
        seen[c.rule.id, name] += 1
        identity = fingerprint(project, path, c.rule.id, data[c.start : c.end], name, ordinal)
        loud = severity(c.confidence, c.rule.severity, path)
        findings.append(Finding(c.rule.id, c.rule.title, c.start, c.end, loud, c.confidence, why, name, identity))
    return tuple(findings)
