"""Commands that a client may execute. Arguments are JSON of the client: read with care, answered with plain objects."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from lsprotocol import types
from pygls.uris import to_fs_path

from locum.errors import LocumError, Unavailable, UsageProblem
from locum.lsp.handlers.documents import look_anew
from locum.lsp.projects import built_in_page
from locum.lsp.protocol import LocumServer, guard
from locum.rewrite.advice import gathered
from locum.rewrite.plan import NO_EDIT

if TYPE_CHECKING:
    from locum.lsp.moves import Moved

MOVE = "locum.moveToVault"
MOVE_ALL = "locum.moveAllToVault"
IGNORE = "locum.ignore"
PLACEHOLDER = "locum.replaceByPlaceholder"
ROTATE = "locum.rotate"
TASKS = "locum.tasks"
RUN_TASK = "locum.runTask"
LEASES = "locum.leases"
REVOKE = "locum.revokeLease"

BROKER_SECONDS = 5.0
_TOLD = 2
"""Things to know that a notice may hold beside what was done."""


def register(server: LocumServer) -> None:
    """Add the commands."""
    commands = {
        MOVE: move_one,
        MOVE_ALL: move_all,
        IGNORE: ignore,
        PLACEHOLDER: placeholder,
        ROTATE: rotate,
        TASKS: tasks,
        RUN_TASK: run_task,
        LEASES: leases,
        REVOKE: revoke,
    }
    for name, handler in commands.items():
        server.command(name)(handler)


@guard
async def move_one(ls: LocumServer, *arguments: Any) -> dict[str, Any]:
    """`locum.moveToVault [{uri, version, fingerprint, occurrence?}]`: store, read back, edit, declare."""
    from locum.lsp.moves import move  # with the idioms of all languages: when the first fix is chosen

    target = _target(arguments)
    moving = move(ls, _text(target, "uri"), _text(target, "fingerprint"), _occurrence(target))
    moved = await asyncio.shield(asyncio.ensure_future(moving))
    if moved.applied:
        said = f"{moved.names[0]} is in your vault. {_what_now(ls, moved)}It stood in plain text: rotate it."
        _say(ls, types.MessageType.Info, said)
    else:
        _say(ls, types.MessageType.Warning, f"Not moved. {_sentence(moved.reason)}")
    return moved.to_wire()


@guard
async def move_all(ls: LocumServer, *arguments: Any) -> dict[str, Any]:
    """`locum.moveAllToVault [{uri, version}]`, or `[{scope: "workspace"}]`: all in one go; what cannot be moved stays."""
    from locum.lsp.moves import move_file

    target = _target(arguments)
    if target.get("scope") == "workspace":
        from locum.lsp.workspace_fix import move_workspace

        moving = move_workspace(ls)
    else:
        moving = move_file(ls, _text(target, "uri"))
    moved = await asyncio.shield(asyncio.ensure_future(moving))
    names = moved.names if moved.applied else []
    if moved.applied:
        count = "1 secret" if moved.count == 1 else f"{moved.count} secrets"
        left = f" Left {len(moved.left)}: {moved.reason.removeprefix(NO_EDIT)}" if moved.left else ""
        said = f"Moved {count} to your vault.{left} {_what_now(ls, moved)}They stood in plain text: rotate them."
        _say(ls, types.MessageType.Warning if left else types.MessageType.Info, said)
    elif moved.left:  # else a person said no, and knows it
        more = f" {len(moved.left) - 1} more stay too." if len(moved.left) > 1 else ""
        _say(ls, types.MessageType.Warning, f"Nothing was moved. {_sentence(moved.reason)}{more}")
    return {"applied": moved.applied, "names": names, "left": moved.left}


@guard
async def ignore(ls: LocumServer, *arguments: Any) -> dict[str, Any]:
    """`locum.ignore [{uri, version, fingerprint, occurrence?, scope?, reason?}]`: silence a finding where `scope` says.

    "line" (default) and "next-line" write a comment; "file", "value" and "rule-in-path" an allowance in `locum.toml`.
    """
    from locum.lsp import ignoring

    target = _target(arguments)
    scope, reason = target.get("scope", "line"), target.get("reason", "")
    if scope not in ignoring.SCOPES or not isinstance(reason, str):
        raise UsageProblem("command.arguments", f"scope is one of {', '.join(ignoring.SCOPES)}, reason is a text")
    uri, fingerprint = _text(target, "uri"), _text(target, "fingerprint")
    failed = await ignoring.ignore(ls, uri, fingerprint, _occurrence(target), scope, reason)
    if failed:
        _say(ls, types.MessageType.Warning, f"Not ignored. {failed}")
        return {"applied": False, "reason": failed}
    if scope in {"file", "value", "rule-in-path"}:
        look_anew(ls)
        _say(ls, types.MessageType.Info, "Allowed in locum.toml, [[scan.allow]]. Say there why.")
    return {"applied": True}


@guard
async def placeholder(ls: LocumServer, *arguments: Any) -> dict[str, Any]:
    """`locum.replaceByPlaceholder [{uri, version, fingerprint, occurrence?}]`: the value goes, and is kept nowhere."""
    from locum.lsp import ignoring

    target = _target(arguments)
    uri, fingerprint = _text(target, "uri"), _text(target, "fingerprint")
    failed = await ignoring.put_placeholder(ls, uri, fingerprint, _occurrence(target))
    if failed:
        _say(ls, types.MessageType.Warning, f"Not replaced. {failed}")
        return {"applied": False, "reason": failed}
    return {"applied": True}


@guard
async def rotate(ls: LocumServer, *arguments: Any) -> dict[str, Any]:
    """`locum.rotate [{rule}]`: open the vendor's page, where a leaked secret is replaced by a new one."""
    rule = _text(_target(arguments), "rule")
    page = built_in_page(rule)
    if not page:
        raise UsageProblem("command.arguments", "this rule has no page", "locum explain RULE says what to do.")
    if ls.session.client.shows_documents:
        result = await ls.window_show_document_async(types.ShowDocumentParams(page, external=True))
        if result.success:
            return {"url": page, "opened": True}
    _say(ls, types.MessageType.Info, f"Rotate it here: {page}")
    return {"url": page, "opened": False}


