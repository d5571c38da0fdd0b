"""Moving values into the vault: store and read back, then edit, then declare. Any failure leaves all as it was (P2).

Values are taken from the server's own copies of documents, never from a message. The broker stores them and reads them
back before it answers; a refused edit takes them out again. One finding, a whole file or a workspace: it is one edit of
all open documents, bound to their versions; files that nobody has open are written by us (`fix.disk`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from locum.detect.finding import Finding
from locum.errors import LocumError, NotAllowed
from locum.fix.beside import Beside
from locum.fix.disk import FileToFix, Outcome, PlannedFile, move_files, plan_files, well_named
from locum.fix.stores import Stores, left_behind
from locum.lsp.checks import Check, Found, place_of
from locum.lsp.convert import to_edits
from locum.lsp.declaring import Manifests, page_of
from locum.lsp.edits import Change, workspace_edit
from locum.lsp.handlers.documents import look_anew
from locum.lsp.projects import about_to_declare
from locum.refs.reference import locum_reference
from locum.rewrite.batch import Batch, plan_all
from locum.rewrite.naming import choose_name
from locum.rewrite.plan import Plan
from locum.rewrite.preview import masked_diff
from locum.secret import SecretBytes

if TYPE_CHECKING:
    from locum.broker.client import BrokerClient
    from locum.lsp.documents import Snapshot
    from locum.lsp.protocol import LocumServer

STORE_SECONDS = 60.0
"""The broker may wait for a keyring's dialog."""
EDIT_SECONDS = 30.0
ASK_SECONDS = 120.0
ANSWER_SECONDS = 90.0
"""How long one question about a name stands. Less than the plan may take."""
SETTLE_SECONDS = 1.0
"""How long an edit may take to arrive from an editor that said it failed."""

T = TypeVar("T")
Confirm = Callable[["Moved", list[str]], Awaitable[bool]]
"""Is given what would be done, and the lines of a diff that holds no value."""


@dataclass(slots=True)
class Moved:
    """What a fix did, or why it did nothing."""

    applied: bool = False
    names: list[str] = field(default_factory=list[str])
    """In the order of the texts, each once."""
    count: int = 0
    """Findings that were moved."""
    notes: list[tuple[str, str, str]] = field(default_factory=list[tuple[str, str, str]])
    """What the person must know: file, name, note, as `rewrite.advice` takes it."""
    problem: str = ""
    """What failed after the texts were changed."""
    left: list[str] = field(default_factory=list[str])
    """Why findings stay, one reason each."""

    @classmethod
    def of(cls, planned: Sequence[tuple[str, Batch]]) -> Moved:
        """Say what the plans for texts, by their names, would do."""
        notes = [(file, moved.plan.name, moved.plan.note) for file, batch in planned for moved in batch.moved]
        names = list(dict.fromkeys(name for _, name, _ in notes))
        left = [left.reason for _, batch in planned for left in batch.left]
        return cls(bool(notes), names, len(notes), notes, left=left)

    @property
    def reason(self) -> str:
        """The first reason why something stays."""
        return self.left[0] if self.left else ""

    def to_wire(self) -> dict[str, Any]:
        """Return it as the result of the command that moves one."""
        if not self.applied:
            return {"applied": False, "reason": self.reason}
        return {"applied": True, "name": self.names[0], "reference": locum_reference(self.names[0])}


@dataclass(slots=True)
class Text:
    """An open document, and those of its findings that shall move."""

    check: Check
    found: Sequence[Found]


async def move(ls: LocumServer, uri: str, fingerprint: str, occurrence: int = 0) -> Moved:
    """Move one finding's value into the vault. Never raises for what can go wrong: the reason is in the answer."""
    check = await ls.session.checked(uri)
    found = check.one(fingerprint, occurrence) if check is not None else None
    if check is None or found is None:
        return Moved(left=["The text has changed: that secret is not there any more."])
    return await move_texts(ls, [Text(check, [found])])


async def move_file(ls: LocumServer, uri: str) -> Moved:
    """Move all that a document holds, in one edit; what cannot be moved stays."""
    check = await ls.session.checked(uri)
    if check is None or not check.found:
        return Moved(left=["There is nothing to move in this text."])
    return await move_texts(ls, [Text(check, check.found)])


