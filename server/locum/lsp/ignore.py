"""The comment that silences a finding, in the syntax of the file that it stands in. Pure."""

from __future__ import annotations

from pathlib import PurePath

from locum.lsp.documents import Snapshot
from locum.text.edits import Edit

MARKER = "locum:allow"
_SLASHES = (
    "javascript typescript javascriptreact typescriptreact go rust java kotlin csharp c cpp swift php scala dart jsonc"
)
_HASHES = (
    "python ruby shellscript sh bash zsh yaml toml dotenv env dockerfile perl r makefile terraform hcl powershell elixir nix"
    " conf ini properties fish"
)
_BY_LANGUAGE = (
    dict.fromkeys(_SLASHES.split(), "//") | dict.fromkeys(_HASHES.split(), "#") | dict.fromkeys(["lua", "sql"], "--")
)
_BY_SUFFIX = (
    dict.fromkeys(
        [".js", ".ts", ".tsx", ".jsx", ".mjs", ".cjs", ".go", ".rs", ".java", ".kt", ".cs", ".c", ".cpp"], "//"
    )
    | dict.fromkeys([".swift", ".php"], "//")
    | dict.fromkeys([".py", ".sh", ".yaml", ".yml", ".toml", ".tf", ".rb", ".env", ".cfg"], "#")
    | dict.fromkeys([".lua", ".sql"], "--")
)


def can_ignore(snapshot: Snapshot) -> bool:
    """Say whether the file's syntax has line comments that we know. JSON has none."""
    return _comment(snapshot) != ""


def ignore_edit(snapshot: Snapshot, end: int) -> Edit | None:
    """Return the edit that adds the marker at the end of the line that holds offset `end`; None without a syntax for it."""
    comment = _comment(snapshot)
    if not comment:
        return None
    source = snapshot.source
    _, line_end = source.line_span(source.line_of(end))
    return Edit(line_end, line_end, f"  {comment} {MARKER}")


def _comment(snapshot: Snapshot) -> str:
    by_language = _BY_LANGUAGE.get(snapshot.language, "")
    if by_language or snapshot.path is None or snapshot.language == "json":
        return by_language
    path = PurePath(snapshot.path)
    return "#" if path.name.startswith(".env") else _BY_SUFFIX.get(path.suffix, "")
