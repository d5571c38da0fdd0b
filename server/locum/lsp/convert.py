"""From our plain data to the protocol's types. What is said to people stands here, and no value."""

from __future__ import annotations

import re

from lsprotocol import types

from locum.lsp.session import Check, Found
from locum.refs.reference import Occurrence
from locum.text.edits import Edit
from locum.text.source import PositionEncoding, SourceText

SOURCE = "locum"
BAD_REFERENCE = "bad-reference"

_QUOTED = re.compile(r"^(['\"]).*\1(?= )")
"""The text that a parser's message begins with. The range shows it already, and it may be a value in the wrong place."""

_SEVERITIES = {
    "error": types.DiagnosticSeverity.Error,
    "warning": types.DiagnosticSeverity.Warning,
    "information": types.DiagnosticSeverity.Information,
    "hint": types.DiagnosticSeverity.Hint,
}


def to_range(source: SourceText, start: int, end: int, encoding: PositionEncoding) -> types.Range:
    """Turn offsets into a range in the client's columns."""
    return types.Range(
        types.Position(*source.position(start, encoding)), types.Position(*source.position(end, encoding))
    )


def found_range(check: Check, found: Found, encoding: PositionEncoding) -> types.Range:
    """Return where a finding's value stands."""
    return to_range(check.snapshot.source, found.start, found.end, encoding)


def to_edits(source: SourceText, edits: tuple[Edit, ...], encoding: PositionEncoding) -> list[types.TextEdit]:
    """Turn edits into the protocol's."""
    return [types.TextEdit(to_range(source, edit.start, edit.end, encoding), edit.new_text) for edit in edits]


def found_diagnostic(check: Check, found: Found, url: str, encoding: PositionEncoding) -> types.Diagnostic:
    """Say a finding; `url` is the rule's page, or "" for a client that shows none."""
    finding = found.finding
    sure = "" if finding.confidence in {"certain", "high"} else " (likely)"
    return types.Diagnostic(
        range=found_range(check, found, encoding),
        message=f"{finding.title} in plain text{sure}. Move {finding.secret_name} to the vault.",
        severity=_SEVERITIES[finding.severity],
        code=finding.rule,
        code_description=types.CodeDescription(href=url) if url else None,
        source=SOURCE,
        data={"fingerprint": finding.fingerprint, "rule": finding.rule, "origin": "editor"},
    )


def broken_reference_diagnostic(check: Check, broken: Occurrence, encoding: PositionEncoding) -> types.Diagnostic:
    """Say that something wants to be a reference and is none."""
    return types.Diagnostic(
        range=to_range(check.snapshot.source, broken.start, broken.end, encoding),
        message=f"Not a reference: {_QUOTED.sub('this', broken.problem)}.",
        severity=types.DiagnosticSeverity.Warning,
        code=BAD_REFERENCE,
        source=SOURCE,
        data={"fingerprint": "", "rule": BAD_REFERENCE, "origin": "editor"},
    )


def truncated_diagnostic(count: int) -> types.Diagnostic:
    """Say that the text was not looked at to its end."""
    start = types.Position(0, 0)
    return types.Diagnostic(
        range=types.Range(start, start),
        message=f"Only part of this text was checked: {count} findings are shown.",
        severity=types.DiagnosticSeverity.Information,
        code="partly-checked",
        source=SOURCE,
    )
