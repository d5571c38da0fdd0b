"""The broker process: harden, take the one place, listen, serve, leave.

Exit codes: 0 ended, 4 (`start.EXIT_BUSY`) somebody else holds the place and it cannot be taken over.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import os
import signal
import socket
import sys
import time
from typing import Any, cast

from locum.broker import wire
from locum.broker.client import connect, socket_address
from locum.broker.connection import Connection
from locum.broker.harden import harden
from locum.broker.peer import agent_marker, identify
from locum.broker.question import Question
from locum.broker.service import Service
from locum.broker.start import EXIT_BUSY
from locum.errors import LocumError, Unavailable
from locum.paths import Paths, private_dir, user_paths

IDLE_EXIT = 15 * 60
"""Seconds without a lease, a connection and a control channel, after which the broker ends."""
MAX_CONNECTIONS = 256


def main() -> None:
    """Run the broker; see the module."""
    parser = argparse.ArgumentParser(prog="locum broker")
    parser.add_argument("--ready-fd", type=int, help="written to and closed when the broker listens")
    parser.add_argument("--control-fd", type=int, help="one end of a socket pair: the control channel")
    arguments = parser.parse_args()
    harden()
    paths = user_paths()
    for folder in (paths.data, paths.state, paths.runtime):
        private_dir(folder)
    control: int | None = arguments.control_fd
    if control is not None and agent_marker(os.getppid()):
        sys.exit(EXIT_BUSY)  # an agent answers no questions
    if not _take_place(paths, take_over=control is not None):
        sys.exit(EXIT_BUSY)
    listener = _listen(paths)
    os.chdir("/")
    try:
        asyncio.run(_Broker(paths).serve(listener, control, arguments.ready_fd))
    finally:
        paths.socket.unlink(missing_ok=True)


def _take_place(paths: Paths, *, take_over: bool) -> bool:
    """Lock the one place of this user's broker; with `take_over`, ask an idle holder without an editor to leave."""
    lock = os.open(paths.runtime / "broker.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    deadline = time.monotonic() + 3
    asked = False
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not take_over or time.monotonic() > deadline:
                return False
            if not asked:
                asked = True
                if not _ask_to_leave():
                    return False
            time.sleep(0.02)
        else:
            return True


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


def _listen(paths: Paths) -> socket.socket:
    paths.socket.unlink(missing_ok=True)  # ours by the lock; left behind by a broker that was killed
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    os.umask(0o177)  # 0600 from the first moment on
    with socket_address(paths) as address:
        listener.bind(address)
    os.umask(0o077)
    listener.listen(64)
    listener.setblocking(False)
    return listener


class _Broker:
    """Connections, the control channel and the clock around a `Service`."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._connections: set[Connection] = set()
        self._busy_at = time.monotonic()

    async def serve(self, listener: socket.socket, control: int | None, ready: int | None) -> None:
        loop = asyncio.get_running_loop()
        self._service = Service(self._paths)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._service.stopping.set)
        loop.add_reader(listener, self._accept, listener)
        holder = _ControlHolder(socket.socket(fileno=control), self._service) if control is not None else None
        if ready is not None:
            with contextlib.suppress(OSError):
                os.write(ready, b"1")
                os.close(ready)
        try:
            while not self._service.stopping.is_set() and not self._is_idle(holder):
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._service.stopping.wait(), 1)
                self._service.tick()
        finally:
            loop.remove_reader(listener)
            listener.close()
            self._service.close()
            await asyncio.sleep(0)
            for connection in list(self._connections):
                connection.close()
            if holder is not None:
                holder.close()

    def _is_idle(self, holder: _ControlHolder | None) -> bool:
        if self._connections or (holder is not None and holder.is_open):
            self._busy_at = time.monotonic()
        return time.monotonic() - self._busy_at > IDLE_EXIT

    def _accept(self, listener: socket.socket) -> None:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        if len(self._connections) >= MAX_CONNECTIONS:
            client.close()
            return
        try:
            peer = identify(client)
        except LocumError:
            client.close()
            return
        self._connections.add(Connection(client, peer, self._frame, self._closed))

    def _closed(self, connection: Connection) -> None:
        self._connections.discard(connection)
        self._service.left(connection)

    def _frame(self, connection: Connection, message: wire.Message, payload: bytearray) -> None:
        task = asyncio.get_running_loop().create_task(self._serve_one(connection, message, payload))
        connection.tasks.add(task)
        task.add_done_callback(connection.tasks.discard)

    async def _serve_one(self, connection: Connection, message: wire.Message, payload: bytearray) -> None:
        number = message.get("id")
        if not isinstance(number, int):
            connection.close()
            return
        try:
            result, values = await self._service.call(connection, message, payload)
        except LocumError as error:
            connection.refuse(number, error)
        except Exception as error:  # noqa: BLE001 - whatever it was, its text may hold a value: only its type is told
            connection.refuse(number, LocumError("broker.internal", f"the broker failed ({type(error).__name__})"))
        else:
            connection.answer(number, result, values)
            if isinstance(values, bytearray):
                values[:] = bytes(len(values))


class _ControlHolder:
    """The broker's end of the control channel: questions out, answers in."""

    def __init__(self, channel: socket.socket, service: Service) -> None:
        self._socket = channel
        self._service = service
        self._reader = wire.FrameReader()
        self._loop = asyncio.get_running_loop()
        self.is_open = True
        channel.setblocking(False)
        service.approvals.send = self._ask
        service.approvals.cancel = lambda question: self._send({"event": "approve.cancel", "id": question})
        service.granting.on_leases = lambda leases: self._send({"event": "leases", "leases": leases})
        self._loop.add_reader(channel, self._readable)
        self._send({"event": "hello", "version": wire.PROTOCOL})

    def close(self) -> None:
        """Give the channel up."""
        if self.is_open:
            self.is_open = False
            self._loop.remove_reader(self._socket)
            self._service.granting.on_leases = None
            self._service.approvals.holder_left()
            self._socket.close()

    def _ask(self, question: Question) -> None:
        self._send({"event": "approve", "question": question.to_wire()})

    def _send(self, message: dict[str, Any]) -> None:
        try:
            self._socket.sendall(b"".join(wire.encode(message)))
        except OSError:  # also a holder that does not read: it cannot ask anybody
            self.close()

    def _readable(self) -> None:
        try:
            data = self._socket.recv(65536)
            messages = [message for message, _ in self._reader.feed(data)]
        except (BlockingIOError, InterruptedError):
            return
        except (OSError, wire.WireProblem):
            data, messages = b"", list[wire.Message]()
        if not data:
            self.close()
        for message in messages:
            params = message.get("params")
            if message.get("method") == "approve.answer" and isinstance(params, dict):
                said = cast("dict[str, Any]", params)
                decision, stands_for = said.get("decision"), said.get("stands_for")
                seconds = stands_for if decision == "allow-content" and type(stands_for) is int else 0
                self._service.approvals.answer(
                    str(said.get("id")), decision in {"allow", "allow-content"}, stands_for=seconds
                )
