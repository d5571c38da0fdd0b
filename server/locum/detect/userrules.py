"""Rules that other people write: the project's, the user's, and those made for other scanners.

Their expressions run in RE2 alone, whose time is linear in the text, over bounded pieces of it and up to a deadline: what they
say cannot stop a scan. And they can only add: a finding of a built-in rule gives way to none that is less loud, and is never
crowded out. Pure; reading files, and who may bring rules, is `workspace`'s.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from locum.detect.candidate import Candidate, confirm
from locum.detect.finding import Confidence, Severity
from locum.detect.pack import Rule
from locum.detect.resolve import without_overlaps
from locum.detect.severity import severity
from locum.text.linear import Expression, Match, Span, compiled

MAX_RULES = 1_000
MAX_REGEX = 10_000
"""Characters of an expression."""
MIN_KEYWORD = 3
_MAX_KEYWORD = 64
"""Bytes."""
_WINDOW = 1024
"""Bytes before and after a keyword, and then to the ends of their lines, in which a match stands."""
_LINE = 4096
"""Bytes of a line beyond which it is cut."""
_BLOCK = 64 * 1024
"""Bytes that RE2 looks at in one go: the clock is asked in between."""
_MAX_MATCH = 4096
"""Bytes. What is longer is no secret; and blocks overlap by this much."""
_MAX_MATCHES = 2_000
"""Matches of one rule in one text. An expression that matches everywhere would take quadratic time else."""
_SECONDS = 10.0
"""All rules together, on one text, where no other deadline is given."""
_ALL_MEMORY = 256 << 20
_MIN_MEMORY, _MAX_MEMORY = 1 << 20, 8 << 20
"""Bytes that RE2 may take for one expression."""
_LEVELS: tuple[Severity, ...] = ("error", "warning", "information", "hint")


@dataclass(frozen=True, slots=True)
class Except:
    """What a rule does not mean."""

    regexes: tuple[Expression, ...]
    target: str
    """What `regexes` look at: secret, match or line."""
    stopwords: tuple[bytes, ...]
    """In lower case."""
    paths: tuple[Expression, ...]
    every: bool
    """All that is said must hold; else one thing is enough."""

    def means(self, data: bytes, path: str, match: Span, secret: Span) -> bool:
        """Say whether this match is meant."""
        value = data[secret[0] : secret[1]]
        said: list[bool] = []
        if self.paths:
            said.append(any(wanted.search(path.encode()) is not None for wanted in self.paths))
        if self.regexes:
            text = data[slice(*match)] if self.target == "match" else value
            if self.target == "line":
                text = data[max(0, _back(data, match[0])) : _ahead(data, match[1])]
            said.append(any(wanted.search(text) is not None for wanted in self.regexes))
        if self.stopwords:
            lower = value.lower()
            said.append(any(word in lower for word in self.stopwords))
        return bool(said) and (all(said) if self.every else any(said))


class UserRule(Rule):
    """A rule whose expression is in Go's syntax, with the fields of a built-in one."""

    def __init__(
        self, rule_id: str, expression: Expression, *, title: str = "", keywords: Sequence[str] = (), group: int = 0,
        entropy: float = 0.0, severity: Severity | None = None, confidence: Confidence | None = None,
        explanation: str = "", applies: Callable[[str], bool] | None = None, exceptions: Sequence[Except] = (),
    ) -> None:  # fmt: skip
        """Take a rule as it was written. `rule_id` is one that no built-in rule has.

        A keyword that is no ASCII, or too short or long to be looked for, makes the rule one for whole texts.
        Raises ValueError for a group that the expression has not.
        """
        if group > expression.groups:
            raise ValueError(f"there is no group {group} in the regex")
        self.id = rule_id
        self.title = _line(title) or rule_id
        usable = all(word.isascii() and MIN_KEYWORD <= len(word) <= _MAX_KEYWORD for word in keywords)
        self.anchors = tuple(dict.fromkeys(word.lower() for word in keywords)) if usable else ()
        self.regex = ""
        name = rule_id.partition("-")[2].upper().replace("-", "_")
        self.secret_name = name if name[:1].isalpha() else f"KEY_{name}"
        self.url = ""
        self.explanation = (
            _line(explanation, 2_000) or "A rule of your own: what it found is for you to judge, and to rotate."
        )
        self.severity = severity or "error"
        self.confidence = confidence or ("high" if severity == "error" else "medium")
        self.lookback, self.span, self.near = 0, _WINDOW, 0
        self.min_entropy, self.check, self.generic = entropy, "", False
        self.expression = expression
        self._group = group
        self._applies = applies
        self._exceptions = tuple(exceptions)

    def applies(self, path: str) -> bool:
        """Say whether the rule looks at texts of this path."""
        return self._applies is None or self._applies(path)

    def value(self, match: Match) -> Span:
        """Return where the secret of a match stands."""
        if self._group:
            return match.span(self._group)
        groups = (match.span(number) for number in range(1, self.expression.groups + 1))
        return next((span for span in groups if span[0] < span[1]), match.span())

    def excepts(self, data: bytes, path: str, match: Span, secret: Span) -> bool:
        """Say whether the rule's own exceptions mean this match."""
        return any(exception.means(data, path, match, secret) for exception in self._exceptions)


