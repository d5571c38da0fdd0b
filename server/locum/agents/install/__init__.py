"""Setting AI clients up: what of ours stands in which of their files, and what has to change. Plans; `disk` carries out."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from locum.agents.install.clients import CLIENTS, Client, Options
from locum.agents.install.disk import read
from locum.agents.install.launch import Launch
from locum.agents.install.part import Part
from locum.agents.install.places import Scope, folders

__all__ = ["CLIENTS", "Client", "FileChange", "Machine", "Options", "Scope", "found", "plan"]


@dataclass(frozen=True, slots=True)
class Machine:
    """Where clients keep their files here, and how they start this `locum`."""

    folders: dict[str, Path]
    launch: Launch

    @staticmethod
    def here(project: Path, launch: Launch) -> Machine:
        """Return this machine, for a project's root."""
        return Machine(folders(project, Path.home(), os.environ, sys.platform), launch)


@dataclass(frozen=True, slots=True)
class FileChange:
    """What becomes of one file. "" as a text is no file."""

    root: Path
    path: Path
    before: str
    after: str
    existed: bool
    syntax: str

    @property
    def changes(self) -> bool:
        """Say whether there is anything to do."""
        return self.before != self.after or (self.existed and not self.after)


def plan(
    clients: Iterable[str], scope: Scope, machine: Machine, options: Options | None = None, *, remove: bool = False
) -> list[FileChange]:
    """Return what installing (or, with `remove`, uninstalling) makes of each file, in the order of writing; files that stay
    as they are too. Reads; writes nothing. Raises UsageProblem for a file that cannot be read as its client does."""
    options = options or Options()
    made: dict[Path, FileChange] = {}
    for name in clients:
        wanted = replace(options, instructions=True, kiro_agents=_kiro_agents(machine, scope)) if remove else options
        for part in CLIENTS[name].parts(scope, wanted):
            change = made.get(_path(part, machine)) or _unchanged(part, machine)
            text = (part.take if remove else part.put)(change.after, machine.launch)
            made[change.path] = replace(change, after=text)
    return list(made.values())


def found(machine: Machine, programs: Iterable[str]) -> list[str]:
    """Return the clients that are here: a program of theirs is in `programs`, or a file or folder of theirs is there."""
    there = set(programs)
    return [
        name
        for name, client in CLIENTS.items()
        if there & set(client.programs) or any((machine.folders[root] / path).exists() for root, path in client.traces)
    ]


def _path(part: Part, machine: Machine) -> Path:
    paths = [machine.folders[part.root] / name for name in part.names]
    return next((path for path in paths if os.path.lexists(path)), paths[0])


def _unchanged(part: Part, machine: Machine) -> FileChange:
    path, folder = _path(part, machine), machine.folders[part.root]
    text = read(path)
    home = machine.folders["home"]
    # A folder of the person's own may be a link; one inside of a project may not.
    root = folder if folder.is_dir() or not folder.is_relative_to(home) else home
    return FileChange(root, path, text or "", text or "", text is not None, part.syntax)


def _kiro_agents(machine: Machine, scope: Scope) -> tuple[str, ...]:
    folder = machine.folders["kiro"] if scope == "user" else machine.folders["project"] / ".kiro"
    return tuple(sorted(path.stem for path in (folder / "agents").glob("*.json")))
