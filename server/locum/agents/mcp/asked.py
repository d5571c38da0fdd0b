"""What an agent wants run, as the command line of `locum run`. Pure but for looking at paths."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from locum.agents.mcp.places import Places
from locum.errors import UsageProblem
from locum.refs.manifest import Manifest
from locum.refs.reference import parse


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be run. `arguments` are those of `locum run`."""

    arguments: tuple[str, ...]
    cwd: Path

    def command(self, parent: int) -> list[str]:
        """Return the launcher's command line; it ends with the process `parent`."""
        return [sys.executable, "-I", "-m", "locum", "run", f"--for-agent={parent}", *self.arguments]

    @property
    def by_hand(self) -> str:
        """What a person types to allow exactly this for a while."""
        return f"cd {shlex.quote(str(self.cwd))} && {shlex.join(['locum', 'policy', 'allow', *self.arguments])}"


def task(places: Places, arguments: dict[str, Any]) -> Asked:
    """Read the arguments of run_task. Raises UsageProblem, ManifestProblem."""
    found = [item for item in places.manifests() if getattr(item[1].tasks.get(arguments["task"]), "command", ())]
    if not found:
        known = [name for _, manifest in places.manifests() for name, item in manifest.tasks.items() if item.command]
        raise UsageProblem(
            "run.task", "locum.toml has no such task with a command", f"Tasks there: {', '.join(known) or 'none'}."
        )
    project, manifest = found[0]
    wanted = manifest.tasks[arguments["task"]]
    environment = arguments.get("environment")
    chosen: list[str] = []
    for variable, reference in wanted.secrets.items() if environment else ():
        parsed = parse(reference)
        if parsed.is_declared and environment in manifest.secrets[parsed.name].environments:
            chosen.append(f"--secret={variable}=locum://{parsed.name}?env={environment}")
    if environment and not chosen:
        raise UsageProblem(
            "mcp.environment", "no secret of this task has that environment", "list_secrets says which do."
        )
    return Asked((f"--task={wanted.name}", *chosen, *_how(places, arguments)), project.root)


def command(places: Places, arguments: dict[str, Any]) -> Asked:
    """Read the arguments of run_command. Raises UsageProblem, ManifestProblem."""
    cwd = places.folder(arguments.get("cwd", "."))
    _, manifest = places.manifest(cwd)
    environment = arguments.get("environment")
    secrets: list[str] = []
    for text in arguments.get("secrets", ()):
        variable, _, name = text.partition("=")
        name = name or variable
        suffix = ""
        if environment:
            _has(manifest, name, environment)
            suffix = f"?env={environment}"
        secrets.append(f"--secret={variable}=locum://{name}{suffix}")
    return Asked((*secrets, *_how(places, arguments), "--", *arguments["command"]), cwd)


def _has(manifest: Manifest, name: str, environment: str) -> None:
    entry = manifest.secrets.get(name)
    if entry is None or environment not in entry.environments:
        raise UsageProblem(
            "mcp.environment",
            f"locum.toml gives {name} no such environment",
            "Make it with import_env or request_secret.",
        )


def _how(places: Places, arguments: dict[str, Any]) -> list[str]:
    """Return the options that both tools have."""
    options = [f"--{name}={arguments[name]}" for name in ("reason", "ttl", "channel") if arguments.get(name)]
    options += [f"--host={host}" for host in arguments.get("hosts", ())]
    if "env_file" in arguments:
        options.append(f"--env-file={places.file(arguments['env_file'])}")
    options += [f"--mount={places.file(path)}" for path in arguments.get("mount", ())]
    return options
