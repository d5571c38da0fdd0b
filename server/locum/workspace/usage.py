"""Which files of a workspace use which names: an index that is built when somebody asks, and asked again costs the walk only.

What a file uses is kept by its time and size; where in the file is read again from those few that an answer is about. Knows no
document that an editor has open: who asks puts those in the place of their files.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from locum.refs.uses import Use, uses_in
from locum.text.source import SourceText
from locum.workspace.walk import Skipped, Walk, read_file

MAX_FILES = 200_000
"""Files that are looked at; where there are more, an answer says that it is not whole."""
_SLICE = 0.005
_PAUSE = 0.001
"""Seconds of work, and of rest for other threads after them."""

Names = frozenset[str]
_NONE: Names = frozenset()


class UsageIndex:
    """Names that are used in the files below some folders. For one thread at a time."""

    def __init__(self) -> None:
        self._files: dict[str, tuple[int, Names | None]] = {}
        """By path: what tells one state of a file from another, and its names; None when it could not be read."""

    def look(
        self, roots: Iterable[Path], *, stop: Callable[[], bool] = lambda: False,
        step: Callable[[], None] = lambda: None,
    ) -> bool:  # fmt: skip
        """Bring the index up to date; say whether it is whole: not when told to stop, nor when a text could not be read.

        `step` is called for every file.
        """
        files: dict[str, tuple[int, Names | None]] = {}
        shared: dict[Names, Names] = {}
        """Most files use the same few names: one set for all of them."""
        walk = Walk(list(roots))
        rested = time.perf_counter()
        for number, path in enumerate(walk.files()):
            if stop() or number >= MAX_FILES:
                self._files |= files  # what was read is read
                return False
            if time.perf_counter() - rested > _SLICE:
                time.sleep(_PAUSE)
                rested = time.perf_counter()
            step()
            name = str(path)
            mark = _mark(name)
            known = self._files.get(name)
            names = known[1] if known is not None and known[0] == mark else _names(path)
            files[name] = mark, shared.setdefault(names, names) if names is not None else None
        self._files = files
        return all(names is not None for _, names in files.values()) and not walk.skipped

    def used(self, *, without: Collection[str] = ()) -> dict[str, Names]:
        """Return the names by file, as of the last look, of files that use any; some files can be left out."""
        return {file: names for file, (_, names) in self._files.items() if names and file not in without}


def read_uses(path: Path) -> tuple[SourceText, list[Use]] | None:
    """Return a file's text and all uses in it; None when it cannot be read."""
    data = read_file(path)
    if isinstance(data, Skipped):
        return None
    source = SourceText.from_bytes(data)
    return source, uses_in(source.text, path.name)


def _names(path: Path) -> Names | None:
    data = read_file(path)
    if isinstance(data, Skipped):
        return _NONE if data.reason in {"binary", "too big"} else None
    return frozenset(use.name for use in uses_in(SourceText.from_bytes(data).text, path.name)) or _NONE


def _mark(path: str) -> int:
    try:
        info = os.stat(path, follow_symlinks=False)  # noqa: PTH116 - this loop runs once per file
    except OSError:
        return 0
    return hash((info.st_mtime_ns, info.st_size, info.st_ino))
