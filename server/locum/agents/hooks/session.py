"""A client's session: what is said when it begins and ends, and what its journal is told in between."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from locum.agents.hooks.event import Event, Verdict
from locum.agents.sessions import journal

if TYPE_CHECKING:
    from locum.agents.hooks.caller import Caller
    from locum.agents.hooks.looking import Looker

_ODD = re.compile(r"[^A-Za-z0-9._:-]")
_MOST_NAMES = 20


def named(event: Event) -> Event:
    """Return the event with a session that the journal and the broker take; clients that name none have one a day."""
    name = _ODD.sub("-", event.session)[:120].lstrip("._:-")
    return replace(event, session=name or f"{event.client}-{time.strftime('%Y-%m-%d')}")


def begun(event: Event, caller: Caller, looker: Looker) -> Verdict:
    """Begin a session, and say to the model how secrets are used here."""
    caller.enter(event)
    journal.note(event.session, event.client, "start", workspace=str(looker.project.root))
    lines = [
        "Secrets of this project are kept by Locum: files hold references (locum://NAME), and you never see or write a value.",
        "Use one by running a task: the tool run_task of Locum's MCP server, or `locum run --task NAME`; the person is asked.",
        "A value that is missing: the tool request_secret.",
    ]
    manifest = looker.manifest
    if manifest.tasks:
        lines.append(f"Tasks: {_some(list(manifest.tasks))}.")
    if manifest.secrets:
        lines.append(f"Secrets: {_some(list(manifest.secrets))}.")
    return Verdict(context="\n".join(lines))


def ended(event: Event, caller: Caller) -> Verdict:
    """End a session and its leases, and tell the person what it touched."""
    from locum.agents.sessions import report

    caller.leave(event)
    journal.note(event.session, event.client, "end")
    return Verdict(context="\n".join(report.summary(event.session)))


def note(event: Event, verdict: Verdict, looker: Looker) -> None:
    """Tell the journal what the verdict notes, and what a tool has written."""
    for item in verdict.notes:
        journal.note(
            event.session, event.client, item.kind,
            **{"workspace": str(looker.project.root), **item.fields, **_absolute(item.fields, looker)},
        )  # fmt: skip
    if event.kind == "after":
        for change in event.changes:
            path = looker.path(change.path)
            if path is not None:
                journal.note(event.session, event.client, "wrote", path=str(path), workspace=str(looker.project.root))


def _absolute(fields: dict[str, object], looker: Looker) -> dict[str, str]:
    path = looker.path(str(fields.get("path", "")))
    return {"path": str(path)} if path is not None else {}


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more
