"""What commands that look at files share: which files a person means, scanned, and how a path is shown."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from locum.errors import UsageProblem
from locum.workspace.scanner import FileReport, Scanner
from locum.workspace.walk import Skipped, Walk


def scan_files(paths: Sequence[Path], *, ignore: bool = True) -> Iterator[tuple[Scanner, FileReport | Skipped]]:
    """Scan files and directories, each file once; with each report comes the scanner that knows its rules.

    Raises UsageProblem for a path that is not there, LocumError for a broken manifest.
    """
    seen = set[Path]()
    here = Path.cwd()
    for given in paths:
        path = Path(os.path.abspath(given))  # noqa: PTH100 - resolve would follow links
        if not os.path.lexists(path):
            raise UsageProblem("scan.path", f"there is no {printable(given)}", "Check the spelling.")
        scanner = Scanner(base=here if path.is_relative_to(here) else path if path.is_dir() else path.parent)
        base, exclude = scanner.exclude_patterns(path)
        walk = Walk([path], ignore, exclude if ignore else (), base)
        for file in walk.files():
            if file in seen:
                continue
            seen.add(file)
            if ignore and file != path and scanner.excludes(file):
                continue
            yield scanner, scanner.scan_file(file, ignore=ignore)
        for skipped in walk.skipped:
            yield scanner, skipped


def relative(path: Path) -> str:
    """Return a path as seen from the working directory, with `/`."""
    try:
        return os.path.relpath(path).replace(os.sep, "/")
    except ValueError:  # another drive
        return path.as_posix()


def shown(path: Path) -> str:
    """Return a path as seen from the working directory that cannot steer a terminal."""
    return printable(Path(relative(path)))


def printable(path: Path) -> str:
    """Return a path that cannot steer a terminal."""
    return plain(path.as_posix())


def plain(text: str) -> str:
    """Return somebody's words in one line that cannot steer a terminal."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
