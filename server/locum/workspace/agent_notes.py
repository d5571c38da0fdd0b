"""How AI agents' hooks note what happened: names, bounds, and how a path is written down. Light: a hook imports it.

One file of JSON lines a day. Written by `agents.sessions.journal`, read by `agent_journal`.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

MAX_DAY = 2 << 20
"""Bytes that a day's file may have."""
KEEP_DAYS = 30
MAX_LINE = 8192
DAY = re.compile(r"\d{4}-\d{2}-\d{2}\.jsonl")
SESSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
CLIENT = re.compile(r"[a-z][a-z0-9-]{0,31}")
KINDS = frozenset({"start", "writes", "wrote", "blocked", "redacted", "used", "end"})
"""`writes`: it is about to write a file, in which then stood what `had` says; `wrote`: it has."""

_RUN = re.compile(r"[A-Za-z0-9_+~%-]{12,}")
"""What may be a token in a path."""
_WORD = re.compile(r"\d{0,4}([A-Za-z]*)(?:\d{0,4}|\d[a-z]{1,9})|\d{0,8}")
_HUMPS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
_MAX_PATH = 1024


def shown(path: str) -> str:
    """Return a path as it is noted: one line, bounded, and without what looks like a token."""
    plain = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in path[:_MAX_PATH])
    return _RUN.sub(lambda run: run[0] if _is_words(run[0]) else "…", plain)


def _is_words(run: str) -> bool:
    return all(len(part) <= 6 or _is_word(part) for part in re.split(r"[_+~%-]", run))


def _is_word(part: str) -> bool:
    """Say whether letters look like words of some length, `CamelCase` too, and digits stand at an end only."""
    match = _WORD.fullmatch(part)
    humps = _HUMPS.findall(match[1] or "") if match is not None else []
    return match is not None and all(len(hump) < 24 for hump in humps) and len(humps) * 4 <= max(4, len(match[1] or ""))


def modified(path: str | Path) -> int:
    """Return when a file was last written (`st_mtime_ns`), 0 when it is not there."""
    try:
        return os.stat(path).st_mtime_ns  # noqa: PTH116 - a string's worth less
    except (OSError, ValueError):
        return 0


def day_files(folder: Path) -> list[str]:
    """Return the names of the days' files, oldest first."""
    try:
        return sorted(name for name in os.listdir(folder) if DAY.fullmatch(name))  # noqa: PTH208 - names only
    except OSError:
        return []
