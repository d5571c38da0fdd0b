"""`workspace/diagnostic`: what stands in files that nobody has open. Only for clients that pull.

An answer comes when there is something new: a request that would change nothing waits, as the protocol allows, until files,
rules or open documents change or the client gives up. So a client that asks again and again costs nothing while nothing
happens. Files that are open are left to their own diagnostics.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.uris import from_fs_path

from locum.errors import LocumError
from locum.lsp.handlers.diagnostics import diagnostics, result_id
from locum.lsp.projects import scanner, workspace_folders
from locum.lsp.protocol import LocumServer, guard
from locum.paths import user_paths
from locum.workspace.agent_journal import AgentJournal

SETTLE_SECONDS = 1.0
"""Changes on the disk come in swarms: a look begins when none came for so long."""
MAX_FILES = 1000
"""Files with findings that are told: nobody reads more, and an editor would choke on them."""
_SLICE = 0.005
_PAUSE = 0.002
"""Seconds of work, and of rest for the loop's thread after them."""


@dataclass(slots=True)
class _Known:
    """What one session knows of its files. Only one thread looks at a time."""

    thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="workspace"))
    told: dict[str, str] = field(default_factory=dict[str, str])
    """Result ids by URI, of files with findings."""
    seen: dict[int, int] = field(default_factory=dict[int, int])
    """What files looked like when they were scanned, hashed by path: they are not scanned again until that changes."""
    news: asyncio.Event = field(default_factory=asyncio.Event)
    answered: bool = False
    journal: AgentJournal = field(default_factory=lambda: AgentJournal(user_paths().agents))
    """What agents noted of files."""


def register_pull(server: LocumServer) -> None:
    """Offer `workspace/diagnostic`. Must be called while `initialize` is handled."""
    known = _Known()

    def changed(rules: bool) -> None:
        if rules:
            known.seen.clear()
        known.news.set()

    @guard
    async def pulled(ls: LocumServer, params: types.WorkspaceDiagnosticParams) -> types.WorkspaceDiagnosticReport:
        """Answer when there is something new."""
        previous = {item.uri: item.value for item in params.previous_result_ids}
        while True:
            known.news.clear()
            items = await _look(ls, known, previous)
            if items or not known.answered:
                known.answered = True
                return types.WorkspaceDiagnosticReport(items)
            await known.news.wait()
            await asyncio.sleep(SETTLE_SECONDS)

    server.session.on_files_changed = changed
    server.feature(types.WORKSPACE_DIAGNOSTIC)(pulled)


async def watch_files(ls: LocumServer) -> None:
    """Ask the client to tell of files that change: of all where it pulls for the workspace, else of manifests."""
    client = ls.session.client
    if client.watches_files:
        pattern = "**/*" if client.pulls_diagnostics else "**/locum.toml"
        options = types.DidChangeWatchedFilesRegistrationOptions([types.FileSystemWatcher(pattern)])
        watch = types.Registration("locum-files", types.WORKSPACE_DID_CHANGE_WATCHED_FILES, options)
        try:
            await ls.client_register_capability_async(types.RegistrationParams([watch]))
        except JsonRpcException:
            return  # it will not: then closing and saving documents has to do


async def _look(
    ls: LocumServer, known: _Known, previous: Mapping[str, str]
) -> Sequence[types.WorkspaceFullDocumentDiagnosticReport]:
    """Look at all folders in a thread; stop it when the request is cancelled."""
    stop = threading.Event()
    opened = {document.uri for document in ls.documents.open_documents()}
    work = asyncio.get_running_loop().run_in_executor(
        known.thread, lambda: list(_reports(ls, known, dict(previous), opened, stop))
    )
    try:
        return await asyncio.shield(work)
    finally:
        stop.set()


def _reports(
    ls: LocumServer, known: _Known, previous: dict[str, str], opened: set[str], stop: threading.Event
) -> Iterator[types.WorkspaceFullDocumentDiagnosticReport]:
    """Yield what is new to a client that knows `previous`."""
    there: set[str] = set()
    known.journal.refresh()
    for path in files_of_workspace(stop):
        uri = from_fs_path(str(path))
        if uri is None or uri in opened:
            continue
        there.add(uri)
        mark, name = _mark(path), hash(str(path))
        if mark == known.seen.get(name) and known.told.get(uri) == previous.get(uri):
            continue
        items = _items(ls, path, uri, known.journal)
        known.seen[name] = mark
        if items and len(known.told) < MAX_FILES:
            known.told[uri] = result_id(items)
        else:
            known.told.pop(uri, None)
        if known.told.get(uri) != previous.get(uri):
            yield _report(uri, items, known.told.get(uri))
    if stop.is_set():
        return
    for uri in (previous.keys() | known.told.keys()) - there - opened:
        known.told.pop(uri, None)
        if uri in previous:
            yield _report(uri, [], None)


def files_of_workspace(stop: threading.Event) -> Iterator[Path]:
    """Yield the files of all folders, resting now and then; ends early when told to stop."""
    from locum.workspace.walk import Walk

    rested = time.perf_counter()
    for folder in workspace_folders():
        try:
            base, exclude = scanner().exclude_patterns(folder)
        except LocumError:
            base, exclude = folder, ()  # its manifest is broken, and says so itself
        for path in Walk([folder], True, exclude, base).files():
            if stop.is_set():
                return
            if time.perf_counter() - rested > _SLICE:
                time.sleep(_PAUSE)
                rested = time.perf_counter()
            yield path


def _items(ls: LocumServer, path: Path, uri: str, journal: AgentJournal) -> list[types.Diagnostic]:
    from locum.lsp.checks import look_at_file

    check = look_at_file(path, uri)
    if check is None:
        return []
    names = {found.finding.fingerprint for found in check.found}
    written = {name: author for name in names if (author := journal.author(path, name)) is not None}
    return diagnostics(ls, check, written)


def _mark(path: Path) -> int:
    """Return what tells one state of a file from another; 0 for one that is gone."""
    try:
        info = os.stat(path, follow_symlinks=False)  # noqa: PTH116 - a string's worth less, a hundred thousand times
    except OSError:
        return 0
    return hash((info.st_mtime_ns, info.st_size, info.st_ino))


def _report(uri: str, items: list[types.Diagnostic], result: str | None) -> types.WorkspaceFullDocumentDiagnosticReport:
    return types.WorkspaceFullDocumentDiagnosticReport(uri=uri, items=items, result_id=result)
