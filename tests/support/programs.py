"""Run the programs of the fixture workspace, as they are or under `locum run`, and gather what they print."""

from __future__ import annotations

import os
import re
import secrets
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from locum.broker.approval import MAX_OPEN
from locum.broker.wire import MAX_GRANTS
from support.bed import missing, need_bed
from support.fixture_workspace import Program, Workspace
from support.home import Home

PATH = f"/usr/bin{os.pathsep}{os.environ['PATH']}"
"""Debian's toolchains first: a launcher that stands in front of them may have none for this user."""
_AT_ONCE = MAX_OPEN
_MCP_CLIENT = Path(__file__).with_name("mcp_hello.py")


def locum_on_path(home: Home) -> None:
    """Let `locum` be a command of this home, as configurations name it."""
    program = home.path.parent / "bin" / "locum"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f'#!/bin/sh\nexec {shlex.join(home.command())} "$@"\n')
    program.chmod(0o755)
    home.env["PATH"] = f"{program.parent}{os.pathsep}{home.env['PATH']}"


def plainly(home: Home, workspace: Workspace) -> dict[str, str]:
    """Run every program without Locum and return what each prints, by its title."""
    printed: dict[str, str] = {}
    for program in workspace.programs:
        if "--env-file" in program.run_options:  # somebody must read the file to the program
            command = home.command("run", *program.run_options, "--", *_command(program.commands[0]))
            printed[program.title] = _run(home, workspace, command)
        else:
            printed[program.title] = "".join(_run(home, workspace, _command(step)) for step in program.commands)
    return printed


def under_locum(home: Home, workspace: Workspace, names: Collection[str]) -> dict[str, str]:
    """Run every program with its secrets from the vault, after a person's yes, and return what each prints.

    Those that read their environment are run by a shell, as many after one yes as a lease may name secrets for.
    """
    texts = workspace.texts()
    batches: list[tuple[list[Program], set[str]]] = []
    jobs: list[Callable[[], dict[str, str]]] = []
    for program in workspace.programs:
        if _is_mcp(program):
            jobs.append(partial(_alone, home, workspace, program, []))
        elif program.run_options:
            jobs.append(partial(_alone, home, workspace, program, home.command("run", *program.run_options, "--")))
        else:
            its = set(re.findall(r"\w+", texts[program.title])) & set(names)
            if not batches or len(batches[-1][1] | its) > MAX_GRANTS:
                batches.append(([], set()))
            batches[-1][0].append(program)
            batches[-1][1].update(its)
    jobs += [partial(_by_shell, home, workspace, *batch) for batch in batches]
    printed: dict[str, str] = {}
    with ThreadPoolExecutor(_AT_ONCE) as pool:  # several tasks may wait for a person, each on its own terminal
        for done in [pool.submit(job) for job in jobs]:
            printed |= done.result()
    return printed


def _alone(home: Home, workspace: Workspace, program: Program, launcher: Sequence[str]) -> dict[str, str]:
    return {program.title: _approved(home, workspace, [*launcher, *_command(program.commands[0])])}


def _by_shell(home: Home, workspace: Workspace, them: Iterable[Program], names: Iterable[str]) -> dict[str, str]:
    script = [f"PATH={shlex.quote(PATH)}", f"export GO111MODULE=off GOCACHE={shlex.quote(_go_cache(home))}"]
    for program in them:
        script += [f"echo '=== {program.title}'", " && ".join(shlex.join(_command(step)) for step in program.commands)]
    path = home.path / f"programs-{secrets.token_hex(4)}.sh"
    path.write_text("\n".join(script) + "\n")
    options = [option for name in sorted(names) for option in ("--secret", name)]
    shown = _approved(home, workspace, home.command("run", *options, "--", "sh", os.fspath(path)))
    return {title: text for title, _, text in (part.partition("\n") for part in shown.split("=== ")[1:])}


def _approved(home: Home, workspace: Workspace, command: Sequence[str]) -> str:
    """Run a command on a person's terminal, say yes once, and return what is shown after that."""
    terminal = home.terminal(command=command, cwd=workspace.folder)
    terminal.answer()
    code = terminal.wait(120)
    assert code == 0, f"exit {code}\n{terminal.text}"
    after = terminal.text.replace("\r\n", "\n").partition("Allow? [y/N]")[2]
    terminal.close()
    return after.partition("\n")[2]


def _run(home: Home, workspace: Workspace, command: Sequence[str]) -> str:
    environment = home.env | {"PATH": PATH, "GO111MODULE": "off", "GOCACHE": _go_cache(home)}
    done = subprocess.run(
        command, cwd=workspace.folder, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )  # fmt: skip
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout


def _command(step: Sequence[str]) -> list[str]:
    """Return a command of the table as this machine starts it; skip the test, or fail it, where a tool is missing."""
    match step:
        case ["node24", *rest]:
            return [need_bed().node24, *rest]
        case ["mcp", *rest]:
            return [sys.executable, os.fspath(_MCP_CLIENT), *rest]
        case [tool, *rest] if "/" in tool or shutil.which(tool, path=PATH):
            return [shutil.which(tool, path=PATH) or tool, *rest]
        case _:
            return missing(f"no {step[0]} here: run `python tests/bed/install.py`")


def _is_mcp(program: Program) -> bool:
    return program.commands[0][0] == "mcp"


def _go_cache(home: Home) -> str:
    return os.fspath(home.path.parent / "go")
