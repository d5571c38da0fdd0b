"""What the server knows of its documents: the last check of each, made of an immutable snapshot, newest version wins.

Handlers store text and ask for a check; checks of one loop turn are made once, after all edits of that turn. What takes
long is checked in a thread of our own: the newest text each time, those in between never, and a result whose document has
moved on is dropped.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from locum.lsp.authors import Authors
from locum.lsp.capabilities import Client
from locum.lsp.checks import Check, look
from locum.lsp.documents import Document, Snapshot

if TYPE_CHECKING:
    from locum.detect.rescan import Scanned
    from locum.lsp.protocol import LocumServer

LONG = 300_000
"""Characters from which on a text is checked off the loop."""
QUICK_BUDGET = 0.05
"""Seconds that a check may hold the loop. A text that takes longer is checked elsewhere until a look at it is quick again."""
BUDGET = 2.0
"""Seconds that a check may take; what is found until then is shown, and that it is not all."""


class Session:
    """One client's session."""

    def __init__(self) -> None:
        self.client = Client()
        self.on_checked: Callable[[Check], None] = lambda _: None
        """Told of every check that is current when it is done."""
        self.on_files_changed: Callable[[bool], None] = lambda _: None
        """Told when files on the disk may be other ones; True when other rules may hold for all of them."""
        self.broker_thread = ThreadPoolExecutor(1, thread_name_prefix="broker")
        """Calls to the broker, one at a time; they may wait for a keyring's own dialog."""
        self.quick_thread = ThreadPoolExecutor(1, thread_name_prefix="quick")
        """Short looks at disk and broker, which must not wait behind a store."""
        self.authors = Authors(self)
        self._long_thread = ThreadPoolExecutor(1, thread_name_prefix="long-text")
        self._checks: dict[str, Check] = {}
        self._wanted: set[str] = set()
        self._ready = False
        """The rules are loaded, which the first look does, in the thread for long texts."""
        self._slow: set[str] = set()
        """Documents whose check took longer than `QUICK_BUDGET`."""
        self._elsewhere: dict[str, asyncio.Task[None]] = {}
        self._round = 0
        """Counts how often everything was to be checked anew: what a check begun before that found is dropped."""
        self.moving = asyncio.Lock()
        """Held while values move: a second move begins with the names that the first has taken."""
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

    def load_rules(self) -> None:
        """Load the rules before the first document needs them, off the loop."""
        loop = asyncio.get_running_loop()

        def say(loaded: Future[str]) -> None:
            if not loaded.cancelled() and loaded.exception() is None:
                with contextlib.suppress(RuntimeError):  # the session has ended meanwhile
                    loop.call_soon_threadsafe(self._log, loaded.result())

        self._long_thread.submit(_load_rules).add_done_callback(say)

    def _log(self, message: str) -> None:
        """Say something in the client's log."""
        from lsprotocol import types

        self.server.window_log_message(types.LogMessageParams(types.MessageType.Info, message))

    # -- checks -----------------------------------------------------------------------------------------------

    def text_changed(self, uri: str) -> None:
        """Ask for a check of a document, at the end of this turn of the loop."""
        self._changed.pop(uri, asyncio.Event()).set()
        if uri not in self._wanted:
            self._wanted.add(uri)
            asyncio.get_running_loop().call_soon(self._check_wanted, uri)

    def closed(self, uri: str) -> None:
        """Forget a document: from now on its file counts."""
        self.on_files_changed(False)
        self._checks.pop(uri, None)
        self.authors.closed(uri)
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
        self._round += 1
        self.on_files_changed(True)
        for document in self.server.documents.open_documents():
            self._checks.pop(document.uri, None)
            self.text_changed(document.uri)

    def check_again(self, uri: str) -> None:
        """Ask for a check of one document anew: something else is known of it, though its text is the same."""
        if self._checks.pop(uri, None) is not None:
            self.text_changed(uri)

    def tell_again(self, uri: str) -> None:
        """Say a document's check anew: something else is known of what it found."""
        made = self._checks.get(uri)
        if made is not None and self.client.pulls_diagnostics:
            self.server.workspace_diagnostic_refresh(None)
        elif made is not None:
            self.on_checked(made)

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
        if not self._ready or document.uri in self._slow or len(document.source) >= LONG:
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
            begun, snapshot, before = self._round, document.snapshot(), self._scanned(uri)
            check, seconds = await loop.run_in_executor(self._long_thread, _timed_look, snapshot, before)
            self._ready = True
            if begun == self._round:
                self._done(check)
            if seconds < QUICK_BUDGET / 2:
                self._slow.discard(uri)  # it was the first look that took long, or another text

    def _scanned(self, uri: str) -> Scanned | None:
        """Return what the last scan of a document saw."""
        made = self._checks.get(uri)
        return made.scanned if made is not None else None

    def _done(self, check: Check) -> None:
        document = self.server.documents.open_document(check.snapshot.uri)
        if document is not None and document.stamp == check.snapshot.stamp:
            self._checks[check.snapshot.uri] = check
            self.on_checked(check)
            self.authors.checked(check)


def _timed_look(snapshot: Snapshot, before: Scanned | None) -> tuple[Check, float]:
    started = time.perf_counter()
    check = look(snapshot, BUDGET, before)
    return check, time.perf_counter() - started


def _load_rules() -> str:
    """Load the rules; return what to say of them."""
    from locum.detect.engine import default_engine

    engine = default_engine()
    return f"{len(engine.rules)} rules, {len(engine.anchors)} anchors; selector: {engine.selector}"
