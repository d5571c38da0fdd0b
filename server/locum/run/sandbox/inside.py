"""In the sandbox, before the agent starts: close what mounts cannot close, look whether it holds, say so, become the agent.

Run as a program by bubblewrap: `inside.py FACTS REPORT-FD COMMAND…`. It looks from where the agent will look; a promise that
does not hold here is not made.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

_PR_SET_NO_NEW_PRIVS = 38  # include/uapi/linux/prctl.h
_CREATE_RULESET, _RESTRICT_SELF = 444, 446  # the same numbers on every architecture (landlock(7))
_SCOPE_ABSTRACT_UNIX_SOCKET, _SCOPE_SIGNAL = 1, 2  # include/uapi/linux/landlock.h, from ABI 6 on
_GET_VERSION = 1


class Found(NamedTuple):
    """What one probe found."""

    name: str
    closed: bool
    must: bool
    """Whether nothing is started when it is open."""
    said: str = ""


def close_scopes() -> bool:
    """Let this process and what it starts reach no abstract socket and signal no process outside; say whether it can."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(_CREATE_RULESET, None, 0, _GET_VERSION) < 6:
        return False
    wanted = (ctypes.c_uint64 * 3)(0, 0, _SCOPE_ABSTRACT_UNIX_SOCKET | _SCOPE_SIGNAL)
    ruleset = libc.syscall(_CREATE_RULESET, ctypes.byref(wanted), ctypes.sizeof(wanted), 0)
    if ruleset < 0:
        return False
    try:
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        return libc.syscall(_RESTRICT_SELF, ruleset, 0) == 0
    finally:
        os.close(ruleset)


def look(facts: dict[str, Any], *, scoped: bool) -> Iterator[Found]:
    """Try what an agent would try. `facts` comes from outside."""
    own = os.stat("/proc/self/ns/pid").st_ino  # noqa: PTH116 - the launcher pays for pathlib already, but stat is what is meant
    yield Found("other processes", own != facts["pid_namespace"] and not _names(facts["broker_pid"]), True)
    yield Found("the vault", not _is_there(facts["vault"]), True)
    yield Found(
        "Locum's policy, record and locks", not any(_holds_something(place) for place in facts["folders"]), True
    )
    yield Found("keyring and session bus", not any(_connects(address) for address in facts["buses"]), True)
    yield Found("abstract sockets", scoped, any(address.startswith("@") for address in facts["buses"]))
    yield Found("displays", not any(_connects(address) for address in facts["displays"]), False)
    yield Found("ssh and gpg agents", not any(_connects(address) for address in facts["agents"]), False)
    yield Found("docker and other system services", not any(_connects(place) for place in facts["services"]), False)
    yield Found("keys and histories in your home", not any(_holds_something(place) for place in facts["hidden"]), False)
    yield Found("writing outside of the workspace", not _can_write(facts["home"]), False)


def _names(broker: int) -> bool:
    """Say whether a process that is called like the broker is seen under the broker's number."""
    with contextlib.suppress(OSError):
        return b"broker" in Path(f"/proc/{broker}/cmdline").read_bytes()
    return False


def _is_there(place: str) -> bool:
    return Path(place).exists()


def _holds_something(place: str) -> bool:
    path = Path(place)
    try:
        if path.is_dir():
            return any(entry.suffix != ".sock" for entry in path.iterdir())
        return path.is_file() and path.stat().st_size > 0
    except OSError:
        return False


def _connects(address: str) -> bool:
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as connection:
        connection.settimeout(0.5)
        try:
            connection.connect("\0" + address[1:] if address.startswith("@") else address)
        except OSError:
            return False
    return True


def _can_write(folder: str) -> bool:
    place = Path(folder) / f".locum-probe-{os.getpid()}"
    try:
        place.touch()
    except OSError:
        return False
    place.unlink()
    return True


def main() -> int:
    """See the module. Exits with 3 when a must does not hold."""
    facts: dict[str, Any] = json.loads(sys.argv[1])
    report, command = int(sys.argv[2]), sys.argv[3:]
    scoped = close_scopes()
    found = list(look(facts, scoped=scoped))
    with os.fdopen(report, "w") as out:
        out.write(json.dumps([item._asdict() for item in found]))
    if any(item.must and not item.closed for item in found):
        return 3
    if not command:
        return 0
    sys.stdout.flush()
    with contextlib.suppress(FileNotFoundError, PermissionError):
        os.execvp(command[0], command)
    os.write(2, f"locum: {command[0]}: cannot be started in the sandbox\n".encode())
    return 127


Look = Callable[[dict[str, Any]], Iterator[Found]]

if __name__ == "__main__":
    sys.exit(main())
