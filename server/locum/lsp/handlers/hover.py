"""Hover: what a reference means, what a finding is and how to rotate it; completion of declared names. Never a value."""

from __future__ import annotations

import asyncio
import re

from lsprotocol import types

from locum.detect.finding import Finding
from locum.errors import LocumError
from locum.lsp.checks import Check, place_of
from locum.lsp.convert import found_range, to_range
from locum.lsp.projects import rule_of
from locum.lsp.protocol import LocumServer, guard
from locum.refs.manifest import Manifest
from locum.refs.own_rule import OWN
from locum.refs.reference import Reference, find
from locum.workspace.project import load_manifest

BROKER_SECONDS = 0.3
_PAGE = re.compile(r"https://[^\s<>()\[\]]{1,300}")
_STARTED = re.compile(r"locum://[A-Za-z0-9_.-]*$")


def register(server: LocumServer) -> None:
    """Add the handlers of this family."""
    server.feature(types.TEXT_DOCUMENT_HOVER)(hovered)
    options = types.CompletionOptions(trigger_characters=["/"])
    server.feature(types.TEXT_DOCUMENT_COMPLETION, options)(completed)


@guard
async def hovered(ls: LocumServer, params: types.HoverParams) -> types.Hover | None:
    """Describe what stands under the pointer."""
    uri = params.text_document.uri
    check, document = await ls.session.checked(uri), ls.documents.open_document(uri)
    if check is None or document is None:
        return None
    source = check.snapshot.source
    offset = source.offset(params.position.line, params.position.character, document.encoding)
    for found in check.at(offset, offset):  # first: a value may stand where a reference's name should
        return _hover(ls, _explain(found.finding, check.snapshot.path), found_range(check, found, document.encoding))
    for item in find(source.line(params.position.line)) if params.position.line < len(source.starts) else ():
        start = source.starts[params.position.line]
        if item.reference is not None and start + item.start <= offset <= start + item.end:
            text = await _describe(ls, check, item.reference)
            return _hover(ls, text, to_range(source, start + item.start, start + item.end, document.encoding))
    return None


@guard
async def completed(ls: LocumServer, params: types.CompletionParams) -> list[types.CompletionItem]:
    """Complete the names that the manifest declares, after `locum://`."""
    uri = params.text_document.uri
    check, document = await ls.session.checked(uri), ls.documents.open_document(uri)
    if check is None or document is None:
        return []
    source = check.snapshot.source
    offset = source.offset(params.position.line, params.position.character, document.encoding)
    line_start = source.starts[source.line_of(offset)]
    started = _STARTED.search(source.text, max(line_start, offset - 160), offset)
    if started is None:
        return []
    place = to_range(source, started.start(), offset, document.encoding)
    return [
        types.CompletionItem(
            label=f"locum://{entry.name}", kind=types.CompletionItemKind.Reference, detail=entry.description or entry.source,
            text_edit=types.TextEdit(place, f"locum://{entry.name}"), filter_text=f"locum://{entry.name}",
        )
        for entry in (await _manifest(ls, check)).secrets.values()
    ]  # fmt: skip


async def _describe(ls: LocumServer, check: Check, reference: Reference) -> str:
    if not reference.is_declared:
        return f"**{reference.text}**\n\nA reference to another vault. This version does not resolve it yet."
    entry = (await _manifest(ls, check)).secrets.get(reference.name)
    lines = [f"**{reference.name}**"]
    if entry is None:
        lines.append("`locum.toml` does not declare this name.")
    else:
        lines += [_plain(entry.description)] if entry.description else []
        lines.append(f"From: {'your local vault' if entry.source == 'local' else f'`{entry.source}`'}")
        lines += [f"[Rotate it]({entry.docs})"] if _PAGE.fullmatch(entry.docs) else []
    lines.append(await _in_vault(ls, reference.name))
    return "\n\n".join(lines)


async def _in_vault(ls: LocumServer, name: str) -> str:
    """Say whether the vault has a name, if an open vault can be asked at once."""
    from locum.broker.client import connect, is_running

    def ask() -> bool | None:
        with connect(start=False) as client:
            if not client.status()["vault"]["unlocked"]:
                return None
            return any(item["name"] == name for item in client.list_secrets())

    try:
        if not is_running():
            return "In the vault: not known, no broker runs."
        loop = asyncio.get_running_loop()
        there = await asyncio.wait_for(loop.run_in_executor(ls.session.quick_thread, ask), BROKER_SECONDS)
    except (LocumError, TimeoutError):
        there = None
    if there is None:
        return "In the vault: not known, it is locked."
    return "In the vault: yes." if there else f"In the vault: no. Store it: `locum secret set {name}`"


def _explain(finding: Finding, path: str | None) -> str:
    rule = rule_of(finding.rule, path)
    title, told, why = finding.title, rule.explanation if rule is not None else "", ", ".join(finding.why)
    if finding.rule.startswith(OWN):
        title, told, why = _plain(title), _plain(told), _plain(why)
    todo = f"Move {finding.secret_name} to the vault (quick fix), then rotate it."
    page = f"\n\n[{title}: the vendor's page]({rule.url})" if rule is not None and rule.url else ""
    return f"**{title} in plain text** ({why})\n\n{told}\n\n{todo}{page}"


def _plain(text: str) -> str:
    """Show a manifest's words as words: no markup of theirs, no picture that an editor would fetch."""
    return re.sub(r"([\\`*_{}\[\]()#!<>|~-])", r"\\\1", " ".join(text.split())[:500])


async def _manifest(ls: LocumServer, check: Check) -> Manifest:
    """Return the manifest that a document belongs to; an empty one when it is broken."""
    project = place_of(check.snapshot)[1]
    try:
        return await asyncio.get_running_loop().run_in_executor(ls.session.quick_thread, load_manifest, project)
    except LocumError:
        return Manifest()


def _hover(ls: LocumServer, text: str, place: types.Range) -> types.Hover:
    if ls.session.client.markdown_hover:
        return types.Hover(types.MarkupContent(types.MarkupKind.Markdown, text), place)
    return types.Hover(types.MarkupContent(types.MarkupKind.PlainText, re.sub(r"[*`]", "", text)), place)
