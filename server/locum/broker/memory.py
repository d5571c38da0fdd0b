"""What the last yes to a task covered, so that the next question can say what is new. Holds no value and no script's text.

A signed file of the state folder. It only explains: one that is lost or changed makes the next question say that there
was none before.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from locum.broker.audit_record import is_signed, sign
from locum.broker.content import Content, Covered
from locum.broker.scrub import scrub
from locum.broker.wire import SETTINGS, LeaseRequest
from locum.secret import SecretBytes
from locum.vaults.local.disk import open_private, read_all, replace_private

MOST_TASKS = 200
MOST_SHOWN = 12
"""Lines of all scripts together that a question shows as new."""
_LINE = 100
_MAX_SIZE = 4 << 20
_SALT = b"memory"


@dataclass(frozen=True, slots=True)
class Approved:
    """One yes."""

    when: int
    """Seconds since 1970."""
    references: tuple[str, ...]
    """`$NAME locum://…`, one a grant."""
    argv: str
    """Scrubbed."""
    cwd: str
    channel: str
    ttl: int
    program: str
    passes: tuple[str, ...] = ()
    files: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    """Path to the keyed digests of its lines."""


def approved(request: LeaseRequest, content: Content, when: int) -> Approved:
    """Return what a yes to this is remembered by."""
    return Approved(
        when, _references(request), scrub(" ".join(request.argv)), request.cwd, request.channel, request.ttl,
        content.program, request.passes, {item.path: item.lines for item in content.files},
    )  # fmt: skip


def changes(before: Approved, request: LeaseRequest, content: Content) -> tuple[str, ...]:
    """Say in lines what a yes now would cover that the last one did not, or no longer. Not yet escaped."""
    now = approved(request, content, 0)
    lines = [f"+ {item}" for item in now.references if item not in before.references]
    lines += [f"- {item}" for item in before.references if item not in now.references]
    for label, old, new in (
        ("command", before.argv, now.argv), ("folder", before.cwd, now.cwd), ("program", before.program, now.program),
        ("channel", before.channel, now.channel), ("time", f"{before.ttl} s", f"{now.ttl} s"),
        ("passes", " ".join(before.passes), " ".join(now.passes)),
    ):  # fmt: skip
        if old != new:
            lines += [f"~ {label}: was {old or 'none'}"]
    lines += [f"- no longer covers {path}" for path in before.files if path not in now.files]
    left = MOST_SHOWN
    for item in content.files:
        old_lines = before.files.get(item.path)
        if old_lines is None:
            lines.append(f"+ also covers {item.path}")
        elif tuple(old_lines) != item.lines:
            new = list(_new_lines(item, frozenset(old_lines)))
            gone = len(frozenset(old_lines) - frozenset(item.lines))
            lines.append(f"~ {item.path}: {len(new)} new, {gone} gone")
            lines += [f"    + {text}" for text in new[:left]]
            if len(new) > left:
                lines.append(f"    … and {len(new) - left} more new lines")
            left = max(0, left - len(new))
    return tuple(lines)


def _new_lines(item: Covered, old: frozenset[str]) -> Iterator[str]:
    for line, digest in zip(item.raw.splitlines(), item.lines, strict=True):
        if digest not in old and line.strip():
            text = scrub(line.strip().decode("utf-8", "replace"))
            if item.why == SETTINGS:  # what stands behind a name there may be a password
                text = text.partition("=")[0]
            yield text if len(text) <= _LINE else text[: _LINE - 1] + "…"


def _references(request: LeaseRequest) -> tuple[str, ...]:
    return tuple(
        f"{f'${grant.env}' if grant.env else grant.file} {grant.reference}"
        + (f" to {' '.join(grant.hosts)}" if grant.hosts else "")
        for grant in request.grants
    )


def task_of(request: LeaseRequest) -> str:
    """Return what a task is remembered under: workspace, and the task's name, or the program with its first word.

    A command line that begins with an option (`sh -c …`) is only like itself.
    """
    first = request.argv[1:2]
    words = request.argv if first and first[0].startswith("-") else request.argv[:2]
    return scrub(f"{request.workspace}\n{request.task or ' '.join(words)}")


class Memory:
    """The remembered yeses of this user."""

    def __init__(self, path: Path, derive: Callable[[bytes], SecretBytes]) -> None:
        self._path, self._derive = path, derive
        self._known: dict[str, Approved] | None = None

    def of(self, request: LeaseRequest) -> Approved | None:
        """Return what the last yes to this task covered."""
        return self._load().get(task_of(request))

    def keep(self, request: LeaseRequest, content: Content) -> None:
        """Remember a yes. What cannot be written is forgotten with this process."""
        known = self._load()
        known.pop(task_of(request), None)
        known[task_of(request)] = approved(request, content, int(time.time()))
        while len(known) > MOST_TASKS:
            del known[next(iter(known))]
        text = json.dumps({name: asdict(item) for name, item in known.items()})
        key = self._derive(_SALT)
        try:
            signed = f"{sign(key, text)}\n{text}".encode()
        finally:
            key.wipe()
        try:
            replace_private(self._path, signed)
        except OSError:
            return

    def forget(self) -> None:
        """Drop what was read: the vault is locked, or another one."""
        self._known = None

    def _load(self) -> dict[str, Approved]:
        if self._known is None:
            self._known = self._read()
        return self._known

    def _read(self) -> dict[str, Approved]:
        try:
            descriptor = open_private(self._path, os.O_RDONLY)
            try:
                mac, _, text = read_all(descriptor, _MAX_SIZE).decode("utf-8", "surrogateescape").partition("\n")
            finally:
                os.close(descriptor)
        except OSError:
            return {}
        key = self._derive(_SALT)
        try:
            if not is_signed(key, text, mac):
                return {}
        finally:
            key.wipe()
        try:
            raw: dict[str, dict[str, Any]] = json.loads(text)
            return {name: _read_one(item) for name, item in raw.items()}
        except (ValueError, TypeError, KeyError):
            return {}


def _read_one(item: Mapping[str, Any]) -> Approved:
    return Approved(
        item["when"], tuple(item["references"]), item["argv"], item["cwd"], item["channel"], item["ttl"],
        item["program"], tuple(item["passes"]), {path: tuple(lines) for path, lines in item["files"].items()},
    )  # fmt: skip
