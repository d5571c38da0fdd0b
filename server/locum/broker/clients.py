"""All clients of a broker together: who comes in, how much each may ask and hold, who leaves when places run out.

Nothing that a client sends stops the broker or keeps it from others: it is bounded here, each bound in `limits`.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import TYPE_CHECKING

from locum.broker import wire
from locum.broker.connection import Connection
from locum.broker.limits import (
    FOREIGN_TOLD,
    KNOWN,
    MAX_CONNECTIONS,
    MAX_CONNECTIONS_OF_ONE,
    MAX_HELD,
    MAX_IN_FLIGHT,
    MAX_IN_FLIGHT_OF_ONE,
    MAX_REFUSED,
    NEW,
    NEW_FOR,
    SILENT,
    Bucket,
    Rates,
    Seat,
    who_leaves,
)  # fmt: skip
from locum.errors import LocumError, Unavailable

if TYPE_CHECKING:
    from locum.broker.endpoint.server import Stream
    from locum.broker.service import Service


class Clients:
    """The connections of one broker. The owner of each (`connection.Owner`)."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._connections: set[Connection] = set()
        self._of: Counter[int] = Counter()
        """Connections, by the number of the process."""
        self._at_work: Counter[int] = Counter()
        """Requests that are not answered yet, by the number of the process."""
        self._held: dict[Connection, int] = {}
        self._all_held = 0
        self._rates = Rates()
        self._told = Bucket(FOREIGN_TOLD, time.monotonic())

    def __len__(self) -> int:
        return len(self._connections)

    def admit(self, pid: int) -> bool:
        """Say whether a process may have one more connection; when all places are taken, somebody may have to leave."""
        if self._of[pid] >= MAX_CONNECTIONS_OF_ONE:
            return False
        if len(self._connections) < MAX_CONNECTIONS:
            return True
        needed = self._service.needed()
        now = time.monotonic()
        seats = {
            Seat(one.peer.pid, bool(one.tasks) or one in needed, _standing(one, now), one.since): one
            for one in self._connections
        }
        leaves = who_leaves(seats)
        if leaves is None:
            return False
        seats[leaves].drop(Unavailable("unavailable.full", "too many programs are connected to the broker"))
        return True

    def come(self, stream: Stream) -> None:
        """A client that was admitted is here."""
        self._of[stream.peer.pid] += 1
        connection = Connection(stream, self)
        self._connections.add(connection)

    def tick(self) -> None:
        """Once a second: end the connections whose process is gone, though somebody may have inherited them."""
        self._rates.forget()
        for connection in list(self._connections):
            if not connection.peer.alive():
                connection.close()

    def close(self) -> None:
        """End all connections."""
        for connection in list(self._connections):
            connection.close()

    # -- what connections report ----------------------------------------------------------------------------------

    def closed(self, connection: Connection) -> None:
        """Take a connection off the books."""
        self._connections.discard(connection)
        _less(self._of, connection.peer.pid)
        self._service.left(connection)

    def resized(self, connection: Connection) -> None:
        """Count the bytes that all hold; the one with most leaves when they are too many."""
        before, now = self._held.get(connection, 0), connection.held
        self._all_held += now - before
        if now:
            self._held[connection] = now
        else:
            self._held.pop(connection, None)
        if self._all_held > MAX_HELD:
            most = max(self._held, key=lambda one: self._held[one])
            most.drop(Unavailable("unavailable.memory", "the broker holds too much for this program"))

    def foreign(self, connection: Connection, pid: int) -> None:
        """Somebody speaks in another process's name. Recorded, but nobody can fill the record with it."""
        if self._told.take(time.monotonic()):
            self._service.foreign(connection, pid)

    def frame(self, connection: Connection, message: wire.Message, payload: bytearray) -> None:
        """Serve a request, or refuse it for being one too many."""
        number, pid = message.get("id"), connection.peer.pid
        if type(number) is not int:
            connection.drop(wire.WireProblem("a request has no number"))
            return
        busy = len(connection.tasks) >= MAX_IN_FLIGHT or self._at_work[pid] >= MAX_IN_FLIGHT_OF_ONE
        if busy or not self._rates.take(pid, str(message.get("method"))):
            self._too_many(connection, number, "at a time" if busy else "a second")
            return
        connection.refused = 0
        connection.at_work += len(payload)
        self._at_work[pid] += 1
        task = asyncio.get_running_loop().create_task(self._serve(connection, number, message, payload))
        connection.tasks.add(task)
        size = len(payload)

        def done(task: asyncio.Task[None]) -> None:
            connection.tasks.discard(task)
            _less(self._at_work, pid)
            connection.at_work -= size
            payload[:] = bytes(len(payload))
            self.resized(connection)

        task.add_done_callback(done)

    def _too_many(self, connection: Connection, number: int, how: str) -> None:
        connection.refused += 1
        problem = Unavailable("unavailable.rate", f"too many requests {how}", "Wait a moment, then try again.")
        if connection.refused > MAX_REFUSED:
            connection.drop(problem)
        else:
            connection.refuse(number, problem)

    async def _serve(
        self, connection: Connection, number: int, message: wire.Message, payload: bytearray
    ) -> None:  # fmt: skip
        values: bytearray | bytes = b""
        try:
            result, values = await self._service.call(connection, message, payload)
            connection.answer(number, result, values)
        except LocumError as error:
            connection.refuse(number, error)
        except Exception as error:  # noqa: BLE001 - whatever it was, its text may hold a value: only its type is told
            connection.refuse(number, LocumError("broker.internal", f"the broker failed ({type(error).__name__})"))
        finally:
            if isinstance(values, bytearray):
                values[:] = bytes(len(values))


def _standing(connection: Connection, now: float) -> int:
    if connection.spoke:
        return KNOWN
    return NEW if now - connection.since < NEW_FOR else SILENT


def _less(counts: Counter[int], key: int) -> None:
    counts[key] -= 1
    if counts[key] <= 0:
        del counts[key]
