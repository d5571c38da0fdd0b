"""`locum check`: the names that a project needs, and which of them you lack. Asks for names only, never for a value."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import click

from locum.cli.files import plain, printable, relative
from locum.errors import EXIT_FINDINGS, EXIT_OK
from locum.refs.manifest import FILE_NAME, Manifest, nearest
from locum.refs.reference import ReferenceProblem, parse
from locum.workspace.project import Project, find_project, load_manifest
from locum.workspace.usage import UsageIndex, read_uses

_SHOWN = 3
"""Files that are named for a person; the rest are counted."""


@dataclass(slots=True)
class _Secret:
    """One declared name."""

    name: str
    state: str
    """`ok`, `missing`, or `elsewhere`: another vault has it, which is not asked."""
    source: str
    description: str
    docs: str
    tasks: list[str]
    files: list[str]

    @property
    def is_used(self) -> bool:
        return bool(self.tasks or self.files)


@dataclass(slots=True)
class _Undeclared:
    """A name that files refer to and the manifest does not have. (Tasks cannot: then it is no manifest.)"""

    name: str
    nearest: str
    files: list[str]


@dataclass(slots=True)
class _Report:
    project: str
    complete: bool
    """Whether every file was looked at; else a name that seems unused may be used."""
    secrets: list[_Secret] = field(default_factory=list[_Secret])
    undeclared: list[_Undeclared] = field(default_factory=list[_Undeclared])

    @property
    def missing(self) -> list[str]:
        return [secret.name for secret in self.secrets if secret.state == "missing"]

    @property
    def unused(self) -> list[str]:
        return [secret.name for secret in self.secrets if not secret.is_used] if self.complete else []


@click.command()
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True)
def check(format_: str) -> int:
    """List the secrets that this project needs and say which you lack. Exit 0 when you have them all, 1 when not."""
    project = find_project(Path.cwd())
    report = _look(project, load_manifest(project))
    if format_ == "json":
        about = asdict(report) | {"missing": report.missing, "unused": report.unused}
        click.echo(json.dumps({"version": 1, **about}, indent=2))
    else:
        click.echo(_as_text(report, project))
    return EXIT_FINDINGS if report.missing or report.undeclared else EXIT_OK


def _look(project: Project, manifest: Manifest) -> _Report:
    index = UsageIndex()
    complete = index.look([project.root])
    used = index.used(without=[str(project.manifest)])
    tasks = {task.name: {_name(text) for text in task.secrets.values()} for task in manifest.tasks.values()}
    stored = _stored() if any(entry.source == "local" for entry in manifest.secrets.values()) else set[str]()
    report = _Report(project.id, complete)
    for name, entry in manifest.secrets.items():
        state = "elsewhere" if entry.source != "local" else "ok" if name in stored else "missing"
        files = [relative(Path(file)) for file, names in used.items() if name in names]
        by = [task for task, names in tasks.items() if name in names]
        report.secrets.append(_Secret(name, state, entry.source, entry.description, entry.docs, by, sorted(files)))
    unknown: dict[str, set[str]] = {}
    for file in used:
        for name in _referred(Path(file)) - manifest.secrets.keys():
            unknown.setdefault(name, set()).add(relative(Path(file)))
    report.undeclared = [
        _Undeclared(name, nearest(name, manifest.secrets), sorted(files)) for name, files in sorted(unknown.items())
    ]
    return report


def _stored() -> set[str]:
    """Return the names in the local vault; none when there is no vault yet. Raises LocumError when it stays locked."""
    from locum.broker.client import connect
    from locum.cli.person import with_vault

    with connect() as client:
        if not client.status()["vault"]["exists"]:
            return set()
        return {str(item["name"]) for item in with_vault(client, client.list_secrets)}


def _referred(path: Path) -> set[str]:
    """Return the names that a file refers to with `locum://`: of what code reads, most is no secret."""
    found = read_uses(path)
    return {use.name for use in found[1] if use.sort == "reference"} if found else set()


def _name(reference: str) -> str:
    """Return the declared name that a task's reference asks for, "" for one of another vault."""
    try:
        parsed = parse(reference)
    except ReferenceProblem:
        return ""
    return parsed.name if parsed.is_declared else ""


def _as_text(report: _Report, project: Project) -> str:
    if not report.secrets and not report.undeclared:
        name = printable(Path(relative(project.manifest)))
        return f"{name} declares no secrets. 'locum init' proposes some; 'locum fix' moves those in plain text."
    width = max((len(secret.name) for secret in report.secrets), default=0)
    lines = [f"{secret.name:<{width}}  {_state(secret, report)}" for secret in report.secrets]
    for item in report.undeclared:
        near = f"; did you mean {item.nearest}?" if item.nearest else ""
        lines.append(f"{item.name}: not declared in {FILE_NAME}{near}  ({_places(item.files)})")
    missing = report.missing
    lines.append("")
    if missing:
        lines.append(f"{len(missing)} missing. Give it its value: locum secret set {missing[0]}")
    else:
        lines.append("You have all that this project needs from your vault.")
    if report.unused:
        lines.append(f"Declared and used nowhere: {', '.join(report.unused)}. Take it out of {FILE_NAME}, or leave it.")
    return "\n".join(lines)


def _state(secret: _Secret, report: _Report) -> str:
    words = {"ok": "in your vault", "missing": "MISSING", "elsewhere": f"not asked: {secret.source}"}[secret.state]
    parts = [words]
    if secret.state == "missing":
        parts += [part for part in (secret.description, secret.docs) if part]
    if secret.tasks:
        parts.append(f"for {', '.join(secret.tasks)}")
    if secret.files:
        parts.append(f"in {_places(secret.files)}")
    elif not secret.is_used and report.complete:
        parts.append("unused")
    return "  ".join(plain(" ".join(part.split())) for part in parts)


def _places(files: list[str]) -> str:
    more = f" and {len(files) - _SHOWN} more" if len(files) > _SHOWN else ""
    return ", ".join(plain(file) for file in files[:_SHOWN]) + more
