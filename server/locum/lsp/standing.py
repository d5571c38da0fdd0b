"""How names stand beyond what texts say: whether the vault has them, and whether their project uses them.

Asked for off the loop and remembered; who shows it takes what is known at the moment, and is told when that changes. Metadata
only, of a broker that runs and a vault that is open: nothing is started and nobody is asked.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from locum.errors import LocumError

if TYPE_CHECKING:
    from locum.lsp.protocol import LocumServer
    from locum.workspace.project import Project

FRESH_SECONDS = 3.0
"""How long an answer is taken for true."""
SETTLE_SECONDS = 1.0
"""A manifest that is being written is looked at when nobody has for so long."""

Closed = Literal["no broker", "locked"]


@dataclass(frozen=True, slots=True)
class Stored:
    """What the vault says of a name: days, no value."""

    created: str
    updated: str
    version: int


@dataclass(slots=True)
class _Known:
    stored: Mapping[str, Stored] | None = None
    """None: not known."""
    asked: float = -FRESH_SECONDS
    asking: asyncio.Task[None] | None = None
    used: dict[Path, frozenset[str]] = field(default_factory=dict[Path, frozenset[str]])
    """By root: the names that a project uses; no entry: not known."""
    looking: dict[Path, asyncio.Task[None]] = field(default_factory=dict[Path, "asyncio.Task[None]"])


_known = _Known()


def stored_names() -> frozenset[str] | None:
    """Return the names that the vault had when it was last asked; None when that is not known."""
    return frozenset(_known.stored) if _known.stored is not None else None


def used_in(root: Path) -> frozenset[str] | None:
    """Return the names that a project used when it was last looked at; None when that is not known."""
    return _known.used.get(root)


def ask_vault() -> Mapping[str, Stored] | Closed:
    """Ask an open vault for its names, now. Blocks; raises LocumError."""
    from locum.broker.client import connect, is_running

    if not is_running():
        return "no broker"
    try:
        client = connect(start=False)
    except LocumError as error:
        if error.code == "unavailable.none":
            return "no broker"
        raise
    with client:
        if not client.status()["vault"]["unlocked"]:
            return "locked"
        return {item["name"]: _stored(item) for item in client.list_secrets()}


def want_vault(changed: Callable[[], None]) -> None:
    """Ask the vault again in the background, if the last answer is old; `changed` is called when it says something new."""
    if _known.asking is None and time.monotonic() - _known.asked > FRESH_SECONDS:
        _known.asking = asyncio.get_running_loop().create_task(_ask(changed))
        _known.asking.add_done_callback(lambda _: setattr(_known, "asking", None))


async def _ask(changed: Callable[[], None]) -> None:
    try:
        answer = await asyncio.get_running_loop().run_in_executor(_thread(), ask_vault)
    except (LocumError, OSError):
        answer = "locked"
    _known.asked = time.monotonic()
    before, _known.stored = _known.stored, None if isinstance(answer, str) else answer
    if before != _known.stored:
        changed()


def want_uses(ls: LocumServer, project: Project, changed: Callable[[], None]) -> None:
    """Look in the background for the names that a project uses, once nobody has wanted that for a while."""
    waiting = _known.looking.pop(project.root, None)
    if waiting is not None:
        waiting.cancel()
    _known.looking[project.root] = asyncio.get_running_loop().create_task(_look(ls, project, changed))


async def _look(ls: LocumServer, project: Project, changed: Callable[[], None]) -> None:
    await asyncio.sleep(SETTLE_SECONDS)
    from locum.lsp.usage import used_names

    names = await used_names(ls, project)
    before = _known.used.pop(project.root, None)
    if names is not None:
        _known.used[project.root] = names
    if before != names:
        changed()


def forget_vault() -> None:
    """Take the last answer for old: something of ours has changed the vault."""
    _known.asked = -FRESH_SECONDS


@cache
def _thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="standing")


def _stored(item: Mapping[str, Any]) -> Stored:
    return Stored(str(item["created"]), str(item["updated"]), int(item["version"]))
