"""From our plain data to the protocol's types. What is said to people stands here, and no value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from locum.lsp.checks import Check, Found
from locum.text.edits import Edit
from locum.text.source import PositionEncoding, SourceText

if TYPE_CHECKING:
    from locum.lsp.remarks import Remark
    from locum.workspace.agent_journal import Author

SOURCE = "locum"
MAX_RELATED = 20
"""Places that are listed with one finding: a value that stands everywhere is known to after so many."""

_CHATS = {"vscode-chat-code-block", "vscode-chat-response-resource", "chat-editing-text-model", "vscode-chat-editor"}
_OLD_VERSIONS = {"git", "gitlens", "gitfs", "svn", "hg", "fugitive", "diffview", "octo"}
_DIFFS = {"diff", "patch", "git-commit", "gitcommit", "git"}
"""Languages that show changes line by line: a commit message's too, which ends in the diff where that is asked for."""

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


def found_diagnostic(
    check: Check,
    found: Found,
    url: str,
    encoding: PositionEncoding,
    *,
    related: bool = False,
    author: Author | None = None,
) -> types.Diagnostic:
    """Say a finding; `url` is the rule's page, or "" for a client that shows none; `author` is the agent that wrote it.

    No tag: a secret is neither unused, which editors fade, nor deprecated, which they strike through. It is in use.
    """
    finding = found.finding
    why = f"{finding.confidence}: {', '.join(finding.why)}" if finding.why else finding.confidence
    todo = f"Move {finding.secret_name} to the vault."
    if _is_removed(check, found):
        todo = "This change takes it out, and the history keeps it: rotate it."
    return types.Diagnostic(
        range=found_range(check, found, encoding),
        message=f"{finding.title} in plain text ({why}). {todo}" + (f" ({author.text()})" if author else ""),
        severity=_SEVERITIES[finding.severity],
        code=finding.rule,
        code_description=types.CodeDescription(href=url) if url else None,
        source=SOURCE,
        related_information=_related(check, found, encoding) if related else None,
        data={
            "fingerprint": finding.fingerprint,
            "rule": finding.rule,
            "origin": "agent" if author else _origin(check),
        },
    )


def origin(uri: str) -> str:
    """Say where a text comes from: what an AI agent wrote in a chat, an old version of a file, or the editor."""
    scheme = uri.partition(":")[0]
    if scheme in _CHATS:
        return "agent"
    return "history" if scheme in _OLD_VERSIONS else "editor"


def _origin(check: Check) -> str:
    return "disk" if check.on_disk else origin(check.snapshot.uri)


def _related(check: Check, found: Found, encoding: PositionEncoding) -> list[types.DiagnosticRelatedInformation] | None:
    said = [
        types.DiagnosticRelatedInformation(
            types.Location(check.snapshot.uri, to_range(check.snapshot.source, place.start, place.end, encoding)),
            place.note[:1].upper() + place.note[1:],
        )
        for place in found.related[:MAX_RELATED]
    ]
    return said or None


def _is_removed(check: Check, found: Found) -> bool:
    """Say whether a finding stands in a line that a diff takes out."""
    snapshot = check.snapshot
    if snapshot.language not in _DIFFS and not snapshot.uri.endswith((".diff", ".patch")):
        return False
    line = snapshot.source.line_of(found.start)
    return snapshot.text.startswith("-", snapshot.source.starts[line])


def remark_diagnostic(
    check: Check, remark: Remark, encoding: PositionEncoding, *, fades: bool = False
) -> types.Diagnostic:
    """Say something of a reference or of a manifest. What has no effect any more is shown faded, where the client does that."""
    return types.Diagnostic(
        range=to_range(check.snapshot.source, remark.start, remark.end, encoding),
        message=remark.message,
        severity=_SEVERITIES[remark.severity],
        code=remark.code,
        source=SOURCE,
        tags=[types.DiagnosticTag.Unnecessary] if remark.without_effect and fades else None,
        data={"fingerprint": "", "rule": remark.code, "origin": origin(check.snapshot.uri)},
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
