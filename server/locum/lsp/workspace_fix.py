"""Fixing the whole workspace from the editor: look at all files, ask once, then one move of everything.

What is open is edited in the editor; what is not is written on the disk, whole or not at all (`fix.disk`).
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls.uris import from_fs_path

from locum.errors import LocumError
from locum.fix.disk import FileToFix
from locum.lsp.handlers.workspace import files_of_workspace
from locum.lsp.moves import Moved, Text, move_texts
from locum.lsp.progress import Progress
from locum.lsp.projects import project_of, scanner
from locum.workspace.scanner import FileReport

if TYPE_CHECKING:
    from locum.detect.finding import Severity
    from locum.lsp.protocol import LocumServer

_LOUD: tuple[Severity, ...] = ("error", "warning")
"""What fails a scan. The rest (tests, examples, guesses) is moved one by one, by who looked at it."""
_MOVE, _SHOW, _CANCEL = "Move them", "Show every line first", "Cancel"


async def move_workspace(ls: LocumServer) -> Moved:
    """Move everything that would fail a scan, after one question. The progress can be cancelled until the question."""
    async with Progress(ls, "Locum: looking for secrets") as progress:
        stop = threading.Event()
        opened = {document.uri for document in ls.documents.open_documents()}
        work = asyncio.get_running_loop().run_in_executor(None, lambda: list(_files(opened, stop, progress.step)))
        try:
            files = await progress.unless_cancelled(work)
        finally:
            stop.set()
        if files is None:
            return Moved(left=["It was cancelled. Nothing was changed."])
    texts: list[Text] = []
    for uri in sorted(opened):  # the preview's order, and that in which names are given
        check = await ls.session.checked(uri)
        found = [item for item in check.found if item.finding.severity in _LOUD] if check is not None else []
        if check is not None and found:
            texts.append(Text(check, found))
    if not texts and not files:
        return Moved(left=["There is no secret in plain text in this workspace."])

    async def confirmed(moved: Moved, preview: list[str]) -> bool:
        return await _ask(ls, moved, preview, len(texts) + len(files))

    return await move_texts(ls, texts, files, confirmed=confirmed)


async def _ask(ls: LocumServer, moved: Moved, preview: list[str], files: int) -> bool:
    """Show what would be done: one question for all. A client that cannot ask was asked by who sent the command."""
    client = ls.session.client
    if not client.answers_messages:
        return True
    shown = ", ".join(moved.names[:8]) + (f" and {len(moved.names) - 8} more" if len(moved.names) > 8 else "")
    stay = f" {len(moved.left)} must stay." if moved.left else ""
    text = f"Locum: move {moved.count} secrets in {files} files to your vault? {shown}.{stay} Closed files are written at once."
    choices = [_MOVE, *([_SHOW] if client.shows_documents else []), _CANCEL]
    while True:
        params = types.ShowMessageRequestParams(
            types.MessageType.Warning, text, [types.MessageActionItem(choice) for choice in choices]
        )
        answer = await ls.window_show_message_request_async(params)
        if answer is None or answer.title != _SHOW or _SHOW not in choices:
            return answer is not None and answer.title == _MOVE
        choices.remove(_SHOW)
        await _show(ls, preview)


async def _show(ls: LocumServer, preview: list[str]) -> None:
    """Open the preview in the editor: a file of our own, since not every editor can show a text that is none."""
    from locum.paths import private_dir, user_paths

    path = private_dir(user_paths().state) / "preview.diff"
    path.write_text("\n".join(preview) + "\n", encoding="utf-8")
    uri = from_fs_path(str(path))
    if uri is not None:
        await ls.window_show_document_async(types.ShowDocumentParams(uri, take_focus=False))


def _files(opened: set[str], stop: threading.Event, step: Callable[[], None]) -> Iterator[FileToFix]:
    """Yield the files with findings that nobody has open."""
    for path in files_of_workspace(stop):
        step()
        if from_fs_path(str(path)) in opened:
            continue
        try:
            report = scanner().scan_file(path)
        except LocumError:
            continue  # a broken manifest says so itself
        if isinstance(report, FileReport):
            found = [finding for finding in report.findings if finding.severity in _LOUD]
            others = [finding for finding in report.findings if finding.severity not in _LOUD]
            others += [silenced.finding for silenced in report.suppressed]
            if found:
                yield FileToFix(path, project_of(path.parent), report.source, found, others)
