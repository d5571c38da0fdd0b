"""Clients of a broker whose methods are ours, over real sockets: bounds, deadlines, senders."""

from __future__ import annotations

import array
import asyncio
import contextlib
import json
import os
import socket
import struct
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest

from locum.broker import clients as clients_module
from locum.broker import connection as connection_module
from locum.broker import wire
from locum.broker.clients import Clients
from locum.broker.connection import Connection
from locum.broker.endpoint.posix import socket_address
from locum.broker.endpoint.posix_server import listen
from locum.broker.limits import MAX_CONNECTIONS_OF_ONE, MAX_IN_FLIGHT, MAX_REFUSED
from locum.broker.service import Service
from locum.paths import Paths

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="credentials and /proc of Linux")


class Methods:
    """What stands in for the broker's own methods."""

    def __init__(self) -> None:
        self.hold = asyncio.Event()
        self.kept: set[object] = set()
        self.left_count = 0
        self.strangers: list[int] = []
        self.terminals: list[int | None] = []
        self.running = 0
        self.most_running = 0

    async def call(
        self, connection: Connection, message: wire.Message, payload: bytearray
    ) -> tuple[dict[str, Any], bytes]:
        method = message.get("method")
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            if method == "wait":
                await self.hold.wait()
            if method == "boom":
                raise RuntimeError(f"text with {message} {bytes(payload)!r}")
            if method == "terminal":
                self.terminals.append(connection.take_terminal())
            if method == "big":
                return {"x": "y" * 200_000}, b""
            return {"pid": connection.peer.pid}, bytes(payload)
        finally:
            self.running -= 1

    def needed(self) -> set[object]:
        return self.kept

    def left(self, _: Connection) -> None:
        self.left_count += 1

    def foreign(self, _: Connection, pid: int) -> None:
        self.strangers.append(pid)


class Place:
    """A listening socket, its clients, and ways to be one."""

    def __init__(self, base: Path) -> None:
        base.mkdir(mode=0o700)
        self.paths = Paths(base, base, base, base)
        self.methods = Methods()
        self.clients = Clients(cast("Service", self.methods))
        self.listener = listen(self.paths)
        self.listener.start(self.clients.admit, self.clients.come)

    def connect(self) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with socket_address(self.paths) as address:
            sock.connect(address)
        sock.setblocking(False)
        return sock


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    there = Place(tmp_path / "run")
    yield there
    there.methods.hold.set()
    there.listener.close()
    there.clients.close()
    await asyncio.sleep(0)


def frame(number: Any, method: str, payload: bytes = b"", **params: Any) -> bytes:
    return b"".join(bytes(part) for part in wire.encode({"id": number, "method": method, "params": params}, payload))


async def hear(sock: socket.socket, count: int = 1) -> list[wire.Message]:
    """Read so many messages; fewer at the end of the stream."""
    reader, found = wire.FrameReader(), list[wire.Message]()
    loop = asyncio.get_running_loop()
    with contextlib.suppress(ConnectionError):
        while len(found) < count and (data := await asyncio.wait_for(loop.sock_recv(sock, 1 << 20), 20)):
            found += [message for message, _ in reader.feed(data)]
    return found


