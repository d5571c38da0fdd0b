"""Where a text uses a secret's name: in references, and where code or configuration reads the variable of that name.

A table of the ways to read a variable, not a parser: one row a way. Text in, places out (code points); knows no file, and not
which names are declared.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import PurePosixPath
from typing import Literal

from locum.refs.manifest import FILE_NAME
from locum.refs.manifest_places import written
from locum.refs.reference import find
from locum.text.toml_places import Written, inside

Sort = Literal["declaration", "task", "reference", "read", "bound", "key"]
"""A manifest's `[secrets.NAME]`; its name in a task; `locum://NAME`; code that reads the variable; code that reads it into
something of the same name, `{ NAME } = process.env`; the variable's own name where configuration sets it."""

VARIABLE = r"[A-Za-z_][A-Za-z0-9_]{0,127}"
NEEDS_VARIABLE = frozenset[Sort](("read", "bound", "key"))
"""Uses in which only the name of a variable can stand."""


@dataclass(frozen=True, slots=True)
class Use:
    """A name at `[start, end)`: the name alone, without scheme, quotes or sigil."""

    name: str
    start: int
    end: int
    sort: Sort


def is_variable(name: str) -> bool:
    """Say whether a secret's name can be a variable's as well."""
    return re.fullmatch(VARIABLE, name) is not None


def uses_in(text: str, path: str, language: str = "") -> list[Use]:
    """Return all uses in a text, in its order. `path` (a name is enough) and the editor's language say what it is."""
    kind = kind_of(path, language)
    found = _manifest(text) if kind == "manifest" else [*_references(text), *_reads(text, kind)]
    if kind in _SETTING:
        found += _keys(text, found)
    kept: list[Use] = []
    for use in sorted(found, key=lambda use: (use.start, -use.end)):
        if use.name and (not kept or use.start >= kept[-1].end):  # one place is one use, which an edit can replace
            kept.append(use)
    return kept


def written_for(use: Use, new: str, text: str) -> str:
    """Return what stands in the place of `use` in `text` when the name is `new`."""
    if use.sort == "bound":
        return f"{new}: {use.name}"
    bare = use.sort == "declaration" and text[use.start - 1 : use.start] not in {'"', "'"}
    return f'"{new}"' if bare and "." in new else new


# -- what a text is -------------------------------------------------------------------------------------------

_BY_NAME = (
    (FILE_NAME.replace(".", r"\."), "manifest"),
    (r"(.*\.)?env(\..+)?|\.flaskenv|\.dev\.vars(\..+)?", "dotenv"),
    (r"Dockerfile(\..+)?|Containerfile|.*\.dockerfile", "dockerfile"),
    (r"(GNU)?Makefile|makefile|.*\.mk|justfile|Justfile", "make"),
    (r"\.?devcontainer\.json", "devcontainer"),
    (r"\.(bash|zsh|k?sh)?(rc|profile|env|_profile|login)|\.envrc|.*\.(sh|bash|zsh|ksh|fish)", "shell"),
    (r".*\.(ya?ml)", "yaml"),
    (r".*\.(jsonc?|json5|code-workspace|ipynb)", "json"),
    (r".*\.toml", "toml"),
    (r".*\.(ini|cfg|conf|properties)|\.npmrc|\.netrc|\.pypirc|\.curlrc", "ini"),
    (r".*\.(bat|cmd)", "batch"),
    (r".*\.(md|mdx|markdown|rst|adoc)", "prose"),
)
_BY_LANGUAGE = {
    "shellscript": "shell", "fish": "shell", "dockerfile": "dockerfile", "yaml": "yaml", "dockercompose": "yaml",
    "github-actions-workflow": "yaml", "dotenv": "dotenv", "json": "json", "jsonc": "json", "toml": "toml", "ini": "ini",
    "properties": "ini", "makefile": "make", "bat": "batch", "markdown": "prose",
}  # fmt: skip


def kind_of(path: str, language: str = "") -> str:
    """Return the table's word for a kind of text; "" for code and all that has no row of its own."""
    name = PurePosixPath(path.replace("\\", "/")).name
    return next((kind for pattern, kind in _by_name() if pattern.fullmatch(name)), _BY_LANGUAGE.get(language, ""))


@cache
def _by_name() -> list[tuple[re.Pattern[str], str]]:
    return [(re.compile(pattern), kind) for pattern, kind in _BY_NAME]


# -- the ways to read a variable --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Row:
    """One way. Where `anchor` stands, `pattern` is tried from `behind` code points before it; its group is the name."""

    anchor: str
    pattern: str
    kinds: frozenset[str] = frozenset()
    """Kinds of text in which this means a variable; none: in any."""
    behind: int = 0
    sort: Sort = "read"