async def move_texts(
    ls: LocumServer, texts: Sequence[Text], files: Sequence[FileToFix] = (), *,
    confirmed: Confirm | None = None,
) -> Moved:  # fmt: skip
    """Move the findings of open documents, and those of files that nobody has open.

    `confirmed` is awaited before anything is stored; false ends it there.
    """
    try:
        if confirmed is not None:  # a question may stand for long: nothing waits for its answer
            return await _Move(ls, texts, files).make(confirmed)
        async with ls.session.moving:
            return await _Move(ls, texts, files).make(None)
    except LocumError as error:
        return Moved(left=[error.explain().replace("\n", ". ").replace("..", ".")])
    except TimeoutError:
        return Moved(left=["The vault did not answer in time. Nothing was changed; try again."])


@dataclass(slots=True)
class _Planned:
    """An open document, where it belongs, and its plan."""

    check: Check
    path: str
    """As its project sees it."""
    batch: Batch


class _Move:
    """One move, step by step."""

    def __init__(self, ls: LocumServer, texts: Sequence[Text], files: Sequence[FileToFix]) -> None:
        self._ls = ls
        self._texts = texts
        self._files = files
        self._places = [place_of(text.check.snapshot) for text in texts]
        self._manifests = Manifests(ls)
        self._beside = Beside()
        for document in ls.documents.open_documents():
            if document.path and document.uri.startswith("file:"):
                self._beside.put(Path(document.path), document.source)
        self._planned: list[_Planned] = []
        self._on_disk: list[PlannedFile] = []
        self._gave_up = False
        self._sent = False
        """Whether the editor was asked to edit: from then on only the texts themselves tell whether it did."""

    async def make(self, confirmed: Confirm | None) -> Moved:
        """Make everything that can fail without a trace before a value is stored: manifests, names, plans."""
        self._manifests.take(project for _, project in self._places)
        self._manifests.take(file.project for file in self._files)
        await self._off_loop(self._manifests.read)
        loop = asyncio.get_running_loop()
        client = await self._off_loop(_connect)
        try:
            stores = await self._planned_in_time(client, loop)
            on_disk = [(file.file.project.relative(file.file.path), file.batch) for file in self._on_disk]
            moved = Moved.of([*((item.path, item.batch) for item in self._planned), *on_disk])
            if not moved.applied:
                return moved
            if confirmed is not None and not await confirmed(moved, self._preview()):
                return Moved()  # who says no knows that nothing was moved
            problem = await self._store_and_edit(stores)
            if problem:
                return Moved(left=[problem])
            moved.problem = await self._declare_on_disk()
            if self._on_disk:
                await self._write_files(stores, moved)
            return moved
        finally:
            for item in (*self._planned, *self._on_disk):
                item.batch.wipe()
            self._ls.session.broker_thread.submit(client.close)

    # -- plans --------------------------------------------------------------------------------------------------

    async def _planned_in_time(self, client: BrokerClient, loop: asyncio.AbstractEventLoop) -> Stores:
        """Plan all texts; what nobody waits for any more ends with the text that it is at. Raises TimeoutError."""
        try:
            return await self._off_loop(lambda: self._plan(client, loop), ASK_SECONDS)
        except (TimeoutError, asyncio.CancelledError):
            self._gave_up = True
            raise

    def _plan(self, client: BrokerClient, loop: asyncio.AbstractEventLoop) -> Stores:
        """Plan all texts. In the broker's thread: names depend on what the vault has."""

        def agree(best: str, name: str) -> str:
            return asyncio.run_coroutine_threadsafe(self._agree(best, name, stores), loop).result()

        one = len(self._texts) == 1 and not self._files and len(self._texts[0].found) == 1
        asks = one and self._ls.session.client.answers_messages
        stores = Stores(client, origin="editor", declared=self._manifests.elsewhere(), agree=agree if asks else None)
        sources = [text.check.snapshot.source for text in self._texts] + [file.source for file in self._files]
        groups: list[Sequence[Finding]] = [[found.finding for found in text.found] for text in self._texts]
        groups += [file.findings for file in self._files]
        named = well_named(zip(sources, groups, strict=True))
        for file, findings in zip(self._files, named[len(self._texts) :], strict=True):
            file.findings = findings
        for text, findings, (path, project) in zip(self._texts, named, self._places, strict=False):
            self._check_time()
            snapshot = text.check.snapshot
            batch = plan_all(
                snapshot.source, findings, path=path, language=snapshot.language, name_for=stores.name_for,
                beside=self._beside.of(Path(snapshot.path)) if snapshot.path is not None else (),
            )  # fmt: skip
            if snapshot.path is not None:
                self._beside.put(Path(snapshot.path), batch.text)
            self._planned.append(_Planned(text.check, path, batch))
            if snapshot.path is not None:  # a text that is no file has no project to declare names in
                self._manifests.add(project, batch, Path(snapshot.path))
        for file in plan_files(self._files, stores.name_for, self._beside):
            self._check_time()
            self._on_disk.append(file)
            self._manifests.add(file.file.project, file.batch, file.file.path, only_in_editor=True)
        return stores

    def _check_time(self) -> None:
        if self._gave_up:
            raise TimeoutError

    def _preview(self) -> list[str]:
        lines: list[str] = []
        for item in self._planned:
            findings = [*(found.finding for found in item.check.found), *_silenced(item.check.snapshot)]
            lines += masked_diff(item.check.snapshot.source, findings, item.batch.text, item.path)
        for file in self._on_disk:
            lines += file.preview(file.file.project.relative(file.file.path))
        return lines

    async def _agree(self, best: str, name: str, stores: Stores) -> str:
        """Ask how a value shall be called whose best name stands for another one in the vault. Raises NotAllowed."""
        folder = self._places[0][1].root.name
        longer = choose_name(replace(self._texts[0].found[0].finding, secret_name=f"{folder}_{best}"), ())
        choices = [choice for choice in (name, longer) if not stores.has(choice)]
        params = types.ShowMessageRequestParams(
            types.MessageType.Info,
            f"Locum: {best} stands for another value in your vault. What shall this one be called?",
            [types.MessageActionItem(choice) for choice in (*choices, "Cancel")],
        )
        try:  # the broker's thread waits for it, and everybody who wants that thread
            answer = await asyncio.wait_for(self._ls.window_show_message_request_async(params), ANSWER_SECONDS)
        except TimeoutError:
            raise NotAllowed("denied.name", "Nobody said what to call it. Nothing was changed") from None
        if answer is not None and answer.title not in choices:
            raise NotAllowed("denied.name", "Nothing was changed.")
        return answer.title if answer is not None else name

    # -- the vault, and the editor ------------------------------------------------------------------------------

    async def _store_and_edit(self, stores: Stores) -> str:
        """Store, edit, and take the values out again unless the edit was made (or nobody can tell). Returns what failed."""
        sure = done = False  # whether we know what became of the texts; whether they refer to the values now
        try:
            plans = [moved.plan for item in (*self._planned, *self._on_disk) for moved in item.batch.moved]
            for plan in plans:
                await self._store(stores, plan)
            with ExitStack() as expected:
                for plan in plans:
                    expected.enter_context(about_to_declare(plan.name))
                problem = await self._edit()
            sure, done = problem != _NO_ANSWER, not problem
        except JsonRpcException:
            problem, sure = _REFUSED, True  # the editor refused in its own way; should it have edited all the same,
            for item in self._planned[:1]:  # its text says so soon
                snapshot = item.check.snapshot
                await self._ls.session.next_version(snapshot.uri, snapshot.version, SETTLE_SECONDS)
        finally:
            as_it_was = not self._sent or (sure and self._is_untouched())
            if not done and as_it_was:
                await self._off_loop(stores.take_back)
        if done:
            stores.keep({moved.plan.name for item in self._planned for moved in item.batch.moved})
            return ""
        if not as_it_was:
            return _NO_ANSWER
        return f"{problem} {left_behind(stores.left_behind)}" if stores.left_behind else problem

    async def _store(self, stores: Stores, plan: Plan) -> None:
        """Store one value; one that is stored after we stopped waiting is taken out at once."""
        value = SecretBytes(plan.value.view())  # the plan's own copy is wiped when we stop waiting

        def store() -> None:
            try:
                stores.put(plan.name, value, given_up=lambda: self._gave_up)
            finally:
                value.wipe()

        try:
            await self._off_loop(store)
        except (TimeoutError, asyncio.CancelledError):
            self._gave_up = True
            raise

    async def _edit(self) -> str:
        """Let the editor apply the edits to the very texts that were planned for. Returns what failed, "" for nothing."""
        documents = [self._ls.documents.open_document(item.check.snapshot.uri) for item in self._planned]
        changes = self._manifests.changes()  # first: an editor that fails there has not touched a text yet
        if changes is None:
            return _CHANGED
        for item, document in zip(self._planned, documents, strict=True):
            if document is None or document.stamp != item.check.snapshot.stamp:
                return _CHANGED
            edits = to_edits(item.check.snapshot.source, item.batch.edits, document.encoding)
            changes.append(Change(document, edits))
        changes = [change for change in changes if change.edits]
        if not changes:
            return ""
        edit = workspace_edit(changes, versioned=self._ls.session.client.document_changes)
        params = types.ApplyWorkspaceEditParams(edit=edit, label=self._label())
        self._sent = True
        try:
            answer = self._ls.workspace_apply_edit_async(params)
            result = await asyncio.wait_for(asyncio.shield(answer), EDIT_SECONDS)
        except TimeoutError:
            return _NO_ANSWER
        return "" if result.applied else _REFUSED

    def _label(self) -> str:
        names = {moved.plan.name for item in self._planned for moved in item.batch.moved}
        return f"Move {names.pop() if len(names) == 1 else f'{len(names)} secrets'} to the vault"

    def _is_untouched(self) -> bool:
        documents = [self._ls.documents.open_document(item.check.snapshot.uri) for item in self._planned]
        return all(
            document is not None and document.stamp == item.check.snapshot.stamp
            for item, document in zip(self._planned, documents, strict=True)
        )

    # -- the disk -----------------------------------------------------------------------------------------------

    async def _declare_on_disk(self) -> str:
        """Write the manifests that are not open. The edits are made: what fails now is only said."""
        note = ""
        try:
            await self._off_loop(self._manifests.write)
        except Exception as error:  # noqa: BLE001 - whatever fails now must not undo the store
            cause = error.message if isinstance(error, LocumError) else "locum.toml could not be written"
            names = [moved.plan.name for item in self._planned for moved in item.batch.moved]
            note = f"{cause}. Declare it there by hand: [secrets.{names[0]}]"
        look_anew(self._ls)
        return note

    async def _write_files(self, stores: Stores, moved: Moved) -> None:
        """Fix the files that nobody has open, and say in `moved` what really came of them."""
        in_editor = self._manifests.in_editor()
        work = asyncio.get_running_loop().run_in_executor(
            self._ls.session.broker_thread, lambda: move_files(self._on_disk, stores, page_of, in_editor)
        )
        failed: list[str] = []
        try:
            outcome = await asyncio.shield(work)
        except LocumError as error:
            if not self._planned:
                raise
            outcome, failed = Outcome(), [error.message]
        really = Moved.of([(item.path, item.batch) for item in self._planned])
        on_disk = [(file.project.relative(file.path), done.plan.name, done.plan.note) for file, done in outcome.moved]
        moved.notes = [*really.notes, *on_disk]
        moved.names = list(dict.fromkeys([*really.names, *outcome.names()]))
        moved.count = really.count + len(outcome.moved)
        moved.left = [*really.left, *(left.reason for _, left in outcome.left), *failed]
        moved.applied = moved.count > 0
        look_anew(self._ls)

    async def _off_loop(self, work: Callable[[], T], seconds: float = STORE_SECONDS) -> T:
        """Do something slow in the broker's thread. Raises TimeoutError."""
        loop = asyncio.get_running_loop()
        return await asyncio.wait_for(loop.run_in_executor(self._ls.session.broker_thread, work), seconds)


def _silenced(snapshot: Snapshot) -> list[Finding]:
    """Return what the built-in rules find in a text, also where somebody allows it: to be shown nowhere."""
    from locum.detect.engine import default_engine

    result = default_engine().scan(snapshot.source.utf8, path=snapshot.path or snapshot.uri)
    return [*result.findings, *(item.finding for item in result.suppressed)]


_REFUSED = "The editor did not apply the edit. Nothing was changed; try again."
_NO_ANSWER = "The editor did not say whether it applied the edit. The value is in your vault; look at the text."
_CHANGED = "The text changed meanwhile. Nothing was done; try again."


def _connect() -> BrokerClient:
    from locum.broker.client import connect

    return connect()
