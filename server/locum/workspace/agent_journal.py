"""What AI agents' hooks and tools noted: which session wrote which file, and so who put a secret there. Reads, never writes.

Any program of the same user could write lines of its own: they are read as data, bounded, and believed only as far as the file
on the disk agrees.
"""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from locum.workspace.agent_notes import CLIENT, KEEP_DAYS, KINDS, MAX_DAY, MAX_LINE, SESSION, day_files, modified, shown

_NAMES = {
    "claude": "Claude Code", "kiro": "Kiro", "cursor": "Cursor", "copilot": "Copilot", "codex": "Codex",
    "gemini": "Gemini CLI", "opencode": "opencode",
}  # fmt: skip
_READ = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


@dataclass(frozen=True, slots=True)
class Author:
    """The agent's session that wrote something."""

    client: str
    session: str
    at: int
    """Milliseconds since 1970."""

    def text(self, now: float | None = None) -> str:
        """Say it to people: `written by Claude Code, 14:02`, in local time, with the day when it is not today."""
        then, today = time.localtime(self.at / 1000), time.localtime(now)
        clock = time.strftime("%H:%M" if then[:3] == today[:3] else "%Y-%m-%d %H:%M", then)
        return f"written by {client_name(self.client)}, {clock}"

    def to_json(self) -> dict[str, str]:
        """Return it as it stands in a finding."""
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.at / 1000))
        return {"client": self.client, "session": self.session, "at": at}


@dataclass(frozen=True, slots=True)
class Entry:
    """One line."""

    at: int
    """Milliseconds since 1970."""
    session: str
    client: str
    kind: str
    about: dict[str, Any]
    """What else it says, in the types that were written; see `agents.sessions.journal`."""

    @property
    def author(self) -> Author:
        """Who wrote it."""
        return Author(self.client, self.session, self.at)


def client_name(client: str) -> str:
    """Return a client's name as people know it."""
    return _NAMES.get(client, client)


def parse(line: bytes) -> Entry | None:
    """Return what a line says, None when it says nothing that we know."""
    try:
        raw: Any = json.loads(line)
        at, session, client, kind = raw.pop("at"), raw.pop("session"), raw.pop("client"), raw.pop("kind")
        known = SESSION.fullmatch(session) and CLIENT.fullmatch(client) and kind in KINDS and type(at) is int
        return Entry(at, session, client, kind, cast("dict[str, Any]", raw)) if known and 0 < at < 1 << 53 else None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


@dataclass(slots=True)
class AgentJournal:
    """The journal in a folder, as it is at the last `refresh`, which reads only what is new."""

    folder: Path
    entries: list[Entry] = field(default_factory=list[Entry])
    """Oldest first."""
    _read: dict[str, int] = field(default_factory=dict[str, int])
    """Bytes that were read of each day's file."""
    _notes: dict[str, list[Entry]] = field(default_factory=dict[str, list[Entry]])
    """What was noted of a file, by its whole path as `shown`."""

    def refresh(self) -> None:
        """Read what was noted since the last time."""
        for name in day_files(self.folder)[-KEEP_DAYS - 1 :]:
            for entry in self._new_lines(name):
                self.entries.append(entry)
                path = entry.about.get("path")
                if entry.kind in {"writes", "wrote"} and isinstance(path, str):
                    place = os.path.join(str(entry.about.get("workspace", "")), path)  # noqa: PTH118 - strings alone
                    self._notes.setdefault(place, []).append(entry)

    def _new_lines(self, name: str) -> Iterator[Entry]:
        begin = self._read.get(name, 0)
        try:
            descriptor = os.open(self.folder / name, _READ)
            try:
                info = os.fstat(descriptor)
                ours = os.name != "posix" or (info.st_uid == os.geteuid() and not info.st_mode & 0o022)
                if not (stat.S_ISREG(info.st_mode) and ours and info.st_size > begin):
                    return
                os.lseek(descriptor, begin, os.SEEK_SET)
                data = os.read(descriptor, max(0, MAX_DAY + MAX_LINE - begin))
            finally:
                os.close(descriptor)
        except OSError:
            return
        whole = data[: data.rfind(b"\n") + 1]
        self._read[name] = begin + len(whole)
        for line in whole.splitlines():
            entry = parse(line) if len(line) <= MAX_LINE else None
            if entry is not None:
                yield entry

    def knows(self, path: Path) -> bool:
        """Say whether anything was noted of a file."""
        return _key(path) in self._notes

    def author(self, path: Path, fingerprint: str) -> Author | None:
        """Return the session that put a finding into a file as it stands on the disk; None when nobody knows.

        The last note of a write must be of the file as it is now. Then it goes back from write to write, as long as each
        begins with what the one before it left, to the one before which the finding was not there.
        """
        notes = self._notes.get(_key(path), [])
        last = max((at for at, note in enumerate(notes) if note.kind == "wrote"), default=-1)
        expected, author = modified(path) or -1, None
        for note in reversed(notes[: last + 1]):
            if note.kind == "wrote":
                if author is not None:
                    return author.author  # what stood there before that write is not known
                if note.about.get("mtime") != expected:
                    return None  # somebody else wrote it in between
                author = note
            elif author is not None:
                had = note.about.get("had")
                if not isinstance(had, list) or fingerprint not in had:
                    return author.author
                expected, author = note.about.get("mtime"), None
        return author.author if author is not None else None

    def lately(self, path: Path, within: float) -> Author | None:
        """Return the session that noted last, within so many seconds, that it writes or wrote a file."""
        notes = self._notes.get(_key(path), [])
        return notes[-1].author if notes and abs(time.time() - notes[-1].at / 1000) <= within else None

    def of(self, session: str) -> list[Entry]:
        """Return a session's entries, oldest first."""
        return [entry for entry in self.entries if entry.session == session]


def first_had(entries: Iterable[Entry]) -> dict[str, frozenset[str]]:
    """Return the findings that stood in each file (its whole path as `shown`) before a session's first write to it."""
    found: dict[str, frozenset[str]] = {}
    for entry in entries:
        path, had = entry.about.get("path"), entry.about.get("had")
        if entry.kind == "writes" and isinstance(path, str) and isinstance(had, list):
            place = os.path.join(str(entry.about.get("workspace", "")), path)  # noqa: PTH118 - strings alone
            found.setdefault(place, frozenset(cast("list[Any]", had)))
    return found


def _key(path: Path) -> str:
    return shown(os.path.realpath(path))
