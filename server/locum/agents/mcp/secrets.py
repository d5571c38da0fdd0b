"""What the tools tell of secrets and tasks, and how new ones come to be: by a person, or at random. Blocks; no value leaves."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable
from typing import Any

from locum.agents.mcp.broker import stored_names
from locum.agents.mcp.importing import declare, reference_of
from locum.agents.mcp.output import marked
from locum.agents.mcp.places import Places
from locum.broker.client import BrokerClient
from locum.errors import LocumError, UsageProblem
from locum.refs.manifest import Manifest, SecretEntry, Task
from locum.refs.reference import parse
from locum.rewrite.naming import steers_programs
from locum.secret import SecretBytes
from locum.workspace.project import Project, read_manifest_text, write_manifest_text

_FORMS: dict[str, Callable[[bytes], bytes]] = {
    "base64url": lambda data: base64.urlsafe_b64encode(data).rstrip(b"="),
    "base64": base64.b64encode,
    "hex": lambda data: data.hex().encode(),
}


def list_secrets(client: BrokerClient, places: Places) -> dict[str, Any]:
    """Return the map of secrets: names, places, purposes. Raises LocumError."""
    stored = stored_names(client)
    found = list(places.manifests())
    entries = {name: (entry, manifest) for _, manifest in found for name, entry in manifest.secrets.items()}
    listed = [_secret(entry, manifest, stored) for entry, manifest in entries.values()]
    missing = [item["name"] for item in listed if item["state"] == "missing"]
    declared = {
        reference_of(name, env).item for name, (entry, _) in entries.items() for env in (None, *entry.environments)
    }
    return {
        "project": found[0][1].project_id or found[0][0].root.name,
        "secrets": listed,
        "environments": sorted({env for entry, _ in entries.values() for env in entry.environments}),
        "in_vault_only": sorted(stored - declared),
        "what_to_do": f"Missing: {', '.join(missing)}. Ask for them with request_secret." if missing else "",
    }  # fmt: skip


def _secret(entry: SecretEntry, manifest: Manifest, stored: set[str]) -> dict[str, Any]:
    local = [reference_of(entry.name, env).item for env, source in entry.environments.items() if source == "local"]
    is_stored = entry.name in stored or (bool(local) and stored.issuperset(local))
    return {
        "name": entry.name,
        "reference": f"locum://{entry.name}",
        "state": "elsewhere" if entry.source != "local" else "stored" if is_stored else "missing",
        "description": marked(entry.description),
        "docs": marked(entry.docs),
        "environments": sorted(entry.environments),
        "tasks": [task.name for task in manifest.tasks.values() if entry.name in _names(task)],
    }


def list_tasks(places: Places) -> dict[str, Any]:
    """Return the tasks that run_task runs. Raises LocumError."""
    found = list(places.manifests())
    tasks = [
        {
            "name": task.name, "command": [marked(part) for part in task.command], "secrets": sorted(_names(task)),
            "ttl_seconds": task.ttl, "channel": task.channel or "env",
        }
        for _, manifest in found for task in manifest.tasks.values() if task.command
    ]  # fmt: skip
    return {"project": found[0][1].project_id or found[0][0].root.name, "tasks": tasks}


def _names(task: Task) -> set[str]:
    references = [parse(text) for text in task.secrets.values()]
    return {reference.name if reference.is_declared else reference.text for reference in references}


def request_secret(client: BrokerClient, places: Places, arguments: dict[str, Any]) -> dict[str, Any]:
    """Let a person store a value; then declare it. Raises LocumError."""
    name, environment = arguments["name"], arguments.get("environment")
    project = _place_for(places, name)
    item = reference_of(name, environment).item
    is_new = client.request_secret(item, arguments["reason"])
    return _declared(
        project, name, environment, description=arguments["reason"], docs=arguments.get("docs", ""), new=is_new
    )


def generate_secret(client: BrokerClient, places: Places, arguments: dict[str, Any]) -> dict[str, Any]:
    """Store a random value under a new name; then declare it. Raises LocumError (`secret.exists`)."""
    name, environment = arguments["name"], arguments.get("environment")
    project = _place_for(places, name)
    value = SecretBytes(_FORMS[arguments.get("form", "base64url")](secrets.token_bytes(arguments.get("bytes", 32))))
    item = reference_of(name, environment).item
    try:
        if item in stored_names(client):
            raise UsageProblem("secret.exists", f"your vault has {item} already", "Use it, or choose another name.")
        client.store_secret(item, value, origin="mcp", new=True)
    finally:
        value.wipe()
    return _declared(project, name, environment, description=arguments.get("description", ""), docs="", new=True)


def _place_for(places: Places, name: str) -> Project:
    """Return the project that declares a new name. Raises UsageProblem for one that no task may get."""
    if steers_programs(name):
        raise UsageProblem("secret.name", "a variable of this name steers programs", "Choose another name.")
    return places.manifest(places.first)[0]


def _declared(
    project: Project, name: str, environment: str | None, *, description: str, docs: str, new: bool
) -> dict[str, Any]:  # fmt: skip
    """Declare a stored name; where that fails the value is stored all the same, and the result says so."""
    declared = True
    try:
        before = read_manifest_text(project)
        text = declare(before, name, environment, description=marked(description), docs=docs)
        if text != before:
            write_manifest_text(project, text)
    except LocumError:
        declared = False
    return {
        "name": name, "reference": reference_of(name, environment).text, "was_there": not new, "declared": declared,
    }  # fmt: skip
