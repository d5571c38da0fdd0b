"""Edits of open documents as the protocol wants them: bound to versions where the client knows that form."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsprotocol import types

from locum.lsp.convert import to_edits
from locum.text.edits import Edit

if TYPE_CHECKING:
    from locum.lsp.documents import Document


@dataclass(frozen=True, slots=True)
class Change:
    """Edits for one open document, in the client's columns."""

    document: Document
    edits: list[types.TextEdit]


def workspace_edit(changes: Collection[Change], *, versioned: bool) -> types.WorkspaceEdit:
    """Build the edit: bound to versions where the client knows that form."""
    if not versioned:
        return types.WorkspaceEdit(changes={change.document.uri: change.edits for change in changes})
    return types.WorkspaceEdit(
        document_changes=[
            types.TextDocumentEdit(
                types.OptionalVersionedTextDocumentIdentifier(uri=change.document.uri, version=change.document.version),
                change.edits,
            )
            for change in changes
        ]
    )


def rewritten(document: Document, text: str) -> list[types.TextEdit]:
    """Say a document's new text as one edit: everything behind what stays the same. No edit when nothing changes."""
    source = document.snapshot().source
    if text == source.text:
        return []
    same = 0
    while same < min(len(text), len(source.text)) and text[same] == source.text[same]:
        same += 1
    return to_edits(source, (Edit(same, len(source.text), text[same:]),), document.encoding)
