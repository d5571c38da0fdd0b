"""The comment that silences a finding, in the syntax of the file that it stands in. Pure.

It stands behind the finding's line, or on a line of its own before it; nowhere that it would change what the file says
(see `comment_syntax`).
"""

from __future__ import annotations

import re

from locum.lsp.comment_syntax import is_comment, syntax_of
from locum.lsp.documents import Snapshot
from locum.text.edits import Edit

MARKER = "locum:allow"
MARKER_BEFORE = "locum:allow-next-line"
_MAX_REASON = 200
_SPACES = re.compile(r"\s+")


def can_comment(snapshot: Snapshot) -> bool:
    """Say whether the file's language has comments that we know. JSON has none."""
    return syntax_of(snapshot) is not None


def one_line(reason: str) -> str:
    """Return a reason as one printable line of bounded length."""
    return _SPACES.sub(" ", "".join(char if char.isprintable() else " " for char in reason)).strip()[:_MAX_REASON]


def ignore_edit(snapshot: Snapshot, start: int, end: int, *, before: bool = False, reason: str = "") -> Edit | None:
    """Return the edit that silences the finding at `[start, end)` (offsets); None where no comment can stand.

    With `before` the comment stands on a line of its own; it does so too where it cannot stand behind a value.
    """
    syntax, source = syntax_of(snapshot), snapshot.source
    first, last = source.line_of(start), source.line_of(end)
    if syntax is None or source.line(last).endswith("\\") or (first and source.line(first - 1).endswith("\\")):
        return None
    why = f" -- {one_line(reason)}" if one_line(reason) else ""
    if before or syntax.before_only:
        line = source.line(first)
        indent = line[: len(line) - len(line.lstrip(" \t"))]
        comment = indent + syntax.written(MARKER_BEFORE + why) + _line_end(snapshot)
        edit = Edit(source.starts[first], source.starts[first], comment)
        return edit if is_comment(snapshot, edit, first, start) else None
    _, line_end = source.line_span(last)
    edit = Edit(line_end, line_end, "  " + syntax.written(MARKER + why))
    return edit if is_comment(snapshot, edit, last, start) else None


def _line_end(snapshot: Snapshot) -> str:
    """Return how the text ends its first line."""
    end = snapshot.text[: snapshot.source.starts[1]] if len(snapshot.source.starts) > 1 else "\n"
    return "\r\n" if end.endswith("\r\n") else end[-1]
