"""What is shown in a text of its references: inlay hints (how they stand) and semantic tokens (that they are names).

Answers come from what is known at the moment; what is old is asked for again behind the request, and the client is told when
that brings something new. Nothing of this is imported or asked for until a text holds a reference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from locum.lsp.protocol import LocumServer, guard

if TYPE_CHECKING:
    from locum.lsp.documents import Document, Snapshot

LEGEND = types.SemanticTokensLegend(
    [types.SemanticTokenTypes.Variable.value], [types.SemanticTokenModifiers.Readonly.value]
)
_BEGINNINGS = ("locum://", "op://", "keyring://", "pass://", "ref+")


def register(server: LocumServer) -> None:
    """Add the handlers of this family."""
    server.feature(types.TEXT_DOCUMENT_INLAY_HINT, types.InlayHintOptions(resolve_provider=False))(hinted)
    server.feature(types.TEXT_DOCUMENT_SEMANTIC_TOKENS_FULL, LEGEND)(coloured)
    server.feature(types.TEXT_DOCUMENT_SEMANTIC_TOKENS_RANGE, LEGEND)(coloured_range)


@guard
async def hinted(ls: LocumServer, params: types.InlayHintParams) -> list[types.InlayHint] | None:
    """Say after each reference where its value is, or that it is not there yet."""
    document = _document(ls, params.text_document.uri)
    if document is None:
        return None
    from locum.lsp.marks import hints
    from locum.lsp.standing import want_vault

    def changed() -> None:
        if ls.session.client.refreshes_hints:
            ls.workspace_inlay_hint_refresh(None)

    snapshot = document.snapshot()
    shown = [
        types.InlayHint(
            types.Position(*snapshot.source.position(hint.offset, document.encoding)), hint.label,
            tooltip=hint.tooltip, padding_left=True,
        )
        for hint in hints(snapshot, *_span(snapshot, document, params.range))
    ]  # fmt: skip
    if shown:
        want_vault(changed)
    return shown


@guard
async def coloured(ls: LocumServer, params: types.SemanticTokensParams) -> types.SemanticTokens | None:
    """Give the references of a text."""
    document = _document(ls, params.text_document.uri)
    return _tokens(document, None) if document is not None else None


@guard
async def coloured_range(ls: LocumServer, params: types.SemanticTokensRangeParams) -> types.SemanticTokens | None:
    """Give the references of a range."""
    document = _document(ls, params.text_document.uri)
    return _tokens(document, params.range) if document is not None else None


def _document(ls: LocumServer, uri: str) -> Document | None:
    """Return a document that has something to show."""
    document = ls.documents.open_document(uri)
    if document is None or uri.endswith("locum.toml"):
        return document
    return document if any(beginning in document.source for beginning in _BEGINNINGS) else None


def _span(snapshot: Snapshot, document: Document, wanted: types.Range) -> tuple[int, int]:
    first, last = wanted.start, wanted.end
    return (
        snapshot.source.offset(first.line, first.character, document.encoding),
        snapshot.source.offset(last.line, last.character, document.encoding),
    )


def _tokens(document: Document, wanted: types.Range | None) -> types.SemanticTokens:
    """Encode the places as the protocol wants them: each relative to the one before, in the client's columns."""
    from locum.lsp.marks import names

    snapshot = document.snapshot()
    source = snapshot.source
    span = _span(snapshot, document, wanted) if wanted is not None else (0, len(source.text))
    data: list[int] = []
    line_before = column_before = 0
    for start, end in names(snapshot, *span):
        line, column = source.position(start, document.encoding)
        length = source.position(end, document.encoding)[1] - column
        data += [line - line_before, column - (column_before if line == line_before else 0), length, 0, 1]
        line_before, column_before = line, column
    return types.SemanticTokens(data)
