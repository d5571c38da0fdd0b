"""When documents are checked, where, and which result counts. The documents are real ones, the server is their store."""

from __future__ import annotations

import asyncio
import threading
import time
from types import SimpleNamespace
from typing import Any, cast

import pytest
from lsprotocol import types

from locum.lsp import session as under_test
from locum.lsp.checks import Check, look
from locum.lsp.documents import Documents
from locum.lsp.session import LONG, QUICK_BUDGET, Session
from support.tokens import github_token

URI = "untitled:Untitled-1"


class Place:
    """A session over a store of documents, and all the checks that it told of."""

    def __init__(self) -> None:
        self.documents = Documents(None)
        self.session = Session()
        self.session.attach(cast("Any", SimpleNamespace(documents=self.documents)))
        self.told: list[Check] = []
        self.session.on_checked = self.told.append

    def put(self, text: str, *, uri: str = URI, version: int = 1) -> None:
        self.documents.put_text_document(types.TextDocumentItem(uri, "python", version, text))
        self.session.text_changed(uri)

    def edit(self, text: str, *, uri: str = URI) -> None:
        document = self.documents.open_document(uri)
        assert document is not None
        name = types.VersionedTextDocumentIdentifier((document.version or 0) + 1, uri)
        self.documents.update_text_document(name, types.TextDocumentContentChangeWholeDocument(text))
        self.session.text_changed(uri)


async def ready() -> Place:
    """Return a place whose rules are loaded: from now on short texts are checked at once."""
    place = Place()
    place.put("x = 1\n", uri="untitled:first")
    await place.session.checked("untitled:first")
    place.told.clear()
    return place


class Looks:
    """Stands before `look`, and counts in which threads it was called; may take its time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seconds: float = 0.0) -> None:
        self.threads: list[str] = []
        self.seconds = seconds
        self.go = threading.Event()
        self.go.set()
        monkeypatch.setattr(under_test, "look", self)

    def __call__(self, *arguments: Any) -> Check:
        self.threads.append(threading.current_thread().name)
        time.sleep(self.seconds)
        assert self.go.wait(20)
        return look(*arguments)

    @property
    def elsewhere(self) -> list[bool]:
        return [name.startswith("long-text") for name in self.threads]


async def test_the_rules_are_never_loaded_on_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    looks, place = Looks(monkeypatch), Place()
    place.put("x = 1\n")
    await place.session.checked(URI)
    place.edit("y = 2\n")
    await place.session.checked(URI)
    assert looks.elsewhere == [True, False]


async def test_edits_of_one_turn_are_checked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    place = await ready()
    looks = Looks(monkeypatch)
    place.put("a = 1\n")
    for number in range(5):
        place.edit(f"a = {number}\n")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert len(looks.threads) == 1
    assert [check.snapshot.text for check in place.told] == ["a = 4\n"]


async def test_long_texts_are_checked_elsewhere_the_newest_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    place = await ready()
    looks = Looks(monkeypatch)
    looks.go.clear()
    filler = "x = 1\n" * (LONG // 6 + 1)
    place.put(filler)
    await asyncio.sleep(0.05)
    for number in range(5):
        place.edit(f"{filler}y = {number}\n")
    looks.go.set()
    check = await place.session.checked(URI)
    assert check is not None
    assert check.snapshot.text.endswith("y = 4\n")
    assert looks.elsewhere == [True, True], "those in between never"
    assert [told.snapshot.version for told in place.told] == [6]


async def test_what_takes_long_leaves_the_loop_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    place = await ready()
    looks = Looks(monkeypatch, seconds=QUICK_BUDGET * 1.2)
    place.put("a = 1\n")
    await place.session.checked(URI)
    place.edit("a = 2\n")
    await place.session.checked(URI)
    looks.seconds = 0.0
    for number in range(2):
        place.edit(f"b = {number}\n")
        await place.session.checked(URI)
    assert looks.elsewhere == [False, True, True, False]


async def test_a_check_begun_under_old_rules_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """A manifest that changes while a long text is checked decides about that text too."""
    place = await ready()
    looks = Looks(monkeypatch)
    looks.go.clear()
    place.put("x = 1\n" * (LONG // 6 + 1))
    await asyncio.sleep(0.05)
    place.session.check_all()
    looks.go.set()
    await place.session.checked(URI)
    await asyncio.sleep(0)
    assert len(looks.threads) == 3, "the first document, and this one twice"
    assert [told.snapshot.uri for told in place.told].count(URI) == 1


async def test_an_opening_that_has_the_same_version_is_another_text() -> None:
    place = await ready()
    token = github_token()
    place.put(f'a = "{token}"\n')
    first = await place.session.checked(URI)
    place.session.closed(URI)
    place.documents.remove_text_document(URI)
    assert await place.session.checked(URI) is None
    place.put("a = None\n")
    again = await place.session.checked(URI)
    assert first is not None
    assert again is not None
    assert [len(check.found) for check in (first, again)] == [1, 0]


async def test_equal_secrets_are_told_apart() -> None:
    place = await ready()
    token = github_token()
    place.put(f'a = "{token}"\nb = "{token}"\nc = "{github_token()}"\n')
    check = await place.session.checked(URI)
    assert check is not None
    assert [found.occurrence for found in check.found] == [0, 1, 0]
    name = check.found[0].finding.fingerprint
    assert check.one(name) is check.found[0]
    assert check.one(name, 1) is check.found[1]
    assert check.one(name, 2) is None
    assert check.at(check.found[1].start, check.found[1].start) == [check.found[1]]


async def test_an_edit_is_checked_from_what_was_seen_before() -> None:
    place = await ready()
    text = "".join(f"def function_{number}(argument):\n    return argument\n\n" for number in range(900))
    uri = "untitled:a.py"
    place.put(text, uri=uri)
    await place.session.checked(uri)
    token = github_token()
    place.edit(f'{text[:20000]}\nt = "{token}"\n{text[20000:]}', uri=uri)
    check = await place.session.checked(uri)
    assert check is not None
    assert check.scanned is not None
    assert check.scanned.near, "the whole text was scanned"
    assert [check.snapshot.text[found.start : found.end] for found in check.found] == [token]
