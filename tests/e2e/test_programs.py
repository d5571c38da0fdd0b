"""Every program in `programs.txt`: it prints the same before and after its secret is moved, run by the real toolchain."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from locum.rewrite.plan import Plan
from support.bed import missing
from support.marked import JOINT, applied, plan_marked, value_of

PATH = f"/usr/bin{os.pathsep}{os.environ['PATH']}"
"""Debian's toolchains first: a launcher that stands in front of them may have none for this user."""
_PROGRAM = re.compile(r"^=== ([^\n]*)\n(.*?\n)(?=\n===|\n*\Z)", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Program:
    title: str
    path: str
    commands: tuple[str, ...]
    """What makes and runs it, one after the other."""
    text: str


def programs() -> list[Program]:
    text = (Path(__file__).parent / "programs.txt").read_text().replace(JOINT, "")
    found: list[Program] = []
    for match in _PROGRAM.finditer(text):
        title, path, commands = (part.strip() for part in match[1].split("|", 2))
        found.append(Program(title, path, tuple(command.strip() for command in commands.split("&&")), match[2]))
    assert len(found) == len(re.findall(r"^=== ", text, re.MULTILINE)), "a program is malformed"
    return found


@pytest.mark.parametrize("program", programs(), ids=lambda program: program.title)
def test_it_prints_the_same(program: Program, tmp_path: Path) -> None:
    for command in program.commands:
        tool = shlex.split(command)[0]
        if not tool.startswith("./") and shutil.which(tool, path=PATH) is None:
            missing(f"no {tool} here: run `python tests/bed/install.py`")
    before, made = plan_marked(program.text, path=program.path)
    assert isinstance(made, Plan), made
    after = applied(before, made)
    value = value_of(made)
    assert value not in after.encode()
    assert printed(program, before, tmp_path / "before", {}) == printed(
        program, after, tmp_path / "after", {made.name: value.decode()}
    ), after


def printed(program: Program, text: str, folder: Path, variables: dict[str, str]) -> str:
    folder.mkdir()
    (folder / program.path).write_text(text)
    environment = os.environ | {"PATH": PATH, "GO111MODULE": "off", "GOCACHE": str(folder.parent / "go")} | variables
    output = ""
    for command in program.commands:
        ran = subprocess.run(
            shlex.split(command), cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, f"{command}\n{ran.stderr}\n{text}"
        output += ran.stdout
    assert output
    return output
