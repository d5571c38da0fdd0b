"""`locum agent install` and `uninstall`: show what would change in the clients' files, ask, and change all of them or none."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from locum.agents.install import CLIENTS, FileChange, Machine, Options, Scope, found, plan
from locum.agents.install.launch import Launch, is_ours
from locum.cli.files import plain, shown
from locum.errors import EXIT_FINDINGS, EXIT_OK, UsageProblem
from locum.paths import user_paths
from locum.workspace.project import find_project

C = TypeVar("C", bound=Callable[..., Any])

_ALL = "all-found"
_COLOURS = {"-": "red", "+": "green", "@": "cyan"}


def _options(command: C) -> C:
    for option in reversed(
        (
            click.argument("clients", metavar="CLIENT...", nargs=-1, required=True, type=click.Choice([*CLIENTS, _ALL])),
            click.option(
                "--scope", type=click.Choice(["project", "user"]), default="project", show_default=True,
                help="Files of this project, or your own for all projects.",
            ),
            click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing."),
            click.option("--yes", is_flag=True, help="Do it without asking."),
        )
    ):  # fmt: skip
        command = option(command)
    return command


@click.command()
@_options
@click.option("--instructions", is_flag=True, help="Rules also in CLAUDE.md, AGENTS.md and the like (Kiro: always).")
@click.option(
    "--kiro-agent", "kiro_agents", multiple=True, metavar="NAME", help="Hooks also in this agent of Kiro CLI 2.x."
)
@click.option("--portable", is_flag=True, help="Write 'locum' instead of its path here: for files that a team shares.")
def install(
    clients: tuple[str, ...], scope: str, dry_run: bool, yes: bool, instructions: bool, kiro_agents: tuple[str, ...],
    portable: bool,
) -> int:  # fmt: skip
    """Put hooks, the MCP server, ignore files and deny lists of Locum into the files of AI clients.

    CLIENT is claude, kiro, cursor, copilot, codex, gemini, opencode, or all-found for those that are here. What others have in
    these files stays. Doing it again changes nothing; 'uninstall' takes out what was put in.
    """
    for name in kiro_agents:
        if not name or set(name) & set("/\\:") or name.startswith("."):
            raise UsageProblem(
                "usage.agent", f"{plain(name)!r} is no name of an agent", "Give its file's name without .json."
            )
    machine = _machine("locum" if portable else _this_locum())
    names = _named(clients, machine)
    changes = plan(names, cast("Scope", scope), machine, Options(instructions, kiro_agents))
    changed = any(change.changes for change in changes)
    code = _change(changes, dry_run=dry_run, yes=yes, question="Write this?", nothing="Everything is there already.")
    if changed and code == EXIT_OK and not dry_run:
        for name in names:
            click.echo(f"{CLIENTS[name].name}: {CLIENTS[name].then}")
        if scope == "project" and not portable:
            click.echo("These files name this machine's locum. For files that you commit: --portable, or --scope user.")
    return code


@click.command()
@_options
def uninstall(clients: tuple[str, ...], scope: str, dry_run: bool, yes: bool) -> int:
    """Take out what 'install' put into the files of AI clients, and nothing else."""
    machine = _machine("locum")
    changes = plan(_named(clients, machine), cast("Scope", scope), machine, remove=True)
    return _change(changes, dry_run=dry_run, yes=yes, question="Take this out?", nothing="There is nothing of Locum's.")


def _machine(program: str) -> Machine:
    paths = user_paths()
    private = {path.as_posix() for path in (paths.config, paths.data, paths.state, paths.runtime)}
    launch = Launch(program, os.name == "nt", tuple(sorted(private)))
    return Machine.here(find_project(Path.cwd()).root.absolute(), launch)


def _this_locum() -> str:
    """Return the path of the program that was started, or else of the one that belongs to this Python."""
    beside = Path(sys.executable).parent / ("locum.exe" if os.name == "nt" else "locum")
    for candidate in (Path(sys.argv[0]), beside):
        if is_ours(str(candidate)) and os.path.lexists(candidate):
            return str(candidate.absolute())
    on_path = shutil.which("locum")
    if on_path is None:
        raise UsageProblem(
            "agent.program",
            "there is no 'locum' program that a client could start",
            "Install Locum with pip, pipx or uv.",
        )
    return str(Path(on_path).absolute())


def _named(clients: Sequence[str], machine: Machine) -> list[str]:
    if _ALL not in clients:
        return list(dict.fromkeys(clients))
    programs = [name for client in CLIENTS.values() for name in client.programs if shutil.which(name)]
    here = found(machine, programs)
    if not here:
        raise UsageProblem("agent.none", "no AI client that Locum knows is here", f"Name one of {', '.join(CLIENTS)}.")
    return here


def _change(changes: Sequence[FileChange], *, dry_run: bool, yes: bool, question: str, nothing: str) -> int:
    """Show, ask, do. Returns the exit code."""
    wanted = [change for change in changes if change.changes]
    if not wanted:
        click.echo(nothing)
        return EXIT_OK
    asks = sys.stdin.isatty() and not yes
    if not (dry_run or yes or asks):
        raise UsageProblem("usage.agent", "there is nobody to ask", "Look with --dry-run first, then say --yes.")
    if dry_run or asks:
        _show(wanted)
    if dry_run:
        click.echo("Nothing is changed yet.")
        return EXIT_OK
    if asks and not click.confirm(question, default=False):
        click.echo("Nothing was changed.")
        return EXIT_FINDINGS
    from locum.agents.install.disk import carry_out

    uncopied = carry_out(wanted, user_paths())
    for change in wanted:
        what = "written" if change.after else "removed"
        copy = (
            " (no copy was kept: it holds secrets in plain text, see 'locum agent mcp')"
            if change.path in uncopied
            else ""
        )
        click.echo(f"{what}: {shown(change.path)}{copy}")
    if any(change.existed and change.after and change.path not in uncopied for change in wanted):
        click.echo(f"As they were before: {plain(str(user_paths().state / 'agents'))}")
    return EXIT_OK


def _show(changes: Sequence[FileChange]) -> None:
    from locum.agents.install.diff import shown as diff

    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    for change in changes:
        for line in diff(change.before, change.after, shown(change.path), change.syntax):
            text = plain(line)
            click.echo(click.style(text, fg=_COLOURS.get(line[:1])) if colour else text)
