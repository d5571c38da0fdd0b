"""The comment that silences a finding, in the syntax of the file that it stands in. Pure.

A comment must never change what the file says. So it stands at the end of the finding's line only where the language reads
it as a comment there; formats in which it would become part of the value get it on a line of its own before; and inside
multi-line strings, block scalars, here-documents and continued lines there is none.
"""

from __future__ import annotations

import io
import re
import tokenize
from pathlib import PurePath

from locum.lsp.documents import Snapshot
from locum.text.edits import Edit, apply_edits

MARKER = "locum:allow"
MARKER_BEFORE = "locum:allow-next-line"

_SYNTAX = {
    "//": "javascript typescript javascriptreact typescriptreact go rust java kotlin csharp c cpp swift php scala dart jsonc",
    "#": "python ruby shellscript sh bash zsh fish yaml toml perl r terraform hcl powershell elixir nix",
    "--": "lua sql",
    "# before": "dotenv env ini conf properties dockerfile makefile",
}
_SUFFIXES = {
    "//": ".js .ts .tsx .jsx .mjs .cjs .go .rs .java .kt .cs .c .cpp .swift .php",
    "#": ".py .sh .bash .zsh .yaml .yml .toml .tf .rb",
    "--": ".lua .sql",
    "# before": ".env .ini .cfg .conf .properties",
}
_BY_LANGUAGE = {name: syntax for syntax, names in _SYNTAX.items() for name in names.split()}
_BY_SUFFIX = {name: syntax for syntax, names in _SUFFIXES.items() for name in names.split()}
_SHELLS = {"shellscript", "sh", "bash", "zsh"}
_YAML_BLOCK = re.compile(r"(?:^|[\s:-])[|>][+-]?\d?[+-]?\s*(?:#.*)?$")
_HERE_DOCUMENT = re.compile(r"<<-?[ \t]*(['\"\\]?)([A-Za-z_]\w*)")


def can_ignore(snapshot: Snapshot) -> bool:
    """Say whether the file's syntax has line comments that we know. JSON has none."""
    return _syntax(snapshot) != ""


def ignore_edit(snapshot: Snapshot, start: int, end: int) -> Edit | None:
    """Return the edit that silences the finding at `[start, end)` (offsets); None where no comment can stand."""
    syntax, source = _syntax(snapshot), snapshot.source
    first, last = source.line_of(start), source.line_of(end)
    _, line_end = source.line_span(last)
    if not syntax or source.line(last).endswith("\\") or (first and source.line(first - 1).endswith("\\")):
        return None
    if syntax == "# before":
        line = source.line(first)
        indent = line[: len(line) - len(line.lstrip(" \t"))]
        return Edit(source.starts[first], source.starts[first], f"{indent}# {MARKER_BEFORE}{_line_end(snapshot)}")
    edit = Edit(line_end, line_end, f"  {syntax} {MARKER}")
    return edit if _is_comment(snapshot, edit, last) else None


def _is_comment(snapshot: Snapshot, edit: Edit, line: int) -> bool:
    """Say whether what the edit adds is a comment to the language, as far as we can tell without its parser."""
    kind, text = _kind(snapshot), snapshot.text
    if kind in {"python", ".py"}:
        return _is_python_comment(text, edit)
    if kind in {"yaml", ".yaml", ".yml"}:
        return not _in_yaml_block(snapshot, line)
    if kind in _SHELLS or kind in {".sh", ".bash", ".zsh"}:
        return not _in_here_document(text, edit.start)
    if kind in {"toml", ".toml"}:
        return all(text.count(quotes, 0, edit.start) % 2 == 0 for quotes in ('"""', "'''"))
    if _syntax(snapshot) == "//":
        return text.count("`", 0, edit.start) % 2 == 0  # else perhaps in a template, or Go's raw string
    return True


def _is_python_comment(text: str, edit: Edit) -> bool:
    def comments(of: str) -> int | None:
        try:
            tokens = tokenize.generate_tokens(io.StringIO(of).readline)
            return sum(token.type == tokenize.COMMENT and MARKER in token.string for token in tokens)
        except (tokenize.TokenError, SyntaxError):
            return None

    before, after = comments(text), comments(apply_edits(text, [edit]))
    return before is None or (after is not None and after > before)  # a text that is broken anyway cannot tell


def _in_yaml_block(snapshot: Snapshot, line: int) -> bool:
    """Say whether a line belongs to a block scalar: one of the lines that it is indented under opens one."""
    source = snapshot.source
    text = source.line(line)
    indent = len(text) - len(text.lstrip(" "))
    for above in range(line - 1, -1, -1):
        text = source.line(above)
        here = len(text) - len(text.lstrip(" "))
        if text.strip() and here < indent:
            if _YAML_BLOCK.search(text):
                return True
            indent = here
    return False


def _in_here_document(text: str, offset: int) -> bool:
    for start in _HERE_DOCUMENT.finditer(text, 0, offset):
        end = re.compile(rf"^\t*{re.escape(start.group(2))}$", re.MULTILINE).search(text, start.end())
        body = text.find("\n", start.end())
        if 0 <= body < offset and (end is None or offset < end.start()):
            return True
    return False


def _line_end(snapshot: Snapshot) -> str:
    """Return how the text ends its first line."""
    end = snapshot.text[: snapshot.source.starts[1]] if len(snapshot.source.starts) > 1 else "\n"
    return "\r\n" if end.endswith("\r\n") else end[-1]


def _kind(snapshot: Snapshot) -> str:
    """Return the language that the editor names if we know it, else the file's suffix."""
    if snapshot.language in _BY_LANGUAGE or snapshot.path is None or snapshot.language == "json":
        return snapshot.language
    path = PurePath(snapshot.path)
    return ".env" if path.name.startswith(".env") else path.suffix


def _syntax(snapshot: Snapshot) -> str:
    kind = _kind(snapshot)
    return _BY_LANGUAGE.get(kind) or _BY_SUFFIX.get(kind, "")
