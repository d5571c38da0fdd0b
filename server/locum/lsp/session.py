"""What the server knows of its documents: the last check of each, made of an immutable snapshot, newest version wins.

Handlers store text and ask for a check; checks of one loop turn are made once, after all edits of that turn. What takes
long is checked in a thread of our own: the newest text each time, those in between never, and a result whose document has
moved on is dropped.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date
from functools import cache, lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from locum.detect.finding import Finding
from locum.errors import LocumError
from locum.lsp.capabilities import Client
from locum.lsp.documents import Document, Snapshot
from locum.refs.manifest import Manifest, parse_manifest
from locum.refs.reference import Occurrence, find
from locum.secret import SecretBytes
from locum.workspace.project import Project, find_project, load_manifest

if TYPE_CHECKING:
    from locum.detect.rescan import Scanned
    from locum.lsp.protocol import LocumServer
    from locum.workspace.scanner import Scanner

LONG = 300_000
"""Characters from which on a text is checked off the loop."""
QUICK_BUDGET = 0.05
"""Seconds that a check may hold the loop. A text that takes longer is checked elsewhere, now and until it is closed."""
BUDGET = 2.0
"""Seconds that a check may take; what is found until then is shown, and that it is not all."""
PROJECT_FILES = 512
MAX_BROKEN = 100

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Place:
    """Another place that belongs to a finding: offsets into the text."""

    start: int
    end: int
    note: str


@dataclass(frozen=True, slots=True)
class Found:
    """A finding and where it stands: offsets into the text."""

    finding: Finding
    start: int
    end: int
    occurrence: int
    """Equal secrets in one text are one finding by name. This counts them, from 0."""
    related: tuple[Place, ...] = ()


@dataclass(frozen=True, slots=True)
class Check:
    """What one look at one version of a document found."""

    snapshot: Snapshot
    found: tuple[Found, ...]
    broken: tuple[Occurrence, ...]
    """References that are none."""
    truncated: bool = False
    """Not all of the text was looked at, or not all is shown."""
    scanned: Scanned | None = None
    """What the scan after the next edit begins with."""

    def at(self, start: int, end: int) -> list[Found]:
        """Return the findings that touch `[start, end]` (offsets)."""
        return [found for found in self.found if found.start <= end and start <= found.end]

    def one(self, fingerprint: str, occurrence: int = 0) -> Found | None:
        """Return the finding of this fingerprint, the `occurrence`-th of its equals."""
        same = (found for found in self.found if found.finding.fingerprint == fingerprint)
        return next(islice(same, occurrence, None), None)


class Session:
    """One client's session."""

    def __init__(self) -> None:
        self.client = Client()
        self.on_checked: Callable[[Check], None] = lambda _: None
        """Told of every check that is current when it is done."""
        self.broker_thread = ThreadPoolExecutor(1, thread_name_prefix="broker")
        """Calls to the broker, one at a time; they may wait for a keyring's own dialog."""
        self.quick_thread = ThreadPoolExecutor(1, thread_name_prefix="quick")
        """Short looks at disk and broker, which must not wait behind a store."""
        self._long_thread = ThreadPoolExecutor(1, thread_name_prefix="long-text")
        self._checks: dict[str, Check] = {}
        self._wanted: set[str] = set()
        self._slow: set[str] = set()
        """Documents whose check took longer than `QUICK_BUDGET`."""
        self._elsewhere: dict[str, asyncio.Task[None]] = {}
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
        if uri not in self._wanted:
            self._wanted.add(uri)
            asyncio.get_running_loop().call_soon(self._check_wanted, uri)

    def closed(self, uri: str) -> None:
        """Forget a document."""
        self._checks.pop(uri, None)
        self._wanted.discard(uri)
        self._slow.discard(uri)

    async def checked(self, uri: str) -> Check | None:
        """Return the check of a document as it is now, made at once if need be; None when it is not open."""
        while (document := self.server.documents.open_document(uri)) is not None:
            made = self._current(document) or self._check_here(document)
            if made is not None:
                return made
            await asyncio.shield(self._check_elsewhere(uri))
        return None

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

    def _check_wanted(self, uri: str) -> None:
        document = self.server.documents.open_document(uri) if uri in self._wanted else None
        self._wanted.discard(uri)
        if document is not None and self._current(document) is None and self._check_here(document) is None:
            self._check_elsewhere(uri)

    def _current(self, document: Document) -> Check | None:
        made = self._checks.get(document.uri)
        return made if made is not None and made.snapshot.stamp == document.stamp else None

    def _check_here(self, document: Document) -> Check | None:
        """Check a document on the loop; None for one that takes too long for that."""
        if document.uri in self._slow or len(document.source) >= LONG:
            return None
        started = time.perf_counter()
        check = look(document.snapshot(), QUICK_BUDGET, self._scanned(document.uri))
        if time.perf_counter() - started > QUICK_BUDGET:
            self._slow.add(document.uri)
            if check.truncated:
                return None  # perhaps for want of time: elsewhere there is more of it
        self._done(check)
        return check

    def _check_elsewhere(self, uri: str) -> asyncio.Task[None]:
        """Check a document in the thread for long texts; ends when its newest text is checked."""
        task = self._elsewhere.get(uri)
        if task is None:
            task = self._elsewhere[uri] = asyncio.get_running_loop().create_task(self._follow(uri))
            task.add_done_callback(lambda _: self._elsewhere.pop(uri, None))
        return task

    async def _follow(self, uri: str) -> None:
        loop = asyncio.get_running_loop()
        while (document := self.server.documents.open_document(uri)) is not None and self._current(document) is None:
            snapshot, before = document.snapshot(), self._scanned(uri)
            self._done(await loop.run_in_executor(self._long_thread, look, snapshot, BUDGET, before))

    def _scanned(self, uri: str) -> Scanned | None:
        """Return what the last scan of a document saw."""
        made = self._checks.get(uri)
        return made.scanned if made is not None else None

    def _done(self, check: Check) -> None:
        document = self.server.documents.open_document(check.snapshot.uri)
        if document is not None and document.stamp == check.snapshot.stamp:
            self._checks[check.snapshot.uri] = check
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


