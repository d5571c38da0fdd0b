"""Renaming: the vault gets the value under the new name first, then one edit renames all of the workspace. Or nothing is edited.

The edits are made of the texts as they are after the vault's answer, which may have waited for a person. The old name stays in
the vault until somebody removes it: other clones of the project still say it.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from lsprotocol import types

from locum.errors import UsageProblem
from locum.lsp.convert import to_edits
from locum.lsp.discreet import is_discreet
from locum.lsp.naming import declarations, is_renamable, manifest_text
from locum.lsp.standing import forget_vault
from locum.lsp.symbols import Symbol
from locum.lsp.usage import Found, Spot, find_uses
from locum.refs.reference import is_name
from locum.refs.uses import NEEDS_VARIABLE, is_variable, written_for
from locum.text.edits import Edit

if TYPE_CHECKING:
    from locum.broker.client import BrokerClient
    from locum.lsp.protocol import LocumServer

_TASK = re.compile(r"[A-Za-z0-9_-]{1,64}")
_copied: dict[tuple[str, str], tuple[int, int]] = {}
"""Names that this session gave one value, with the versions that the vault had of them then."""


async def rename(ls: LocumServer, symbol: Symbol, new: str, token: types.ProgressToken | None) -> types.WorkspaceEdit:
    """Return the edit that renames a name. Raises LocumError, with nothing edited."""
    if not is_renamable(symbol):
        raise UsageProblem("rename.what", "only a name that locum.toml declares can be renamed", "Declare it there.")
    if symbol.kind == "task":
        return await _rename_task(ls, symbol, new)
    _check(symbol, new)
    _planned(ls, symbol, new, await find_uses(ls, symbol, token))  # what cannot be done is said before anybody is asked
    for ending in _endings(symbol):
        loop = asyncio.get_running_loop()
        old, other = symbol.name + ending, new + ending
        copied = await loop.run_in_executor(ls.session.broker_thread, partial(_give_second_name, old, other))
        if copied:
            forget_vault()
            stays = f"{old} stays there too until you remove it: locum secret rm {old}"
            message = f"Locum: {other} is in your vault, with the value of {old}. {stays}"
            ls.window_show_message(types.ShowMessageParams(types.MessageType.Info, message))
    return _planned(ls, symbol, new, await find_uses(ls, symbol, token))


def _check(symbol: Symbol, new: str) -> None:
    if not is_name(new):
        raise UsageProblem(
            "rename.name", "this cannot name a secret", "Use letters, digits and _ . -, not a digit first."
        )
    if not is_discreet(symbol.name):
        raise UsageProblem(
            "rename.secret", "what is named here looks like a secret", "Rename it by hand, then rotate it."
        )
    if new == symbol.name:
        raise UsageProblem("rename.same", f"{new} is its name already")
    if new in symbol.manifest.secrets:
        raise UsageProblem("rename.taken", f"locum.toml declares {new} already", "Choose another name.")


# -- the edit ----------------------------------------------------------------------------------------------------


def _planned(ls: LocumServer, symbol: Symbol, new: str, found: Found) -> types.WorkspaceEdit:
    changes: list[_Change] = []
    for spot in found.spots:
        uses = [use for use in spot.uses if use.name == symbol.name]
        if not is_variable(new) and any(use.sort in NEEDS_VARIABLE | {"task"} for use in uses):
            place = spot.uri.rpartition("/")[2]
            message = f"{place} reads {symbol.name} as a variable, and {new} cannot name one"
            raise UsageProblem("rename.variable", message, "Use letters, digits and _, not a digit first.")
        edits = tuple(Edit(use.start, use.end, written_for(use, new, spot.source.text)) for use in uses)
        if edits:
            changes.append(_Change(spot, edits))
    return _workspace_edit(ls, changes)


@dataclass(frozen=True, slots=True)
class _Change:
    spot: Spot
    edits: tuple[Edit, ...]


def _workspace_edit(ls: LocumServer, changes: list[_Change]) -> types.WorkspaceEdit:
    """Build the edit, bound to versions where the client knows that form."""
    columns = ls.documents.columns
    edits = {change.spot.uri: to_edits(change.spot.source, change.edits, columns) for change in changes}
    if not ls.session.client.document_changes:
        return types.WorkspaceEdit(changes=edits)
    return types.WorkspaceEdit(
        document_changes=[
            types.TextDocumentEdit(
                types.OptionalVersionedTextDocumentIdentifier(change.spot.uri, change.spot.version),
                list(edits[change.spot.uri]),
            )
            for change in changes
        ]
    )


async def _rename_task(ls: LocumServer, symbol: Symbol, new: str) -> types.WorkspaceEdit:
    if _TASK.fullmatch(new) is None:
        raise UsageProblem("rename.task", "this cannot name a task here", "Use letters, digits, - and _.")
    if new in symbol.manifest.tasks:
        raise UsageProblem("rename.taken", f"locum.toml has a task {new} already", "Choose another name.")
    manifest = await manifest_text(ls, symbol.project)
    if manifest is None:
        raise UsageProblem("rename.gone", "locum.toml is gone", "Look at the project's folder.")
    edits = tuple(Edit(start, end, new) for start, end in declarations(manifest.source.text, symbol))
    return _workspace_edit(ls, [_Change(Spot(manifest.uri, manifest.version, manifest.source, ()), edits)])


# -- the vault ---------------------------------------------------------------------------------------------------


def _endings(symbol: Symbol) -> list[str]:
    """Return what stands behind the name in the local vault: nothing, and `.ENV` for each environment that it has."""
    entry = symbol.manifest.secrets[symbol.name]
    own = [""] if entry.source == "local" else []
    return own + [f".{name}" for name, source in entry.environments.items() if source == "local"]


def _give_second_name(name: str, new: str) -> bool:
    """Let the vault have the value under the new name too, after a person's yes; False when there is nothing to do.

    Blocks. Raises LocumError: the vault is locked, somebody said no, or another value has the new name.
    """
    from locum.broker.client import connect

    with connect() as client:
        if not client.status()["vault"]["exists"]:
            return False
        versions = _versions(client)
        if name not in versions:
            return False
        pair = (min(name, new), max(name, new))
        if new in versions:
            if _copied.get(pair) == (versions[pair[0]], versions[pair[1]]):
                return False  # renamed back: both have the value that this session gave them
            raise UsageProblem("rename.vault", f"your vault has {new} already", "Choose another name.")
        client.copy_secret(name, new)
        versions = _versions(client)
        _copied[pair] = (versions[pair[0]], versions[pair[1]])
        return True


def _versions(client: BrokerClient) -> dict[str, int]:
    return {item["name"]: item["version"] for item in client.list_secrets()}
