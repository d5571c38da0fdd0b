"""Where a secret's or a task's name is declared and used: what definition, references, highlights and rename have in common."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls.uris import from_fs_path

from locum.lsp.convert import to_range
from locum.lsp.symbols import Symbol, task_names, uses_of
from locum.lsp.usage import find_uses
from locum.refs.uses import uses_in
from locum.text.source import SourceText
from locum.workspace.usage import read_uses

if TYPE_CHECKING:
    from locum.lsp.documents import Snapshot
    from locum.lsp.protocol import LocumServer
    from locum.workspace.project import Project


@dataclass(frozen=True, slots=True)
class ManifestText:
    """A project's manifest as the editor has it, else as the disk has it."""

    uri: str
    version: int | None
    source: SourceText


async def manifest_text(ls: LocumServer, project: Project) -> ManifestText | None:
    """Return the manifest's text; None when there is none."""
    uri = from_fs_path(str(project.manifest))
    if uri is None:
        return None
    document = ls.documents.open_document(uri)
    if document is not None:
        return ManifestText(document.uri, document.version, document.snapshot().source)
    loop = asyncio.get_running_loop()
    read = await loop.run_in_executor(ls.session.quick_thread, read_uses, project.manifest)
    return ManifestText(uri, None, read[0]) if read is not None else None


def declarations(text: str, symbol: Symbol) -> list[tuple[int, int]]:
    """Return where a manifest's text declares a name, the main place first."""
    if symbol.kind == "task":
        return [(start, end) for start, end, name in task_names(text) if name == symbol.name]
    uses = [use for use in uses_in(text, symbol.project.manifest.name) if use.name == symbol.name]
    return [(use.start, use.end) for use in uses if use.sort == "declaration"]


def uses_here(snapshot: Snapshot, symbol: Symbol) -> list[tuple[int, int, bool]]:
    """Return where one text uses a name, and whether it declares it there."""
    if symbol.kind == "task":
        return [(*place, True) for place in declarations(snapshot.text, symbol)]
    names = {symbol.name, symbol.alias or symbol.name}
    return [(use.start, use.end, use.sort == "declaration") for use in uses_of(snapshot) if use.name in names]


async def locations(
    ls: LocumServer, symbol: Symbol, *, declarations: bool, token: types.ProgressToken | None
) -> list[types.Location]:
    """Return all places that use a name."""
    columns = ls.documents.columns
    if symbol.kind == "task":
        manifest = await manifest_text(ls, symbol.project)
        places = _declared(manifest.source.text, symbol) if manifest is not None and declarations else []
        return [
            types.Location(manifest.uri, to_range(manifest.source, *place, columns)) for place in places if manifest
        ]
    found = await find_uses(ls, symbol, token)
    return [
        types.Location(spot.uri, to_range(spot.source, use.start, use.end, columns))
        for spot in found.spots
        for use in spot.uses
        if declarations or use.sort != "declaration"
    ]


def is_renamable(symbol: Symbol) -> bool:
    """Say whether a name is the manifest's own to give: declared there, and no variable that a task made up."""
    if symbol.kind == "task":
        return True
    return symbol.name in symbol.manifest.secrets and not symbol.alias


_declared = declarations
