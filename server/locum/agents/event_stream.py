"""Server-sent events, read piece by piece (HTML Living Standard, "Server-sent events"). Bounded; knows nothing of MCP."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_LINE_END = re.compile(rb"\r\n|\n|\r")


class TooLong(Exception):
    """An event is longer than we take."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event; also one without data, which only moves the place to resume at."""

    name: str
    data: bytes
    id: str | None
    retry: float | None
    """Seconds to wait before the next connection, where the server says it."""


class EventStream:
    """The parser of one response. `limit` is in bytes, for one event."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._rest = bytearray()
        self._searched = 0
        """In so many bytes of the rest ends no line."""
        self._size = 0
        self._clear()

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """Take the next bytes and yield the events that they end. Raises TooLong."""
        self._rest += chunk
        while (match := _LINE_END.search(self._rest, self._searched)) is not None:
            start, end = match.span()
            self._searched = start
            if end == len(self._rest) and match[0] == b"\r":
                break  # perhaps the first half of a line end
            line = bytes(self._rest[:start])
            del self._rest[:end]
            self._searched = 0
            self._size += len(line)
            self._check(self._size)
            if not line:
                if self._fields:
                    yield Event(self._name, b"\n".join(self._data), self._id, self._retry)
                self._clear()
            else:
                self._take(line)
        else:
            self._searched = len(self._rest)
        self._check(self._size + len(self._rest))

    def _take(self, line: bytes) -> None:
        field, _, value = line.removeprefix(b"\xef\xbb\xbf").partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data.append(value)
        elif field == b"event":
            self._name = value.decode("utf-8", "replace")
        elif field == b"id" and b"\0" not in value:
            self._id = value.decode("latin-1")
        elif field == b"retry" and value.isdigit() and len(value) < 10:
            self._retry = int(value) / 1000
        else:
            return
        self._fields = True

    def _clear(self) -> None:
        self._name = "message"
        self._data: list[bytes] = []
        self._id: str | None = None
        self._retry: float | None = None
        self._fields = False
        self._size = 0

    def _check(self, size: int) -> None:
        if size > self._limit:
            raise TooLong
