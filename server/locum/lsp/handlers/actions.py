"""Code actions: move to the vault, all of them, a placeholder, ignore, rotate. No value is in any, and none edits by itself."""

from __future__ import annotations

from typing import Any

from lsprotocol import types
from pygls.capabilities import get_capability

from locum.lsp.checks import Check, Found
from locum.lsp.convert import SOURCE, found_range
from locum.lsp.handlers.commands import IGNORE, MOVE, MOVE_ALL, PLACEHOLDER, ROTATE
from locum.lsp.ignore import can_comment
from locum.lsp.ignoring import GUESSABLE, Scope, is_guessable
from locum.lsp.known import name_in_vault
from locum.lsp.projects import built_in_page, workspace_folders
from locum.lsp.protocol import LocumServer, guard
from locum.rewrite.naming import choose_name
from locum.text.source import PositionEncoding

FIX_ALL = "source.fixAll.locum"
_IGNORE: dict[Scope, str] = {
    "line": "this line", "next-line": "next line, by a comment above", "file": "this file", "value": "this value everywhere",
    "rule-in-path": "this rule in this path",
}  # fmt: skip


def register(server: LocumServer) -> None:
    """Add the handlers of this family."""
    kinds = [types.CodeActionKind.QuickFix, FIX_ALL]
    options = types.CodeActionOptions(code_action_kinds=kinds, resolve_provider=True)
    server.feature(types.TEXT_DOCUMENT_CODE_ACTION, options)(offered)
    server.feature(types.CODE_ACTION_RESOLVE)(resolved)


@guard
async def offered(ls: LocumServer, params: types.CodeActionParams) -> list[types.CodeAction]:
    """Offer what can be done about the findings in a range."""
    uri = params.text_document.uri
    check, document = await ls.session.checked(uri), ls.documents.open_document(uri)
    if check is None or document is None or not check.found:
        return []
    wanted = [str(getattr(kind, "value", kind)) for kind in params.context.only or ()]
    actions: list[types.CodeAction] = []
    by_itself = params.context.trigger_kind == types.CodeActionTriggerKind.Automatic
    if _asked_for(types.CodeActionKind.QuickFix, wanted) or not wanted:
        source = check.snapshot.source
        start = source.offset(params.range.start.line, params.range.start.character, document.encoding)
        end = source.offset(params.range.end.line, params.range.end.character, document.encoding)
        shows_disabled = bool(
            get_capability(ls.client_capabilities, "text_document.code_action.disabled_support", None)
        )
        here = check.at(start, end)
        rest: list[types.CodeAction] = []
        for found in here:
            known = "" if by_itself else await name_in_vault(ls, check, found)
            first, *others = _for_one(
                check, found, params.context.diagnostics, document.encoding,
                known=known, several=len(here) > 1, shows_disabled=shows_disabled,
            )  # fmt: skip
            actions.append(first)
            rest += others
        if actions and len(check.found) > 1:
            actions.append(_for_all(check, types.CodeActionKind.QuickFix))
        if actions and workspace_folders():
            title = "Move all secrets of this workspace to the vault…"
            actions.append(_action(title, types.CodeActionKind.QuickFix, MOVE_ALL, {"scope": "workspace"}))
        actions += rest  # what moves stands first: it is what most want
    if FIX_ALL in wanted or (wanted and not by_itself and _asked_for(FIX_ALL, wanted)):
        actions.append(_for_all(check, FIX_ALL))  # not for "fix all on save": nobody asked to fill the vault then
    return actions


@guard
def resolved(ls: LocumServer, action: types.CodeAction) -> types.CodeAction:  # noqa: ARG001 - LSP's signature
    """Give an action back as it is: storing a value waits for the command."""
    return action


def _for_one(
    check: Check,
    found: Found,
    shown: Any,
    encoding: PositionEncoding,
    *,
    known: str,
    several: bool,
    shows_disabled: bool,
) -> list[types.CodeAction]:
    finding = found.finding
    here = found_range(check, found, encoding).start
    mine = [
        shown_one for shown_one in shown
        if shown_one.source == SOURCE and _fingerprint(shown_one) == finding.fingerprint
        and (shown_one.range.start.line, shown_one.range.start.character) == (here.line, here.character)
    ] or None  # fmt: skip
    target: dict[str, Any] = {
        "uri": check.snapshot.uri, "version": check.snapshot.version, "fingerprint": finding.fingerprint,
    }  # fmt: skip
    if found.occurrence:
        target["occurrence"] = found.occurrence
    title = f"Use {known}, which your vault has" if known else f"Move {choose_name(finding, ())} to the vault"
    of_several = f" ({finding.title})" if several else ""
    quick = types.CodeActionKind.QuickFix
    actions = [
        _action(title, quick, MOVE, target, diagnostics=mine, preferred=True),
        _action(f"Replace by a placeholder{of_several}", quick, PLACEHOLDER, target, diagnostics=mine),
    ]
    if built_in_page(finding.rule):
        actions.append(_action(f"Rotate it: open the vendor's page{of_several}", quick, ROTATE, {"rule": finding.rule}))
    for scope, title in _IGNORE.items():
        if scope in {"line", "next-line"} and not can_comment(check.snapshot):
            continue  # the file has no comments: locum.toml speaks for it
        if scope in {"file", "value", "rule-in-path"} and check.snapshot.path is None:
            continue  # the text is no file: no manifest speaks of it
        named = f"Ignore: {title}{of_several}"
        action = _action(named, quick, IGNORE, target | {"scope": scope}, diagnostics=mine)
        if scope == "value" and shows_disabled and is_guessable(check, found):
            action.disabled, action.command = types.CodeActionDisabled(GUESSABLE), None
        actions.append(action)
    return actions


def _for_all(check: Check, kind: str) -> types.CodeAction:
    target = {"uri": check.snapshot.uri, "version": check.snapshot.version}
    return _action(f"Move all {len(check.found)} secrets in this file to the vault", kind, MOVE_ALL, target)


def _action(
    title: str, kind: str, command: str, target: dict[str, Any], *,
    diagnostics: list[types.Diagnostic] | None = None, preferred: bool = False,
) -> types.CodeAction:  # fmt: skip
    return types.CodeAction(
        title=title, kind=kind, diagnostics=diagnostics, is_preferred=preferred or None, data=target,
        command=types.Command(title=title, command=command, arguments=[target]),
    )  # fmt: skip


def _asked_for(kind: str, wanted: list[str]) -> bool:
    """Kinds are trees: who asks for `source` asks for `source.fixAll.locum` too."""
    kind = str(getattr(kind, "value", kind))
    return any(kind == asked or kind.startswith(asked + ".") for asked in wanted)


def _fingerprint(diagnostic: types.Diagnostic) -> str:
    data: Any = diagnostic.data
    return str(data.get("fingerprint", "") if isinstance(data, dict) else getattr(data, "fingerprint", ""))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType] - JSON of the client
