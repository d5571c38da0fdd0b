"""Document links: from references to pages about them, https only. Document symbols: what `locum.toml` declares."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lsprotocol import types

from locum.lsp.protocol import LocumServer, guard

if TYPE_CHECKING:
    from locum.lsp.documents import Snapshot


def register(server: LocumServer) -> None:
    """Add the handlers of this family."""
    server.feature(types.TEXT_DOCUMENT_DOCUMENT_LINK, types.DocumentLinkOptions(resolve_provider=False))(linked)
    server.feature(types.TEXT_DOCUMENT_DOCUMENT_SYMBOL)(listed)


@guard
async def linked(ls: LocumServer, params: types.DocumentLinkParams) -> list[types.DocumentLink] | None:
    """Link references to where they are explained, or where their secret is made and rotated."""
    document = ls.documents.open_document(params.text_document.uri)
    if document is None or "://" not in document.source:
        return None
    from locum.lsp.convert import to_range

    snapshot = document.snapshot()
    return [
        types.DocumentLink(to_range(snapshot.source, start, end, document.encoding), target, tooltip)
        for start, end, target, tooltip in _links(snapshot)
    ]


@guard
async def listed(ls: LocumServer, params: types.DocumentSymbolParams) -> list[types.DocumentSymbol] | None:
    """List a manifest's secrets and tasks."""
    uri = params.text_document.uri
    if not uri.endswith("locum.toml"):
        return None
    check = await ls.session.checked(uri)  # where a value stands in the place of a name, it is not listed
    if check is None:
        return None
    from locum.lsp.convert import to_range
    from locum.lsp.outline import outline

    source, columns = check.snapshot.source, ls.documents.columns
    kinds = {"secret": types.SymbolKind.Key, "task": types.SymbolKind.Event, "table": types.SymbolKind.Namespace}
    return [
        types.DocumentSymbol(
            entry.name, kinds[entry.kind], to_range(source, entry.start, entry.end, columns),
            to_range(source, entry.name_start, entry.name_end, columns), entry.detail,
        )
        for entry in outline(source.text)
        if not check.at(entry.name_start, entry.name_end)
    ]  # fmt: skip


def _links(snapshot: Snapshot) -> Iterator[tuple[int, int, str, str]]:
    from locum.lsp.descriptions import PAGE
    from locum.lsp.discreet import is_discreet
    from locum.lsp.projects import manifest_of, project_for
    from locum.lsp.symbols import is_manifest
    from locum.refs.manifest import Manifest
    from locum.refs.manifest_help import words_at
    from locum.refs.manifest_places import written
    from locum.refs.providers import provider_of
    from locum.refs.reference import find

    project = project_for(snapshot.path)
    secrets = (manifest_of(project) if project is not None else Manifest()).secrets
    pages = {
        source: entry.docs for entry in secrets.values() for source in (entry.source, *entry.environments.values())
    }
    for item in find(snapshot.text):
        if item.reference is None:
            continue
        entry = secrets.get(item.reference.name) if item.reference.is_declared else None
        own = entry.docs if entry is not None else pages.get(item.text, "")
        page = own if PAGE.fullmatch(own) else "" if item.reference.is_declared else provider_of(item.text).page
        if page and is_discreet(page):
            tooltip = "Where it is made and rotated" if page == own else f"How {provider_of(item.text).label} writes it"
            yield item.start, item.end, page, tooltip
    for item in written(snapshot.text) if is_manifest(snapshot) else ():
        if item.role == "value" and item.place[:1] == ("secrets",) and item.place[2:] == ("docs",):
            words = words_at(snapshot.text, item)
            if PAGE.fullmatch(words) and is_discreet(words):
                yield item.start + 1, item.end - 1, words, "Where it is made and rotated"
