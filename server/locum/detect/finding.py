"""What the detector says. Plain data; holds no part of the secret's value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "information", "hint"]
Confidence = Literal["certain", "high", "medium", "low"]


@dataclass(frozen=True, slots=True)
class Related:
    """Another place in the same text that belongs to a finding. Byte offsets."""

    start: int
    end: int
    note: str
    """"the same value", "the key id of this pair"."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One plaintext secret. `start` and `end` are byte offsets into the scanned UTF-8 and cover exactly the value."""

    rule: str
    title: str
    start: int
    end: int
    severity: Severity
    confidence: Confidence
    why: tuple[str, ...]
    """Short reasons, for people: "prefix ghp_", "checksum ok", "assigned to password"."""
    secret_name: str
    """A good name for it in a vault, as an environment variable is spelt."""
    fingerprint: str
    """Stable under line moves; no hash of a value that could be guessed (see `fingerprint.py`)."""
    related: tuple[Related, ...] = ()


@dataclass(frozen=True, slots=True)
class Suppressed:
    """A finding that somebody silenced, and how: "gitleaks:allow", "locum.toml"."""

    finding: Finding
    mechanism: str


@dataclass(frozen=True, slots=True)
class ScanResult:
    """The findings of one text, ordered by place; `truncated` when the deadline or a cap cut the scan short."""

    findings: tuple[Finding, ...]
    truncated: bool = False
    suppressed: tuple[Suppressed, ...] = ()
    """The findings that inline markers silenced."""
    near: bool = True
    """Nothing in the text gives a meaning to what stands far from it: neither an inline marker nor a file's format."""
