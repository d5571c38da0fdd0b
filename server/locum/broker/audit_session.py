"""What the record says of one agent's session: names and numbers, for its report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from locum.broker.audit_files import lines_of, log_files
from locum.broker.audit_formats import names_of
from locum.broker.audit_record import operation_of, parse, part

_MOST = 100
"""Names of each kind that are told."""


def account(path: Path, session: str) -> dict[str, Any]:
    """Return what a session was granted: `used` and `refused` (names of secrets), `tasks`, `granted` (how many leases).

    Reads the whole record: not for the event loop. What cannot be read is left out.
    """
    used, refused, tasks = dict[str, None](), dict[str, None](), dict[str, None]()
    granted, mark = 0, session.encode()
    try:
        for _, stream in log_files(path) if path.parent.exists() else ():
            for line in lines_of(stream):
                record = parse(line) if mark in line else None
                if record is None or part(record, "unmapped").get("session") != session:
                    continue
                operation, names = operation_of(record), dict.fromkeys(names_of(record))
                task = part(record, "unmapped").get("task")
                if operation == "lease.grant":
                    granted += 1
                    tasks |= {task: None} if isinstance(task, str) and task else {}
                elif operation == "lease.use":
                    used |= names
                elif operation == "lease.deny":
                    refused |= names
    except OSError:
        pass
    return {
        "used": [*used][:_MOST], "refused": [*refused][:_MOST], "tasks": [*tasks][:_MOST], "granted": granted,
    }  # fmt: skip
