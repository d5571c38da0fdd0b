"""`locum hook CLIENT`: one event on stdin, one verdict on stdout, as the client wants it. It must be quick.

Fails closed where something would be written or run, open with a warning where something is only read, and never silently:
every way out of here is one that the client's documentation names.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from locum.agents.hooks.clients import CLIENTS, Adapter, adapter
from locum.agents.hooks.clients.common import read_event
from locum.agents.hooks.event import CallerAnswers, Event, Reply, Unreadable, Verdict
from locum.agents.hooks.judge import World, judge
from locum.agents.hooks.looking import Looker
from locum.agents.hooks.vault import name_in_vault, store_if_allowed
from locum.errors import EXIT_USAGE

MOST_INPUT = 32 << 20
"""Bytes of one event."""
_USAGE = f"""usage: locum hook CLIENT [--event NAME]
CLIENT is one of: {", ".join(CLIENTS)}
The client's JSON comes on standard input."""


def main(arguments: list[str], raw: bytes | None = None) -> int:
    """Answer one event (`raw`, else what comes on standard input); return the exit code."""
    client, hint = read_arguments(arguments)
    if client not in CLIENTS:
        asked = arguments[:1] in (["--help"], ["-h"])
        (sys.stdout if asked else sys.stderr).write(f"{_USAGE}\n")
        return 0 if asked else EXIT_USAGE
    sent = sys.stdin.buffer.read(MOST_INPUT + 1) if raw is None else raw
    reply = answer(client, sent, hint, lambda: dict(os.environ), Path.cwd())
    sys.stdout.buffer.write(reply.stdout.encode("utf-8", "surrogateescape"))
    sys.stderr.buffer.write(reply.stderr.encode("utf-8", "surrogateescape"))
    return reply.code


def answer(
    client: str, raw: bytes, hint: str, environment: Callable[[], dict[str, str]], cwd: Path,
    store: Callable[[str, str], str] = store_if_allowed,
) -> Reply:  # fmt: skip
    """Return the reply to one event, whatever it is: `raw` as the client sent it, `hint` is its name if that does not say it.

    `environment` gives the variables of the client's shells, and `store` asks a person whether to keep a pasted value; both may
    raise CallerAnswers, which goes through. `cwd` is the working directory where the event names none.
    """
    to = adapter(client)
    event: Event | None = None
    try:
        event = read_event(client, to.EVENTS, _json(raw), hint)
        return to.reply(event, _verdict(event, to, environment, cwd, store))
    except Unreadable as problem:
        event = event or Event(client, to.EVENTS.get(hint, "before"), hint or "?", tool="write")
        return _failed(to, event, f"{to.TITLE} sent what could not be read ({problem})")
    except CallerAnswers:
        raise
    except Exception as problem:  # noqa: BLE001 - a hook that fails must say so in the client's way; the text of an exception may hold input
        event = event or Event(client, to.EVENTS.get(hint, "before"), hint or "?", tool="write")
        return _failed(to, event, f"Locum's hook failed ({type(problem).__name__})")


def _failed(to: Adapter, event: Event, cause: str) -> Reply:
    remedy = "`locum agent doctor` says more."
    if event.kind == "before" and event.tool in {"write", "shell"}:
        return to.reply(event, Verdict("deny", f"Locum: {cause}, so this was stopped.\n{remedy}"))
    reply = to.reply(event, Verdict())
    return replace(reply, stderr=f"locum: {cause}; nothing was looked at. {remedy}\n")


def _verdict(
    event: Event, to: Adapter, environment: Callable[[], dict[str, str]], cwd: Path, store: Callable[[str, str], str]
) -> Verdict:
    if event.cwd and "\0" not in event.cwd and Path(event.cwd).is_absolute():
        cwd = Path(event.cwd)
    world = World(Looker(cwd), environment, name_in_vault, store, _program(), to.ABILITIES)
    return judge(event, world)


def _program() -> str:
    import shlex

    return shlex.quote(shutil.which("locum") or f"{sys.executable} -m locum")


def _json(raw: bytes) -> Any:
    if len(raw) > MOST_INPUT:
        raise Unreadable(f"more than {MOST_INPUT >> 20} MiB")
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        raise Unreadable("no JSON") from None


def read_arguments(arguments: list[str]) -> tuple[str, str]:
    """Return the client and the event's name, "" for what is not there."""
    client = arguments[0] if arguments else ""
    if len(arguments) == 3 and arguments[1] == "--event":
        return client, arguments[2]
    if len(arguments) == 2 and arguments[1].startswith("--event="):
        return client, arguments[1].partition("=")[2]
    return (client, "") if len(arguments) == 1 else ("", "")
