"""Silencing a finding: by a comment in its text, by an allowance in `locum.toml`, or by a placeholder in its place.

Comments are edits of the document at the version that was looked at. An allowance goes into the manifest as the editor has
it open, by an edit that the editor can undo; where it is not open, into the file on the disk, written whole or not at all.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal, cast, get_args

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.uris import from_fs_path

from locum.detect.fingerprint import value_fingerprint
from locum.errors import LocumError
from locum.lsp.checks import Check, Found, place_of
from locum.lsp.convert import to_edits
from locum.lsp.edits import Change, rewritten, workspace_edit
from locum.lsp.ignore import ignore_edit, one_line
from locum.refs.manifest import FILE_NAME, Allowance
from locum.refs.manifest_allow import add_allowance, literal_pattern
from locum.rewrite.naming import choose_name
from locum.text.edits import Edit
from locum.workspace.project import Project, read_manifest_text, write_manifest_text

if TYPE_CHECKING:
    from locum.lsp.documents import Document
    from locum.lsp.protocol import LocumServer

Scope = Literal["line", "next-line", "file", "value", "rule-in-path"]
SCOPES = cast("tuple[Scope, ...]", get_args(Scope))
EDIT_SECONDS = 30.0
_REASON = "not a secret, as somebody said in the editor"
GUESSABLE = (
    "This value could be guessed: a fingerprint of it would let the guess be tried. Ignore it by line or by path."
)
_GONE = "The text has changed: that finding is not there any more."


async def put_placeholder(ls: LocumServer, uri: str, fingerprint: str, occurrence: int) -> str:
    """Replace a value by words that say what belongs there. Returns why it was not done, "" when it was."""
    check, document = await ls.session.checked(uri), ls.documents.open_document(uri)
    found = check.one(fingerprint, occurrence) if check is not None else None
    if check is None or document is None or found is None:
        return _GONE
    words = f"your-{choose_name(found.finding, ()).lower().replace('_', '-')}-here"
    edits = to_edits(check.snapshot.source, (Edit(found.start, found.end, words),), document.encoding)
    try:
        return await _apply(ls, Change(document, edits), "Replace a secret by a placeholder")
    except TimeoutError:
        return "The editor did not say whether it applied the edit."
    except JsonRpcException:  # the editor refused in its own way
        return "The editor did not apply the edit."


async def ignore(ls: LocumServer, uri: str, fingerprint: str, occurrence: int, scope: Scope, reason: str) -> str:
    """Silence one finding. Returns why it was not done, "" when it was."""
    check, document = await ls.session.checked(uri), ls.documents.open_document(uri)
    found = check.one(fingerprint, occurrence) if check is not None else None
    if check is None or document is None or found is None:
        return _GONE
    try:
        if scope in {"line", "next-line"}:
            return await _by_comment(ls, check, found, document, before=scope == "next-line", reason=reason)
        allowance = allowance_for(check, found, scope, reason)
        return allowance if isinstance(allowance, str) else await _by_manifest(ls, check, allowance)
    except LocumError as error:
        return error.explain().replace("\n", " ")
    except TimeoutError:
        return "The editor did not say whether it applied the edit."
    except JsonRpcException:  # the editor refused in its own way
        return "The editor did not apply the edit."


def is_guessable(check: Check, found: Found) -> bool:
    """Say whether the finding's value is one that must not be known by a fingerprint."""
    return not value_fingerprint("", check.snapshot.source.utf8[found.finding.start : found.finding.end])


def allowance_for(check: Check, found: Found, scope: Scope, reason: str) -> Allowance | str:
    """Return what the manifest would say, or why it cannot."""
    path, project = place_of(check.snapshot)
    if check.snapshot.path is None:
        return f"This text is no file of a project: {FILE_NAME} cannot speak of it."
    why = one_line(reason) or _REASON
    if scope == "value":
        value = value_fingerprint(project.id, check.snapshot.source.utf8[found.finding.start : found.finding.end])
        return Allowance(value=value, reason=why) if value else GUESSABLE
    rule = found.finding.rule if scope == "rule-in-path" else ""
    return Allowance(rule=rule, path=literal_pattern(path), reason=why)


async def _by_comment(
    ls: LocumServer, check: Check, found: Found, document: Document, *, before: bool, reason: str
) -> str:
    edit = ignore_edit(check.snapshot, found.start, found.end, before=before, reason=reason)
    if edit is None:
        return f"A comment there would change what the file says. Ignore it in {FILE_NAME}: by file, value or rule."
    return await _apply(ls, Change(document, to_edits(check.snapshot.source, (edit,), document.encoding)))


async def _by_manifest(ls: LocumServer, check: Check, allowance: Allowance) -> str:
    _, project = place_of(check.snapshot)
    uri = from_fs_path(str(project.manifest))
    manifest = ls.documents.open_document(uri) if uri else None
    if manifest is None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(ls.session.quick_thread, _allow_on_disk, project, allowance)
        return ""
    edits = rewritten(manifest, add_allowance(manifest.source, allowance))
    return await _apply(ls, Change(manifest, edits)) if edits else ""


def _allow_on_disk(project: Project, allowance: Allowance) -> None:
    text = read_manifest_text(project)
    allowed = add_allowance(text, allowance)
    if allowed != text:
        write_manifest_text(project, allowed)


async def _apply(ls: LocumServer, change: Change, label: str = "Ignore a finding") -> str:
    edit = workspace_edit([change], versioned=ls.session.client.document_changes)
    answer = ls.workspace_apply_edit_async(types.ApplyWorkspaceEditParams(edit, label=label))
    result = await asyncio.wait_for(answer, EDIT_SECONDS)
    return "" if result.applied else "The editor did not apply the edit."
