"""Every program in `programs.txt` prints the same before and after its secret is moved: run by the real toolchain, and
afterwards under the real `locum run`, with the value in a real vault and the yes typed on a real terminal.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from locum.broker.approval import TYPE_THROUGH
from locum.broker.client import connect
from locum.rewrite.plan import Plan
from locum.run.masker import Masker
from locum.secret import SecretBytes
from support.bed import missing
from support.home import Home
from support.marked import JOINT, applied, plan_marked, value_of
from support.terminal import Terminal

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


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """Give one home with a vault and a broker for all programs."""
    home = Home(tmp_path_factory.mktemp("programs"))
    home.env |= {"PATH": PATH, "GO111MODULE": "off", "GOCACHE": str(home.path / "go")}
    home.init()
    yield home
    home.close()


_numbers = count()


@pytest.mark.parametrize("program", programs(), ids=lambda program: program.title)
def test_it_prints_the_same(
    program: Program, shared: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    for command in program.commands:
        tool = shlex.split(command)[0]
        if not tool.startswith("./") and shutil.which(tool, path=PATH) is None:
            missing(f"no {tool} here: run `python tests/bed/install.py`")
    before, made = plan_marked(program.text, path=program.path)
    assert isinstance(made, Plan), made
    after = applied(before, made)
    value = value_of(made)
    assert value not in after.encode()
    stored = f"PROGRAM_{next(_numbers)}"
    monkeypatch.setenv("LOCUM_HOME", str(shared.path))
    with connect() as client:
        client.store_secret(stored, SecretBytes(value), origin="test")
    folders = written(tmp_path / "before", program.path, before), written(tmp_path / "after", program.path, after)
    printed = "".join(output(shared, command, folders[1]) for command in program.commands[:-1])
    asking = leased(shared, f"{made.name}=locum://{stored}", program.commands[-1], folders[1])  # while tools work
    asking.wait_for("Allow")
    asked_at = time.monotonic()
    expected = "".join(output(shared, command, folders[0]) for command in program.commands)
    time.sleep(max(0.0, asked_at + TYPE_THROUGH + 0.1 - time.monotonic()))
    asking.type("y\n")
    assert asking.wait(60) == 0, f"{asking.text}\n{after}"
    asking.close()
    printed += (folders[1] / "printed").read_bytes().decode()
    assert printed == masked(expected, f"locum://{stored}", value), after


def written(folder: Path, name: str, text: str) -> Path:
    folder.mkdir()
    (folder / name).write_text(text)
    return folder


def output(home: Home, command: str, folder: Path) -> str:
    """Run one command as it is and return what it prints."""
    ran = subprocess.run(shlex.split(command), cwd=folder, env=home.env, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, f"{command}\n{ran.stderr}"
    return ran.stdout


def leased(home: Home, secret: str, command: str, folder: Path) -> Terminal:
    """Start a command under `locum run` on a terminal; what it prints goes to the file `printed`."""
    run = home.command("run", "--secret", secret, "--", *shlex.split(command))
    return home.terminal(command=["sh", "-c", 'exec "$@" >printed', "sh", *run], cwd=folder)


def masked(text: str, reference: str, value: bytes) -> str:
    """Return what is to be seen of a program's output; a program that prints nothing shows nothing."""
    assert text
    mask = Masker({reference: SecretBytes(value)})
    seen = mask.feed(text.encode()) + mask.flush()
    assert value not in seen or mask.unmaskable
    return seen.decode()
