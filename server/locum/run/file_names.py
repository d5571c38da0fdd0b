"""Which arguments and variables of a task name a file, and what they are with another path in its place. Pure.

A name is compared as it is written: `.` and double slashes do not count, `..` and links are never resolved, because
then another file could be meant.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

# What may stand before a file's name in one argument: `--config=FILE`, `-e @FILE` and `-d=@FILE` (curl, Ansible and
# others: the content of a file), `--location=file:FILE` (Spring). Not `:` alone: `scp host:FILE` is another machine's.
_BEFORE = ("", "@", "file:")


class FileNames:
    """The ways to name one file: from the folder that it was named in, and by its absolute path."""

    def __init__(self, typed: str, *, typed_in: str, real: str) -> None:
        """`typed` is the name as a person wrote it in the folder `typed_in`, `real` the path without links."""
        self._paths = {PurePosixPath(typed_in) / typed, PurePosixPath(real)}

    def is_named_by(self, text: str, folder: str) -> bool:
        """Say whether `text` as a whole names the file for a program that runs in `folder`."""
        return bool(text) and not text.endswith("/") and PurePosixPath(folder) / text in self._paths

    def replaced(self, argument: str, folder: str, path: str) -> str | None:
        """Return the argument with `path` for the file's name, None when it does not name the file."""
        starts = [0, *(at + 1 for at, char in enumerate(argument) if char == "=")]
        for start in starts:  # the first one that fits: a file's name may hold `=` too
            for before in _BEFORE:
                end = start + len(before)
                if argument.startswith(before, start) and self.is_named_by(argument[end:], folder):
                    return argument[:end] + path
        return None

    def replaced_in(self, argv: Sequence[str], folder: str, path: str) -> tuple[str, ...]:
        """Return the command line with `path` for the file's name; the program itself, the first, stays."""
        rest = (replaced if (replaced := self.replaced(part, folder, path)) is not None else part for part in argv[1:])
        return (*argv[:1], *rest)

    def variables(self, environment: Mapping[bytes, bytes], folder: str) -> list[bytes]:
        """Return the variables whose whole value names the file."""
        return [name for name, value in environment.items() if self.is_named_by(os.fsdecode(value), folder)]