async def is_over(sock: socket.socket) -> bool:
    """Read to the end."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(ConnectionError):
        while await asyncio.wait_for(loop.sock_recv(sock, 1 << 20), 20):
            pass
    return True


def open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def until(condition: Any) -> None:
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it did not come about")


async def test_requests_are_answered_and_values_come_back(place: Place) -> None:
    sock = place.connect()
    sock.send(frame(1, "echo") + frame(2, "echo"))
    assert {message["id"] for message in await hear(sock, 2)} == {1, 2}


async def test_half_a_frame_has_a_deadline_and_silence_between_frames_has_none(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "FRAME_WITHIN", 0.2)
    idle, slow, drip = place.connect(), place.connect(), place.connect()
    idle.send(frame(1, "echo"))
    await hear(idle)
    slow.send(frame(1, "echo")[:5])
    whole = frame(1, "echo", b"v" * 2000)
    dripping = asyncio.get_running_loop().create_task(_drip(drip, whole))
    for late in (slow, drip):
        (said,) = await hear(late)
        assert said["error"]["code"] == "unavailable.slow"
        assert await is_over(late)
    dripping.cancel()
    idle.send(frame(2, "echo"))
    assert (await hear(idle))[0]["id"] == 2


async def _drip(sock: socket.socket, data: bytes) -> None:
    for number in range(len(data)):
        with contextlib.suppress(OSError):
            sock.send(data[number : number + 1])
        await asyncio.sleep(0.01)


async def test_one_process_has_so_many_connections_and_others_still_come_in(place: Place) -> None:
    many = [place.connect() for _ in range(MAX_CONNECTIONS_OF_ONE)]
    await until(lambda: len(place.clients) == MAX_CONNECTIONS_OF_ONE)
    assert await is_over(place.connect())
    many[0].close()
    await until(lambda: len(place.clients) == MAX_CONNECTIONS_OF_ONE - 1)
    again = place.connect()
    again.send(frame(1, "echo"))
    assert await hear(again)
    for sock in many:
        sock.close()


async def test_when_all_places_are_taken_who_needs_none_gives_one_up(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients_module, "MAX_CONNECTIONS", 4)
    leased, known, silent, busy = (place.connect() for _ in range(4))
    for sock in (leased, known):
        sock.send(frame(1, "echo"))
        await hear(sock)
    busy.send(frame(1, "wait"))
    await until(lambda: place.methods.running == 1)
    first = min(place.clients._connections, key=lambda one: (not one.spoke, one.since))
    place.methods.kept = {first}  # of those that spoke first: the one with a lease
    new: list[socket.socket] = []
    for running in (2, 3):
        new.append(place.connect())
        new[-1].send(frame(1, "wait"))
        await until(lambda running=running: place.methods.running == running)
    assert (await hear(silent))[0]["error"]["code"] == "unavailable.full", "who never spoke leaves first"
    assert (await hear(known))[0]["error"]["code"] == "unavailable.full"
    assert await is_over(place.connect()), "nobody can be spared: the new one leaves"
    place.methods.hold.set()
    assert [message["id"] for message in await hear(busy)] == [1]
    leased.send(frame(2, "echo"))
    assert await hear(leased)


async def test_only_so_many_requests_are_at_work(place: Place) -> None:
    sock = place.connect()
    sock.send(b"".join(frame(number, "wait") for number in range(MAX_IN_FLIGHT + 5)))
    refused = await hear(sock, 5)
    assert {message["error"]["code"] for message in refused} == {"unavailable.rate"}
    assert place.methods.most_running == MAX_IN_FLIGHT
    place.methods.hold.set()
    assert len(await hear(sock, MAX_IN_FLIGHT)) == MAX_IN_FLIGHT


async def test_who_does_not_listen_to_refusals_is_dropped(place: Place) -> None:
    sock, other = place.connect(), place.connect()
    flood = b"".join(frame(number, "wait") for number in range(MAX_IN_FLIGHT + MAX_REFUSED + 50))
    await asyncio.get_running_loop().sock_sendall(sock, flood)
    said = await hear(sock, 10_000)
    assert said[-1].get("event") == "dropped"
    assert len(said) == MAX_REFUSED + 1
    other.send(frame(1, "echo"))
    assert await hear(other)


async def test_a_peer_that_does_not_read_is_dropped(place: Place) -> None:
    sock = place.connect()
    for number in range(400):
        with contextlib.suppress(OSError):
            sock.send(frame(number, "big"))
        await asyncio.sleep(0)
    await until(lambda: place.methods.left_count == 1)
    assert place.clients._all_held == 0


async def test_all_together_hold_so_much_and_who_holds_most_is_dropped(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients_module, "MAX_HELD", 1_000_000)
    small, large = place.connect(), place.connect()
    loop = asyncio.get_running_loop()
    whole = frame(1, "echo", b"v" * 300_000)
    await loop.sock_sendall(small, whole[:200_000])
    with contextlib.suppress(OSError):
        await loop.sock_sendall(large, frame(1, "echo", b"v" * 900_000)[:-1])
    assert await is_over(large)
    await loop.sock_sendall(small, whole[200_000:])
    (answer,) = await hear(small)
    assert answer["id"] == 1
    await until(lambda: place.clients._all_held == 0)


async def test_an_exception_says_its_type_and_nothing_else(place: Place) -> None:
    sock = place.connect()
    sock.send(frame(1, "boom", b"a-planted-value"))
    (message,) = await hear(sock)
    assert message["error"]["code"] == "broker.internal"
    assert "planted" not in json.dumps(message)
    assert "text with" not in json.dumps(message)


@pytest.mark.parametrize("number", [None, "1", 1.0, True, [1], {}])
async def test_a_request_without_a_number_ends_the_connection(place: Place, number: Any) -> None:
    sock = place.connect()
    sock.send(frame(number, "echo"))
    (said,) = await hear(sock, 2)
    assert said["event"] == "dropped"


async def test_descriptors_that_are_no_terminal_are_let_go(place: Place, tmp_path: Path) -> None:
    before = open_descriptors()
    sock = place.connect()
    reading, writing = os.pipe()
    files = [os.open(tmp_path, os.O_RDONLY) for _ in range(20)]
    for _ in range(10):
        await _send_with(sock, frame(1, "echo"), [*files, writing])
        await hear(sock)
    for descriptor in (*files, writing):
        os.close(descriptor)
    assert os.read(reading, 1) == b"", "nobody else has the pipe's other end any more"
    os.close(reading)
    sock.send(frame(2, "terminal"))
    await hear(sock)
    assert place.methods.terminals == [None]
    sock.close()
    await until(lambda: len(place.clients) == 0 and open_descriptors() <= before)


async def test_the_last_terminal_counts_and_the_others_are_closed(place: Place) -> None:
    master, slave = os.openpty()
    before = open_descriptors()
    sock = place.connect()
    await _send_with(sock, frame(1, "terminal"), [slave] * 100)
    await hear(sock)
    (taken,) = place.methods.terminals
    assert taken is not None
    assert os.ttyname(taken) == os.ttyname(slave)
    os.close(taken)
    sock.close()
    await until(lambda: len(place.clients) == 0 and open_descriptors() <= before)
    os.close(master)
    os.close(slave)


async def _send_with(sock: socket.socket, data: bytes, descriptors: list[int]) -> None:
    sock.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))])
    await asyncio.sleep(0)


async def test_a_descriptor_whose_close_waits_makes_nobody_wait(place: Place) -> None:
    """A TCP socket with unsent data and SO_LINGER: its last close waits for the other end, which never reads."""
    sock, other = place.connect(), place.connect()
    with socket.create_server(("127.0.0.1", 0)) as server:
        lingering = socket.create_connection(server.getsockname())
        deaf, _ = server.accept()
    lingering.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            lingering.send(b"x" * 65536)
    lingering.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 600))
    sock.sendmsg([frame(1, "echo")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [lingering.fileno()]))])
    lingering.close()  # at once: the broker's will be the last one
    assert await hear(sock)
    other.send(frame(1, "echo"))
    assert await hear(other), "and not only after ten minutes"
    deaf.close()


async def test_whoever_inherits_a_connection_does_not_speak_in_its_name(place: Place) -> None:
    sock = place.connect()
    sock.send(frame(1, "echo"))
    assert (await hear(sock))[0]["result"]["pid"] == os.getpid()
    heir = _heir(sock, frame(2, "echo"))
    said = await hear(sock, 2)
    assert [message.get("event") for message in said] == ["dropped"]
    assert said[0]["error"]["code"] == "denied.sender"
    assert await is_over(sock)
    assert place.methods.strangers == [heir]
    await asyncio.to_thread(os.waitpid, heir, 0)


def _heir(sock: socket.socket, data: bytes) -> int:
    """Start a process that inherits the connection and sends something on it; return its pid."""
    os.set_inheritable(sock.fileno(), True)
    script = f"import os; os.write({sock.fileno()}, bytes.fromhex('{data.hex()}'))"
    return os.posix_spawn(sys.executable, [sys.executable, "-c", script], os.environ)


async def test_half_of_a_frame_from_an_heir_is_refused_too(place: Place) -> None:
    sock = place.connect()
    whole = frame(1, "echo")
    sock.send(whole[:10])
    await asyncio.sleep(0.05)
    heir = _heir(sock, whole[10:])
    (said,) = await hear(sock, 2)
    assert said["error"]["code"] == "denied.sender"
    await asyncio.to_thread(os.waitpid, heir, 0)


async def test_what_was_sent_before_the_connection_was_accepted_has_a_sender_too(place: Place) -> None:
    sock = place.connect()
    sock.send(frame(1, "echo"))  # the broker's loop, this very thread, has not accepted yet
    assert (await hear(sock))[0]["id"] == 1


async def test_all_threads_of_a_process_are_one_sender(place: Place) -> None:
    sock = place.connect()
    threads = [threading.Thread(target=sock.send, args=(frame(number, "echo"),)) for number in range(8)]
    for thread in threads:
        thread.start()
    assert len(await hear(sock, 8)) == 8
    for thread in threads:
        thread.join()


async def test_a_connection_whose_process_is_gone_ends_though_somebody_inherited_it(place: Place) -> None:
    script = (
        "import os, socket, sys, time; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); pid = os.fork()\n"
        "if pid: print(pid, flush=True); time.sleep(0.3); os._exit(0)\n"
        "os.close(1); time.sleep(60)"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, str(place.paths.socket), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    heir = int(await process.stdout.readline())
    await until(lambda: len(place.clients) == 1)
    await process.wait()
    place.clients.tick()
    assert len(place.clients) == 0
    os.kill(heir, 9)


async def test_a_place_that_was_taken_away_is_noticed(place: Place) -> None:
    assert place.listener.is_in_place()
    place.paths.socket.rename(place.paths.runtime / "moved")
    assert not place.listener.is_in_place()
    place.paths.socket.touch()
    assert not place.listener.is_in_place()
    place.listener.close()
    assert place.paths.socket.exists(), "what somebody else put there is not ours to delete"
