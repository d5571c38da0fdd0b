"""How Python text reaches `os.environ` and `quote`: by a name that is bound already, or by an import that is added.

Knows nothing of secrets. Where the text does not parse, the part above the break is read.
"""

from __future__ import annotations

import ast
import re
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

from locum.text.edits import Edit
from locum.text.source import SourceText

_SPARE = "_os"  # where `os` is something else in this text
_HEADER = re.compile(r"#!|#.*coding[:=]|# /// ")
_STATEMENT = re.compile(r"[^\s#)\]}]")
_NAMES = re.compile(r"\b(?:_?os|environ)\b")
_QUOTES = re.compile(r"\bquote\b")
_CUTS = 8
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


@dataclass(frozen=True, slots=True)
class Access:
    """What to write for `os.environ`, and the edits (none or one) that make it mean something."""

    environ: str
    environb: str
    edits: tuple[Edit, ...] = ()


def access(source: SourceText, tree: ast.Module, use: int, newline: str) -> Access:
    """Return how code at offset `use` reaches the environment. `tree` is the text's, or its readable head's."""
    return _Names(source, tree, use, newline).access()


def quoting(source: SourceText, tree: ast.Module, use: int, newline: str) -> tuple[str, tuple[Edit, ...]]:
    """Return what code at offset `use` calls `urllib.parse.quote`, and the edit (none or one) that makes it mean that."""
    return _Names(source, tree, use, newline).quote()


class _Names:
    """Reads which names of one module mean the module `os`, and which mean `quote`."""

    def __init__(self, source: SourceText, tree: ast.Module, use: int, newline: str) -> None:
        self.source = source
        self.tree = tree
        self.use = use
        self.newline = newline
        names = _NAMES.search(source.text)  # most texts name none of them, and a walk takes long
        self.elsewhere = set(_bound_elsewhere(tree, source.line_of(use) + 1)) if names else set[str]()

    def access(self) -> Access:
        for statement in self.tree.body:
            if _line_offset(self.source, statement.end_lineno or statement.lineno) > self.use:
                break
            for bound in _module_names(statement):
                if bound not in self.elsewhere:
                    return Access(f"{bound}.environ", f"{bound}.environb")
            if "environ" not in self.elsewhere and _binds_environ(statement):
                return Access("environ", '__import__("os").environb')
        name = "os" if "os" not in self.elsewhere else _SPARE
        inline = '__import__("os")'
        if name in self.elsewhere:
            return Access(f"{inline}.environ", f"{inline}.environb")
        edit = self._import(f"import {name}" if name == "os" else f"import os as {name}")
        if edit is None:
            return Access(f"{inline}.environ", f"{inline}.environb")
        return Access(f"{name}.environ", f"{name}.environb", (edit,))

    def quote(self) -> tuple[str, tuple[Edit, ...]]:
        line = self.source.line_of(self.use) + 1
        taken = set(_bound_elsewhere(self.tree, line)) if _QUOTES.search(self.source.text) else set[str]()
        for statement in self.tree.body:
            if _line_offset(self.source, statement.end_lineno or statement.lineno) > self.use:
                break
            for call, word in _quote_names(statement):
                if _bindings(self.tree, word) == 1:
                    return call, ()
        edit = None if "quote" in taken else self._import("from urllib.parse import quote")
        return ("quote", (edit,)) if edit else ('__import__("urllib.parse").parse.quote', ())

    def _import(self, statement: str) -> Edit | None:
        """Return the edit that adds the import at the top, or None where no line there is free for it."""
        body = self.tree.body
        head = _head_length(body)
        line = body[head - 1].end_lineno or 1 if head else 0
        following = body[head] if head < len(body) else None
        if following is not None and _first_line(following) == line:
            return None  # `"""Docstring"""; code`
        if isinstance(following, ast.Import | ast.ImportFrom):
            return self._before_import(body[head:], statement)
        if head:
            return self._after_line(line, statement)
        return self._before_line(_first_line(following) if following else self._below_header(), following, statement)

    def _before_import(self, statements: list[ast.stmt], statement: str) -> Edit:
        """Put it where a sorted block has it: into the first block when that is the standard library's, else above."""
        at = statements[0].lineno
        if not _is_standard(statements[0]):
            return self._insert(self._above_comments(at), statement + self.newline * 2)
        previous = at
        for item in statements:
            if not isinstance(item, ast.Import | ast.ImportFrom) or item.lineno > previous + 1:
                break
            if not _sorts_before(item, statement):
                break
            previous = item.end_lineno or item.lineno
            at = previous + 1
        return self._insert(at, statement + self.newline)

    def _after_line(self, line: int, statement: str) -> Edit:
        """Below the docstring or the `__future__` imports, a blank line between."""
        if line >= len(self.source.starts):  # the last line has no end
            return Edit(len(self.source.text), len(self.source.text), self.newline * 2 + statement + self.newline)
        blank = not self.source.line(line).strip()
        return self._insert(line + 1, self.newline + statement + self.newline * (1 if blank else 2))

    def _before_line(self, line: int, following: ast.stmt | None, statement: str) -> Edit:
        blank = 2 if isinstance(following, _SCOPES) else 1
        return self._insert(self._above_comments(line), statement + self.newline * (1 + blank))

    def _above_comments(self, line: int) -> int:
        """Go up over the comment that belongs to a line, but not into a file's header."""
        while line > 1:
            above = self.source.line(line - 2)
            if not above.startswith("#") or _HEADER.match(above):
                break
            line -= 1
        return line

    def _below_header(self) -> int:
        """Return the first line that is no comment, where nothing else is known of the text."""
        use = self.source.line_of(self.use)
        return next((n + 1 for n in range(use) if not self.source.line(n).startswith("#")), use + 1)

    def _insert(self, line: int, text: str) -> Edit:
        """Insert above a line, counted from 1."""
        if line > len(self.source.starts):
            return Edit(len(self.source.text), len(self.source.text), self.newline + text)
        offset = self.source.starts[line - 1]
        if offset == len(self.source.text) and offset and self.source.text[-1] not in "\r\n":
            text = self.newline + text
        return Edit(offset, offset, text)


