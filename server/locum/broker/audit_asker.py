"""What the record says of the process that asks, as the kernel tells it: program, start, command line. Linux; elsewhere
and of a process that is gone, nothing.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from locum.broker.leases import boot_clock

_MOST = 4096
"""Bytes of a command line that are read; what looks like a secret is taken out before it is written (`audit_record`)."""


def boot_id() -> str:
    """Return which start of the machine this is, "" where that cannot be told."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except (OSError, ValueError):
        return ""


def program_of(pid: int) -> str:
    """Return the path of a process's program, "" where that cannot be told."""
    try:
        return str(Path(f"/proc/{pid}/exe").readlink())
    except OSError:
        return ""


def about_process(pid: object) -> dict[str, Any]:
    """Return `created_time` (milliseconds since 1970), `program` (a path) and `cmd_line` of a process, if it is there."""
    if type(pid) is not int or pid == os.getpid():
        return {}
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
        ticks = int(stat[stat.rindex(b")") + 2 :].split()[19])  # proc(5): starttime, after the name the 20th
        created = time.time() - boot_clock() + ticks / os.sysconf("SC_CLK_TCK")
        with Path(f"/proc/{pid}/cmdline").open("rb") as file:
            line = file.read(_MOST).rstrip(b"\0").replace(b"\0", b" ")
        program = str(Path(f"/proc/{pid}/exe").readlink())
    except (OSError, ValueError, IndexError):
        return {}
    return {"created_time": round(created * 1000), "program": program, "cmd_line": os.fsdecode(line)}