@guard
async def tasks(ls: LocumServer, *arguments: Any) -> dict[str, Any]:  # noqa: ARG001 - a command's signature
    """`locum.tasks`: the tasks of each workspace folder's locum.toml, with the names of their secrets."""
    from locum.workspace.project import Project, load_manifest

    loop = asyncio.get_running_loop()
    listed: list[dict[str, Any]] = []
    for uri, folder in ls.documents.folders.items():
        path = to_fs_path(folder.uri)
        if path is None:
            continue
        try:
            manifest = await loop.run_in_executor(ls.session.quick_thread, load_manifest, Project(Path(path)))
        except LocumError as error:
            _say(ls, types.MessageType.Warning, error.explain())
            continue
        listed += [
            {"name": task.name, "folder": folder.uri or uri, "secrets": list(task.secrets)}
            for task in manifest.tasks.values() if task.command
        ]  # fmt: skip
    return {"tasks": listed}


@guard
def run_task(ls: LocumServer, *arguments: Any) -> dict[str, Any]:  # noqa: ARG001 - a command's signature
    """`locum.runTask [name]`: the command line that runs a task; running it is the client's part."""
    if len(arguments) != 1 or not isinstance(arguments[0], str) or arguments[0].startswith("-"):
        raise UsageProblem("command.arguments", "locum.runTask takes the name of a task")
    return {"command": ["locum", "run", "--task", arguments[0]]}


@guard
async def leases(ls: LocumServer, *arguments: Any) -> dict[str, Any]:  # noqa: ARG001 - a command's signature
    """`locum.leases`: the live leases; none when no broker runs."""
    from locum.broker.client import connect, is_running

    def ask() -> list[dict[str, Any]]:
        with connect(start=False) as client:
            return client.list_leases()

    return {"leases": await _ask_broker(ls, ask) if is_running() else []}


@guard
async def revoke(ls: LocumServer, *arguments: Any) -> dict[str, Any]:
    """`locum.revokeLease [id]`: end a lease; its task is stopped."""
    if len(arguments) != 1 or not isinstance(arguments[0], str):
        raise UsageProblem("command.arguments", "locum.revokeLease takes a lease's id")
    lease = arguments[0]

    def ask() -> None:
        from locum.broker.client import connect

        with connect(start=False) as client:
            client.revoke_lease(lease)

    await _ask_broker(ls, ask)
    return {"revoked": True}


async def _ask_broker(ls: LocumServer, work: Any) -> Any:
    loop = asyncio.get_running_loop()
    try:
        return await asyncio.wait_for(loop.run_in_executor(ls.session.quick_thread, work), BROKER_SECONDS)
    except TimeoutError:
        raise Unavailable("unavailable.broker", "the broker does not answer", "Try again.") from None


def _target(arguments: tuple[Any, ...]) -> dict[str, Any]:
    if len(arguments) != 1 or not isinstance(arguments[0], dict):
        raise UsageProblem("command.arguments", "this command takes one object with uri and fingerprint")
    return cast("dict[str, Any]", arguments[0])


def _text(target: dict[str, Any], key: str) -> str:
    value = target.get(key)
    if not isinstance(value, str):
        raise UsageProblem("command.arguments", f"this command's argument lacks {key}")
    return value


def _occurrence(target: dict[str, Any]) -> int:
    """Return which of equal secrets is meant: the first, unless the action said otherwise."""
    value = target.get("occurrence", 0)
    if not isinstance(value, int) or value < 0:
        raise UsageProblem("command.arguments", "occurrence is a number from 0")
    return value


def _what_now(ls: LocumServer, moved: Moved) -> str:
    """Return what those who start the programs must know, and a space; what is too long for a notice goes to the log."""
    advice = gathered(moved.notes)
    told = [moved.problem] if moved.problem else []
    if len(advice) <= _TOLD:
        told += [note for _, note in advice]
    else:
        for files, note in advice:
            about = f"{', '.join(files)}: {note}"
            ls.window_log_message(types.LogMessageParams(types.MessageType.Info, about))
        told.append("How programs get them now: see Locum's log.")
    return "".join(f"{text} " for text in told)


def _sentence(reason: str) -> str:
    return reason[:1].upper() + reason[1:]


def _say(ls: LocumServer, kind: types.MessageType, text: str) -> None:
    ls.window_show_message(types.ShowMessageParams(type=kind, message=f"Locum: {text}"))
