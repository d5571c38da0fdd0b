"""Definition, references, highlights and rename of secrets' and tasks' names, wherever a text uses them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from lsprotocol import types

from locum.lsp.protocol import LocumServer, guard

if TYPE_CHECKING:
    from locum.lsp.documents import Snapshot
    from locum.lsp.symbols import Symbol

    class _Pointed(Protocol):
        """Parameters that point at a place; lsprotocol gives them no common class."""

        text_document: types.TextDocumentIdentifier
        position: types.Position


def register(server: LocumServer) -> None:
    """Add the handlers of this family."""
    server.feature(types.TEXT_DOCUMENT_DEFINITION)(defined)
    server.feature(types.TEXT_DOCUMENT_REFERENCES, types.ReferenceOptions(work_done_progress=True))(referred)
    server.feature(types.TEXT_DOCUMENT_DOCUMENT_HIGHLIGHT)(highlighted)
    server.feature(types.TEXT_DOCUMENT_PREPARE_RENAME)(prepared)
    server.feature(types.TEXT_DOCUMENT_RENAME, types.RenameOptions(prepare_provider=True, work_done_progress=True))(
        renamed
    )


@guard
async def defined(ls: LocumServer, params: types.DefinitionParams) -> list[types.Location] | None:
    """Go to where the manifest declares a name."""
    from locum.lsp import naming
    from locum.lsp.convert import to_range

    _, symbol = _symbol(ls, params)
    if symbol is None:
        return None
    manifest = await naming.manifest_text(ls, symbol.project)
    places = naming.declarations(manifest.source.text, symbol)[:1] if manifest is not None else []
    if manifest is None or not places:
        return None
    columns = ls.documents.columns
    return [types.Location(manifest.uri, to_range(manifest.source, start, end, columns)) for start, end in places]


@guard
async def referred(ls: LocumServer, params: types.ReferenceParams) -> list[types.Location] | None:
    """List all places of the workspace that use a name."""
    from locum.lsp import naming

    _, symbol = _symbol(ls, params)
    if symbol is None:
        return None
    return await naming.locations(
        ls, symbol, declarations=params.context.include_declaration, token=params.work_done_token
    )


@guard
async def highlighted(ls: LocumServer, params: types.DocumentHighlightParams) -> list[types.DocumentHighlight] | None:
    """Show where else in this text the name is used."""
    from locum.lsp import naming
    from locum.lsp.convert import to_range

    snapshot, symbol = _symbol(ls, params)
    if snapshot is None or symbol is None:
        return None
    columns = ls.documents.columns
    return [
        types.DocumentHighlight(
            to_range(snapshot.source, start, end, columns),
            types.DocumentHighlightKind.Write if declares else types.DocumentHighlightKind.Read,
        )
        for start, end, declares in naming.uses_here(snapshot, symbol)
    ]


@guard
async def prepared(ls: LocumServer, params: types.PrepareRenameParams) -> types.Range | None:
    """Say which name would be renamed: one that the manifest declares. The range alone: the client has the text."""
    from locum.lsp import naming
    from locum.lsp.convert import to_range

    snapshot, symbol = _symbol(ls, params)
    if snapshot is None or symbol is None or not naming.is_renamable(symbol):
        return None
    return to_range(snapshot.source, symbol.start, symbol.end, ls.documents.columns)


@guard
async def renamed(ls: LocumServer, params: types.RenameParams) -> types.WorkspaceEdit | None:
    """Rename a secret in the vault, then everywhere; a task in its manifest."""
    from locum.lsp import renames

    snapshot, symbol = _symbol(ls, params)
    if snapshot is None or symbol is None:
        return None
    return await renames.rename(ls, symbol, params.new_name, params.work_done_token)


def _symbol(ls: LocumServer, params: _Pointed) -> tuple[Snapshot, Symbol] | tuple[Snapshot | None, None]:
    from locum.lsp.symbols import symbol_at

    document = ls.documents.open_document(params.text_document.uri)
    if document is None:
        return None, None
    snapshot = document.snapshot()
    offset = snapshot.source.offset(params.position.line, params.position.character, document.encoding)
    symbol = symbol_at(snapshot, offset)
    return (snapshot, symbol) if symbol is not None else (snapshot, None)