_Q = r"\\?[\"'`]"
"""A quote, perhaps inside a string of JSON."""
_N = f"({VARIABLE})"
_EXPANDING = frozenset(
    ("shell", "dotenv", "dockerfile", "devcontainer", "yaml", "json", "toml", "ini", "prose", "make")
)
"""Texts in which `$NAME` and `${NAME}` are variables of the environment, and not of a programming language."""
_SETTING = frozenset(("dotenv", "yaml", "json", "devcontainer", "toml", "ini", "dockerfile", "manifest"))
"""Texts in which a key may be the name of a variable."""

_TABLE = (
    # Python, and what is called as there
    _Row("environ", rf"environ(?:\.(?:get|pop|setdefault))?\s{{0,40}}[\[(]\s{{0,40}}{_Q}{_N}{_Q}"),
    _Row("in os.environ", rf"{_Q}{_N}{_Q}\s+(?:not\s+)?in\s+os\.environ", behind=160),
    _Row("delenv", rf"delenv\s{{0,40}}\(\s{{0,40}}{_Q}{_N}{_Q}"),
    # getenv, Getenv, setenv of C, C++, Python, Go, Java, Kotlin, PHP, Lua, R
    _Row("etenv", rf"etenv\s{{0,40}}\(\s{{0,40}}{_Q}{_N}{_Q}"),
    # Go, Haskell, Nim
    _Row("ookupEnv", rf"ookupEnv\s{{0,40}}\(?\s{{0,40}}{_Q}{_N}{_Q}"),
    _Row("etEnv", rf"etEnv\s{{0,40}}\(?\s{{0,40}}{_Q}{_N}{_Q}"),
    # JavaScript: Node, Bun, Vite, Deno
    _Row("process.env", rf"process\.env(?:\?\.|\.){_N}"),
    _Row("process.env", rf"process\.env(?:\?\.)?\[\s{{0,40}}{_Q}{_N}{_Q}"),
    _Row("meta.env", rf"meta\.env(?:\?\.|\.){_N}"),
    _Row("meta.env", rf"meta\.env\[\s{{0,40}}{_Q}{_N}{_Q}"),
    _Row("Bun.env", rf"Bun\.env(?:\.|\[\s{{0,40}}{_Q}){_N}"),
    _Row("Deno.env.", rf"Deno\.env\.[a-z]+\(\s{{0,40}}{_Q}{_N}{_Q}"),
    # Rust
    _Row("env::", rf"env::[a-z_]+\s{{0,40}}\(\s{{0,40}}{_Q}{_N}{_Q}"),
    _Row("env!", rf"env!\s{{0,40}}\(\s{{0,40}}{_Q}{_N}{_Q}"),
    # C#, PowerShell
    _Row("EnvironmentVariable", rf"EnvironmentVariable\s{{0,40}}\(\s{{0,40}}@?{_Q}{_N}{_Q}"),
    _Row("env:", rf"\$\{{?env:{_N}", behind=2),
    _Row("Env:", rf"\$\{{?Env:{_N}", behind=2),
    # Ruby, PHP, Perl, Julia, CMake
    _Row("ENV", rf"ENV(?:\.[a-z]+\??)?\s{{0,40}}[\[({{]\s{{0,40}}{_Q}{_N}{_Q}"),
    _Row("ENV{", rf"ENV\{{\s{{0,40}}{_N}"),
    _Row("_SERVER[", rf"_SERVER\[\s{{0,40}}{_Q}{_N}{_Q}"),
    # Swift, Dart, Scala, Elixir, Spring; Laravel and django-environ
    _Row("environment[", rf"environment\[\s{{0,40}}{_Q}{_N}{_Q}"),
    _Row("sys.env", rf"sys\.env(?:\.[a-zA-Z]+)?\(\s{{0,40}}{_Q}{_N}{_Q}"),
    _Row("_env", rf"(?:(?<=get)|(?<=fetch))_env!?\s{{0,40}}\(\s{{0,40}}{_Q}{_N}{_Q}"),
    _Row("@Value(", rf"@Value\(\s{{0,40}}{_Q}\$\{{{_N}"),
    _Row("env", rf"(?<![\w.])env(?:\.[a-z_]+)?\(\s{{0,40}}{_Q}{_N}{_Q}"),
    # shells and what expands as they do
    _Row("$", rf"(?<!\\)\$(?:\{{[!#]?)?{_N}", _EXPANDING),
    _Row("=", rf"^[ \t]*(?:export[ \t]+|set[ \t]+-g?x[ \t]+)?{_N}=", frozenset(("shell", "dotenv")), 170, "key"),
    _Row("export ", rf"export[ \t]+{_N}", frozenset(("shell", "dotenv")), sort="key"),
    _Row("unset ", rf"unset[ \t]+{_N}", frozenset(("shell",)), sort="key"),
    _Row("$(", rf"\$\({_N}\)", frozenset(("make",))),
    _Row("%", rf"%{_N}%", frozenset(("batch",))),
    _Row("ENV ", rf"ENV[ \t]+{_N}", frozenset(("dockerfile",)), sort="key"),
    _Row("ARG ", rf"ARG[ \t]+{_N}", frozenset(("dockerfile",)), sort="key"),
    # a list of variables that Compose hands on; the secrets of a dev container
    _Row("- ", rf"-[ \t]+[\"']?{_N}[\"']?[ \t]*$", frozenset(("yaml",)), sort="key"),
    _Row('": ', rf"\"{_N}\": ", frozenset(("devcontainer",)), 130, "key"),
    # our own command line
    _Row("--secret", rf"--secret(?:=|[\"']?[ \t]*(?:,\s{{0,99}}|[ \t])[ \t]*){_Q}?{_N}(?![\w=]|://)"),
    _Row("secret ", rf"secret (?:set|rm|rotate) {_N}"),
)
_BINDING = re.compile(r"\{([^{}]{1,1000})\}\s{0,40}=\s{0,40}(?:process|import\.meta)\.env\b(?!\s*[.\[?])")
_BOUND = re.compile(rf"(?<![\w$.])({VARIABLE})\b\s*(:)?")
_FOREIGN = re.compile(r"(?<=\$\{\{ )secrets\.|(?<=\$\{\{)secrets\.")
"""GitHub's own secrets: their names stay as they are, and a variable that is set from one has a name of its own."""
_KEY = re.compile(
    rf"(?<![\w$./?&-])[\"']?({VARIABLE})[\"']?[ \t]*(?:[:=]|[ \t])[ \t]*[^\n,{{]{{0,80}}(?:\$\{{\{{? ?)?$"
)
_HEADER = re.compile(r"--header[\"'=,\s]{0,99}$")
"""What comes next is the name of a header, and stays."""


