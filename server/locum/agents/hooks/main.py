"""`locum hook CLIENT`: one event on stdin, one verdict on stdout, as the client wants it. It must be quick.

Fails closed where something would be written or run, open with a warning where something is only read, and never silently:
every way out of here is one that the client's documentation names.
"""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from locum.agents.hooks import session
from locum.agents.hooks.caller import Caller, Here, name_in_vault
from locum.agents.hooks.clients import CLIENTS, Adapter, adapter
from locum.agents.hooks.clients.common import read_event
from locum.agents.hooks.event import CallerAnswers, Event, Reply, Unreadable, Verdict
from locum.agents.hooks.judge import World, judge
from locum.agents.hooks.looking import Looker
from locum.errors import EXIT_USAGE

MOST_INPUT = 32 << 20
"""Bytes of one event."""
_USAGE = f"""Usage: locum hook CLIENT [--event NAME]
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
    reply = answer(client, sent, hint, Here(), Path.cwd())
    sys.stdout.buffer.write(reply.stdout.encode("utf-8", "surrogateescape"))
    sys.stderr.buffer.write(reply.stderr.encode("utf-8", "surrogateescape"))
    return reply.code


def answer(client: str, raw: bytes, hint: str, caller: Caller, cwd: Path) -> Reply:
    """Return the reply to one event, whatever it is: `raw` as the client sent it, `hint` is its name if that does not say it.

    `cwd` is the working directory where the event names none. Raises CallerAnswers where `caller` does.
    """
    to = adapter(client)
    event: Event | None = None
    try:
        event = read_event(client, to.EVENTS, _json(raw), hint)
        return to.reply(event, _verdict(event, to, caller, cwd))
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


def _verdict(event: Event, to: Adapter, caller: Caller, cwd: Path) -> Verdict:
    if event.cwd and "\0" not in event.cwd and Path(event.cwd).is_absolute():
        cwd = Path(event.cwd)
    looker = Looker(cwd)
    event = session.named(event)
    if event.kind == "start":
        return session.begun(event, caller, looker)
    if event.kind == "end":
        return session.ended(event, caller)
    if event.tool == "shell" and event.kind == "before" and "locum" in event.command:
        caller.enter(event)  # the broker may have started since the session began
    verdict = judge(event, World(looker, caller, name_in_vault, _program(), to.ABILITIES))
    session.note(event, verdict, looker)
    return verdict


def _program() -> str:
    import shlex

    found = shutil.which("locum")
    return shlex.join(
        [found] if found else [sys.executable, "-I", "-m", "locum"]
    )  # -I: no code of the working directory


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
