"""didOpen, didChange, didClose: store (pygls and `documents` did) and ask for a check."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from lsprotocol import types
from pygls.uris import to_fs_path

from locum.lsp.projects import forget_projects, manifest_edited, workspace_changed
from locum.lsp.protocol import LocumServer, guard
from locum.refs.manifest import FILE_NAME


def register(server: LocumServer) -> None:
    """Add the handlers of this family."""
    server.feature(types.TEXT_DOCUMENT_DID_OPEN)(opened)
    server.feature(types.TEXT_DOCUMENT_DID_CHANGE)(changed)
    server.feature(types.TEXT_DOCUMENT_DID_SAVE)(saved)
    server.feature(types.TEXT_DOCUMENT_DID_CLOSE)(closed)
    server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)(files_changed)
    server.feature(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)(folders_changed)


def take_folders(params: types.InitializeParams) -> None:
    """Learn which folders are open when a session begins."""
    uris = [folder.uri for folder in params.workspace_folders or ()] or [params.root_uri or ""]
    workspace_changed(_paths(uris))


@guard
def opened(ls: LocumServer, params: types.DidOpenTextDocumentParams) -> None:
    """A document was opened."""
    ls.session.text_changed(params.text_document.uri)
    _manifest_changed(ls, params.text_document.uri)


@guard
def changed(ls: LocumServer, params: types.DidChangeTextDocumentParams) -> None:
    """A document was edited."""
    ls.session.authors.edited(params.text_document.uri, (change.text for change in params.content_changes))
    ls.session.text_changed(params.text_document.uri)
    _manifest_changed(ls, params.text_document.uri)


@guard
def saved(ls: LocumServer, params: types.DidSaveTextDocumentParams) -> None:
    """A document was saved; a manifest may change where files belong."""
    if params.text_document.uri.endswith("/locum.toml"):
        look_anew(ls)


@guard
def closed(ls: LocumServer, params: types.DidCloseTextDocumentParams) -> None:
    """A document was closed: what was said of it is taken back."""
    taken_back(ls, params.text_document.uri)
    _manifest_changed(ls, params.text_document.uri)


def taken_back(ls: LocumServer, uri: str) -> None:
    """Forget a document, and what was said of it."""
    ls.session.closed(uri)
    if not ls.session.client.pulls_diagnostics:
        ls.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri=uri, diagnostics=[]))


@guard
def files_changed(ls: LocumServer, params: types.DidChangeWatchedFilesParams) -> None:
    """Files changed on the disk: projects may have new manifests, and files other secrets."""
    if not params.changes or any(change.uri.endswith("/" + FILE_NAME) for change in params.changes):
        look_anew(ls)
    else:
        ls.session.on_files_changed(False)


@guard
def folders_changed(ls: LocumServer, params: types.DidChangeWorkspaceFoldersParams) -> None:
    """Folders were opened or closed."""
    event = params.event
    workspace_changed(_paths(folder.uri for folder in event.added), _paths(folder.uri for folder in event.removed))
    look_anew(ls)


def _paths(uris: Iterable[str]) -> list[Path]:
    return [Path(path) for path in map(to_fs_path, uris) if path]


def _manifest_changed(ls: LocumServer, uri: str) -> None:
    """Let a manifest count as the editor has it, saved or not: what it allows there is silent at once."""
    path = to_fs_path(uri) if uri.endswith("/" + FILE_NAME) else None
    if path is not None:
        document = ls.documents.open_document(uri)
        if manifest_edited(Path(path), document.source if document is not None else None):
            look_anew(ls)


def look_anew(ls: LocumServer) -> None:
    """Forget what was known of projects; check all that is open again, and tell a client that pulls to do so."""
    forget_projects()
    ls.session.check_all()
    if ls.session.client.pulls_diagnostics:
        ls.workspace_diagnostic_refresh(None)