@cache
def _rows(kind: str) -> list[tuple[_Row, re.Pattern[str]]]:
    return [(row, re.compile(row.pattern, re.MULTILINE)) for row in _TABLE if not row.kinds or kind in row.kinds]


def _references(text: str) -> Iterator[Use]:
    for item in find(text) if "locum://" in text else ():
        if item.reference is not None and item.reference.is_declared:
            start = item.start + len("locum://")
            yield Use(item.reference.name, start, start + len(item.reference.name), "reference")


def _reads(text: str, kind: str) -> Iterator[Use]:
    for row, pattern in _rows(kind):
        at = text.find(row.anchor)
        while at >= 0:
            if row.behind:
                start = max(text.rfind("\n", 0, at) + 1, at - row.behind)
                match = next((found for found in pattern.finditer(text, start, at + 200) if found.end() > at), None)
            else:
                match = pattern.match(text, at)
            if match is not None:
                yield Use(match[1], *match.span(1), row.sort)
            at = text.find(row.anchor, max(at + len(row.anchor), match.end(1) if match is not None else 0))
    if "env" in text:
        yield from _bindings(text)


def _bindings(text: str) -> Iterator[Use]:
    """Find what `const { NAME, OTHER: other } = process.env` reads."""
    for names in _BINDING.finditer(text) if ".env" in text else ():
        for match in _BOUND.finditer(text, *names.span(1)):
            before = text[names.start() : match.start()].rstrip()
            if before.endswith(("{", ",")):
                yield Use(match[1], *match.span(1), "read" if match[2] else "bound")


def _keys(text: str, found: list[Use]) -> Iterator[Use]:
    """Find keys that are set from what has the same name, `NAME: ${NAME}`, `"NAME": "locum://NAME"`, or from GitHub's secrets."""
    sources: list[tuple[str, int]] = [(use.name, use.start) for use in found if use.sort in {"reference", "read"}]
    if "secrets." in text:
        sources += [("", match.start()) for match in _FOREIGN.finditer(text)]
    for name, start in sources:
        line = text.rfind("\n", 0, start) + 1
        for match in _KEY.finditer(text, max(line, start - 400), start):
            if name in {"", match[1]} and not _HEADER.search(text, max(0, match.start(1) - 120), match.start(1)):
                yield Use(match[1], *match.span(1), "key")


# -- the manifest -----------------------------------------------------------------------------------------------


def _manifest(text: str) -> list[Use]:
    """Find declarations, the names that tasks list, and references."""
    found: list[Use] = []
    for item in filter(lambda item: item.place, written(text)):
        sort = _SORTS.get((item.role != "value", len(item.place), str(item.place[0])))
        if sort is not None and sort(item):
            start, end = inside(text, item.start, item.end)
            found.append(Use(str(item.place[1]) if item.role != "value" else text[start:end], start, end, _said(item)))
    return found + list(_references(text))


_SORTS: dict[tuple[bool, int, str], Callable[[Written], bool]] = {
    (True, 2, "secrets"): lambda item: isinstance(item.place[1], str),
    (False, 4, "tasks"): lambda item: item.place[2] == "secrets" and isinstance(item.place[3], int),
}


def _said(item: Written) -> Sort:
    return "task" if item.role == "value" else "declaration"
