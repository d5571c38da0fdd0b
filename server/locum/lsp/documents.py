"""The open documents: exact lines, quick edits, immutable snapshots. Put under pygls in the place of its own store.

pygls splits lines where LSP does not (form feed, U+2028, …) and loses text at over-long columns; here lines and positions
are those of `text.source`. A snapshot never changes: whatever checks it may take its time.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from typing import Any, cast
from urllib.parse import unquote

from lsprotocol import types
from pygls.uris import to_fs_path
from pygls.workspace import TextDocument, Workspace

from locum.text.source import PositionEncoding, SourceText, clamp_units, line_starts

Stamp = tuple[int, int]
"""Tells one text of one opening of a document from all others. A client's version numbers begin anew with each opening."""

_openings = count()
_LINE_END = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True)
class Snapshot:
    """One version of one document."""

    uri: str
    stamp: Stamp
    version: int
    language: str
    path: str | None
    """The file's path in the file system, None for what is no file (untitled, commit message)."""
    text: str
    starts: tuple[int, ...]
    notebook: str = ""
    """The notebook's URI when this is one of its cells; `path` is the notebook's then."""

    @cached_property
    def source(self) -> SourceText:
        """The text with its offsets in every unit."""
        return SourceText(self.text, starts=list(self.starts))


class Document(TextDocument):
    """A document as the client edits it."""

    notebook = ""
    """The notebook's URI when this is one of its cells."""
    _starts: list[int] | None = None
    _edits = 0

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._opening = next(_openings)

    @property
    def stamp(self) -> Stamp:
        """Name the text as it is now: this opening of the document, and how many edits it has had."""
        return self._opening, self._edits

    @property
    def encoding(self) -> PositionEncoding:
        """The unit of the client's columns."""
        return cast("PositionEncoding", getattr(self._position_codec.encoding, "value", self._position_codec.encoding))

    def snapshot(self) -> Snapshot:
        """Return the document as it is now."""
        home = self.notebook or self.uri
        path = to_fs_path(home) if home.startswith("file:") else None
        return Snapshot(
            self.uri, self.stamp, self.version or 0, self.language_id or "", path, self._source or "",
            tuple(self._line_starts()), self.notebook,
        )  # fmt: skip

    def apply_change(self, change: Any) -> None:
        """Take one change of a didChange."""
        self._edits += 1
        if not isinstance(change, types.TextDocumentContentChangePartial):
            self._source, self._starts = change.text, None
            return
        start, end = sorted((self._offset(change.range.start), self._offset(change.range.end)))
        self._replace(start, end, change.text)

    def _line_starts(self) -> list[int]:
        if self._starts is None:
            self._starts = line_starts(self._source or "")
        return self._starts

    def _offset(self, position: types.Position) -> int:
        """Turn a position into an offset; beyond a line's or the text's end it is taken to that end."""
        text, starts = self._source or "", self._line_starts()
        if position.line >= len(starts):
            return len(text)
        start = starts[position.line]
        end = starts[position.line + 1] if position.line + 1 < len(starts) else len(text)
        while end > start and text[end - 1] in "\r\n":
            end -= 1
        return start + clamp_units(text[start:end], position.character, self.encoding)

    def _replace(self, start: int, end: int, new: str) -> None:
        """Put `new` in the place of `[start, end)`: index the lines around it anew, and move those behind it."""
        starts, text = self._line_starts(), self._source or ""
        first = max(0, bisect_right(starts, start) - 2)
        last = min(len(starts), bisect_right(starts, end) + 1)
        moved = len(new) - (end - start)
        self._source = text[:start] + new + text[end:]
        stop = starts[last] + moved if last < len(starts) else len(self._source)
        around = [match.end() for match in _LINE_END.finditer(self._source, starts[first], stop)]
        if last < len(starts) and around and around[-1] == stop:
            around.pop()  # the first of those behind it
        behind = starts[last:] if moved == 0 else [place + moved for place in starts[last:]]
        self._starts = [*starts[: first + 1], *around, *behind]


class Documents(Workspace):
    """The workspace's documents. What is not open does not exist here: nothing is read from the disk."""

    @property
    def columns(self) -> PositionEncoding:
        """The unit of the client's columns."""
        return cast("PositionEncoding", getattr(self.position_encoding, "value", self.position_encoding))

    def open_document(self, uri: str) -> Document | None:
        """Return an open document."""
        return cast("Document | None", self._text_documents.get(unquote(uri)))

    def open_documents(self) -> list[Document]:
        """Return all open documents."""
        return cast("list[Document]", list(self._text_documents.values()))

    def update_text_document(self, text_doc: Any, change: Any) -> None:
        """Take one change; one to a document that was never opened is nothing."""
        document = self.open_document(text_doc.uri)
        if document is not None:
            document.apply_change(change)
            document.version = text_doc.version

    # A notebook is its cells here, which are documents. Its metadata and outputs are nobody's business.

    def put_notebook_document(self, params: types.DidOpenNotebookDocumentParams) -> None:
        """Take the cells of a notebook that was opened."""
        for cell in params.cell_text_documents:
            self.put_text_document(cell, notebook_uri=params.notebook_document.uri)

    def update_notebook_document(self, params: types.DidChangeNotebookDocumentParams) -> None:
        """Take cells that came, went or were edited."""
        cells = params.change.cells
        structure = cells.structure if cells is not None else None
        for cell in (structure.did_open or ()) if structure is not None else ():
            self.put_text_document(cell, notebook_uri=params.notebook_document.uri)
        for cell in (structure.did_close or ()) if structure is not None else ():
            self.remove_text_document(cell.uri)
        for text in (cells.text_content or ()) if cells is not None else ():
            for change in text.changes:
                self.update_text_document(text.document, change)

    def remove_notebook_document(self, params: types.DidCloseNotebookDocumentParams) -> None:
        """Forget the cells of a notebook that was closed."""
        for cell in params.cell_text_documents:
            self.remove_text_document(cell.uri)

    def put_text_document(self, text_document: types.TextDocumentItem, notebook_uri: str | None = None) -> None:
        """Take a document that was opened, perhaps as a cell of a notebook."""
        super().put_text_document(text_document, notebook_uri)
        document = self.open_document(text_document.uri)
        if document is not None:
            document.notebook = notebook_uri or ""

    def _create_text_document(
        self, doc_uri: str, source: str | None = None, version: int | None = None, language_id: str | None = None
    ) -> Document:
        return Document(
            doc_uri, source=source if source is not None else "", version=version, language_id=language_id,
            sync_kind=types.TextDocumentSyncKind.Incremental, position_codec=self.position_codec,
        )  # fmt: skip
