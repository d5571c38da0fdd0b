"""How comments are written in the languages that we know, and where one may stand. Pure.

A comment must never change what the file says: where we cannot tell that it is one to the language, the answer is no.
"""

from __future__ import annotations

import io
import re
import tokenize
from dataclasses import dataclass
from pathlib import PurePath

from locum.lsp.documents import Snapshot
from locum.text.edits import Edit, apply_edits

_LANGUAGES = {
    "//": "javascript typescript javascriptreact typescriptreact go rust java kotlin csharp c cpp swift php scala dart jsonc"
    " groovy",
    "#": "python ruby shellscript sh bash zsh fish yaml toml perl r terraform hcl powershell elixir nix julia dockercompose"
    " github-actions-workflow",
    "--": "lua sql haskell", "%": "latex tex erlang matlab", ";": "clojure lisp scheme commonlisp", "'": "vb",
    "# before": "dotenv env ini conf properties dockerfile makefile", "/* */": "css scss less", "<!-- -->": "markdown",
    "<!-- --> before": "html xml",
}  # fmt: skip
_SUFFIXES = {
    "//": ".js .ts .tsx .jsx .mjs .cjs .mts .cts .go .rs .java .kt .kts .cs .c .h .cc .cpp .hpp .swift .php .scala .dart .groovy"
    " .gradle .jsonc .json5",
    "#": ".py .pyi .sh .bash .zsh .fish .yaml .yml .toml .tf .tfvars .hcl .rb .pl .r .ps1 .ex .exs .nix .jl",
    "--": ".lua .sql .hs", "%": ".tex .erl", ";": ".clj .lisp .el .scm", "'": ".vb .vbs",
    "# before": ".env .ini .cfg .conf .properties",
    "/* */": ".css .scss .less", "<!-- -->": ".md .markdown", "<!-- --> before": ".html .htm .xml .csproj .config",
}  # fmt: skip
_BY_LANGUAGE = {name: syntax for syntax, names in _LANGUAGES.items() for name in names.split()}
_BY_SUFFIX = {name: syntax for syntax, names in _SUFFIXES.items() for name in names.split()}
_SHELLS = {"shellscript", "sh", "bash", "zsh", ".sh", ".bash", ".zsh"}
_HERE_DOCUMENTS = {"ruby", "perl", "php", ".rb", ".pl", ".php"}
_JSX = {"javascriptreact", "typescriptreact", ".jsx", ".tsx"}
_MARKUP = {"html", "xml", ".html", ".htm", ".xml", ".csproj", ".config"}
_YAML = {"yaml", ".yaml", ".yml", "dockercompose", "github-actions-workflow"}

