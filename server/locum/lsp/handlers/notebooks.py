"""Notebooks: each cell is a document with diagnostics of its own, under the notebook's path and rules.

pygls stores the cells (`documents` does, for it) before these are called; handlers of single documents hear nothing of them.
"""

from __future__ import annotations

from collections.abc import Iterable

from lsprotocol import types

from locum.lsp.handlers.documents import taken_back
from locum.lsp.protocol import LocumServer, guard

SYNC = types.NotebookDocumentSyncOptions([types.NotebookDocumentFilterWithNotebook(notebook="*")], save=True)
"""All cells of all kinds of notebooks: prose and raw text hold secrets too."""


def register(server: LocumServer) -> None:
    """Add the handlers of this family."""
    server.feature(types.NOTEBOOK_DOCUMENT_DID_OPEN)(opened)
    server.feature(types.NOTEBOOK_DOCUMENT_DID_CHANGE)(changed)
    server.feature(types.NOTEBOOK_DOCUMENT_DID_SAVE)(saved)
    server.feature(types.NOTEBOOK_DOCUMENT_DID_CLOSE)(closed)


@guard
def opened(ls: LocumServer, params: types.DidOpenNotebookDocumentParams) -> None:
    """A notebook was opened."""
    _check(ls, (cell.uri for cell in params.cell_text_documents))


@guard
def changed(ls: LocumServer, params: types.DidChangeNotebookDocumentParams) -> None:
    """Cells came, went or were edited."""
    cells = params.change.cells
    if cells is None:
        return
    if cells.structure is not None:
        for cell in cells.structure.did_close or ():
            taken_back(ls, cell.uri)
        _check(ls, (cell.uri for cell in cells.structure.did_open or ()))
    _check(ls, (text.document.uri for text in cells.text_content or ()))


@guard
def saved(ls: LocumServer, params: types.DidSaveNotebookDocumentParams) -> None:
    """A notebook was saved: its cells are known, and nothing of it is read from the disk."""


@guard
def closed(ls: LocumServer, params: types.DidCloseNotebookDocumentParams) -> None:
    """A notebook was closed: what was said of its cells is taken back."""
    for cell in params.cell_text_documents:
        taken_back(ls, cell.uri)


def _check(ls: LocumServer, uris: Iterable[str]) -> None:
    for uri in uris:
        ls.session.text_changed(uri)
