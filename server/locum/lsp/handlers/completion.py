"""Completion: references to what is declared, in any text; tables, keys, names and values in `locum.toml`. Never a value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from locum.lsp.protocol import LocumServer, guard

if TYPE_CHECKING:
    from locum.lsp import completing
    from locum.text.source import PositionEncoding, SourceText

TRIGGERS = ["/", "?", "=", "[", '"', "'"]
"""`locum://`, `?env=`; the manifest's tables, lists and texts."""


def register(server: LocumServer) -> None:
    """Add the handlers of this family."""
    options = types.CompletionOptions(trigger_characters=TRIGGERS)
    server.feature(types.TEXT_DOCUMENT_COMPLETION, options)(completed)


@guard
async def completed(ls: LocumServer, params: types.CompletionParams) -> list[types.CompletionItem]:
    """Complete what is being written."""
    document = ls.documents.open_document(params.text_document.uri)
    if document is None:
        return []
    line = _line(document.source, document.snapshot().starts, params.position.line)
    in_manifest = params.text_document.uri.endswith("locum.toml")
    if "://" not in line and not in_manifest:
        return []  # nearly always: triggers are typed in every text

    from locum.lsp import completing, symbols

    snapshot = document.snapshot()
    offset = snapshot.source.offset(params.position.line, params.position.character, document.encoding)
    items = completing.references(snapshot, offset)
    if not items and symbols.is_manifest(snapshot):
        items = completing.of_manifest(snapshot, offset)
    return [_item(item, snapshot.source, document.encoding, rank) for rank, item in enumerate(items)]


def _line(text: str, starts: tuple[int, ...], number: int) -> str:
    if number >= len(starts):
        return ""
    return text[starts[number] : starts[number + 1] if number + 1 < len(starts) else len(text)]


def _item(item: completing.Item, source: SourceText, encoding: PositionEncoding, rank: int) -> types.CompletionItem:
    from locum.lsp.convert import to_range

    kinds = {
        "reference": types.CompletionItemKind.Reference, "table": types.CompletionItemKind.Module,
        "key": types.CompletionItemKind.Property, "value": types.CompletionItemKind.EnumMember,
        "name": types.CompletionItemKind.Variable,
    }  # fmt: skip
    return types.CompletionItem(
        label=item.label, kind=kinds[item.kind], detail=item.detail or None, sort_text=f"{rank:04}",
        text_edit=types.TextEdit(to_range(source, item.start, item.end, encoding), item.new_text),
        filter_text=item.new_text,
    )  # fmt: skip
