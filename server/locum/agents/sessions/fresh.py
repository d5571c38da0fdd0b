"""Which findings are new since an agent's session began: what the agent is told, so that old ones do not flood it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from locum.agents.sessions.report import read_journal
from locum.workspace.agent_journal import first_had
from locum.workspace.agent_notes import modified, shown

MOST = 10


def new_since(session: str, findings: Iterable[Mapping[str, Any]], folder: Path) -> list[Mapping[str, Any]]:
    """Return those of `findings` (in JSON form, paths relative to `folder`) that are new since the session began.

    New is what stands in a file that was written since then, unless a hook noted that it stood there before the session's
    first write. Of a session that nobody noted all count as new. In the order of path, place and fingerprint.
    """
    entries = read_journal().of(session)
    began = entries[0].at if entries else 0
    had = first_had(entries)
    times = dict[Path, int]()
    new: list[Mapping[str, Any]] = []
    for finding in findings:
        path = (folder / str(finding.get("path", ""))).resolve()
        if path not in times:
            times[path] = modified(path) // 1_000_000
        if times[path] and times[path] < began:
            continue
        if finding.get("fingerprint") not in had.get(shown(str(path)), frozenset()):
            new.append(finding)
    return sorted(new, key=_order)


def lines(findings: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return findings in JSON form as one line each, at most `MOST`, and one more that says how many are left out."""
    all_ = list(findings)
    said = [
        f"{shown(str(item['path']))}:{item['range']['start']['line'] + 1}: {item['title']} in plain text "
        f"[{item['rule']}]; write locum://{item['secret_name']} instead"
        for item in all_[:MOST]
    ]
    return said + ([f"and {len(all_) - MOST} more"] if len(all_) > MOST else [])


def _order(finding: Mapping[str, Any]) -> tuple[str, int, str]:
    start = finding.get("range", {}).get("start", {})
    return str(finding.get("path", "")), int(start.get("line", 0)), str(finding.get("fingerprint", ""))