def expression(written: str, count: int) -> Expression:
    """Compile an expression, one of `count` rules. Raises BadExpression, ImportError without RE2."""
    return compiled(written, max(_MIN_MEMORY, min(_MAX_MEMORY, _ALL_MEMORY // max(1, count))))


class UserRules:
    """Rules of other people, ready to run. Holds no text between calls; may be used from several threads."""

    def __init__(self, rules: Iterable[UserRule]) -> None:
        """Raises ValueError when there are too many."""
        self.rules: dict[str, Rule] = {}
        self._always: list[UserRule] = []
        self._by_keyword: dict[str, list[UserRule]] = {}
        for rule in rules:
            self.rules[rule.id] = rule
            for word in rule.anchors:
                self._by_keyword.setdefault(word, []).append(rule)
            if not rule.anchors:
                self._always.append(rule)
        if len(self.rules) > MAX_RULES:
            raise ValueError(f"these are {len(self.rules)} rules, and {MAX_RULES} is the most")
        self.keywords = tuple(self._by_keyword)

    def reach_far(self, places: Mapping[str, list[int]]) -> bool:
        """Say whether a rule has something to look at in this text: then what it finds depends on more than a few lines."""
        return bool(self._always or places)

    def candidates(
        self, data: bytes, path: str, places: Mapping[str, list[int]], deadline: float | None
    ) -> tuple[list[Candidate], bool]:
        """Return what the rules find, and whether that was cut short. `places` are the keywords' byte offsets."""
        latest = time.perf_counter() + _SECONDS
        stop = latest if deadline is None else min(deadline, latest)
        spots: dict[str, list[int]] = {}
        by_id: dict[str, UserRule] = {rule.id: rule for rule in self._always}
        for word, starts in places.items():
            for rule in self._by_keyword[word]:
                by_id[rule.id] = rule
                spots.setdefault(rule.id, []).extend(starts)
        found: list[Candidate] = []
        cut = False
        for name, rule in by_id.items():
            if time.perf_counter() > stop:
                return found, True
            if rule.applies(path):
                regions = _windows(data, sorted(spots[name])) if name in spots else iter(((0, len(data)),))
                cut |= _run(rule, data, path, regions, stop, found)
        return found, cut


def _run(
    rule: UserRule, data: bytes, path: str, regions: Iterator[Span], stop: float, found: list[Candidate]
) -> bool:  # fmt: skip
    """Add what one rule finds in the regions; return whether that was cut short."""
    seen: set[Span] = set()
    count = 0
    for start, end in (block for region in regions for block in _blocks(data, *region)):
        if time.perf_counter() > stop:
            return True
        for match in rule.expression.finditer(data, start, end):
            count += 1
            if count > _MAX_MATCHES or time.perf_counter() > stop:
                return True
            span, secret = match.span(), rule.value(match)
            # What touches an edge may go on behind it; the next block has it whole.
            if (span[0] == start > 0) or (span[1] == end < len(data)) or span[1] - span[0] > _MAX_MATCH:
                continue
            if secret[0] >= secret[1] or secret in seen or rule.excepts(data, path, span, secret):
                continue
            seen.add(secret)
            candidate = confirm(rule, data, path, (-1, -1), secret)
            if candidate is not None:
                found.append(candidate)
    return False


def resolved(candidates: Sequence[Candidate], most: int) -> tuple[list[Candidate], bool]:
    """Keep the best of those that overlap, as `without_overlaps` does, so that rules of others only add.

    One of theirs stays where no built-in finding stands, or where it covers less loud ones; and of theirs as many as there is
    room for up to `most`. Returns whether there were more.
    """
    best = without_overlaps(candidate for candidate in candidates if not isinstance(candidate.rule, UserRule))
    own = without_overlaps(candidate for candidate in candidates if isinstance(candidate.rule, UserRule))
    kept: list[Candidate] = []
    at = 0
    for candidate in own:
        while at < len(best) and best[at].end <= candidate.start:
            at += 1
        last = at
        while last < len(best) and best[last].start < candidate.end:
            last += 1
        under = best[at:last]
        if all(_covers(candidate, built_in) for built_in in under):
            kept.append(candidate)
    room = max(0, most - len(best))
    taken = kept[:room]
    covered = {
        id(built_in) for built_in in best for candidate in taken if _overlap(built_in, candidate)
    } if taken and best else set[int]()  # fmt: skip
    rest = [built_in for built_in in best if id(built_in) not in covered]
    return sorted([*rest, *taken], key=lambda candidate: candidate.start), len(kept) > room


def _covers(candidate: Candidate, built_in: Candidate) -> bool:
    """Say whether a finding of others says all that a built-in one does, and more loudly."""
    inside = candidate.start <= built_in.start and built_in.end <= candidate.end
    return inside and _loudness(candidate) < _loudness(built_in)


def _overlap(one: Candidate, other: Candidate) -> bool:
    return one.start < other.end and other.start < one.end


def _loudness(candidate: Candidate) -> int:
    return _LEVELS.index(severity(candidate.confidence, candidate.rule.severity, ""))


def _windows(data: bytes, spots: Iterable[int]) -> Iterator[Span]:
    """Yield the whole lines around places (in order), merged; each with the line end before it, so that no match begins there."""
    low, high = 0, -1
    for spot in spots:
        if spot + _WINDOW <= high:
            continue
        start, end = max(0, _back(data, spot - _WINDOW)), _ahead(data, spot + _WINDOW)
        if start <= high:
            high = end
            continue
        if high >= 0:
            yield low, high
        low, high = start, end
    if high >= 0:
        yield low, high


def _blocks(data: bytes, low: int, high: int) -> Iterator[Span]:
    """Cut a region into blocks that overlap by more than the longest match."""
    while high - low > _BLOCK:
        end = min(high, _ahead(data, low + _BLOCK))
        yield low, end
        if end == high:
            return
        low = max(0, _back(data, end - _MAX_MATCH))
    yield low, high


def _back(data: bytes, place: int) -> int:
    """Return where the line end before the line of `place` stands, or a place on the line where that is far; 0 for none."""
    if place <= 0:
        return 0
    before = data.rfind(b"\n", max(0, place - _LINE), place)
    return before if before >= 0 else 0 if place <= _LINE else place


def _ahead(data: bytes, place: int) -> int:
    """Return where the line of `place` ends, with its line end."""
    if place >= len(data):
        return len(data)
    end = data.find(b"\n", place, place + _LINE)
    return end + 1 if end >= 0 else min(len(data), place + _LINE)


def _line(text: str, most: int = 120) -> str:
    """Return a text that cannot steer a terminal."""
    return "".join(char if char.isprintable() else " " for char in " ".join(text.split()))[:most]
