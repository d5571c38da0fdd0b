"""From candidates to findings: one for each place, with a name, a fingerprint, and what else belongs to it. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice

from locum.detect.candidate import Candidate
from locum.detect.finding import Confidence, Finding, Related
from locum.detect.fingerprint import fingerprint
from locum.detect.names import is_name, variable
from locum.detect.severity import severity
from locum.text.expression import lazy

_RANK: dict[Confidence, int] = {"certain": 3, "high": 2, "medium": 1, "low": 0}
_NEAR = 600
"""Bytes between the halves of a pair."""
SAME_VALUE = "the same value"
_MOST_RELATED = 8
_LONG_ENOUGH = 8
"""Bytes from which on two equal values are no accident."""
_IS_ID = lazy(r"-(?:key-id|client-id|app-id|account-sid|consumer-key|username)$")
"""Ids of rules that find the public half of a pair."""
_USER = lazy(
    rb"(?i)(?:user(?:[_-]?name)?|login|email|account|client[_-]?id|access[_-]?key[_-]?id)[\"']?\]?"
    rb"[ \t]{0,8}(?:=>|:=|[:=])[ \t]{0,8}[\"'`]?([A-Za-z0-9_.@+-]{2,80})"
)
_ASSIGNED_USER = 300


def without_overlaps(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Keep the best of those that overlap: the specific before the generic, the surer, the longer, the earlier.

    What a format's reader found in its place (by a rule without anchors) is the vendor's where one knows the value, and as
    sure as either says.
    """
    candidates = list(candidates)
    places = {(c.start, c.end): c for c in candidates if not c.rule.anchors}
    if places:
        candidates = [_in_its_place(c, places.get((c.start, c.end))) for c in candidates]
    order = sorted(
        candidates,
        key=lambda c: (
            c.rule.generic, c.confidence == "low", not c.rule.anchors, -_RANK[c.confidence], c.start - c.end, c.start, c.rule.id,
        ),
    )  # fmt: skip
    kept: list[Candidate] = []
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


def _in_its_place(candidate: Candidate, place: Candidate | None) -> Candidate:
    """Return a vendor's candidate, as sure as the place makes it that a format's reader says is one for credentials."""
    if place is None or candidate.rule.generic or _RANK[candidate.confidence] >= _RANK[place.confidence]:
        return candidate
    return replace(candidate, confidence=place.confidence, why=(*candidate.why, *place.why))


def findings(
    best: Sequence[Candidate], candidates: Iterable[Candidate], data: bytes, path: str, project: str
) -> list[Finding]:
    """Turn candidates into findings. `candidates` are all there were: what they cover is never shown as a name."""
    secrets = _merged(candidates)
    seen: Counter[tuple[str, str]] = Counter()
    related = _related(best, data)
    found: list[Finding] = []
    for number, c in enumerate(best):
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
        found.append(
            Finding(
                c.rule.id,
                c.rule.title,
                c.start,
                c.end,
                loud,
                c.confidence,
                why,
                name,
                identity,
                tuple(related.get(number, ())),
            )
        )
    return found


def _merged(candidates: Iterable[Candidate]) -> list[tuple[int, int]]:
    """Return where secrets stand, merged and in order."""
    spans: list[tuple[int, int]] = []
    for start, end in sorted((candidate.start, candidate.end) for candidate in candidates):
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    return spans


def _related(best: Sequence[Candidate], data: bytes) -> dict[int, list[Related]]:
    """Return what belongs to the candidates, by their number: equal values, the other half of a pair, a user's name."""
    related = equal_values([(candidate.start, candidate.end) for candidate in best], data)
    for number, candidate in enumerate(best):
        partner = _partner(best, number)
        if partner is not None:
            related[number].append(
                Related(best[partner].start, best[partner].end, f"{best[partner].rule.title} of this pair")
            )
        elif "password" in candidate.rule.id:
            user = None
            for user in _USER.finditer(data, max(0, candidate.start - _ASSIGNED_USER), candidate.start):  # noqa: B007 - the last
                pass
            if user is not None and not any(c.start < user.end(1) and user.start(1) < c.end for c in best):
                related[number].append(Related(user.start(1), user.end(1), "the user that it belongs to"))
    return related


def equal_values(spans: Sequence[tuple[int, int]], data: bytes) -> defaultdict[int, list[Related]]:
    """Return, by the numbers of `spans`, where else in the text the same value stands: the first few places."""
    related: defaultdict[int, list[Related]] = defaultdict(list)
    same: defaultdict[bytes, list[int]] = defaultdict(list)
    for number, (start, end) in enumerate(spans):
        if end - start >= _LONG_ENOUGH:
            same[data[start:end]].append(number)
    for numbers in same.values():
        for number in numbers if len(numbers) > 1 else ():
            others = islice((spans[other] for other in numbers if other != number), _MOST_RELATED)
            related[number] += [Related(start, end, SAME_VALUE) for start, end in others]
    return related


def _partner(best: Sequence[Candidate], number: int) -> int | None:
    """Return the number of the other half: the nearest finding of the same vendor that is an id, or that has one."""
    mine = best[number].rule.id
    vendor = mine.partition("-")[0]
    for other in (number - 1, number + 1):
        if not 0 <= other < len(best) or abs(best[other].start - best[number].start) > _NEAR:
            continue
        theirs = best[other].rule.id
        halves = {_IS_ID.search(mine) is None, _IS_ID.search(theirs) is None}
        if theirs.partition("-")[0] == vendor and len(halves) == 2:
            return other
    return None
