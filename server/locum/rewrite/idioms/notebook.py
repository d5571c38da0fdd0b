"""Jupyter notebooks as files (nbformat 4): a code cell is fixed as the program that it is, and written back as JSON.

An editor opens cells as texts of their own; this is for the file as it lies on the disk.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from typing import cast

from locum.rewrite.idioms.json_reader import JsonProblem, Node, decode, member, read, way_to
from locum.rewrite.languages import kind_of
from locum.rewrite.plan import Plan
from locum.rewrite.registry import idiom_for
from locum.rewrite.target import NoSafeEdit, Target
from locum.text.edits import Edit

_UNIT = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|.", re.DOTALL)
_PROSE = {"outputs": "saved output", "markdown": "text cell", "raw": "text cell"}
_LANGUAGE = (("kernelspec", "language"), ("language_info", "name"))


@dataclass(slots=True)
class _Cell:
    """A cell's source, and where each of its characters stands in the file."""

    text: str = ""
    starts: list[int] = field(default_factory=list[int])
    ends: list[int] = field(default_factory=list[int])

    def add(self, raw: str, node: Node) -> None:
        """Add one JSON string."""
        for match in _UNIT.finditer(raw, node.start + 1, node.end - 1):
            self.text += cast("str", json.loads(f'"{match.group()}"', strict=False))
            self.starts.append(match.start())
            self.ends.append(match.end())

    def outside(self, edit: Edit) -> Edit:
        """Return an edit of the cell as one of the file."""
        if edit.start == edit.end:
            at = self.starts[edit.start] if edit.start < len(self.starts) else self.ends[-1]
            start = end = at
        else:
            start, end = self.starts[edit.start], self.ends[edit.end - 1]
        return Edit(start, end, json.dumps(edit.new_text, ensure_ascii=False)[1:-1])


def rewrite(target: Target) -> Plan:
    """Fix the cell that holds the secret."""
    try:
        root = read(target.text)
        way = list(way_to(target.text, root, target.start, target.end))
        keys = [key for key, _ in way]
        if len(keys) < 3 or keys[0] != "cells":
            raise NoSafeEdit("it stands outside of the notebook's cells")
        lines = [node for _, node in way if node.kind == "array" and all(item.kind == "string" for item in node.items)]
        return _in_cell(target, root, way[1][1], str(keys[2]), (lines or [way[-1][1]])[0])
    except JsonProblem:
        raise NoSafeEdit("the notebook is no valid JSON: mend that first") from None


def _in_cell(target: Target, root: Node, cell: Node, part: str, around: Node) -> Plan:
    """Fix the text `around` the secret: a string, or a list of lines."""
    found = member(target.text, cell, "cell_type")
    kind = decode(target.text, found[1]) if found and found[1].kind == "string" else ""
    prose = _PROSE.get(part) or (_PROSE.get(kind) if part == "source" else None)
    if prose is None and (part != "source" or kind != "code"):
        raise NoSafeEdit("it stands in a part of the notebook that is no code")
    text = _Cell()
    for node in around.items if around.kind == "array" else (around,):
        if node.kind != "string":
            raise NoSafeEdit("the cell's source is no text")
        text.add(target.text, node)
    try:
        start, end = text.starts.index(target.start), text.ends.index(target.end) + 1
    except ValueError:
        raise NoSafeEdit("the secret begins or ends inside of an escape") from None
    inside = replace(target, text=text.text, start=start, end=end)
    if prose is not None:
        made = inside.as_prose(prose)
    else:
        language = kind_of("", _language(target.text, root))
        idiom = idiom_for(language)
        if idiom is None:
            raise NoSafeEdit(f"there is no edit for cells in {language!r} yet")
        made = idiom(replace(inside, kind=language))
    return replace(made, edits=tuple(text.outside(edit) for edit in made.edits))


def _language(text: str, root: Node) -> str:
    """Return the language of the notebook's kernel; Python where none is said."""
    about = member(text, root, "metadata")
    for outer, inner in _LANGUAGE:
        part = member(text, about[1], outer) if about else None
        name = member(text, part[1], inner) if part else None
        if name and name[1].kind == "string":
            return decode(text, name[1]).lower()
    return "python"
