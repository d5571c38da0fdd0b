"""What the server knows of its documents: the last check of each, made of an immutable snapshot, newest version wins.

Handlers store text and ask for a check; checks of one loop turn are made once, after all edits of that turn. Long texts
are checked in a thread of our own with a time limit, and a result whose document has moved on is dropped.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from locum.detect.finding import Finding
from locum.errors import LocumError
from locum.lsp.capabilities import Client
from locum.lsp.documents import Document, Snapshot
from locum.refs.reference import Occurrence, find
from locum.secret import SecretBytes
from locum.workspace.project import Project, find_project

if TYPE_CHECKING:
    from locum.lsp.protocol import LocumServer
    from locum.workspace.scanner import Scanner

LONG = 1_000_000
"""Characters from which on a text is checked off the loop."""
BUDGET = 2.0
"""Seconds that a check may take; what is found until then is shown, and that it is not all."""
PROJECT_FILES = 512
MAX_BROKEN = 100

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Check:
    """What one look at one version of a document found."""

    snapshot: Snapshot
    findings: tuple[Finding, ...]
    broken: tuple[Occurrence, ...]
    """References that are none."""
    truncated: bool = False

    def at(self, start: int, end: int) -> list[Finding]:
        """Return the findings that touch `[start, end]` (offsets)."""
        source = self.snapshot.source
        return [
            finding for finding in self.findings
            if source.offset_of_byte(finding.start) <= end and start <= source.offset_of_byte(finding.end)
        ]  # fmt: skip

    def by_fingerprint(self, fingerprint: str) -> Finding | None:
        """Return the finding of this fingerprint."""
        return next((finding for finding in self.findings if finding.fingerprint == fingerprint), None)


class Session:
    """One client's session."""

    def __init__(self) -> None:
        self.client = Client(False, False, False, False, False, False, False, "client")
        self.on_checked: Callable[[Check], None] = lambda _: None
        """Told of every check that is current when it is done."""
        self.broker_thread = ThreadPoolExecutor(1, thread_name_prefix="broker")
        """Calls to the broker, one at a time; they may wait for a keyring's own dialog."""
        self.quick_thread = ThreadPoolExecutor(1, thread_name_prefix="quick")
        """Short looks at disk and broker, which must not wait behind a store."""
        self._long_thread = ThreadPoolExecutor(1, thread_name_prefix="long-text")
        self._checks: dict[str, Check] = {}
        self._wanted: set[str] = set()
        self._memory_key = secrets.token_bytes(32)
        self._stored: dict[bytes, str] = {}
        self._changed: dict[str, asyncio.Event] = {}
        self._server: LocumServer | None = None

    def attach(self, server: LocumServer) -> None:
        """Say whose session it is."""
        self._server = server

    @property
    def server(self) -> LocumServer:
        """The server."""
        assert self._server is not None
        return self._server

    # -- checks -----------------------------------------------------------------------------------------------

    def text_changed(self, uri: str) -> None:
        """Ask for a check of a document, at the end of this turn of the loop."""
        self._changed.pop(uri, asyncio.Event()).set()
        if not self._wanted:
            asyncio.get_running_loop().call_soon(self._check_wanted)
        self._wanted.add(uri)

    def closed(self, uri: str) -> None:
        """Forget a document."""
        self._checks.pop(uri, None)
        self._wanted.discard(uri)

    def check(self, uri: str) -> Check | None:
        """Return the check of a document as it is now, made at once if need be; None when it is not open.

        For texts of ordinary length; `checked` does long ones elsewhere.
        """
        document = self.server.documents.open_document(uri)
        if document is None:
            return None
        made = self._checks.get(uri)
        if made is None or made.snapshot.stamp != document.stamp:
            made = look(document.snapshot(), BUDGET)
            self._checks[uri] = made
        return made

    async def checked(self, uri: str) -> Check | None:
        """Return the check of a document as it is now; that of a long text is made in a thread, the loop goes on."""
        document = self.server.documents.open_document(uri)
        if document is None or len(document.source) < LONG:
            return self.check(uri)
        made = self._checks.get(uri)
        if made is None or made.snapshot.stamp != document.stamp:
            loop = asyncio.get_running_loop()
            made = await loop.run_in_executor(self._long_thread, look, document.snapshot(), BUDGET)
            self._done(made, tell=False)
        return made

    def check_all(self) -> None:
        """Ask for a check of every open document."""
        for document in self.server.documents.open_documents():
            self._checks.pop(document.uri, None)
            self.text_changed(document.uri)

    async def next_version(self, uri: str, version: int, seconds: float) -> bool:
        """Wait until a document is at a later version than `version`, at most so long."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while (document := self.server.documents.open_document(uri)) is not None and (document.version or 0) <= version:
            event = self._changed.setdefault(uri, asyncio.Event())
            try:
                await asyncio.wait_for(event.wait(), end - loop.time())
            except TimeoutError:
                return False
        return document is not None

    def _check_wanted(self) -> None:
        wanted, self._wanted = self._wanted, set()
        for uri in wanted:
            document = self.server.documents.open_document(uri)
            if document is not None:
                self._check_one(document)

    def _check_one(self, document: Document) -> None:
        snapshot = document.snapshot()
        if len(snapshot.text) < LONG:
            self._done(look(snapshot, BUDGET))
            return
        future = self._long_thread.submit(look, snapshot, BUDGET)
        loop = asyncio.get_running_loop()
        future.add_done_callback(lambda done: loop.call_soon_threadsafe(self._done, done.result()))

    def _done(self, check: Check, *, tell: bool = True) -> None:
        document = self.server.documents.open_document(check.snapshot.uri)
        if document is not None and document.stamp == check.snapshot.stamp:
            self._checks[check.snapshot.uri] = check
            if tell:
                self.on_checked(check)

    # -- values that this session has stored -------------------------------------------------------------------

    def remember(self, value: SecretBytes, name: str) -> None:
        """Remember under which name a value was stored: a keyed hash that dies with this process, not the value."""
        self._stored[self._keyed(value)] = name

    def stored_as(self, value: SecretBytes) -> str | None:
        """Return the name under which this session has stored the same value."""
        return self._stored.get(self._keyed(value))

    def _keyed(self, value: SecretBytes) -> bytes:
        return hmac.digest(self._memory_key, value.view(), hashlib.sha256)


def look(snapshot: Snapshot, budget: float | None) -> Check:
    """Check one snapshot. `budget` in seconds."""
    findings, truncated = _scan(snapshot, budget)
    broken = tuple(islice((item for item in find(snapshot.text) if item.reference is None), MAX_BROKEN))
    return Check(snapshot, findings, broken, truncated)


def _scan(snapshot: Snapshot, budget: float | None) -> tuple[tuple[Finding, ...], bool]:
    """Scan as the command line does, the project's allowances included; without them where its manifest is broken."""
    from locum.detect.engine import default_engine  # the rules load after `initialize` is answered

    if snapshot.path is not None:
        with contextlib.suppress(LocumError):
            report = _scanner().scan_text(snapshot.source, Path(snapshot.path), budget=budget)
            return report.findings, report.truncated
    path, project = place_of(snapshot)
    result = default_engine().scan(snapshot.source.utf8, path=path, project=project.id, budget=budget)
    return result.findings, result.truncated


@cache
def _scanner() -> Scanner:
    from locum.workspace.scanner import Scanner

    return Scanner()


def place_of(snapshot: Snapshot) -> tuple[str, Project]:
    """Return a document's path as its project sees it (with `/`), and the project."""
    if snapshot.path is None:
        return snapshot.uri.rpartition("/")[2].rpartition(":")[2], Project(Path("/"))
    path = Path(snapshot.path)
    project = project_of(path.parent)
    return project.relative(path), project


@lru_cache(PROJECT_FILES)
def project_of(folder: Path) -> Project:
    """Return the project of a folder. Remembered until `forget_projects`: a keystroke looks at no disk."""
    return find_project(folder)


def forget_projects() -> None:
    """Look anew for manifests and roots from now on."""
    project_of.cache_clear()
    _scanner.cache_clear()
