"""Moving a value into the vault: store and read back, then edit, then declare. Any failure leaves all as it was (P2).

The value is taken from the server's own copy of the document, never from a message. The broker stores it and reads it
back before it answers; a refused edit takes it out again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.uris import from_fs_path

from locum.errors import LocumError
from locum.lsp.checks import Check, Found, place_of
from locum.lsp.convert import to_edits
from locum.lsp.handlers.documents import look_anew
from locum.lsp.projects import about_to_declare, rule_of
from locum.refs.manifest import add_secret, parse_manifest
from locum.refs.reference import locum_reference
from locum.rewrite.plan import Plan, Refusal
from locum.rewrite.planner import choose_name, plan
from locum.secret import SecretBytes
from locum.text.edits import Edit
from locum.workspace.project import read_manifest_text, write_manifest_text

if TYPE_CHECKING:
    from locum.broker.client import BrokerClient
    from locum.lsp.documents import Document, Stamp
    from locum.lsp.protocol import LocumServer

STORE_SECONDS = 60.0
"""The broker may wait for a keyring's dialog."""
EDIT_SECONDS = 30.0
SETTLE_SECONDS = 1.0
"""How long an edit may take to arrive from an editor that said it failed."""
NEXT_VERSION_SECONDS = 5.0

T = TypeVar("T")


@dataclass(slots=True)
class Moved:
    """What a fix did, or why it did nothing."""

    applied: bool
    name: str = ""
    note: str = ""
    reason: str = ""

    def to_wire(self) -> dict[str, Any]:
        """Return it as a command's result."""
        if not self.applied:
            return {"applied": False, "reason": self.reason}
        return {"applied": True, "name": self.name, "reference": locum_reference(self.name)}


async def move(ls: LocumServer, uri: str, fingerprint: str, occurrence: int = 0) -> Moved:
    """Move one finding's value into the vault. Never raises for what can go wrong: the reason is in the answer."""
    check = await ls.session.checked(uri)
    found = check.one(fingerprint, occurrence) if check is not None else None
    if check is None or found is None:
        return Moved(False, reason="The text has changed: that secret is not there any more.")
    try:
        return await _Move(ls, check, found).make()
    except LocumError as error:
        return Moved(False, reason=error.explain().replace("\n", ". ").replace("..", "."))
    except TimeoutError:
        return Moved(False, reason="The vault did not answer in time. Nothing was changed; try again.")


