"""Beside the sandbox: carries out `locum run` for the agent inside, where the agent cannot look.

The agent hands over what to run, where, and its own standard descriptors; a real `locum run` does it out here, with the
environment that the sandbox was started with, asks the person as always, and masks what comes back. Nothing that the agent
sends chooses a program's search path, a variable or a folder outside of the workspace, and nothing runs out here that
nobody is asked about: what uses no secret stays inside.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from locum.broker import wire
from locum.errors import Unavailable, from_wire
from locum.run.children import die_with_parent

MOST_TASKS = 8
_WITHIN = 10.0
FOR_WORKSPACE = "LOCUM_OUTSIDE"
"""Tells a `locum run` out here that a sandboxed agent asked for it, and in which workspace."""
_PROGRAM = "import sys; sys.path.insert(0, sys.argv.pop(1)); from locum.__main__ import main; main()"
_OWN = os.fspath(Path(__file__).resolve().parents[3])


class Supervisor:
    """Listens on a socket of its own; one task a connection."""

    def __init__(self, listener: socket.socket, workspace: str, environment: Mapping[str, str]) -> None:
        self._listener = listener
        self._workspace = workspace
        self._environment = {**environment, FOR_WORKSPACE: workspace}
        self._running = 0

    async def serve(self) -> None:
        """Serve until the process is ended."""
        loop = asyncio.get_running_loop()
        self._listener.setblocking(False)
        tasks: set[asyncio.Task[None]] = set()
        while True:
            connection, _ = await loop.sock_accept(self._listener)
            task = loop.create_task(self._serve_one(connection))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    async def _serve_one(self, connection: socket.socket) -> None:
        with connection:
            connection.setblocking(False)
            descriptors: list[int] = []
            try:
                async with asyncio.timeout(_WITHIN):
                    message = await _receive(connection, descriptors)
                await self._run(connection, message, descriptors)
            except (OSError, TimeoutError, wire.WireProblem):
                pass
            finally:
                for descriptor in descriptors:
                    os.close(descriptor)

    async def _run(self, connection: socket.socket, message: Mapping[str, Any], descriptors: list[int]) -> None:
        loop = asyncio.get_running_loop()
        problem = self._problem(message, descriptors)
        if problem:
            await loop.sock_sendall(connection, b"".join(wire.encode({"error": problem})))
            return
        self._running += 1
        try:
            process = await asyncio.create_subprocess_exec(
                # isolated: the folder is the agent's, and `-m` would import from it
                sys.executable, "-I", "-c", _PROGRAM, _OWN, "run", *message["arguments"],
                cwd=message["cwd"], env=self._environment, stdin=descriptors[0], stdout=descriptors[1],
                stderr=descriptors[2], start_new_session=True,
            )  # fmt: skip
            gone = loop.create_task(_until_gone(connection, process))
            code = await process.wait()
            gone.cancel()
            with contextlib.suppress(OSError):
                await loop.sock_sendall(connection, b"".join(wire.encode({"code": code})))
        finally:
            self._running -= 1

    def _problem(self, message: Mapping[str, Any], descriptors: list[int]) -> str:
        arguments, folder = message.get("arguments"), message.get("cwd")
        if not isinstance(arguments, list) or len(descriptors) != 3 or not isinstance(folder, str):
            return "this is no task"
        if not all(isinstance(part, str) and "\0" not in part for part in arguments):  # pyright: ignore[reportUnknownVariableType] - JSON
            return "this is no task"
        if not Path(os.path.realpath(folder)).is_relative_to(self._workspace):
            return f"tasks run in {self._workspace} and below"
        if self._running >= MOST_TASKS:
            return f"{MOST_TASKS} tasks are running already"
        return ""


async def _receive(connection: socket.socket, descriptors: list[int]) -> Mapping[str, Any]:
    """Read one frame, and the descriptors that come with it. Raises OSError, WireProblem."""
    loop, reader = asyncio.get_running_loop(), wire.FrameReader()
    while True:
        await _readable(loop, connection)
        data, more, _, _ = socket.recv_fds(connection, 65536, 3)
        descriptors += more
        if not data:
            raise OSError
        for message, _ in reader.feed(data):
            return message


async def _readable(loop: asyncio.AbstractEventLoop, connection: socket.socket) -> None:
    ready = loop.create_future()
    loop.add_reader(connection, lambda: ready.done() or ready.set_result(None))
    try:
        await ready
    finally:
        loop.remove_reader(connection)


async def _until_gone(connection: socket.socket, process: asyncio.subprocess.Process) -> None:
    """Pass signals on; end the task when its asker is gone."""
    loop, reader = asyncio.get_running_loop(), wire.FrameReader()
    while True:
        try:
            data = await loop.sock_recv(connection, 4096)
            numbers = [message.get("signal") for message, _ in reader.feed(data)]
        except (OSError, wire.WireProblem):
            data, numbers = b"", []
        if not data:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            return
        for number in numbers:
            if isinstance(number, int) and number in {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT}:
                with contextlib.suppress(ProcessLookupError):
                    process.send_signal(number)


def start(path: Path, workspace: str, environment: Mapping[str, str]) -> int:
    """Start the supervisor as a process of its own, listening at `path`; return its pid. It ends with this one."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(os.fspath(path))
    finally:
        os.umask(before)
    listener.listen(16)
    launcher = os.getpid()
    pid = os.fork()
    if pid == 0:
        _be_supervisor(listener, workspace, environment, launcher)
    listener.close()
    return pid


def _be_supervisor(
    listener: socket.socket, workspace: str, environment: Mapping[str, str], launcher: int
) -> NoReturn:  # fmt: skip
    try:
        die_with_parent(launcher)
        os.setsid()  # no terminal: nobody inside can answer a question that is asked on one
        asyncio.run(Supervisor(listener, workspace, environment).serve())
    except BaseException:  # noqa: BLE001 - the copy of the launcher must not go on as a launcher
        os._exit(1)
    os._exit(0)


def hand_over(path: str, arguments: list[str]) -> int:
    """In the sandbox: let a task be run outside with our descriptors, pass signals on, and return its exit code.

    Raises Unavailable when nobody is there to do it, LocumError when it is refused.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with connection:
        try:
            connection.connect(path)
            data = b"".join(wire.encode({"arguments": arguments, "cwd": os.getcwd()}))  # noqa: PTH109 - a text is needed
            sent = socket.send_fds(connection, [data], [0, 1, 2])
            if sent < len(data):
                connection.sendall(data[sent:])
        except OSError:
            raise Unavailable(
                "unavailable.sandbox", "the sandbox's supervisor is gone, and no value goes into a sandbox",
                "Start the sandbox again.",
            ) from None  # fmt: skip
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            signal.signal(number, lambda number, _: _pass_on(connection, number))
        reader = wire.FrameReader()
        while data := connection.recv(4096):
            for message, _ in reader.feed(data):
                if "error" in message:
                    raise from_wire("denied.sandbox", str(message["error"]), "")
                code = message.get("code")
                return (code if code >= 0 else 128 - code) if isinstance(code, int) else 1
    return 1


def _pass_on(connection: socket.socket, number: int) -> None:
    with contextlib.suppress(OSError):
        connection.sendall(b"".join(wire.encode({"signal": number})))
