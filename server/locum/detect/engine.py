"""The engine: anchors first, then exact expressions at each of them, then filters.

Layer 1 (`selectors`) finds anchor literals in one pass. Layer 2 matches each rule of an anchor at that place, bounded.
Layer 3 (`checks`, `suppress`) asks whether a candidate is a secret. Expressions compile when they are first needed.
"""

from __future__ import annotations

import re
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from locum.detect.checks import CHECK_NAMES, CHECKS, entropy, is_placeholder, looks_like_secret
from locum.detect.finding import Confidence, Finding, ScanResult
from locum.detect.fingerprint import fingerprint
from locum.detect.pack import Pack, Rule
from locum.detect.selectors import choose
from locum.detect.suppress import is_suppressed

MAX_FINDINGS = 500
"""A file with more than this many is not read by anybody; the result is then marked as cut short."""
_CLOCK_EVERY = 256
"""Hits between two looks at the clock."""

_RANK: dict[Confidence, int] = {"certain": 3, "high": 2, "medium": 1, "low": 0}
_NAME_BACKWARDS = re.compile(rb"[A-Za-z0-9_$.-]{1,80}")
_OPERATOR_BACKWARDS = re.compile(
    rb"""["'`]{0,3}(?:(?<=["'`])[A-Za-z]{0,2})?[ \t]{0,8}(?:>=|=:|=\?|=|:)[ \t]{0,8}\]?["'`]?"""
)
_TYPE_BACKWARDS = re.compile(rb"[A-Za-z0-9_\[\]|., ]{1,40}:[ \t]{0,4}")
"""Read from the value towards the beginning of its line, so that each step is a match in one place, never a search."""
_CONFIGURATION = re.compile(r"(?:^|/)\.env[^/]*$|\.(?:env|ya?ml|json|jsonc)$")
_PASSWORD = re.compile(rb"(?i)passw|pwd|passphrase")
_NOT_A_VALUE_NAME = re.compile(
    rb"""(?xi)(?:_|-|\b|(?<=[a-z]))(?:url|uri|path|file|filename|dir|name|id|ids|type|types|field|label|header|headers|regex|pattern|prefix
    |suffix|length|count|size|limit|expiry|expires|ttl|policy|format|hint|placeholder|message|error|help|title|description|algorithm|arn
    |class|manager|store|provider|endpoint|env|var|variable|ref|version|index|enabled|required|validator|rule|rules|schema|hash|digest)$"""
)


@dataclass(frozen=True, slots=True)
class _Candidate:
    rule: Rule
    start: int
    end: int
    confidence: Confidence
    why: tuple[str, ...]
    name: bytes


class Engine:
    """A pack of rules, ready to scan. Holds no text between calls; may be used from several threads."""

    def __init__(self, pack: Pack, selector: str = "auto") -> None:
        self._pack = pack
        self._selector = choose(pack.anchors, selector)

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
        candidates: list[_Candidate] = []
        tried: set[tuple[str, int]] = set()
        truncated = False
        for count, (number, end) in enumerate(self._selector.hits(data)):
            if deadline is not None and count % _CLOCK_EVERY == 0 and time.perf_counter() > deadline:
                truncated = True
                break
            start = end - len(self._pack.anchors[number])
            for rule in self._pack.routes[number]:
                if (rule.id, start) not in tried:
                    tried.add((rule.id, start))
                    candidate = _confirm(rule, data, start, path)
                    if candidate is not None:
                        candidates.append(candidate)
        best = _without_overlaps(candidates)
        kept = [candidate for candidate in best if not is_suppressed(data, candidate.start, candidate.end)]
        truncated = truncated or len(kept) > MAX_FINDINGS
        findings = _name_all(kept[:MAX_FINDINGS], data, path, project)
        return ScanResult(findings, truncated, len(best) - len(kept))


@cache
def default_engine() -> Engine:
    """Return the engine over the built-in rules, made once."""
    return Engine(Pack.built_in())


