"""Every row of the tables of rewriting cases: where its language's own parser takes the text before, it takes it afterwards.

That a program also *does* the same is `test_programs`' to say; here every row is looked at, by what reads such texts.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tomllib
import warnings
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml

from locum.rewrite.languages import kind_of
from support.bed import missing
from support.marked import CLOSE, OPEN
from unit.rewrite.test_rewrite_cases import Case, cases

PATH = f"/usr/bin{os.pathsep}{os.environ['PATH']}"
PROGRAMS = {
    "c": ["gcc", "-fsyntax-only", "-w"],
    "cpp": ["g++", "-fsyntax-only", "-w"],
    "csharp": ["mcs", "--parse"],
    "go": ["gofmt", "-e", "-l"],
    "javascript": ["node", "--check"],
    "lua": ["luac", "-p"],
    "perl": ["perl", "-c"],
    "php": ["php", "-l"],
    "ruby": ["ruby", "-c"],
    "shellscript": ["bash", "-n"],
}
"""By kind: a parser that only looks."""
READERS: dict[str, Callable[[str], object]] = {
    "json": json.loads,
    "notebook": json.loads,
    "python": lambda text: compile(text, "case", "exec", dont_inherit=True),
    "toml": tomllib.loads,
    "xml": ET.fromstring,
    "yaml": lambda text: list(yaml.compose_all(text)),
}
LEAST = {
    "c": 1, "csharp": 1, "go": 8, "javascript": 15, "json": 40, "lua": 1, "perl": 3, "php": 3, "python": 40, "ruby": 5,
    "shellscript": 8, "toml": 15, "xml": 5, "yaml": 25,
}  # fmt: skip
"""Rows that must have been judged: a parser that takes nothing would find nothing wrong."""


def parses(kind: str, text: str, file: Path) -> bool:
    if kind in READERS:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                READERS[kind](text)
        except (ValueError, SyntaxError, yaml.YAMLError, ET.ParseError):
            return False
        return True
    file.write_text(text)
    done = subprocess.run(
        [*PROGRAMS[kind], file.name], cwd=file.parent, env=os.environ | {"PATH": PATH}, capture_output=True, check=False
    )
    return done.returncode == 0


def test_what_parsed_before_parses_afterwards(tmp_path: Path) -> None:
    for program, *_ in PROGRAMS.values():
        if shutil.which(program, path=PATH) is None:
            missing(f"no {program} here: run `python tests/bed/install.py`")
    rows = [
        (number, case, kind) for number, case in enumerate(cases())
        if case.after is not None and (kind := kind_of(case.path, case.language)) in PROGRAMS | READERS
    ]  # fmt: skip

    def judge(row: tuple[int, Case, str]) -> tuple[Case, str, bool | None]:
        number, case, kind = row
        suffix = {"javascript": ".mjs", "shellscript": ".sh"}.get(kind, Path(case.path).suffix)
        before, after = (tmp_path / f"{when}{number}{suffix}" for when in ("before", "after"))
        if not parses(kind, case.before.replace(OPEN, "").replace(CLOSE, ""), before):
            return case, kind, None  # half-written, or a part of a file
        return case, kind, parses(kind, case.after or "", after)

    with ThreadPoolExecutor(2) as pool:
        judged = list(pool.map(judge, rows))
    assert [f"{case.path}: {case.title}" for case, _, fine in judged if fine is False] == []
    counted = Counter(kind for _, kind, fine in judged if fine)
    print(f"rows judged: {dict(sorted(counted.items()))}, {len(rows)} looked at")
    assert {kind: counted[kind] for kind, least in LEAST.items() if counted[kind] < least} == {}


@pytest.mark.parametrize("kind", ["json", "python", "toml", "yaml"])
def test_the_judge_can_say_no(kind: str, tmp_path: Path) -> None:
    assert not parses(kind, "{'a': [", tmp_path / "x")
