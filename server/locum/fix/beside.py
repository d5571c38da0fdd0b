"""Files that their program reads as one with others of the folder (Terraform's): what those say, as it will be after the fix."""

from __future__ import annotations

from pathlib import Path

from locum.rewrite.languages import read_with
from locum.text.source import SourceText
from locum.workspace.walk import Skipped, read_file

_MOST = 200
"""Files of one folder that are read."""


class Beside:
    """The texts of one fix: those on the disk, unless `put` said what will stand there."""

    def __init__(self) -> None:
        self._texts: dict[Path, str] = {}

    def put(self, path: Path, text: str) -> None:
        """Let a file have this text from now on."""
        if read_with(path.name):
            self._texts[path] = text

    def of(self, path: Path) -> list[str]:
        """Return the texts that are read as one with the file at `path`, sorted by name. Blocks."""
        ending = read_with(path.name)
        if not ending:
            return []
        try:
            found = {item for item in path.parent.iterdir() if item.name.endswith(ending)}
        except OSError:
            found = set[Path]()
        found |= {item for item in self._texts if item.parent == path.parent and item.name.endswith(ending)}
        return [self._text(item) for item in sorted(found - {path})[:_MOST]]

    def _text(self, path: Path) -> str:
        if path not in self._texts:
            data = read_file(path)
            self._texts[path] = "" if isinstance(data, Skipped) else SourceText.from_bytes(data).text
        return self._texts[path]
