"""Start the broker process. Knows how to launch it, nothing of what it does.

The broker runs in Python's isolated mode with an environment of our own making: no `PYTHON*`, no `LD_*`, no proxy
and no keyring variable of the caller reaches the process that holds keys.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any

from locum.broker import wire
from locum.errors import Unavailable
from locum.paths import Paths, private_dir

EXIT_BUSY = 4
"""The broker's exit code when another holder has the control channel, or leases are live under a running broker."""

_KEPT = ("HOME", "USER", "LOGNAME", "LANG", "TZ", "LOCUM_HOME", "DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "WAYLAND_DISPLAY",
         "SYSTEMROOT", "APPDATA", "LOCALAPPDATA", "USERPROFILE")  # fmt: skip
_KEPT_PREFIXES = ("XDG_", "LC_")


def broker_command(*arguments: str) -> list[str]:
    """Return the command line of the broker that belongs to this very package."""
    return [sys.executable, "-I", str(Path(__file__).with_name("__main__.py")), *arguments]


def broker_environment() -> dict[str, str]:
    """Return what the broker may know of the caller's environment."""
    kept = {k: v for k, v in os.environ.items() if k in _KEPT or k.startswith(_KEPT_PREFIXES)}
    return kept | {"PATH": os.defpath + ":/usr/local/bin"}


def start_broker(paths: Paths, *, timeout: float = 5.0) -> None:
    """Start a broker in the background and wait until it listens. A broker that lost the race to another is no error."""
    ours, theirs = os.pipe()
    try:
        _spawn(paths, "--ready-fd", theirs)
        os.close(theirs)
        theirs = -1
        select.select([ours], [], [], timeout)
    finally:
        os.close(ours)
        if theirs >= 0:
            os.close(theirs)


class ControlChannel:
    """The end of the control channel that asks a person. One thread at a time."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._reader = wire.FrameReader()
        self._messages: deque[wire.Message] = deque()

    def fileno(self) -> int:
        """Return the descriptor, for `select`."""
        return self._socket.fileno()

    def next_message(self, timeout: float | None) -> wire.Message | None:
        """Return the next event (`hello`, `approve`, `approve.cancel`, `leases`), None after `timeout` seconds.

        Raises Unavailable when the broker has ended.
        """
        end = None if timeout is None else time.monotonic() + timeout
        while not self._messages:
            left = None if end is None else max(0.0, end - time.monotonic())
            if not select.select([self._socket], [], [], left)[0]:
                return None
            data = self._socket.recv(65536)
            if not data:
                raise Unavailable("unavailable.broker", "the broker has ended", "It starts again with the next task.")
            self._messages.extend(message for message, _ in self._reader.feed(data))
        return self._messages.popleft()

    def next_question(self, timeout: float | None) -> dict[str, Any] | None:
        """Return the next question, passing over other events; None after `timeout` seconds."""
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            left = None if end is None else max(0.0, end - time.monotonic())
            message = self.next_message(left)
            if message is None or message.get("event") == "approve":
                return message and message["question"]

    def answer(self, question: str, allow: bool, stands_for: int = 0) -> None:
        """Say what the person said; `stands_for` seconds: the yes holds for exactly this until then."""
        decision = ("allow-content" if stands_for else "allow") if allow else "deny"
        params = {"id": question, "decision": decision, "stands_for": stands_for if allow else 0}
        parts = wire.encode({"method": "approve.answer", "params": params})
        self._socket.sendall(b"".join(parts))

    def close(self) -> None:
        """Give the channel up; open questions are then refused."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


def start_with_control(paths: Paths, *, timeout: float = 10.0) -> ControlChannel | None:
    """Start a broker that we hold the control channel of. None when another holds one, or leases are live elsewhere."""
    ours, theirs = socket.socketpair()
    with theirs:
        _spawn(paths, "--control-fd", theirs.fileno())
    channel = ControlChannel(ours)
    try:
        hello = channel.next_message(timeout)
    except Unavailable:
        hello = None
    if hello is None or hello.get("event") != "hello":
        channel.close()
        return None
    return channel


def _spawn(paths: Paths, flag: str, descriptor: int) -> None:
    private_dir(paths.state)
    private_dir(paths.runtime)
    log = os.open(paths.broker_log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        subprocess.Popen(
            broker_command(flag, str(descriptor)),
            env=broker_environment(), cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            pass_fds=[descriptor], start_new_session=True,
        )  # fmt: skip
    finally:
        os.close(log)
