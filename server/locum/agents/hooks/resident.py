"""The resident: answers hooks with the engine loaded, for as long as some come. `quick` asks it, and starts it.

It knows no more than one `locum hook` does and keeps nothing of an event; whoever may talk to it may run `locum hook`. Where an
answer depends on the caller's variables it says so, and the caller answers. POSIX only.
"""

from __future__ import annotations

import contextlib
import os
import socket
import socketserver
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import cast

from locum.agents.hooks.caller import Elsewhere
from locum.agents.hooks.clients import CLIENTS
from locum.agents.hooks.event import CallerAnswers
from locum.agents.hooks.main import answer, read_arguments
from locum.agents.hooks.quick import MARK, MINE, SOCKET, YOURS
from locum.paths import private_dir, user_paths

IDLE = 15 * 60.0
"""Seconds without an event after which it ends."""
_LOOK = 5.0
_MOST = 33 << 20
_PASSED = (
    "LOCUM_HOME",
    "HOME",
    "PATH",
    "LANG",
    "LC_ALL",
    "XDG_RUNTIME_DIR",
    "XDG_CONFIG_HOME",
    "XDG_STATE_HOME",
    "PYTHONPATH",
)


class _Handler(socketserver.StreamRequestHandler):
    timeout = 5.0

    def handle(self) -> None:
        server = cast("_Server", self.server)
        server.last = time.monotonic()
        mark = self.rfile.read(len(MARK))
        if mark != MARK:
            self.wfile.write(YOURS)
            server.is_over = True  # another version has been installed: its own resident takes over
            return
        sizes = self.rfile.read(8)
        words_size, raw_size = int.from_bytes(sizes[:4], "big"), int.from_bytes(sizes[4:], "big")
        if len(sizes) != 8 or words_size > 1 << 20 or raw_size > _MOST:
            self.wfile.write(YOURS)
            return
        words = self.rfile.read(words_size).decode("utf-8", "surrogateescape").split("\0")
        self.wfile.write(_answer(words, self.rfile.read(raw_size)))


def _answer(words: list[str], raw: bytes) -> bytes:
    client, hint = read_arguments([word for word in words[:-1] if word])
    if client not in CLIENTS:
        return YOURS

    try:
        reply = answer(client, raw, hint, Elsewhere(), Path(words[-1]))
    except CallerAnswers:
        return YOURS
    out = reply.stdout.encode("utf-8", "surrogateescape")
    return (
        MINE
        + bytes((reply.code,))
        + len(out).to_bytes(4, "big")
        + out
        + reply.stderr.encode("utf-8", "surrogateescape")
    )


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 64
    is_over = False

    def __init__(self, path: Path) -> None:
        self.last = time.monotonic()
        super().__init__(str(path), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: an event could stand in a traceback. The caller gets no answer, and answers by itself."""


def serve() -> None:
    """Answer until nobody has asked for a while, the socket is another's, or another version asks."""
    folder = private_dir(user_paths().runtime)
    path = folder / SOCKET
    if _is_alive(path):
        return
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    before = os.umask(0o177)
    try:
        server = _Server(path)
    except OSError:
        return  # another one was quicker
    finally:
        os.umask(before)
    _load()
    own = path.stat().st_ino
    server.timeout = _LOOK
    with server:
        while not server.is_over and time.monotonic() - server.last < IDLE and _inode(path) == own:
            server.handle_request()
    if _inode(path) == own:
        path.unlink()


def start_one() -> None:
    """Start a resident beside us, without anything of ours."""
    if os.name != "posix":
        return
    environment = {name: os.environ[name] for name in _PASSED if name in os.environ}
    with contextlib.suppress(OSError):
        subprocess.Popen(
            [sys.executable, "-c", "from locum.agents.hooks.resident import serve; serve()"], env=environment, cwd="/",
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip


def _load() -> None:
    """Load what an answer needs before the first one is asked for."""
    from locum.agents.hooks.looking import Looker

    Looker(Path("/")).in_text("x")


def _is_alive(path: Path) -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        probe.connect(str(path))
        return True
    return False


def _inode(path: Path) -> int:
    try:
        info = path.lstat()
    except OSError:
        return 0
    return info.st_ino if stat.S_ISSOCK(info.st_mode) else 0
