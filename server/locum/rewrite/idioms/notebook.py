"""Notebook files: the code of a cell is rewritten as that of any program; texts and outputs get the reference.

Format: nbformat 4, in which a text is a string or a list of its lines. An editor that opens a notebook sends its cells as texts
of their own, which never come here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from locum.rewrite.idioms import python
from locum.rewrite.idioms.json_reader import JsonProblem, Node, decode, member, read, way_to
from locum.rewrite.plan import Plan
from locum.rewrite.target import NoSafeEdit, Target
from locum.text.edits import Edit, apply_edits

_UNIT = re.compile(r"\\u[dD][89abAB]..\\u[dD][c-fC-F]..|\\u....|\\.|[^\\]", re.DOTALL)
_PYTHON = {"python", "ipython", "python3"}


def rewrite(target: Target) -> Plan:
    """Replace the secret in a cell, or in what it printed."""
    if not target.text.lstrip("\ufeff \t\r\n").startswith("{"):
        raise NoSafeEdit("only cells with code are rewritten here")
    try:
        root = read(target.text)
        way = list(way_to(target.text, root, target.start, target.end))
        keys = [key for key, _ in way]
        if keys[:1] != ["cells"] or len(keys) < 3:
            raise NoSafeEdit("the secret is not in a cell")
        if keys[-1:] and isinstance(keys[-1], int) and way[-1][1].kind == "string":
            way.pop()  # a line of a text that is a list
        keys = [key for key, _ in way]
        text = _Text(target.text, way[-1][1])
        inner = text.target(target)
        if keys[2] == "source" and _word(target.text, way[1][1], "cell_type") == "code":
            if _language(target.text, root) not in _PYTHON:
                raise NoSafeEdit("of notebooks only cells in Python are rewritten")
            made = python.rewrite(inner)
        else:
            made = inner.as_prose("text" if keys[2] == "source" else "cell's output")
        edits = text.edits(made.edits)
        if text.again(apply_edits(target.text, edits), keys) != apply_edits(text.decoded, made.edits):
            raise NoSafeEdit("the edit does not fit the way in which this cell is written")
    except JsonProblem:
        raise NoSafeEdit("the file is no valid notebook") from None
    return Plan(made.name, edits, made.value, made.idiom, made.note)


class _Text:
    """A text in a notebook: what it says, and where each character of it is spelt."""

    def __init__(self, text: str, node: Node) -> None:
        self._text = text
        self._strings = [item for item in node.items if item.kind == "string"] if node.kind == "array" else [node]
        if not self._strings or any(item.kind != "string" for item in self._strings):
            raise NoSafeEdit("the secret is not in the text of a cell")
        self._listed = node.kind == "array"
        self._spans = [
            match.span()
            for item in self._strings
            for match in _UNIT.finditer(text, item.start + 1, item.end - 1)
        ]  # fmt: skip
        self.decoded = "".join(decode(text, item) for item in self._strings)
        if len(self._spans) != len(self.decoded):
            raise NoSafeEdit("the cell is spelt with escapes that are not read here")

    def target(self, target: Target) -> Target:
        """Return the target as it is in the text. Raises NoSafeEdit when its edges are not edges of characters."""
        starts = {start: index for index, (start, _) in enumerate(self._spans)}
        ends = {end: index for index, (_, end) in enumerate(self._spans)}
        if target.start not in starts or target.end not in ends:
            raise NoSafeEdit("the secret begins or ends inside of an escape")
        start, end = starts[target.start], ends[target.end] + 1
        return Target(self.decoded, start, end, target.name, target.path, "python")

    def edits(self, edits: Sequence[Edit]) -> tuple[Edit, ...]:
        """Return edits of the text as edits of the file."""
        return tuple(sorted(self._edit(edit) for edit in edits))

    def again(self, text: str, keys: Sequence[str | int]) -> str:
        """Return what the text says in the changed file. Raises JsonProblem."""
        node = read(text)
        for key in keys:
            found = member(text, node, key) if isinstance(key, str) else None
            node = found[1] if found is not None else node.items[int(key)]
        return "".join(decode(text, item) for item in (node.items if node.kind == "array" else (node,)))

    def _edit(self, edit: Edit) -> Edit:
        spelt = json.dumps(edit.new_text, ensure_ascii=False)[1:-1]
        if edit.start < edit.end:
            return Edit(self._spans[edit.start][0], self._spans[edit.end - 1][1], spelt)
        if edit.start == len(self._spans):
            return Edit(self._strings[-1].end - 1, self._strings[-1].end - 1, spelt)
        at = self._spans[edit.start][0]
        for index, item in enumerate(self._strings):
            if self._listed and at == item.start + 1 and edit.new_text.endswith("\n"):
                lines = (json.dumps(line, ensure_ascii=False) for line in edit.new_text.splitlines(keepends=True))
                between = "," + self._blank(index)
                return Edit(item.start, item.start, between.join((*lines, "")))
        return Edit(at, at, spelt)

    def _blank(self, index: int) -> str:
        """Return what stands between two lines of this list, after the comma."""
        start = self._strings[index].start
        before = self._text[:start]
        return before[len(before.rstrip()) :]


def _word(text: str, node: Node, key: str) -> str:
    found = member(text, node, key) if node.kind == "object" else None
    return decode(text, found[1]) if found is not None and found[1].kind == "string" else ""


def _language(text: str, root: Node) -> str:
    """Return what the notebook's kernel speaks; one that does not say is Python's, as most are."""
    metadata = member(text, root, "metadata")
    for part, key in (("language_info", "name"), ("kernelspec", "language")):
        found = member(text, metadata[1], part) if metadata is not None and metadata[1].kind == "object" else None
        word = _word(text, found[1], key) if found is not None else ""
        if word:
            return word.lower()
    return "python"