def look(snapshot: Snapshot, budget: float | None, before: Scanned | None = None) -> Check:
    """Check one snapshot. `budget` in seconds; `before` is what was seen of the document until now."""
    findings, truncated, scanned = _scan(snapshot, budget, before)
    found = tuple(_placed(snapshot, findings))
    broken = (item for item in _references(snapshot) if item.reference is None)
    # A value that somebody put behind `locum://` is told as a finding, not as a reference with the value in its message.
    told = (item for item in broken if not any(f.start < item.end and item.start < f.end for f in found))
    return Check(snapshot, found, tuple(islice(told, MAX_BROKEN)), truncated, scanned)


def _placed(snapshot: Snapshot, findings: Sequence[Finding]) -> Iterator[Found]:
    """Turn the findings' byte offsets into offsets, in one way through the text."""
    utf8 = snapshot.source.utf8 if findings else b""
    spans = [(item.start, item.end) for finding in findings for item in (finding, *finding.related)]
    offsets, here, offset = dict[int, int](), 0, 0
    plain = len(utf8) == len(snapshot.text)
    for place in sorted({place for span in spans for place in span}):
        offset = place if plain else offset + len(utf8[here:place].decode("utf-8", "surrogatepass"))
        offsets[place], here = offset, place
    seen = Counter[str]()
    for finding in findings:
        related = tuple(Place(offsets[item.start], offsets[item.end], item.note) for item in finding.related)
        yield Found(finding, offsets[finding.start], offsets[finding.end], seen[finding.fingerprint], related)
        seen[finding.fingerprint] += 1


def _references(snapshot: Snapshot) -> Iterator[Occurrence]:
    """Find `locum://` references, looking only at lines that hold one: a text is full of other URLs."""
    source, place = snapshot.source, snapshot.text.find("locum://")
    while place >= 0:
        start, end = source.line_span(source.line_of(place))
        for item in find(source.text[start:end]):
            yield replace(item, start=start + item.start, end=start + item.end)
        place = snapshot.text.find("locum://", end)


def _scan(
    snapshot: Snapshot, budget: float | None, before: Scanned | None
) -> tuple[tuple[Finding, ...], bool, Scanned | None]:
    """Scan as the command line does, with the project's exclusions and allowances; without them where its manifest is broken."""
    from locum.detect.engine import default_engine  # the rules load after `initialize` is answered
    from locum.detect.rescan import rescan

    if snapshot.path is not None:
        with contextlib.suppress(LocumError):
            path = Path(snapshot.path)
            if _scanner().excludes(path):
                return (), False, None
            report, scanned = _scanner().scan_edited(snapshot.source, path, before, budget=budget)
            return report.findings, report.truncated, scanned
    name, project = place_of(snapshot)
    today = date.today()  # noqa: DTZ011 - what ends does so on the reader's own calendar
    scanned = rescan(
        default_engine(), before, snapshot.source.utf8, path=name, project=project.id, budget=budget, today=today
    )
    return scanned.result.findings, scanned.result.truncated, scanned


@cache
def _scanner() -> Scanner:
    from locum.workspace.scanner import Scanner

    return Scanner(find=project_of, manifest_of=_manifest_of)


_workspace: set[Path] = set()
"""The folders that the client has open."""


def workspace_changed(added: Iterable[Path], removed: Iterable[Path] = ()) -> None:
    """Take the folders that the client opened and closed. Call `forget_projects` then."""
    _workspace.difference_update(removed)
    _workspace.update(added)


_open_manifests: dict[Path, Manifest] = {}
"""Manifests as the editor has them, each as it was when it was last whole."""


def manifest_edited(path: Path, text: str | None) -> bool:
    """Take the text of a manifest that is open in the editor; None when it is closed.

    Returns whether that changes what is scanned for; `forget_projects` then.
    """
    project = Project(path.parent)
    try:
        after = parse_manifest(text) if text is not None else load_manifest(project)
    except LocumError:
        after = None  # broken at the moment: open, the last whole one goes on counting
    try:
        before = _manifest_of(project)
    except LocumError:
        before = None
    if text is None:
        _open_manifests.pop(path, None)
    elif after is None:
        return False
    else:
        _open_manifests[path] = after
    return before is None or after is None or (before.exclude, before.allow) != (after.exclude, after.allow)


def _manifest_of(project: Project) -> Manifest:
    """Read a manifest as it is open; else as it is on the disk."""
    return _open_manifests.get(project.manifest) or load_manifest(project)


def place_of(snapshot: Snapshot) -> tuple[str, Project]:
    """Return a document's path as its project sees it (with `/`), and the project."""
    if snapshot.path is None:
        return snapshot.uri.rpartition("/")[2].rpartition(":")[2], Project(Path("/"))
    path = Path(snapshot.path)
    project = project_of(path.parent)
    return project.relative(path), project


@lru_cache(PROJECT_FILES)
def project_of(folder: Path) -> Project:
    """Return the project of a folder. Remembered until `forget_projects`: a keystroke looks at no disk.

    Without a manifest or a repository it is the workspace folder, as the command line has it that is called there.
    """
    holding = [base for base in _workspace if folder.is_relative_to(base)]
    return find_project(folder, max(holding, key=lambda base: len(base.parts), default=None))


def forget_projects() -> None:
    """Look anew for manifests and roots from now on."""
    project_of.cache_clear()
    _scanner.cache_clear()
