"""Hover: what a name, a reference or a key of the manifest means, what a finding is and how to rotate it. Never a value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from locum.lsp.protocol import LocumServer, guard

if TYPE_CHECKING:
    from locum.lsp.checks import Check
    from locum.text.source import PositionEncoding


def register(server: LocumServer) -> None:
    """Add the handlers of this family."""
    server.feature(types.TEXT_DOCUMENT_HOVER)(hovered)


@guard
async def hovered(ls: LocumServer, params: types.HoverParams) -> types.Hover | None:
    """Describe what stands under the pointer."""
    uri = params.text_document.uri
    check, document = await ls.session.checked(uri), ls.documents.open_document(uri)
    if check is None or document is None:
        return None
    offset = check.snapshot.source.offset(params.position.line, params.position.character, document.encoding)
    return await _described(ls, check, offset, document.encoding)


async def _described(ls: LocumServer, check: Check, offset: int, encoding: PositionEncoding) -> types.Hover | None:
    from locum.lsp import descriptions, symbols
    from locum.lsp.convert import found_range, to_range

    source = check.snapshot.source

    def shown(text: str, start: int, end: int) -> types.Hover:
        return _hover(ls, text, to_range(source, start, end, encoding))

    for found in check.at(offset, offset):  # first: a value may stand where a reference's name should
        text = descriptions.of_finding(found.finding, check.snapshot.path)
        return _hover(ls, text, found_range(check, found, encoding))
    here = symbols.reference_at(source, offset)
    if here is not None and here.reference is not None and not here.reference.is_declared:
        return shown(descriptions.of_native(here.reference), here.start, here.end)
    symbol = symbols.symbol_at(check.snapshot, offset)
    if symbol is not None and symbol.kind == "secret":
        text = await descriptions.of_secret(ls, symbol, here.reference if here is not None else None)
        return shown(text, *((here.start, here.end) if here is not None else (symbol.start, symbol.end)))
    if symbol is not None:
        return shown(descriptions.of_task(symbol), symbol.start, symbol.end)
    if here is not None and here.reference is not None:
        return shown(descriptions.UNDECLARED, here.start, here.end)
    if symbols.is_manifest(check.snapshot):
        key = descriptions.of_key(check.snapshot.text, offset)
        return shown(*key) if key is not None else None
    return None


def _hover(ls: LocumServer, text: str, place: types.Range) -> types.Hover:
    if ls.session.client.markdown_hover:
        return types.Hover(types.MarkupContent(types.MarkupKind.Markdown, text), place)
    plain = text.translate(str.maketrans("", "", "*`"))
    return types.Hover(types.MarkupContent(types.MarkupKind.PlainText, plain), place)
