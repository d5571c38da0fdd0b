"""Which places of a text are references or names, and in a word how they stand. From what is known: asks nobody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from locum.lsp.projects import manifest_of, project_for
from locum.lsp.standing import stored_names
from locum.lsp.symbols import is_manifest, task_names, uses_of
from locum.refs.manifest import Manifest, SecretEntry
from locum.refs.manifest_places import written
from locum.refs.providers import provider_of
from locum.refs.reference import Reference, find
from locum.text.toml_places import inside

if TYPE_CHECKING:
    from locum.lsp.documents import Snapshot

NOT_STORED = "not stored yet"


@dataclass(frozen=True, slots=True)
class Hint:
    """A word at an offset."""

    offset: int
    label: str
    tooltip: str = ""


def hints(snapshot: Snapshot, start: int, end: int) -> Iterator[Hint]:
    """Yield a word after each reference in `[start, end]`, and after each header of the manifest that declares a secret."""
    project = project_for(snapshot.path)
    manifest = manifest_of(project) if project is not None else Manifest()
    for item in find(snapshot.text):
        if item.reference is not None and start <= item.end <= end:
            label = _of_reference(item.reference, manifest)
            if label and not (is_manifest(snapshot) and not item.reference.is_declared):
                yield Hint(item.end, label, _told(label))
    if is_manifest(snapshot):
        for offset, name in _headers(snapshot.text):
            if name in manifest.secrets and start <= offset <= end:
                label = _of_entry(manifest.secrets[name], None)
                yield Hint(offset, label, _told(label))


def names(snapshot: Snapshot, start: int, end: int) -> list[tuple[int, int]]:
    """Return where references, and a manifest's names of secrets, stand in `[start, end]`; none over a line's end."""
    found = {(item.start, item.end) for item in find(snapshot.text) if item.reference is not None}
    if is_manifest(snapshot):
        found |= {(use.start, use.end) for use in uses_of(snapshot) if use.sort in {"declaration", "task"}}
        found |= {(first, last) for first, last, _ in task_names(snapshot.text)}
    return sorted(place for place in found if place[1] >= start and place[0] <= end and place[0] < place[1])


def _headers(text: str) -> list[tuple[int, str]]:
    """Return the end of each line that opens a secret's own table, and the secret's name."""
    found: list[tuple[int, str]] = []
    headers = [item for item in written(text) if item.role == "header"]
    for item, after in zip(headers, [*headers[1:], None], strict=True):
        if len(item.place) == 2 and item.place[0] == "secrets" and (after is None or after.place[:2] != item.place):
            close = text.find("]", inside(text, item.start, item.end)[1])
            if close >= 0:
                found.append((close + 1, str(item.place[1])))
    return found


def _of_reference(reference: Reference, manifest: Manifest) -> str:
    if not reference.is_declared:
        return provider_of(reference.text).label
    entry = manifest.secrets.get(reference.name)
    return _of_entry(entry, reference.environment) if entry is not None else ""


def _of_entry(entry: SecretEntry, environment: str | None) -> str:
    source = entry.environments.get(environment or "", entry.source)
    known = stored_names()
    name = f"{entry.name}.{environment}" if environment in entry.environments else entry.name
    if source == "local" and known is not None and name not in known:
        return NOT_STORED
    return provider_of(source).label


def _told(label: str) -> str:
    return "Give it its value: locum secret set NAME" if label == NOT_STORED else ""
