"""What name stands at a place of a document: a secret's, in whatever way the text uses it, or a task's in its manifest.

Looks at immutable snapshots, from any thread. Offsets are code points.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from locum.lsp.projects import manifest_of, project_for
from locum.refs.manifest import Manifest
from locum.refs.manifest_places import written
from locum.refs.reference import Occurrence, find
from locum.refs.uses import Use, kind_of, uses_in
from locum.text.source import SourceText
from locum.text.toml_places import inside
from locum.workspace.project import Project

if TYPE_CHECKING:
    from locum.lsp.documents import Snapshot

_WORD = re.compile(r"[A-Za-z0-9_]+")
_KEPT = 16
"""Texts whose uses are remembered: the same ones are asked for again and again, until they change."""


@dataclass(frozen=True, slots=True)
class Symbol:
    """A name at `[start, end)`, and where it belongs."""

    name: str
    kind: Literal["secret", "task"]
    start: int
    end: int
    project: Project
    manifest: Manifest
    alias: str = ""
    """What stands there instead of the name: a variable under which a task gives it, or the native reference to its value."""


def is_manifest(snapshot: Snapshot) -> bool:
    """Say whether a document is a manifest, saved or not."""
    return not snapshot.notebook and kind_of(snapshot.path or snapshot.uri) == "manifest"


def uses_of(snapshot: Snapshot) -> tuple[Use, ...]:
    """Return all uses of names in a document."""
    return _uses(_Text(snapshot.uri, snapshot.stamp, snapshot))


def symbol_at(snapshot: Snapshot, offset: int) -> Symbol | None:
    """Return what stands at `offset`; None for what is no name of ours: any variable that no manifest speaks of."""
    project = project_for(snapshot.path)
    if project is None:
        return None
    manifest = manifest_of(project)
    others = aliases(manifest)
    here = reference_at(snapshot.source, offset)
    if (
        here is None
        and not is_manifest(snapshot)
        and _word_at(snapshot.source, offset) not in {*manifest.secrets, *others}
    ):
        return None  # nearly always: pointers rest on every word of a text
    if here is not None and here.reference is not None and not here.reference.is_declared:
        sources = ((name, {entry.source, *entry.environments.values()}) for name, entry in manifest.secrets.items())
        name = next((name for name, places in sources if here.text in places), "")
        return Symbol(name, "secret", here.start, here.end, project, manifest, here.text) if name else None
    for use in uses_of(snapshot):
        if use.start <= offset <= use.end or (here is not None and here.start <= use.start < here.end):
            if use.sort in {"declaration", "task", "reference"} or use.name in manifest.secrets:
                return Symbol(use.name, "secret", use.start, use.end, project, manifest)
            if use.name in others:
                return Symbol(others[use.name], "secret", use.start, use.end, project, manifest, use.name)
    if is_manifest(snapshot):
        for start, end, name in task_names(snapshot.text):
            if start <= offset <= end:
                return Symbol(name, "task", start, end, project, manifest)
    return None


def _word_at(source: SourceText, offset: int) -> str:
    start, end = source.line_span(source.line_of(offset))
    words = _WORD.finditer(source.text, max(start, offset - 200), min(end, offset + 200))
    return next((word[0] for word in words if word.start() <= offset <= word.end()), "")


def reference_at(source: SourceText, offset: int) -> Occurrence | None:
    """Return the reference, well formed or not, that stands at `offset`."""
    start, end = source.line_span(source.line_of(offset))
    for item in find(source.text[start:end]):
        if start + item.start <= offset <= start + item.end:
            return replace(item, start=start + item.start, end=start + item.end)
    return None


def aliases(manifest: Manifest) -> Mapping[str, str]:
    """Return the variables by which tasks know secrets of another name, with that name."""
    return {
        variable: reference.removeprefix("locum://").partition("?")[0].partition("#")[0]
        for task in manifest.tasks.values()
        for variable, reference in task.secrets.items()
        if reference.startswith("locum://") and variable not in manifest.secrets
    }


def task_names(text: str) -> list[tuple[int, int, str]]:
    """Return where a manifest names its tasks: `[start, end)` and the name."""
    return [
        (*inside(text, item.start, item.end), str(item.place[1]))
        for item in written(text)
        if item.role != "value" and len(item.place) == 2 and item.place[0] == "tasks"
    ]


@dataclass(frozen=True)
class _Text:
    """A snapshot, told from others by its stamp alone."""

    uri: str
    stamp: tuple[int, int]
    snapshot: Snapshot

    def __hash__(self) -> int:
        return hash((self.uri, self.stamp))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Text) and (self.uri, self.stamp) == (other.uri, other.stamp)


@lru_cache(_KEPT)
def _uses(text: _Text) -> tuple[Use, ...]:
    snapshot = text.snapshot
    name = (
        "" if snapshot.notebook else Path(snapshot.path or snapshot.uri).name
    )  # a cell is no JSON, as its notebook is
    return tuple(uses_in(snapshot.text, name, snapshot.language))
