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
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from locum.broker import wire
from locum.errors import Unavailable
from locum.paths import Paths, private_dir

T = TypeVar("T")

EXIT_BUSY = 4
"""The broker's exit code when another holder has the control channel, or leases are live under a running broker."""

_KEPT = ("HOME", "USER", "LOGNAME", "LANG", "TZ", "LOCUM_HOME", "DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "WAYLAND_DISPLAY",
         "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_SESSION_ID",
         "XDG_CURRENT_DESKTOP", "SYSTEMROOT", "APPDATA", "LOCALAPPDATA", "USERPROFILE")  # fmt: skip
"""Where our files and the keyring's bus are, and what its dialog needs. Not XDG_DATA_DIRS and XDG_CONFIG_DIRS: there
libraries look for more than files of ours."""
_KEPT_PREFIXES = ("LC_",)
_LOOK_FOR = 0.5
"""Seconds until we start another one when there is still none to connect to."""


def broker_command(*arguments: str) -> list[str]:
    """Return the command line of the broker that belongs to this very package."""
    return [sys.executable, "-I", str(Path(__file__).with_name("__main__.py")), *arguments]


def broker_environment() -> dict[str, str]:
    """Return what the broker may know of the caller's environment."""
    kept = {k: v for k, v in os.environ.items() if k in _KEPT or k.startswith(_KEPT_PREFIXES)}
    return kept | {"PATH": os.defpath + ":/usr/local/bin"}


def start_broker(paths: Paths, connect: Callable[[], T | None], *, timeout: float = 5.0) -> T | None:
    """Start a broker in the background and return what `connect` then gives; None when it does not listen in time.

    Of many clients at once one starts it and the others wait for that one.
    """
    end = time.monotonic() + timeout
    with _turn(paths, end - timeout / 2):
        client = connect()
        if client is not None:
            return client
        while client is None and time.monotonic() < end:
            if os.name == "posix":
                _spawn_and_wait(paths, end)
            else:
                _spawn(paths)  # no descriptor is inherited there: we look until it is there
            again = min(end, time.monotonic() + _LOOK_FOR)
            while (client := connect()) is None and time.monotonic() < again:
                time.sleep(0.02)  # it lost the race to one that an editor started, or to one that is just leaving
        return client


def _spawn_and_wait(paths: Paths, end: float) -> None:
    """Start one and wait until it listens, or has ended."""
    ours, theirs = os.pipe()
    try:
        _spawn(paths, "--ready-fd", theirs)
        os.close(theirs)
        theirs = -1
        wait_for(ours, max(0.0, end - time.monotonic()))
    finally:
        os.close(ours)
        if theirs >= 0:
            os.close(theirs)


@contextlib.contextmanager
def _turn(paths: Paths, until: float) -> Iterator[None]:
    """Let one client at a time start the broker; whoever waited until then goes on all the same."""
    try:
        import fcntl
    except ImportError:  # Windows: brokers sort it out among themselves
        yield
        return
    private_dir(paths.runtime)
    lock = os.open(paths.runtime / "start.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    break
                time.sleep(0.02)
        yield
    finally:
        os.close(lock)


def wait_for(descriptor: int, timeout: float | None) -> bool:
    """Wait until a descriptor has something to read, or its other end is closed; say whether that came in time."""
    if not hasattr(select, "poll"):
        return bool(select.select([descriptor], [], [], timeout)[0])
    poll = select.poll()  # not `select`: an editor's descriptors may be above 1023
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(None if timeout is None else timeout * 1000))


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
        """Return the next event (`hello`, `approve`, `value`, `approve.cancel`, `leases`), None after `timeout` seconds.

        Raises Unavailable when the broker has ended.
        """
        end = None if timeout is None else time.monotonic() + timeout
        while not self._messages:
            left = None if end is None else max(0.0, end - time.monotonic())
            if not wait_for(self._socket.fileno(), left):
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

    def take_values(self) -> None:
        """Say that a person can type values here: `value` questions come too. An answer yes says that it is stored."""
        self._socket.sendall(b"".join(wire.encode({"method": "control.takes_values", "params": {}})))

    def close(self) -> None:
        """Give the channel up; open questions are then refused."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


def pair() -> ControlChannel:
    """Share the control channel of the running broker, after whoever holds it said yes. Raises NotAllowed, Unavailable."""
    from locum.broker.client import connect

    ours, theirs = socket.socketpair()
    channel = ControlChannel(ours)
    try:
        with theirs, connect(start=False) as client:
            client.pair(theirs.fileno())
    except BaseException:
        channel.close()
        raise
    return channel


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


def _spawn(paths: Paths, flag: str = "", descriptor: int = -1) -> None:
    private_dir(paths.state)
    private_dir(paths.runtime)
    log = os.open(
        paths.broker_log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0),
        0o600,
    )  # fmt: skip
    try:
        subprocess.Popen(
            broker_command(flag, str(descriptor)) if flag else broker_command(),
            env=broker_environment(), cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            pass_fds=[descriptor] if flag else [], start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )  # fmt: skip
    finally:
        os.close(log)
