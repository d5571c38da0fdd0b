"""didOpen, didChange, didClose: store (pygls and `documents` did) and ask for a check."""

from __future__ import annotations

from lsprotocol import types

from locum.lsp.protocol import LocumServer, guard
from locum.lsp.session import forget_projects


def register(server: LocumServer) -> None:
    """Add the handlers of this family."""
    server.feature(types.TEXT_DOCUMENT_DID_OPEN)(opened)
    server.feature(types.TEXT_DOCUMENT_DID_CHANGE)(changed)
    server.feature(types.TEXT_DOCUMENT_DID_SAVE)(saved)
    server.feature(types.TEXT_DOCUMENT_DID_CLOSE)(closed)
    server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)(files_changed)


@guard
def opened(ls: LocumServer, params: types.DidOpenTextDocumentParams) -> None:
    """A document was opened."""
    ls.session.text_changed(params.text_document.uri)


@guard
def changed(ls: LocumServer, params: types.DidChangeTextDocumentParams) -> None:
    """A document was edited."""
    ls.session.text_changed(params.text_document.uri)


@guard
def saved(ls: LocumServer, params: types.DidSaveTextDocumentParams) -> None:
    """A document was saved; a manifest may change where files belong."""
    if params.text_document.uri.endswith("/locum.toml"):
        look_anew(ls)


@guard
def closed(ls: LocumServer, params: types.DidCloseTextDocumentParams) -> None:
    """A document was closed: what was said of it is taken back."""
    uri = params.text_document.uri
    ls.session.closed(uri)
    if not ls.session.client.pulls_diagnostics:
        ls.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri=uri, diagnostics=[]))


@guard
def files_changed(ls: LocumServer, params: types.DidChangeWatchedFilesParams) -> None:  # noqa: ARG001 - LSP's signature
    """Files changed on the disk: projects may have new manifests."""
    look_anew(ls)


def look_anew(ls: LocumServer) -> None:
    """Forget what was known of projects; check all that is open again, and tell a client that pulls to do so."""
    forget_projects()
    ls.session.check_all()
    if ls.session.client.pulls_diagnostics:
        ls.workspace_diagnostic_refresh(None)