def _confirm(rule: Rule, data: bytes, anchor: int, path: str) -> _Candidate | None:
    """Match a rule at an anchor and ask the filters."""
    begin = max(0, anchor - rule.lookback)
    find = rule.pattern.search if rule.lookback else rule.pattern.match
    match = find(data, begin, min(len(data), begin + rule.span))
    if match is None or match.start() > anchor:
        return None
    start, end = match.span("value") if "value" in rule.pattern.groupindex else match.span()
    value = data[start:end]
    if rule.generic:
        return _confirm_generic(rule, value, start, end, _assigned_name(data, start))
    verdict = CHECKS[rule.check](value) if rule.check else None
    if not verdict and (
        entropy(value) < rule.min_entropy or (is_placeholder(value) and not value.startswith(b"-----BEGIN"))
    ):
        return None  # a checksum that fits is stronger than any look of a placeholder
    name = _assigned_name(data, start) if rule.id != "url-password" else _name_of_url_password(data, start, path)
    confidence, why = rule.confidence, [f"format of {rule.title}"]
    if verdict is not None:
        confidence = "certain" if verdict and rule.check != "jwt" else "medium"
        why.append(f"{CHECK_NAMES[rule.check]} {'ok' if verdict else 'wrong'}")
    return _Candidate(rule, start, end, confidence, tuple(why), name)


def _confirm_generic(rule: Rule, value: bytes, start: int, end: int, name: bytes) -> _Candidate | None:
    if not name or _NOT_A_VALUE_NAME.search(name):
        return None
    if not looks_like_secret(value, password=_PASSWORD.search(name) is not None):
        return None
    why = (f"assigned to {name.decode('ascii')}", "looks random")
    return _Candidate(rule, start, end, rule.confidence, why, name)


def _assigned_name(data: bytes, start: int) -> bytes:
    """Return the name that a value is assigned to on its line (`name = "`, `"name": "`, `name: str = "`), or b""."""
    line = data.rfind(b"\n", max(0, start - 200), start) + 1
    before = data[max(line, start - 200) : start][::-1]
    operator = _OPERATOR_BACKWARDS.match(before)
    if operator is None:
        return b""
    position = operator.end()
    if b"=" in operator[0]:
        annotation = _TYPE_BACKWARDS.match(before, position)
        position = annotation.end() if annotation else position
    name = _NAME_BACKWARDS.match(before, position)
    return name[0][::-1].lstrip(b"0123456789.-$") if name else b""


def _name_of_url_password(data: bytes, start: int, path: str) -> bytes:
    """Name the password in a URL after what the whole URL is assigned to.

    In code DATABASE_URL gives DATABASE_PASSWORD, since the rest of the URL stays there. In a configuration file the whole
    value becomes a reference, and so keeps its own name.
    """
    scheme = data.rfind(b"://", max(0, start - 120), start)
    while scheme > 0 and (data[scheme - 1 : scheme].isalnum() or data[scheme - 1] in b"+-."):
        scheme -= 1
    name = _assigned_name(data, scheme)
    if _CONFIGURATION.search(path):
        return name
    return re.sub(rb"(?i)[_-]?(?:url|uri|dsn)$", b"", name) + b"_PASSWORD" if name else b""


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


def _name_all(candidates: list[_Candidate], data: bytes, path: str, project: str) -> tuple[Finding, ...]:
    """Turn candidates into findings with names and fingerprints."""
    seen: Counter[tuple[str, str]] = Counter()
    findings: list[Finding] = []
    for c in candidates:
        name = _variable(c.name)
        if not name or (name in _VAGUE and not c.rule.generic):
            name = c.rule.secret_name or name
        ordinal = seen[c.rule.id, name]
        seen[c.rule.id, name] += 1
        print_ = fingerprint(project, path, c.rule.id, data[c.start : c.end], name, ordinal)
        severity = "warning" if c.confidence == "low" and c.rule.severity == "error" else c.rule.severity
        findings.append(Finding(c.rule.id, c.rule.title, c.start, c.end, severity, c.confidence, c.why, name, print_))
    return tuple(findings)


def _variable(name: bytes) -> str:
    """Spell a name as an environment variable: `stripeKey` becomes STRIPE_KEY; "" for what says too little."""
    text = name.decode("ascii", "ignore").rpartition(".")[2]
    text = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", text)
    text = re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_").upper()
    return text if len(text) >= 3 and not text[0].isdigit() else ""


_VAGUE = frozenset(
    {
        "KEY",
        "TOKEN",
        "VALUE",
        "SECRET",
        "AUTH",
        "AUTHORIZATION",
        "DATA",
        "HEADERS",
        "BEARER",
        "PASSWORD",
        "URL",
        "API_KEY",
    }
)
"""Names that say less than the rule's own."""
