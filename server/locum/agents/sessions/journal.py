"""Note what an agent did: one line of JSON, appended at once. For hooks: no broker, no heavy import, less than a millisecond.

A note that cannot be written is lost: the journal must not stop anybody's work. It holds names, places and numbers, each in
the type and up to the size that it may have; what is not listed here is dropped.
"""

from __future__ import annotations

import json
import os
import re
import stat
import time
from collections.abc import Callable
from typing import Any, cast

from locum.errors import LocumError
from locum.paths import Paths, private_dir, user_paths
from locum.workspace.agent_notes import (
    CLIENT,
    DAY,
    KEEP_DAYS,
    MAX_DAY,
    SESSION,
    day_files,
    modified,
    shown,
)

_WRITE = (
    os.O_WRONLY | os.O_APPEND | os.O_CREAT
    | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
)  # fmt: skip
_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,63}")
_FINGERPRINT = re.compile(r"[0-9a-f]{32}")
_MOST = 50


def _word(value: Any) -> str | None:
    """Take a name: of a rule, a tool, a task, an event. Nothing that looks like a token is one."""
    return value if isinstance(value, str) and _WORD.fullmatch(value) and shown(value) == value else None


def _words(value: Any) -> list[str] | None:
    items: list[Any] = [*value] if isinstance(value, (list, tuple)) else []  # pyright: ignore[reportUnknownVariableType] - whatever a hook passes
    return [word for item in items[:_MOST] if (word := _word(item)) is not None] or None


def _number(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value < 1 << 31 else None


def _fingerprints(value: Any) -> list[str] | None:
    """Take fingerprints of findings; none at all is something, too."""
    if not isinstance(value, (list, tuple, set, frozenset)) or len(cast("list[Any]", value)) > _MOST:
        return None
    return [item for item in cast("list[Any]", value) if isinstance(item, str) and _FINGERPRINT.fullmatch(item)]


_FIELDS: dict[str, dict[str, Callable[[Any], Any]]] = {
    "start": {},
    "writes": {"had": _fingerprints},
    "wrote": {},
    "blocked": {"rule": _word, "line": _number, "event": _word},
    "redacted": {"count": _number, "tool": _word},
    "used": {"names": _words, "task": _word},
    "end": {"reason": _word},
}
"""What each kind may say beside `workspace` and `path`."""


def note(session: str, client: str, kind: str, **fields: Any) -> bool:
    """Note that something happened in a session; say whether it was written. Never raises for what it is given.

    Kinds and their fields: `start` (workspace), `writes` (path, workspace, had: fingerprints of the findings that stand in
    the file before), `wrote` (path, workspace), `blocked` (rule, path, line, event), `redacted` (count, tool), `used`
    (names of secrets, task), `end` (reason). Paths are absolute, or relative to `workspace`. `writes` and `wrote` look at the
    file, so they belong right before and right after the write.
    """
    if kind not in _FIELDS or not SESSION.fullmatch(str(session)) or not CLIENT.fullmatch(str(client)):
        return False
    try:
        paths = user_paths()
        line = _line(session, client, kind, fields)
        written = _append(paths, line)
    except (OSError, ValueError, LocumError):
        return False
    if kind == "start":
        _prune(paths)
    return written


def _line(session: str, client: str, kind: str, fields: dict[str, Any]) -> bytes:
    entry: dict[str, Any] = {"at": time.time_ns() // 1_000_000, "session": session, "client": client, "kind": kind}
    for name, taken in _FIELDS[kind].items():
        value = taken(fields.get(name))
        if value is not None:
            entry[name] = value
    base, path = (str(fields.get(name) or "") for name in ("workspace", "path"))
    if base:
        base = os.path.realpath(base)
        entry["workspace"] = shown(base)
    if path:
        full = os.path.realpath(os.path.join(base, path))  # noqa: PTH118 - strings alone
        within = base.rstrip(os.sep) + os.sep
        entry["path"] = shown(full[len(within) :] if base and full.startswith(within) else full)
        if kind in {"writes", "wrote"}:
            entry["mtime"] = modified(full)
    return json.dumps(entry, separators=(",", ":")).encode() + b"\n"


def _append(paths: Paths, line: bytes) -> bool:
    folder = private_dir(paths.agents)
    descriptor = os.open(folder / time.strftime("%Y-%m-%d.jsonl", time.gmtime()), _WRITE, 0o600)
    try:
        info = os.fstat(descriptor)
        ours = stat.S_ISREG(info.st_mode) and (
            os.name != "posix" or (info.st_uid == os.geteuid() and not info.st_mode & 0o077)
        )
        if not ours or info.st_size + len(line) > MAX_DAY:
            return False
        return os.write(descriptor, line) == len(line)
    finally:
        os.close(descriptor)


def _prune(paths: Paths) -> None:
    oldest = time.strftime("%Y-%m-%d.jsonl", time.gmtime(time.time() - KEEP_DAYS * 86400))
    for name in day_files(paths.agents):
        if DAY.fullmatch(name) and name < oldest:
            (paths.agents / name).unlink(missing_ok=True)
