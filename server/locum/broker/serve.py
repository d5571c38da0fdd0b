"""The broker process: harden, take the one place, listen, serve, leave.

Exit codes: 0 ended, 4 (`start.EXIT_BUSY`) somebody else holds the place and it cannot be taken over.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import socket
import sys
import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING

from locum.broker.client import connect
from locum.broker.clients import Clients
from locum.broker.endpoint.server import server_side
from locum.broker.harden import harden, is_socket
from locum.broker.peer import agent_marker
from locum.broker.service import Service
from locum.broker.start import EXIT_BUSY
from locum.errors import LocumError, Unavailable
from locum.paths import Paths, private_dir, user_paths

if TYPE_CHECKING:
    from locum.broker.endpoint.server import Lock

IDLE_EXIT = 15 * 60
"""Seconds without a lease, a connection and a control channel, after which the broker ends."""


def main() -> None:
    """Run the broker; see the module."""
    parser = argparse.ArgumentParser(prog="locum broker")
    parser.add_argument("--ready-fd", type=int, help="written to and closed when the broker listens")
    parser.add_argument("--control-fd", type=int, help="one end of a socket pair: the control channel")
    parser.add_argument("--idle-exit", type=float, default=IDLE_EXIT, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    sys.excepthook, threading.excepthook = _note_uncaught, _note_in_thread
    control: int | None = arguments.control_fd
    harden(keep=[number for number in (arguments.ready_fd, control) if number is not None])
    if control is not None and (not is_socket(control) or agent_marker(os.getppid())):
        sys.exit(EXIT_BUSY)  # an agent answers no questions
    paths = user_paths()
    for folder in (paths.data, paths.state, paths.runtime):
        private_dir(folder)
    lock = _take_place(paths, take_over=control is not None)
    if lock is None:
        sys.exit(EXIT_BUSY)
    os.chdir("/")
    broker = _Broker(paths, lock, arguments.idle_exit)
    code = 1
    try:
        asyncio.run(broker.serve(control, arguments.ready_fd))
        code = 0
    except Exception as error:  # noqa: BLE001 - noted; nobody is there to handle it
        _note(error)
    finally:
        lock.release()
        os._exit(code)  # a thread that hangs on a dead disk must not keep the place: all that matters is closed


def _take_place(paths: Paths, *, take_over: bool) -> Lock | None:
    """Lock the one place of this user's broker; with `take_over`, ask an idle holder without an editor to leave."""
    system = server_side()
    deadline = time.monotonic() + 3
    asked = False
    while (lock := system.take_lock(paths.runtime / "broker.lock")) is None:
        if not take_over or time.monotonic() > deadline:
            return None
        if not asked:
            asked = True
            if not _ask_to_leave():
                return None
        time.sleep(0.02)
    return lock


def _ask_to_leave() -> bool:
    try:
        with connect(start=False) as running:
            status = running.status()
            if status["control"] or status["leases"]:
                return False
            running.stop()
    except Unavailable:
        pass  # it is just leaving, or just starting: the lock tells
    return True


def _note(error: object) -> None:
    """Log what went wrong: its kind and place. Not its text, which may hold a value, unless it is one of ours."""
    what = type(error).__name__
    if isinstance(error, LocumError):
        what += f": {error.message}"
    elif isinstance(error, OSError):
        what += f": {error.strerror}"
    place = error.__traceback__ if isinstance(error, BaseException) else None
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f", {place.tb_frame.f_code.co_name} line {place.tb_lineno}" if place is not None else ""
    print(f"locum broker: {what}{where}", file=sys.stderr, flush=True)  # noqa: T201 - into its log


def _note_uncaught(_: type[BaseException], error: BaseException, __: TracebackType | None) -> None:
    _note(error)


def _note_in_thread(caught: threading.ExceptHookArgs) -> None:
    _note(caught.exc_value)


class _Broker:
    """The place, the clients, the control channel and the clock around a `Service`."""

    def __init__(self, paths: Paths, lock: Lock, idle_exit: float) -> None:
        self._paths, self._lock, self._idle_exit = paths, lock, idle_exit
        self._busy_at = time.monotonic()

    async def serve(self, control: int | None, ready: int | None) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: _note(context.get("exception")))
        self._service = Service(self._paths)
        self._clients = Clients(self._service)
        for name in ("SIGTERM", "SIGINT", "SIGHUP"):
            with contextlib.suppress(
                AttributeError, NotImplementedError
            ):  # Windows: a broker is ended by `broker.stop`
                loop.add_signal_handler(getattr(signal, name), self._service.stopping.set)
        listener = server_side().listen(self._paths)
        listener.start(self._clients.admit, self._clients.come)
        if control is not None:
            self._service.control.add(socket.socket(fileno=control), os.getppid())
        if ready is not None:
            with contextlib.suppress(OSError):
                os.write(ready, b"1")
                os.close(ready)
        try:
            while not self._service.stopping.is_set() and not self._is_idle():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._service.stopping.wait(), 1)
                self._service.tick()
                self._clients.tick()
                if not (listener.is_in_place() and self._lock.is_in_place()):
                    self._service.stopping.set()  # nobody finds us any more, and somebody may sit in our place
        finally:
            listener.close()
            await self._service.end()
            self._service.close()
            await asyncio.sleep(0)
            self._clients.close()
            self._service.control.close()

    def _is_idle(self) -> bool:
        if self._clients or self._service.control.is_held or self._service.is_busy:
            self._busy_at = time.monotonic()
        return time.monotonic() - self._busy_at > self._idle_exit