_YAML_BLOCK = re.compile(r"(?:^|[\s:-])[|>][+-]?\d?[+-]?\s*(?:#.*)?$")
_SHELL_DOCUMENT = re.compile(r"<<-?[ \t]*(['\"\\]?)([A-Za-z_]\w*)")
_OTHER_DOCUMENT = re.compile(r"<<[-~<]?(['\"]?)([A-Z_]\w*)")
_TAG = re.compile(r"(?<!\w)</?[A-Za-z]|/>|<>")
_ATTRIBUTE = re.compile(r"[\w-]+=[\"'{]")
_ESCAPED = re.compile(r"\\.|^[ \t]*#.*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Syntax:
    """How a language writes a comment."""

    opener: str
    closer: str
    before_only: bool
    """It can only stand on a line of its own: behind a value it would be part of it."""

    def written(self, text: str) -> str:
        """Return the comment that says `text`; nothing in it ends the comment early."""
        if self.closer:
            text = text.replace(self.closer, " ".join(self.closer))
        return f"{self.opener} {text}" + (f" {self.closer}" if self.closer else "")


def syntax_of(snapshot: Snapshot) -> Syntax | None:
    """Return how the text's language writes comments; None where it has none (JSON), or we know none."""
    kind = kind_of(snapshot)
    opener, *more = (_BY_LANGUAGE.get(kind) or _BY_SUFFIX.get(kind, "")).split() or [""]
    if not opener:
        return None
    before_only = bool(more) and more[-1] == "before"
    return Syntax(opener, "".join(more[:-1] if before_only else more), before_only)


def kind_of(snapshot: Snapshot) -> str:
    """Return the language that the editor names if we know it, else the file's suffix."""
    if snapshot.language in _BY_LANGUAGE or snapshot.path is None or snapshot.language == "json":
        return snapshot.language
    path = PurePath(snapshot.path)
    return ".env" if path.name.startswith(".env") else path.suffix


def is_comment(snapshot: Snapshot, edit: Edit, line: int, value: int) -> bool:
    """Say whether what the edit adds, at the beginning or the end of `line`, is a comment to the language.

    As far as we can tell without its parser. `value` is the offset at which the secret begins.
    """
    kind, text = kind_of(snapshot), snapshot.text
    ahead = text[: edit.start]
    if kind in {"python", ".py", ".pyi"}:
        return _is_python_comment(text, edit)
    if kind in _YAML:
        return not _in_yaml_block(snapshot, line)
    if kind in _SHELLS:
        bare = _ESCAPED.sub("", ahead)
        return not _in_document(_SHELL_DOCUMENT, text, edit.start) and bare.count('"') % 2 == bare.count("'") % 2 == 0
    if kind in {"toml", ".toml"}:
        return all(ahead.count(quotes) % 2 == 0 for quotes in ('"""', "'''"))
    if kind in {"markdown", ".md", ".markdown"}:
        return _in_prose(snapshot, line, behind=edit.start != snapshot.source.starts[line])
    if kind in _MARKUP:
        return _between_elements(snapshot, ahead, line)
    if kind in {".css", ".scss", ".less", "css", "scss", "less"}:
        return ahead.rfind("/*") <= ahead.rfind("*/")
    if kind in _HERE_DOCUMENTS and _in_document(_OTHER_DOCUMENT, text, edit.start):
        return False
    if kind in _JSX and not _outside_jsx(snapshot, line, value):
        return False
    if _is_slashes(kind):  # perhaps in a template, in Go's raw string or in a text block
        return ahead.count("`") % 2 == 0 and ahead.count('"""') % 2 == 0
    return True


def _is_slashes(kind: str) -> bool:
    return "//" in {_BY_LANGUAGE.get(kind), _BY_SUFFIX.get(kind)}


def _is_python_comment(text: str, edit: Edit) -> bool:
    added = edit.new_text.strip()

    def comments(of: str) -> int | None:
        try:
            tokens = tokenize.generate_tokens(io.StringIO(of).readline)
            return sum(token.type == tokenize.COMMENT and token.string == added for token in tokens)
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


def _in_document(opens: re.Pattern[str], text: str, offset: int) -> bool:
    """Say whether an offset lies in a here-document."""
    for start in opens.finditer(text, 0, offset):
        end = re.compile(rf"^[ \t]*{re.escape(start.group(2))}\b", re.MULTILINE).search(text, start.end())
        body = text.find("\n", start.end())
        if 0 <= body < offset and (end is None or offset < end.start()):
            return True
    return False


def _in_prose(snapshot: Snapshot, line: int, *, behind: bool) -> bool:
    """Say whether a line of Markdown is text, not code or a table; a comment before it must not cut a paragraph."""
    source = snapshot.source
    fences = sum(source.line(above).lstrip().startswith(("```", "~~~")) for above in range(line))
    text = source.line(line)
    if (
        fences % 2
        or text.startswith(("    ", "\t"))
        or text.lstrip().startswith(("|", "<", "```", "~~~"))
        or "`" in text
    ):
        return False
    return behind or line == 0 or not source.line(line - 1).strip()


def _between_elements(snapshot: Snapshot, ahead: str, line: int) -> bool:
    """Say whether a line of HTML or XML begins with an element, where a comment before it stands between elements."""
    lower = ahead.lower()
    raw = ("script", "style", "pre", "textarea")
    closed = all(lower.count(f"<{name}") <= lower.count(f"</{name}") for name in raw)
    open_comment = lower.rfind("<!--") > lower.rfind("-->") or lower.rfind("<![cdata[") > lower.rfind("]]>")
    first = snapshot.source.line(line).lstrip()
    begins = first.startswith("<") and not first.startswith(("</", "<?", "<!"))
    return begins and closed and not open_comment and lower.rfind("<") <= lower.rfind(">")


def _outside_jsx(snapshot: Snapshot, line: int, value: int) -> bool:
    """Say whether a line is code: it has no tag and is no attribute or child of one, and the value stands in quotes."""
    text = snapshot.source.line(line).strip()
    column = value - snapshot.source.starts[snapshot.source.line_of(value)]
    quoted = any(quote in snapshot.source.line(snapshot.source.line_of(value))[:column] for quote in "\"'`")
    return quoted and not (_TAG.search(text) or _ATTRIBUTE.match(text) or (text.startswith("{") and text.endswith("}")))