class _Move:
    """One move, step by step."""

    def __init__(self, ls: LocumServer, check: Check, found: Found) -> None:
        self._ls = ls
        self._check = check
        self._finding = found.finding
        self._path, self._project = place_of(check.snapshot)
        self._known_names: Collection[str] = ()
        """The name under which this very value is in the vault already."""
        self._gave_up = False
        self._sent = False
        """Whether the editor was asked to edit: from then on only the text itself tells whether it did."""

    async def make(self) -> Moved:
        """Make everything that can fail without a trace before the value is stored: manifest, name, plan."""
        manifest = self._open_manifest()
        text = (
            manifest.source if manifest is not None else await self._off_loop(lambda: read_manifest_text(self._project))
        )
        stamp = manifest.stamp if manifest is not None else None
        declared = set(parse_manifest(text).secrets) if text else set[str]()
        client = await self._off_loop(_connect)
        try:
            stored = {item["name"]: item["version"] for item in await self._off_loop(client.list_secrets)}
            planned = await self._plan(stored, declared)
            if isinstance(planned, Refusal):
                return Moved(False, reason=planned.reason)
            try:
                new_text = self._declared(text, planned.name)
                changes = [Change(manifest, rewritten(manifest, new_text))] if manifest is not None else []
                return await self._store_and_edit(client, planned, changes, stamp)
            finally:
                planned.value.wipe()
        finally:
            self._ls.session.broker_thread.submit(client.close)

    async def _plan(self, stored: Mapping[str, int], declared: Collection[str]) -> Plan | Refusal:
        """Plan the edit; a value that this session has stored already keeps its name."""
        name = choose_name(self._finding, {*stored, *declared})
        planned = await self._off_loop(lambda: self._planned(name))
        if isinstance(planned, Plan):
            known = self._ls.session.stored_as(planned.value)
            if known is not None and stored.get(known) == 1:  # nobody has replaced it since
                planned.value.wipe()
                self._known_names = {known}
                return await self._off_loop(lambda: self._planned(known))
        return planned

    def _planned(self, name: str) -> Plan | Refusal:
        snapshot = self._check.snapshot
        return plan(snapshot.source, self._finding, path=self._path, language=snapshot.language, name=name)

    async def _store_and_edit(
        self, client: BrokerClient, planned: Plan, changes: list[Change], manifest: Stamp | None
    ) -> Moved:
        """Store, edit, and take the value out again unless the edit was made (or nobody can tell)."""
        undo = ""
        if planned.name not in self._known_names:
            undo = await self._store(client, planned)
        sure = False  # whether we know what became of the text
        moved = Moved(False, reason=_REFUSED)
        try:
            with about_to_declare(planned.name):
                moved = await self._edit(planned, changes, manifest)
            sure = moved.reason != _NO_ANSWER
        except JsonRpcException:
            sure = True  # the editor refused in its own way; should it have edited all the same, its text says so soon
            await self._ls.session.next_version(self._check.snapshot.uri, self._check.snapshot.version, SETTLE_SECONDS)
        finally:
            as_it_was = not self._sent or (sure and self._is_untouched())
            if undo and not moved.applied and as_it_was:
                await self._off_loop(lambda: client.discard_secret(undo))
        if not moved.applied and not as_it_was:
            return Moved(False, reason=_NO_ANSWER)
        if moved.applied:
            self._ls.session.remember(planned.value, planned.name)
        return moved

    async def _store(self, client: BrokerClient, planned: Plan) -> str:
        """Store the value; one that is stored after we stopped waiting is taken out at once."""
        value = SecretBytes(planned.value.view())  # the plan's own copy is wiped when we stop waiting

        def store() -> str:
            try:
                undo = client.store_secret(planned.name, value, origin="editor")
            finally:
                value.wipe()
            if self._gave_up:
                client.discard_secret(undo)
            return undo

        try:
            return await self._off_loop(store)
        except (TimeoutError, asyncio.CancelledError):
            self._gave_up = True
            raise

    async def _edit(self, planned: Plan, changes: list[Change], manifest: Stamp | None) -> Moved:
        """Let the editor apply the edit to the very text that was planned for, and declare the name."""
        snapshot = self._check.snapshot
        document, toml = self._ls.documents.open_document(snapshot.uri), self._open_manifest()
        if document is None or document.stamp != snapshot.stamp or (toml.stamp if toml else None) != manifest:
            return Moved(False, reason="The text changed meanwhile. Nothing was done; try again.")
        # The manifest first: an editor that fails there has not touched the text yet.
        changes = [*changes, Change(document, to_edits(snapshot.source, planned.edits, document.encoding))]
        edit = workspace_edit(changes, versioned=self._ls.session.client.document_changes)
        params = types.ApplyWorkspaceEditParams(edit=edit, label=f"Move {planned.name} to the vault")
        self._sent = True
        try:
            answer = self._ls.workspace_apply_edit_async(params)
            result = await asyncio.wait_for(asyncio.shield(answer), EDIT_SECONDS)
        except TimeoutError:
            return Moved(False, reason=_NO_ANSWER)
        if not result.applied:
            return Moved(False, reason=_REFUSED)
        note = planned.note
        if manifest is None:
            try:
                await self._off_loop(lambda: self._declare_on_disk(planned.name))
                look_anew(self._ls)
            except Exception as error:  # noqa: BLE001 - the edit is made: whatever fails now must not undo the store
                cause = error.message if isinstance(error, LocumError) else "locum.toml could not be written"
                note = f"{cause}. Declare it there by hand: [secrets.{planned.name}]"
        return Moved(True, planned.name, note)

    def _is_untouched(self) -> bool:
        document = self._ls.documents.open_document(self._check.snapshot.uri)
        return document is not None and document.stamp == self._check.snapshot.stamp

    def _open_manifest(self) -> Document | None:
        """Return `locum.toml` when it is open in the editor: then the editor's text counts, not the disk's."""
        uri = from_fs_path(str(self._project.manifest))
        return self._ls.documents.open_document(uri) if uri else None

    def _declare_on_disk(self, name: str) -> None:
        if self._check.snapshot.path is None:
            return  # a text that is no file has no project to declare it in
        text = read_manifest_text(self._project)
        declared = self._declared(text, name)
        if declared != text:
            write_manifest_text(self._project, declared)

    def _declared(self, text: str, name: str) -> str:
        rule = rule_of(self._finding.rule, self._check.snapshot.path)
        return add_secret(text, name, description=self._finding.title, docs=rule.url if rule is not None else "")

    async def _off_loop(self, work: Callable[[], T]) -> T:
        """Do something slow in the broker's thread. Raises TimeoutError."""
        loop = asyncio.get_running_loop()
        return await asyncio.wait_for(loop.run_in_executor(self._ls.session.broker_thread, work), STORE_SECONDS)


_REFUSED = "The editor did not apply the edit. Nothing was changed; try again."
_NO_ANSWER = "The editor did not say whether it applied the edit. The value is in your vault; look at the text."


@dataclass(frozen=True, slots=True)
class Change:
    """Edits for one open document, in the client's columns."""

    document: Document
    edits: list[types.TextEdit]


def workspace_edit(changes: Collection[Change], *, versioned: bool) -> types.WorkspaceEdit:
    """Build the edit: bound to versions where the client knows that form."""
    if not versioned:
        return types.WorkspaceEdit(changes={change.document.uri: change.edits for change in changes})
    return types.WorkspaceEdit(
        document_changes=[
            types.TextDocumentEdit(
                types.OptionalVersionedTextDocumentIdentifier(uri=change.document.uri, version=change.document.version),
                change.edits,
            )
            for change in changes
        ]
    )


def rewritten(document: Document, text: str) -> list[types.TextEdit]:
    """Say a document's new text as one edit: everything behind what stays the same. No edit when nothing changes."""
    source = document.snapshot().source
    if text == source.text:
        return []
    same = 0
    while same < min(len(text), len(source.text)) and text[same] == source.text[same]:
        same += 1
    return to_edits(source, (Edit(same, len(source.text), text[same:]),), document.encoding)


def _connect() -> BrokerClient:
    from locum.broker.client import connect

    return connect()
