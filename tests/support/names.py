"""Asking a language server about names, for tests: places are marked in texts, edits are made as an editor makes them."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from locum.text.edits import Edit, apply_edits
from locum.text.source import SourceText
from support.lsp import PULL, PUSH, Client, Json

_RENAME: Json = {"rename": {"prepareSupport": True}}
NAMING: dict[str, Json] = {"push": deepcopy(PUSH), "pull": deepcopy(PULL)}
"""The two editors' profiles, with what they say of names."""
for profile in NAMING.values():
    profile["textDocument"] |= _RENAME
NAMING["pull"]["workspace"] |= {"inlayHint": {"refreshSupport": True}}
NAMING["pull"]["textDocument"]["publishDiagnostics"] |= {"tagSupport": {"valueSet": [1, 2]}}


class Namer:
    """Asks about places of open documents: the `nth` time that a text stands there."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def at(self, uri: str, text: str, nth: int = 0, *, inside: int = 1) -> Json:
        """Return the parameters for a place `inside` code points behind where `text` begins."""
        source, offset = self.client.texts[uri], -1
        for _ in range(nth + 1):
            offset = source.text.index(text, offset + 1)
        line, column = source.position(offset + inside, self.client.encoding)
        return {"textDocument": {"uri": uri}, "position": {"line": line, "character": column}}

    def ask(self, method: str, place: Json, **more: Any) -> Any:
        return self.client.request(f"textDocument/{method}", place | more)

    def shown(self, locations: list[Json] | None) -> list[tuple[str, int, str]]:
        """Return file, line and text of each location, in order."""
        return sorted(
            (path.name, item["range"]["start"]["line"], self.text(item["uri"], item["range"]))
            for item in locations or []
            for path in [self.path(item["uri"])]
        )

    def text(self, uri: str, place: Json) -> str:
        source = self.source(uri)
        start, end = (self._offset(source, place[side]) for side in ("start", "end"))
        return source.text[start:end]

    def rename(self, place: Json, new: str) -> list[str]:
        """Rename, make the edit in documents and files, and return the names of what changed."""
        edit = self.ask("rename", place, newName=new)
        self.apply(edit)
        return sorted(self.path(uri).name for uri, _, _ in self.changes(edit))

    def apply(self, edit: Json) -> None:
        for uri, version, edits in self.changes(edit):
            source = self.source(uri)
            plain = [
                Edit(self._offset(source, e["range"]["start"]), self._offset(source, e["range"]["end"]), e["newText"])
                for e in edits
            ]
            text = apply_edits(source.text, plain)
            if uri in self.client.texts:
                assert version in {None, self.client.versions[uri]}
                self.client.change(uri, text=text)
            else:
                assert version is None
                self.path(uri).write_bytes(source.to_bytes(text))

    @staticmethod
    def changes(edit: Json) -> list[tuple[str, int | None, list[Json]]]:
        listed = [
            (c["textDocument"]["uri"], c["textDocument"].get("version"), c["edits"])
            for c in edit.get("documentChanges") or []
        ]
        return listed + [(uri, None, edits) for uri, edits in (edit.get("changes") or {}).items()]

    def source(self, uri: str) -> SourceText:
        """Return a document as the editor has it, else as the disk has it."""
        if uri in self.client.texts:
            return self.client.texts[uri]
        return SourceText.from_bytes(self.path(uri).read_bytes())

    @staticmethod
    def path(uri: str) -> Path:
        return Path(unquote(urlparse(uri).path))

    def _offset(self, source: SourceText, position: Json) -> int:
        return source.offset(position["line"], position["character"], self.client.encoding)