def readable_head(source: SourceText) -> ast.Module:
    """Return the tree of as much of the text's top as parses: people fix a file that they are still typing."""
    cut, line = len(source.text), len(source.starts) - 1
    for _ in range(_CUTS):
        tree, broken = parse(source.text[:cut])
        if tree is not None:
            return tree
        line = min(line, broken)
        while line > 0 and (source.starts[line] >= cut or not _STATEMENT.match(source.line(line))):
            line -= 1
        cut = source.starts[line]
    return ast.Module([], [])


def parse(text: str) -> tuple[ast.Module | None, int]:
    """Return the tree, or None and the line (from 0) where it broke off. The error quotes the text: it stays here."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an odd escape is for Python to complain of
            return ast.parse(text), 0
    except SyntaxError as error:
        return None, max(0, (error.lineno or 1) - 1)
    except (ValueError, MemoryError):
        return None, 0


def _head_length(body: list[ast.stmt]) -> int:
    """Count the statements that must come first: the docstring and the `__future__` imports."""
    count = 0
    if body and _is_text(body[0]):
        count = 1
    while count < len(body):
        statement = body[count]
        if not isinstance(statement, ast.ImportFrom) or statement.module != "__future__":
            break
        count += 1
    return count


def _is_text(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _is_standard(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Import):
        module = statement.names[0].name
    elif isinstance(statement, ast.ImportFrom) and not statement.level:
        module = statement.module or ""
    else:
        return False
    return module.partition(".")[0] in sys.stdlib_module_names


def _sorts_before(item: ast.Import | ast.ImportFrom, statement: str) -> bool:
    """Say whether an import that stands there comes before one that is added: whole modules first, then by name."""
    word, module = statement.split()[:2]
    if isinstance(item, ast.Import):
        return word == "from" or item.names[0].name <= module
    return word == "from" and not item.level and (item.module or "") <= module


def _quote_names(statement: ast.stmt) -> Iterator[tuple[str, str]]:
    """Yield how a statement at the top level lets one call `urllib.parse.quote`, and the name that it binds for that."""
    if isinstance(statement, ast.Import):
        for alias in statement.names:
            if alias.name == "urllib.parse":
                yield f"{alias.asname or alias.name}.quote", alias.asname or "urllib"
    elif isinstance(statement, ast.ImportFrom) and not statement.level:
        for alias in statement.names:
            if statement.module == "urllib.parse" and alias.name == "quote":
                yield alias.asname or "quote", alias.asname or "quote"
            elif statement.module == "urllib" and alias.name == "parse":
                yield f"{alias.asname or 'parse'}.quote", alias.asname or "parse"


def _bindings(tree: ast.Module, name: str) -> int:
    """Count the statements that bind a name, in whatever scope; `import urllib.x` beside `import urllib.y` counts once."""
    packages = 0
    others = 0
    for node in ast.walk(tree):
        if isinstance(node, ast.Import) and all(alias.asname is None for alias in node.names):
            packages |= any(alias.name.partition(".")[0] == name for alias in node.names)
        elif name in _bound_by(node, local=True, top=False):
            others += 1
    return packages + others


def _first_line(statement: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(decorator.lineno for decorator in decorators)])


def _line_offset(source: SourceText, line: int) -> int:
    """Return where the line after this one (counted from 1) begins."""
    return source.starts[line] if line < len(source.starts) else len(source.text)


def _module_names(statement: ast.stmt) -> Iterator[str]:
    """Yield the names under which a statement at the top level binds the module `os`."""
    if isinstance(statement, ast.Import):
        for alias in statement.names:
            if alias.name == "os":
                yield alias.asname or "os"
            elif alias.name.startswith("os.") and not alias.asname:
                yield "os"


def _binds_environ(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.ImportFrom)
        and statement.module == "os"
        and not statement.level
        and any(alias.name == "environ" and not alias.asname for alias in statement.names)
    )


def _bound_elsewhere(tree: ast.Module, line: int) -> Iterator[str]:
    """Yield every name that is bound otherwise than by importing `os`, in whatever scope.

    `import os` inside of a function counts when that function holds `line`: there the name is local, and may not be
    bound yet.
    """
    top = {id(statement) for statement in tree.body}
    around: set[int] = set()
    for node in nodes_around(tree, line):
        if isinstance(node, _SCOPES):
            around.update(id(inner) for inner in ast.walk(node))
            break  # the outermost one holds the others
    for node in ast.walk(tree):
        yield from _bound_by(node, local=id(node) in around, top=id(node) in top)


def nodes_around(tree: ast.Module, line: int) -> Iterator[ast.AST]:
    """Yield the nodes that hold a line (counted from 1), outer ones first; a file's other thousands are not visited."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        first: int = getattr(node, "lineno", line)
        last: int = getattr(node, "end_lineno", None) or first
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            first = _first_line(node)
        if first <= line <= last:  # what has no place of its own, such as a list of arguments, is entered
            yield node
            waiting.extend(ast.iter_child_nodes(node))


def _bound_by(node: ast.AST, *, local: bool, top: bool) -> Iterator[str]:
    match node:
        case ast.Name(ctx=ast.Store() | ast.Del()):
            yield node.id
        case ast.arg():
            yield node.arg
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            yield node.name
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            yield name
        case ast.MatchMapping(rest=str(name)):
            yield name
        case ast.Import():
            for alias in node.names:
                is_os = alias.name == "os" or (alias.name.startswith("os.") and not alias.asname)
                if local or not is_os:
                    yield alias.asname or alias.name.partition(".")[0]
        case ast.ImportFrom():
            for alias in node.names:
                if not (top and node.module == "os" and not node.level and alias.name == "environ"):
                    yield alias.asname or alias.name
        case _:
            return
