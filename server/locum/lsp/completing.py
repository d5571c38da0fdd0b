"""What can be written at a place: references in any text, and all else in the manifest. Plain data, offsets in code points."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from locum.lsp.discreet import discreet, is_discreet
from locum.lsp.projects import manifest_of, project_for
from locum.refs.manifest import Manifest, SecretEntry, read_manifest
from locum.refs.manifest_help import proposals
from locum.refs.manifest_places import written
from locum.refs.providers import provider_of
from locum.refs.reference import ReferenceProblem, is_name, parse

if TYPE_CHECKING:
    from locum.lsp.documents import Snapshot

_STARTED = re.compile(
    r"(?<![A-Za-z0-9_+])(?:locum://(?P<name>[A-Za-z0-9_.-]*)(?P<query>\?[a-z]*=?(?P<env>[A-Za-z0-9_-]*))?"
    r"|(?P<scheme>op|keyring|pass|ref\+[a-z0-9]+)://[A-Za-z0-9_.@%+=:/-]*)$"
)
_LONGEST = 640
_NAME_ON = re.compile(r"[A-Za-z0-9_.-]*")
_ENV_ON = re.compile(r"[A-Za-z0-9_-]*")
_NATIVE_ON = re.compile(r"[A-Za-z0-9_.@%+=:/-]*")


@dataclass(frozen=True, slots=True)
class Item:
    """Text for `[start, end)`."""

    label: str
    start: int
    end: int
    new_text: str
    kind: Literal["reference", "table", "key", "value", "name"]
    detail: str = ""


def references(snapshot: Snapshot, offset: int) -> list[Item]:
    """Complete the reference that is being written at `offset`."""
    line = snapshot.source.starts[snapshot.source.line_of(offset)]
    started = _STARTED.search(snapshot.text, max(line, offset - _LONGEST), offset)
    project = project_for(snapshot.path) if started is not None else None
    if started is None or project is None:
        return []
    manifest = manifest_of(project)
    if started["scheme"] is not None:
        return list(_natives(manifest, started, snapshot.text))
    if started["query"] is not None:
        return list(_environments(manifest, started, snapshot.text))
    end = _end(_NAME_ON, snapshot.text, offset)
    return [
        Item(f"locum://{entry.name}", started.start(), end, f"locum://{entry.name}", "reference", told(entry))
        for entry in manifest.secrets.values()
        if is_discreet(entry.name)
    ]


def of_manifest(snapshot: Snapshot, offset: int) -> list[Item]:
    """Complete a table, a key, a name or a value of the manifest, which may be half written."""
    entries = read_manifest(snapshot.text)[0].secrets
    if not entries and (project := project_for(snapshot.path)) is not None:
        entries = manifest_of(project).secrets  # no TOML at the moment: as it was before
    places = [item.place for item in written(snapshot.text) if item.role != "value"]
    names = [
        str(place[1]) for place in places if len(place) >= 2 and place[0] == "secrets" and _can_be_shown(str(place[1]))
    ]
    known = {name: told(entries[name]) if name in entries else "" for name in dict.fromkeys(names)}
    return [
        Item(item.label, item.start, item.end, item.new_text, item.kind, item.detail)
        for item in proposals(snapshot.text, offset, known)
    ]


def _can_be_shown(name: str) -> bool:
    return is_name(name) and is_discreet(name)


def told(entry: SecretEntry) -> str:
    """Say in one line what a secret is, and from where."""
    place = provider_of(entry.source).label
    return f"{discreet(entry.description)} ({place})" if entry.description else place


def _environments(manifest: Manifest, started: re.Match[str], text: str) -> Iterator[Item]:
    entry = manifest.secrets.get(started["name"])
    end = _end(_ENV_ON, text, started.end())
    for environment, source in entry.environments.items() if entry is not None else ():
        new = f"?env={environment}"
        if _is_reference(
            f"locum://{started['name']}{new}"
        ):  # else it is declared under a name that no reference can say
            yield Item(new, started.start("query"), end, new, "reference", provider_of(source).label)


def _is_reference(text: str) -> bool:
    """Say whether a text is one well-formed reference."""
    try:
        parse(text)
    except ReferenceProblem:
        return False
    return True


def _natives(manifest: Manifest, started: re.Match[str], text: str) -> Iterator[Item]:
    """Propose the references to the same vault that the manifest knows."""
    end = _end(_NATIVE_ON, text, started.end())
    known: dict[str, str] = {}
    for entry in manifest.secrets.values():
        for source in (entry.source, *entry.environments.values()):
            if source.startswith(started["scheme"] + "://") and is_discreet(source) and is_discreet(entry.name):
                known.setdefault(source, entry.name)
    for source, name in known.items():
        yield Item(source, started.start(), end, source, "reference", name)


def _end(pattern: re.Pattern[str], text: str, offset: int) -> int:
    match = pattern.match(text, offset)
    return match.end() if match is not None else offset
