"""A project with secrets in every kind of file, made at run time from `tests/e2e/workspace.txt`, and programs that use them.

A block of the table is one file: `=== PATH | COMMAND | OPTIONS` and its text. A mark in it (`marked.OPEN`) says KIND:LABEL and stands
for a made-up value (`tokens.MAKERS`); equal marks are equal values, and KIND:LABEL|SPELLING spells one as its place needs it. COMMAND
runs a program; what it prints depends on its secrets, but holds none of them. OPTIONS are of `_write`.
"""

from __future__ import annotations

import base64
import codecs
import json
import random
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from support.marked import CLOSE, JOINT, OPEN
from support.tokens import MAKERS

_TABLE = Path(__file__).resolve().parents[1] / "e2e" / "workspace.txt"
_FILE = re.compile(r"^=== ([^\n]*)\n(.*?\n)\n(?=(?:===|\Z))", re.MULTILINE | re.DOTALL)
_PART = 10
"""Characters: of a value so many in a row are random."""
_MARK = re.compile(rf"{OPEN}(\w+):(\w+)(?:\|(\w+))?{CLOSE}")
_SPELLINGS: dict[str, Callable[[str], str]] = {
    "": str,
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "json": lambda value: json.dumps(value)[1:-1],
    "url": lambda value: quote(value, safe=""),
}


@dataclass(frozen=True)
class Program:
    """A program of the workspace, and how it is started there."""

    title: str
    run_options: tuple[str, ...]
    """What `locum run` is told: where the values are taken from. Nothing: from the environment."""
    commands: tuple[tuple[str, ...], ...]
    """What makes and runs it, one after the other."""


@dataclass
class Workspace:
    """The project in `folder`."""

    folder: Path
    values: dict[str, str] = field(default_factory=dict[str, str])
    """By mark: the value."""
    spelt: set[str] = field(default_factory=set[str])
    """Every way in which a value stands in a file."""
    programs: list[Program] = field(default_factory=list[Program])
    written: dict[str, bytes] = field(default_factory=dict[str, bytes])
    """By path: the bytes as they were at first."""
    encodings: dict[str, str] = field(default_factory=dict[str, str])

    def texts(self) -> dict[str, str]:
        """Return the texts of all files as they are now, without a byte-order mark."""
        return {
            path: (self.folder / path).read_bytes().decode(encoding).removeprefix("\ufeff")
            for path, encoding in self.encodings.items()
        }

    def told(self, data: bytes) -> list[str]:
        """Return the marks of the values that stand in `data`, even if only a part of one does, in any spelling."""
        text = data.decode("utf-8", "replace")
        return [
            label for label, value in self.values.items()
            if any(part in text for spell in _SPELLINGS.values() for part in _parts(spell(value)))
        ]  # fmt: skip

    def holding(self) -> dict[str, list[str]]:
        """Return the files of the tree in which a value stands, in any encoding, with the marks of the values."""
        found: dict[str, list[str]] = {}
        for path in self.folder.rglob("*"):
            if path.is_file():
                data = path.read_bytes()
                labels = [
                    label for label, value in self.values.items()
                    if any(spell(value).encode(code) in data for spell in _SPELLINGS.values() for code in ("utf-8", "utf-16-le"))
                ]  # fmt: skip
                if labels:
                    found[path.relative_to(self.folder).as_posix()] = labels
        return found


def _parts(value: str) -> set[str]:
    """Return what gives a value away: every piece of it that is long enough to be none by chance."""
    lines = [line for line in re.split(r"\n|\\n", value) if not line.startswith("-----")]
    return {line[start : start + _PART] for line in lines for start in range(max(1, len(line) - _PART + 1))}


def build(folder: Path, seed: str = "workspace") -> Workspace:
    """Write the workspace into an existing folder. The same seed gives the same values."""
    made = Workspace(folder)
    table = _TABLE.read_text().replace(JOINT, "")
    blocks = _FILE.findall(table)
    assert len(blocks) == len(re.findall(r"^=== ", table, re.MULTILINE)), "a block of the table is malformed"

    def value(mark: re.Match[str]) -> str:
        kind, label, spelling = mark.groups("")
        name = f"{kind}:{label}"
        if name not in made.values:
            made.values[name] = MAKERS[kind](random.Random(f"{seed} {name}"))
        spelt = _SPELLINGS[spelling](made.values[name])
        made.spelt.add(spelt)
        return spelt

    for head, text in blocks:
        path, command, options = ([part.strip() for part in head.split("|")] + ["", ""])[:3]
        _write(made, path, _MARK.sub(value, text), options.split())
        if command:
            before, _, after = command.rpartition(" -- ")
            steps = tuple(tuple(shlex.split(step)) for step in after.split("&&"))
            made.programs.append(Program(path, tuple(shlex.split(before)), steps))
    return made


def _write(made: Workspace, path: str, text: str, options: list[str]) -> None:
    encoding, mark = "utf-8", b""
    if "crlf" in options:
        text = text.replace("\n", "\r\n")
    if "bom" in options:
        mark = codecs.BOM_UTF8
    if "latin-1" in options:
        encoding = "latin-1"
    if "utf-16" in options:
        encoding, mark = "utf-16-le", codecs.BOM_UTF16_LE
    place = made.folder / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(mark + text.encode(encoding))
    place.chmod(0o644)
    for option in options:
        if option.startswith("mode="):
            place.chmod(int(option[5:], 8))
    made.written[path], made.encodings[path] = place.read_bytes(), encoding
