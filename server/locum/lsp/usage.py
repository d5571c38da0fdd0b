"""Where a project uses a name, over the open documents and the files of the workspace: looked for in a thread of its own.

What the editor has open counts as the editor has it. A search can be cancelled, and shows that it goes on where it takes long.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls.exceptions import JsonRpcRequestCancelled
from pygls.uris import from_fs_path

from locum.lsp.projects import project_for, project_of, workspace_folders
from locum.lsp.symbols import Symbol, aliases, is_manifest, uses_of
from locum.refs.uses import Use
from locum.text.source import SourceText
from locum.workspace.project import Project
from locum.workspace.usage import UsageIndex, read_uses

if TYPE_CHECKING:
    from locum.lsp.documents import Snapshot
    from locum.lsp.protocol import LocumServer

LONG_SECONDS = 0.4
"""From when on a search says how far it is."""


@dataclass(frozen=True, slots=True)
class Spot:
    """Uses of a name in one text."""

    uri: str
    version: int | None
    """None for a file that is not open."""
    source: SourceText
    uses: tuple[Use, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found, and whether it saw all there is."""

    spots: list[Spot]
    whole: bool


@dataclass(slots=True)
class _Search:
    """One search, as the thread and the loop see it."""

    stop: threading.Event = field(default_factory=threading.Event)
    step: Callable[[], None] = lambda: None
    """Told of every file that was looked at."""


async def find_uses(ls: LocumServer, symbol: Symbol, token: types.ProgressToken | None = None) -> Found:
    """Return all uses of a secret's name in its project, those of variables that tasks give it under included."""
    wanted = {symbol.name} | {variable for variable, name in aliases(symbol.manifest).items() if name == symbol.name}
    opened = [document.snapshot() for document in ls.documents.open_documents()]
    search = _Search()
    return await _shown(ls, search, token, lambda: _found(symbol.project, symbol.name, wanted, opened, search))


async def used_names(ls: LocumServer, project: Project) -> frozenset[str] | None:
    """Return the names that a project uses somewhere beside declaring them; None when not all of it could be seen."""
    opened = [document.snapshot() for document in ls.documents.open_documents()]
    search = _Search()

    def look() -> frozenset[str] | None:
        roots = _roots(project)
        if not roots or not _index().look(roots, stop=search.stop.is_set):
            return None
        hidden = {snapshot.path for snapshot in opened if snapshot.path is not None}
        names = set[str]()
        for file, found in _index().used(without={*hidden, str(project.manifest)}).items():
            if project_of(Path(file).parent).root == project.root:
                names |= found
        for snapshot in opened:
            if _belongs(snapshot, project):
                names.update(use.name for use in uses_of(snapshot) if use.sort != "declaration")
        if str(project.manifest) not in hidden and (read := read_uses(project.manifest)) is not None:
            names.update(use.name for use in read[1] if use.sort != "declaration")
        return frozenset(names)

    work = asyncio.get_running_loop().run_in_executor(_thread(), look)
    try:
        return await asyncio.shield(work)
    finally:
        search.stop.set()


# -- in the thread ---------------------------------------------------------------------------------------------


@cache
def _thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="uses")


@cache
def _index() -> UsageIndex:
    return UsageIndex()


def _found(project: Project, name: str, wanted: Collection[str], opened: list[Snapshot], search: _Search) -> Found:
    def step() -> None:
        search.step()

    roots = _roots(project)
    whole = _index().look(roots, stop=search.stop.is_set, step=step) and bool(roots)
    spots = list(_open_spots(project, name, wanted, opened))
    hidden = {snapshot.path for snapshot in opened if snapshot.path is not None}
    manifest = str(project.manifest)
    files = [file for file, names in _index().used(without={*hidden, manifest}).items() if not names.isdisjoint(wanted)]
    for file in ([] if manifest in hidden else [manifest]) + files:
        path = Path(file)
        if search.stop.is_set():
            break
        if file != manifest and project_of(path.parent).root != project.root:
            continue
        read, uri = read_uses(path), from_fs_path(file)
        uses = _of(read[1], name, wanted) if read is not None else ()
        if read is not None and uri is not None and uses:
            spots.append(Spot(uri, None, read[0], uses))
    return Found(spots, whole)


def _open_spots(project: Project, name: str, wanted: Collection[str], opened: list[Snapshot]) -> Iterator[Spot]:
    for snapshot in opened:
        uses = _of(uses_of(snapshot), name, wanted) if _belongs(snapshot, project) else ()
        if uses:
            yield Spot(snapshot.uri, snapshot.version, snapshot.source, uses)


def _belongs(snapshot: Snapshot, project: Project) -> bool:
    home = project_for(snapshot.path)
    if home is None or home.root != project.root:
        return False
    return not is_manifest(snapshot) or snapshot.path in {None, str(project.manifest)}


def _of(uses: Collection[Use], name: str, wanted: Collection[str]) -> tuple[Use, ...]:
    """Choose the uses of a name; of its aliases only where the variable is read."""
    return tuple(use for use in uses if use.name == name or (use.name in wanted and use.sort in {"read", "bound"}))


def _roots(project: Project) -> list[Path]:
    """Return the folders to look into: the project, as far as the client has it open."""
    folders = workspace_folders()
    if any(project.root.is_relative_to(folder) for folder in folders):
        return [project.root]
    return [folder for folder in folders if folder.is_relative_to(project.root)]


# -- as the editor sees it -------------------------------------------------------------------------------------


async def _shown(
    ls: LocumServer, search: _Search, token: types.ProgressToken | None, work: Callable[[], Found]
) -> Found:
    """Wait for a search; from `LONG_SECONDS` on show that it goes on, and stop it when the client asks for that."""
    running = asyncio.get_running_loop().run_in_executor(_thread(), work)
    try:
        done, _ = await asyncio.wait({running}, timeout=LONG_SECONDS)
        if done:
            return running.result()
        from locum.lsp.progress import Progress

        async with Progress(ls, "Looking for references", token) as progress:
            search.step = progress.step
            found = await progress.unless_cancelled(running)
        if found is None:
            raise JsonRpcRequestCancelled
        return found
    finally:
        search.stop.set()
