"""The proxy as a process of its own beside the task: forked before the task, killed with the launcher, unreadable.

The launcher hands values over by the fork and wipes its own; the process tells back where it listens.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import ssl
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from locum.errors import Unavailable
from locum.run.children import die_with_parent, process_table
from locum.run.egress.rules import Carried, environment


class Egress:
    """A running proxy. `variables` is what the task's environment needs; `close` ends it."""

    def __init__(self, carried: Sequence[Carried], folder: Path) -> None:
        """Start it. `folder` is private and ends with the lease: the certificates that the task trusts go there.

        Raises Unavailable (`unavailable.egress`).
        """
        token = secrets.token_urlsafe(24)
        reading, writing = os.pipe()
        launcher = os.getpid()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(reading)
            _run(carried, token, launcher, writing)
        os.close(writing)
        with open(reading, "rb") as report:  # noqa: PTH123 - a descriptor
            told = report.read()
        if not told:
            os.waitpid(self._pid, 0)
            raise Unavailable("unavailable.egress", "the proxy for this task did not start", "Use another channel.")
        about: dict[str, Any] = json.loads(told)
        bundle = folder / "trusted.pem"
        bundle.write_bytes(_system_roots() + about["certificate"].encode())
        bundle.chmod(0o600)
        self.variables: Mapping[str, str] = environment(about["port"], token, os.fspath(bundle))

    def close(self) -> None:
        """End the proxy; open connections break."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self._pid, 0)


def _run(carried: Sequence[Carried], token: str, launcher: int, report: int) -> NoReturn:
    try:
        die_with_parent(launcher)
        os.setsid()  # the terminal's signals are for the task
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        _serve(carried, token, launcher, report)
    except BaseException:  # noqa: BLE001 - a traceback could show a value; the launcher sees that we are gone
        os._exit(1)
    os._exit(0)


def _serve(carried: Sequence[Carried], token: str, launcher: int, report: int) -> None:
    import asyncio

    from locum.broker.harden import hide_memory
    from locum.run.egress.proxy import Proxy
    from locum.run.masker import Masker
    from locum.secret import SecretBytes

    hide_memory()

    async def main() -> None:
        masks = Masker({item.reference: SecretBytes(item.value()) for item in carried})
        proxy = Proxy(carried, masks, token, lambda port: owns_port(launcher, port), _say)
        server = await proxy.listen()
        port = server.sockets[0].getsockname()[1]
        os.write(report, json.dumps({"port": port, "certificate": proxy.certificate.decode()}).encode())
        os.close(report)
        await server.serve_forever()

    asyncio.run(main())


def owns_port(launcher: int, port: int) -> bool:
    """Say whether a process below `launcher` holds the TCP socket that is bound to a local port (Linux: proc(5)).

    Elsewhere there is no table to read, and the token alone decides.
    """
    if sys.platform != "linux":
        return True
    wanted = _socket_of(port)
    if wanted is None:
        return False
    link = f"socket:[{wanted}]"
    return any(link in _open_files(pid) for pid in _below(launcher))


def _socket_of(port: int) -> str | None:
    """Return the inode of the connection from a local port to the loopback address."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text("ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if (
                int(fields[1].rpartition(":")[2], 16) == port
                and int(fields[2].rpartition(":")[2], 16)
                and fields[9] != "0"
            ):
                return fields[9]
    return None


def _below(launcher: int) -> list[int]:
    table = process_table()
    found = [pid for pid, process in table.items() if process.parent == launcher and pid != os.getpid()]
    for pid in found:  # grows while it is read: the tree, level by level
        found += [other for other, process in table.items() if process.parent == pid]
    return found


def _open_files(pid: int) -> set[str]:
    found: set[str] = set()
    with contextlib.suppress(OSError):
        for entry in os.scandir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                found.add(os.readlink(entry.path))  # noqa: PTH115 - a hot loop
    return found


def _system_roots() -> bytes:
    """Return what this machine trusts, so that the task's other connections go on working."""
    paths = ssl.get_default_verify_paths()
    for place in (os.environ.get(paths.openssl_cafile_env), paths.cafile, paths.openssl_cafile):
        if place:
            with contextlib.suppress(OSError):
                return Path(place).read_bytes() + b"\n"
    return b""


def _say(text: str) -> None:
    with contextlib.suppress(OSError):
        os.write(2, f"locum: proxy: {text}\r\n".encode())
