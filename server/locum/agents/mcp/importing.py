"""Moving a `.env` file's secrets into the vault, also beside those of other environments. Blocks; gives names only."""

from __future__ import annotations

import contextlib
from itertools import count
from pathlib import Path
from typing import Any

from locum.agents.mcp.env_file import Variable, looks_secret, variables, with_references
from locum.agents.mcp.files import ROTATE
from locum.agents.mcp.places import Places
from locum.broker.client import BrokerClient
from locum.errors import LocumError, UsageProblem
from locum.fix.stores import Stores, left_behind
from locum.refs.manifest import Manifest, add_environment, add_secret
from locum.refs.reference import Reference, is_name
from locum.rewrite.naming import steers_programs
from locum.secret import SecretBytes
from locum.text.source import SourceText
from locum.workspace.project import Project, read_manifest_text, write_manifest_text
from locum.workspace.safe_write import replace_bytes
from locum.workspace.scanner import FileReport, Scanner


class _Stays(Exception):
    """A variable cannot move; says why."""


def reference_of(name: str, environment: str | None) -> Reference:
    """Return the reference to a declared name, in an environment if there is one."""
    query = f"?env={environment}" if environment else ""
    return Reference(f"locum://{name}{query}", "locum", name, None, environment)


def declare(text: str, name: str, environment: str | None, *, description: str = "", docs: str = "") -> str:
    """Return a manifest's text that has the name, and the environment. Raises ManifestProblem."""
    text = add_secret(text, name, description=description, docs=docs)
    return add_environment(text, name, environment) if environment else text


def import_env(client: BrokerClient, places: Places, arguments: dict[str, Any]) -> dict[str, Any]:
    """Store, declare, write: in that order. Raises LocumError when nothing was changed."""
    path, environment = places.file(arguments["path"]), arguments.get("environment")
    project, manifest = places.manifest(path.parent)
    scanner = Scanner(base=places.first)
    report = scanner.scan_file(path)
    if not isinstance(report, FileReport):
        raise UsageProblem("mcp.path", f"this file is not read: it is {report.reason}")
    source = report.source
    also: frozenset[str] = frozenset(arguments.get("also", ()))
    spots = [source.offset_of_byte(finding.start) for finding in report.findings]
    stores = Stores(client, origin="mcp", declared=_elsewhere(manifest))
    names: dict[Variable, str] = {}
    left: list[dict[str, Any]] = []
    missing = set(also)
    try:
        for variable in variables(source.text):
            missing.discard(variable.name)
            found = any(variable.start <= spot < variable.end for spot in spots)
            if looks_secret(variable, found=found, also=also):
                try:
                    names[variable] = _store(client, stores, manifest, variable, environment)
                except _Stays as reason:
                    left.append(_left(places, path, variable.line, str(reason)))
        _write(project, path, source, names, environment)
    except BaseException:
        stores.take_back()
        raise
    left += [_left(places, path, 0, f"the file has no variable {name}") for name in sorted(missing)]
    moved = [
        {
            "path": places.shown(path), "line": variable.line, "name": name,
            "reference": reference_of(name, environment).text, "note": "" if name == variable.name else f"for ${variable.name}",
        }
        for variable, name in names.items()
    ]  # fmt: skip
    shown = places.shown(path)
    todo = [f'Run programs that read it with run_command and env_file "{shown}". {ROTATE}'] if moved else []
    todo += [left_behind(stores.left_behind)] if stores.left_behind else []
    return {"moved": moved, "left": left, "what_to_do": " ".join(todo)}


def _store(
    client: BrokerClient, stores: Stores, manifest: Manifest, variable: Variable, environment: str | None
) -> str:  # fmt: skip
    """Store a variable's value; return its name. Raises _Stays, LocumError."""
    if variable.expands:
        raise _Stays("its value is made of other variables")
    if not is_name(variable.name) or steers_programs(variable.name):
        raise _Stays("a secret cannot be called so")
    value = SecretBytes(variable.value.encode("utf-8", "surrogatepass"))
    try:
        known = "" if environment else stores.name_of(value)
        if known:
            return known
        item = reference_of(variable.name, environment).item
        name = variable.name
        for number in count(2):
            if name not in stores.elsewhere and not stores.has(item):
                stores.put(item, value)
                return name
            if name not in stores.elsewhere and client.match_secret(value) == item:
                return name
            if name in manifest.secrets:
                raise _Stays(f"{item} has another value already; a person replaces it: locum secret set {item}")
            name = f"{variable.name}_{number}"
            item = reference_of(name, environment).item
        raise AssertionError
    finally:
        value.wipe()


def _write(
    project: Project, path: Path, source: SourceText, names: dict[Variable, str], environment: str | None
) -> None:  # fmt: skip
    """Declare the names and write the file; a file that cannot be written leaves the manifest as it was."""
    if not names:
        return
    before = text = read_manifest_text(project)
    for variable, name in names.items():
        text = declare(text, name, environment, description=f"{variable.name} of {path.name}")
    after = with_references(source.text, {item: reference_of(name, environment).text for item, name in names.items()})
    was_there = project.manifest.exists()
    write_manifest_text(project, text)
    try:
        replace_bytes(project.root, path, source.to_bytes(), source.to_bytes(after))
    except LocumError:
        with contextlib.suppress(LocumError, OSError):
            if read_manifest_text(project) == text:
                write_manifest_text(project, before) if was_there else project.manifest.unlink()
        raise


def _left(places: Places, path: Path, line: int, reason: str) -> dict[str, Any]:
    return {"path": places.shown(path), "line": line, "reason": reason}


def _elsewhere(manifest: Manifest) -> set[str]:
    return {name for name, entry in manifest.secrets.items() if entry.source != "local"}
