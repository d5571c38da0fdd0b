"""What of the record is shown, and how it reads: choosing records, one line for each, local time."""

from __future__ import annotations

import re
import shutil
import sys
import textwrap
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from locum.broker.audit import read_records
from locum.broker.audit_files import AuditFailed, Follower, lines_of, log_files
from locum.broker.audit_formats import names_of, texts_of
from locum.broker.audit_record import operation_of, parse, part
from locum.broker.question import visible
from locum.errors import UsageProblem

_SPAN = re.compile(r"(\d{1,6})\s*([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_TEXT_AT = 38
SHORT_ID = 8
"""Characters from which on the beginning of an id stands for it."""
POLL = 0.25
"""Seconds between two looks at a log that is followed."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which records are wanted; what is empty asks for nothing."""

    since: int = 0
    """Milliseconds since 1970."""
    task: str = ""
    """A task's name; a lease's id or an agent's session, of which the beginning is enough."""
    lease: str = ""
    secret: str = ""
    operation: str = ""
    failed: bool = False


class Choice:
    """Chooses records, which come in their order: of the uses and the end of a lease only the grant names the task."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._leases: set[str] = set()
        """The leases of the wanted task and secret."""

    def takes(self, record: dict[str, Any]) -> bool:
        """Say whether a record is wanted."""
        wanted, more, moment = self._wanted, part(record, "unmapped"), record.get("time")
        lease = str(more.get("lease", ""))
        return (
            (not (wanted.task or wanted.secret) or self._is_about(record, lease))
            and (not wanted.since or (isinstance(moment, int) and moment >= wanted.since))
            and (not wanted.lease or lease.startswith(wanted.lease))
            and (not wanted.operation or fnmatchcase(operation_of(record), wanted.operation))
            and (not wanted.failed or record.get("status_id") != 1)
        )

    def _is_about(self, record: dict[str, Any], lease: str) -> bool:
        fits = (not self._wanted.task or self._is_of_task(part(record, "unmapped"))) and (
            not self._wanted.secret or self._names(record)
        )
        if fits and lease:
            self._leases.add(lease)
        return fits or lease in self._leases

    def _is_of_task(self, more: dict[str, Any]) -> bool:
        wanted = self._wanted.task
        ids = (more.get("lease"), more.get("session"))
        return wanted in {more.get("task"), *ids} or (
            len(wanted) >= SHORT_ID and any(isinstance(name, str) and name.startswith(wanted) for name in ids)
        )

    def _names(self, record: dict[str, Any]) -> bool:
        """Say whether a record names the secret: as the task sees it, or as it is known."""
        secret, known_by = self._wanted.secret, {re.split(r"[#?]", text)[0] for text in texts_of(record, "references")}
        return secret in names_of(record) or not known_by.isdisjoint({secret, f"locum://{secret}"})


def moment_of(text: str, now: datetime | None = None) -> int:
    """Return a time as milliseconds since 1970: `2h` (that long ago), `2026-11-26`, `2026-11-26T10:00` (local time).

    Raises UsageProblem.
    """
    span = _SPAN.fullmatch(text.strip())
    now = now or datetime.now().astimezone()
    try:
        ago = timedelta(**{_UNITS[span[2]]: int(span[1])}) if span else timedelta()
        moment = now - ago if span else datetime.fromisoformat(text.strip()).astimezone()
        return int(moment.timestamp() * 1000)
    except (ValueError, OverflowError):
        raise UsageProblem(
            "audit.since", "this is no time", "Write 30m, 2h, 7d, 2026-11-26 or 2026-11-26T10:00 (local time)."
        ) from None


def newest(path: Path, wanted: Wanted, last: int | None) -> list[dict[str, Any]]:
    """Return the wanted records, oldest first, of them the last so many. Raises AuditFailed."""
    return list(deque(chosen(path, wanted), maxlen=last))


def chosen(path: Path, wanted: Wanted) -> Iterator[dict[str, Any]]:
    """Yield the wanted records, oldest first. Raises AuditFailed."""
    choice = Choice(wanted)
    return (record for record in read_records(path) if choice.takes(record)) if path.parent.exists() else iter(())


def every_line(path: Path) -> Iterator[bytes]:
    """Yield the lines of all files as they are. Raises AuditFailed."""
    try:
        for _, stream in log_files(path) if path.parent.exists() else ():
            yield from lines_of(stream)
    except OSError as error:
        raise AuditFailed(error.strerror or "error") from None


def follow(path: Path, wanted: Wanted, last: int, show: Callable[[dict[str, Any]], None]) -> None:
    """Show the last so many wanted records, and then each one that comes. Never returns. Raises AuditFailed."""
    follower, choice = Follower(path), Choice(wanted)
    kept: deque[dict[str, Any]] = deque(maxlen=last)
    try:
        for line in follower.lines():
            record = parse(line)
            if record is not None and choice.takes(record):
                kept.append(record)
        for record in kept:
            show(record)
        while True:
            for line in follower.lines():
                record = parse(line)
                if record is not None and choice.takes(record):
                    show(record)
            sys.stdout.flush()
            time.sleep(POLL)
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        raise AuditFailed(error.strerror or "error") from None
    finally:
        follower.close()


def heading() -> str:
    """Return the line above the records."""
    offset = datetime.now().astimezone().strftime("%z")
    return f"{f'time (UTC{offset[:3]}:{offset[3:5]})':<19}   {'operation':<14}  what"


def line(record: dict[str, Any], *, width: int | None = None) -> str:
    """Return one record as one line for people, `!` before what failed or was refused; folded at `width` if given."""
    mark = " " if record.get("status_id") == 1 else "!"
    text = f"{_local(record)} {mark} {visible(operation_of(record)):<14}  {_what(record)}".rstrip()
    if width is None or len(text) <= width:
        return text
    return textwrap.fill(
        text, max(width, 60), subsequent_indent=" " * _TEXT_AT, break_on_hyphens=False, drop_whitespace=True,
        replace_whitespace=False,
    )  # fmt: skip


def terminal_width() -> int | None:
    """Return the width that lines are to be folded at: that of the terminal, None when none reads them."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _local(record: dict[str, Any]) -> str:
    moment = record.get("time")
    try:
        return datetime.fromtimestamp((moment if isinstance(moment, int) else 0) / 1000).astimezone().strftime("%F %T")
    except (ValueError, OverflowError, OSError):
        return f"{'?':<19}"


def _what(record: dict[str, Any]) -> str:
    more = part(record, "unmapped")
    names, command = ", ".join(names_of(record)), " ".join(texts_of(record, "argv"))
    about = f"task {more['task']}" if more.get("task") else command
    ok = record.get("status_id") == 1
    parts = [
        f"{names} for {about}" if names and about else names or about,
        f"{more['tried']} values compared, {more.get('refused', 0)} refused" if "tried" in more else "",
        f"exit {more['exit_code']}" if "exit_code" in more else "",
        str(record.get("status_detail") or ""),
        f"{'yes' if ok else 'no'} by {more['approved_by']}" if more.get("approved_by") else "",
        f"asked by {more['requester']}" if more.get("requester") else "",
        str(more.get("lease", ""))[:11],
        f"in {more.get('client', '')} {str(more['session'])[:8]}" if more.get("session") else "",
    ]
    return "; ".join(visible(text) for text in parts if text)
