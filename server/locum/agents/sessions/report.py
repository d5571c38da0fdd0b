"""What a session touched: of the journal what was written and stopped, of the broker's record which secrets it used."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

from locum.errors import LocumError, UsageProblem
from locum.paths import user_paths
from locum.workspace.agent_journal import AgentJournal, Entry, client_name

MOST_SHOWN = 5
"""Names or places that one line lists."""
MOST_KEPT = 500
"""Files, and places, that a report in JSON lists."""


def read_journal() -> AgentJournal:
    """Return the journal as it is now."""
    journal = AgentJournal(user_paths().agents)
    journal.refresh()
    return journal


def report(session: str) -> dict[str, Any]:
    """Return what a session touched, as JSON-ready data without values. An unknown session has an empty report.

    `secrets` is None when the broker, whose record says it, cannot be asked.
    """
    entries = read_journal().of(session)
    stopped = [entry for entry in entries if entry.kind == "blocked"]
    written = list(dict.fromkeys(str(entry.about.get("path", "")) for entry in entries if entry.kind == "wrote"))
    noted = list(dict.fromkeys(name for entry in entries if entry.kind == "used" for name in _texts(entry, "names")))
    counts = [entry.about.get("count") for entry in entries if entry.kind == "redacted"]
    return {
        "session": session,
        "client": entries[-1].client if entries else "",
        "started": entries[0].at if entries else None,
        "last": entries[-1].at if entries else None,
        "ended": bool(entries) and entries[-1].kind == "end",
        "secrets": _account(session),
        "noted": noted[:MOST_KEPT],
        "written": written[:MOST_KEPT],
        "blocked": [_place(entry) for entry in stopped[:MOST_KEPT]],
        "redacted": sum(count for count in counts if type(count) is int),
    }


def summary(session: str) -> list[str]:
    """Return a session's report for people: at most 15 short lines, no value. Never raises for an unknown session."""
    said = report(session)
    secrets: dict[str, Any] | None = said["secrets"]
    lines = [_headline(said)]
    if secrets is None:
        lines += _row("secrets", "not known: the broker does not answer")
        lines += _row("", f"as its tools noted: {_some(said['noted'])}" if said["noted"] else "")
    else:
        tasks = f", by {_some(secrets['tasks'])}" if secrets["tasks"] else ""
        leases = _count(secrets["granted"], "lease")
        lines += _row("secrets", f"used {_some(secrets['used'])} ({leases}{tasks})" if secrets["used"] else "none used")
        lines += _row("", f"refused {_some(secrets['refused'])}" if secrets["refused"] else "")
    lines += _row(
        "files", f"{len(said['written'])} written: {_some(said['written'])}" if said["written"] else "none written"
    )
    rules = Counter(str(place["rule"] or "plaintext") for place in said["blocked"])
    stopped = _some([f"{rule} ({count})" if count > 1 else rule for rule, count in rules.most_common()])
    lines += _row(
        "stopped", f"{_count(len(said['blocked']), 'plaintext secret')}: {stopped}" if said["blocked"] else ""
    )
    lines += [f"{'':9} {_where(place)}" for place in said["blocked"][:MOST_SHOWN]]
    lines += _row(
        "masked", f"{_count(said['redacted'], 'value')} in what its tools printed" if said["redacted"] else ""
    )
    if secrets is not None:
        lines += _row(
            "leases", f"{len(secrets['leases'])} still open: locum lease list" if secrets["leases"] else "none open"
        )
    return lines


def sessions() -> list[dict[str, Any]]:
    """Return the sessions of the last 30 days, newest first: session, client, started and last (milliseconds since 1970),
    workspace, written and blocked (how many), open (whether leases are bound to it now).
    """
    found: dict[str, dict[str, Any]] = {}
    for entry in read_journal().entries:
        one = found.setdefault(
            entry.session,
            {"session": entry.session, "client": entry.client, "started": entry.at, "last": entry.at, "workspace": "",
             "written": 0, "blocked": 0, "open": False},
        )  # fmt: skip
        one["last"] = entry.at
        one["workspace"] = one["workspace"] or str(entry.about.get("workspace", ""))
        if entry.kind in {"wrote", "blocked"}:
            one["written" if entry.kind == "wrote" else "blocked"] += 1
    for item in _open_sessions():
        found.setdefault(
            str(item["session"]), {**dict.fromkeys(("started", "last"), 0), "workspace": "", "written": 0, "blocked": 0}
        )
        found[str(item["session"])] |= {"session": item["session"], "client": item["client"], "open": True}
    return sorted(found.values(), key=lambda one: (not one["open"], -one["last"]))


def choose(wanted: str) -> str:
    """Return the session that a person means: by its id, the beginning of it, or "" for the one seen last.

    Raises UsageProblem when there is none, or more than one.
    """
    known = [str(one["session"]) for one in sorted(sessions(), key=lambda one: -one["last"])]
    fitting = [name for name in known if name.startswith(wanted)]
    if wanted in fitting or (not wanted and fitting):
        return wanted or fitting[0]
    if len(fitting) != 1:
        raise UsageProblem(
            "agent.session", "more than one session begins so" if fitting else "no such session of an agent is known",
            "See: locum agent sessions",
        )  # fmt: skip
    return fitting[0]


def _account(session: str) -> dict[str, Any] | None:
    """Ask the broker what its record says of a session; no record, nothing used."""
    if not user_paths().audit.exists():
        return {"used": [], "refused": [], "tasks": [], "granted": 0, "leases": []}
    from locum.broker.client import connect  # a session that used nothing does without

    try:
        with connect() as client:
            return client.session_account(session)
    except LocumError:
        return None


def _open_sessions() -> list[dict[str, Any]]:
    from locum.broker.client import connect

    try:
        with connect(start=False) as client:
            return client.list_sessions()
    except LocumError:
        return []


def _texts(entry: Entry, name: str) -> list[str]:
    value = entry.about.get(name)
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []  # pyright: ignore[reportUnknownVariableType] - JSON


def _place(entry: Entry) -> dict[str, Any]:
    line = entry.about.get("line")
    return {
        "rule": str(entry.about.get("rule", "")), "path": str(entry.about.get("path", "")),
        "line": line if type(line) is int else None, "event": str(entry.about.get("event", "")), "at": entry.at,
    }  # fmt: skip


def _where(place: dict[str, Any]) -> str:
    at = _cut(place["path"]) + (f":{place['line']}" if place["line"] is not None else "")
    return f"{place['rule'] or 'plaintext'}{f' in {at}' if place['path'] else ''}"


def _headline(said: dict[str, Any]) -> str:
    if said["started"] is None:
        return f"Session {said['session'][:40]}: its agent noted nothing"
    begin, end = (time.strftime("%H:%M", time.localtime(said[key] / 1000)) for key in ("started", "last"))
    how = "ended" if said["ended"] else "last seen"
    return f"{client_name(said['client'])}, session {said['session'][:40]}: began {begin}, {how} {end}"


def _row(label: str, text: str) -> list[str]:
    return [f"{label:<9} {text}"] if text else []


def _some(items: Iterable[str]) -> str:
    items = list(items)
    more = f" and {len(items) - MOST_SHOWN} more" if len(items) > MOST_SHOWN else ""
    return ", ".join(_cut(_plain(item)) for item in items[:MOST_SHOWN]) + more


def _plain(text: str) -> str:
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def _cut(text: str) -> str:
    text = _plain(text)
    return text if len(text) <= 60 else "…" + os.path.basename(text)[-58:]  # noqa: PTH119 - a string alone


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
