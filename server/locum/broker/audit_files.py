"""The files of the audit log: `audit.jsonl` is written to, `audit-000001.jsonl` and so on are full and come before it.

Knows names and how to read across them, nothing of what stands in a line.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from locum.broker.audit_record import MAX_LINE
from locum.errors import Unavailable
from locum.vaults.local.disk import open_private

MAX_SIZE = 10 * 1024 * 1024
"""Bytes after which a file is full."""
MAX_AGE = 30 * 24 * 3600
"""Seconds after which it is full, counted from its first record."""
_TRIES = 50


class AuditFailed(Unavailable):
    """The record cannot be written or read: whatever was to be recorded must not happen. Code `unavailable.audit`."""

    def __init__(self, why: str, hint: str = "Free space, then try again.") -> None:
        super().__init__("unavailable.audit", f"the audit log cannot be written ({why})", hint)


def full_files(path: Path) -> list[Path]:
    """Return the full files of a log, oldest first. Raises OSError."""
    pattern = re.compile(rf"{re.escape(path.stem)}-(\d{{6,}}){re.escape(path.suffix)}")
    found = [(int(match[1]), name) for name in os.listdir(path.parent) if (match := pattern.fullmatch(name))]  # noqa: PTH208 - names only
    return [path.with_name(name) for _, name in sorted(found)]


def next_full(path: Path) -> Path:
    """Return the name that the current file gets when it is full. Raises OSError."""
    files = full_files(path)
    return _numbered(path, _number(files[-1]) + 1 if files else 1)


def first_gap(path: Path, files: list[Path]) -> str:
    """Return the name of the first full file that is not there although later ones are, "" when none is missing."""
    for place, file in enumerate(files, 1):
        if _number(file) != place:
            return _numbered(path, place).name
    return ""


def log_files(path: Path) -> Iterator[tuple[Path, IO[bytes]]]:
    """Yield the files of a log with their names, oldest first, each open for reading while it is at its turn.

    What is yielded is one moment's log, also when a file becomes full meanwhile. Raises OSError.
    """
    current, files = _snapshot(path)
    try:
        for file in files:
            with _open(file) as stream:
                yield file, stream
        if current is not None:
            yield path, current
    finally:
        if current is not None:
            current.close()


def lines_of(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield the lines of a file; of one that is too long, pieces."""
    return iter(lambda: stream.readline(MAX_LINE + 1), b"")


class Follower:
    """Reads a log line by line from its beginning, from file to file, while it grows. Lines are whole and come once."""

    def __init__(self, path: Path, *, skip: Callable[[Path], bool] = lambda _: False) -> None:
        """Begin with the oldest full file that is not to be skipped."""
        self._path = path
        self._stream: IO[bytes] | None = None
        with contextlib.suppress(FileNotFoundError):
            for file in full_files(path):
                if not skip(file):
                    self._stream = _open(file)
                    break

    def lines(self, *, until: Callable[[bytes], bool] = lambda _: False) -> Iterator[bytes]:
        """Yield the lines that are there now; the first one of which `until` is true comes with a later call.

        Raises OSError.
        """
        while self._stream is not None or self._open_current():
            stream = self._stream
            if stream is None:
                return
            place = stream.tell()
            line = stream.readline(MAX_LINE + 1)
            if line.endswith(b"\n") and not until(line):
                yield line
                continue
            stream.seek(place)
            if line.endswith(b"\n") or not self._go_on(stream):
                return

    def close(self) -> None:
        """Close the file."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _open_current(self) -> bool:
        self._stream = _open_if_there(self._path)
        return self._stream is not None

    def _go_on(self, stream: IO[bytes]) -> bool:
        """Open the next file when this one is full and read to its end; say whether there may be more to read."""
        here = _key(os.fstat(stream.fileno()))
        if _identity(self._path) in {here, None}:
            return False
        files = full_files(self._path)
        if stream.readline(1):
            stream.seek(-1, os.SEEK_CUR)
            return True  # written before the file was full, and after we looked
        places = [place for place, file in enumerate(files) if _identity(file) == here]
        later = files[places[0] + 1 :] if places else []
        stream.close()
        self._stream = _open(later[0]) if later else _open_if_there(self._path)
        return self._stream is not None


def last_line(file: Path) -> bytes:
    """Return the last line of a file, as far as it is one. Raises OSError."""
    with _open(file) as stream:
        stream.seek(max(0, os.fstat(stream.fileno()).st_size - MAX_LINE))
        return (stream.read(MAX_LINE).splitlines(keepends=True) or [b""])[-1]


def _snapshot(path: Path) -> tuple[IO[bytes] | None, list[Path]]:
    """Open the current file and list the others such that no file is left out or there twice."""
    for _ in range(_TRIES):
        current = _open_if_there(path)
        try:
            files = full_files(path)
        except FileNotFoundError:
            files = list[Path]()
        if _identity(path) == (None if current is None else _key(os.fstat(current.fileno()))):
            return current, files
        if current is not None:
            current.close()
    raise OSError(11, "the files change all the time")


def _open_if_there(path: Path) -> IO[bytes] | None:
    with contextlib.suppress(FileNotFoundError):
        return _open(path)
    return None


def _open(path: Path) -> IO[bytes]:
    return os.fdopen(open_private(path, os.O_RDONLY), "rb")


def _identity(path: Path) -> tuple[int, int] | None:
    with contextlib.suppress(FileNotFoundError):
        return _key(path.stat())
    return None


def _key(info: os.stat_result) -> tuple[int, int]:
    return info.st_dev, info.st_ino


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.stem}-{number:06d}{path.suffix}")


def _number(file: Path) -> int:
    return int(file.stem.rpartition("-")[2])
