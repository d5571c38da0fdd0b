"""Texts with a marked secret and the plan for it. Shared by the tests of this folder."""

from __future__ import annotations

from locum.detect.finding import Finding
from locum.rewrite.plan import Plan, Refusal
from locum.rewrite.planner import plan
from locum.text.edits import apply_edits
from locum.text.source import SourceText

OPEN, CLOSE = "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}", "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}"

JOINT = "{_}"
"""Nothing: stands in a text that a scanner would take for a secret, so that none finds one in our repository."""


def finding_at(source: SourceText, start: int, end: int, name: str = "NAME") -> Finding:
    """Return a finding at offsets (code points), as the detector makes it: in bytes."""
    first, last = source.byte_of_offset(start), source.byte_of_offset(end)
    return Finding("rule", "A secret", first, last, "error", "high", (), name, "fp")


def plan_for(text: str, start: int, end: int, *, path: str, language: str = "", name: str = "NAME") -> Plan | Refusal:
    source = SourceText(text)
    return plan(source, finding_at(source, start, end), path=path, language=language, name=name)


def plan_marked(marked: str, *, path: str, language: str = "") -> tuple[str, Plan | Refusal]:
    """Return the text without marks, and the plan."""
    start, end = marked.index(OPEN), marked.index(CLOSE) - 1
    text = marked.replace(OPEN, "").replace(CLOSE, "")
    return text, plan_for(text, start, end, path=path, language=language)


def applied(text: str, made: Plan | Refusal) -> str:
    assert isinstance(made, Plan), made
    return apply_edits(text, made.edits)


def value_of(made: Plan | Refusal) -> bytes:
    assert isinstance(made, Plan), made
    return bytes(made.value.view())
