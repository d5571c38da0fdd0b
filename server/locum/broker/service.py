"""What the broker does for its clients: one method a request, from `stored`, `granting` and, below, the vault's own.

No method here approves, reveals to a person or edits policy: approving happens on the control channel or on the
asker's terminal (`approval`), and values leave only through `lease.redeem`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from typing import TYPE_CHECKING, cast

from locum import __version__
from locum.broker import wire
from locum.broker.agent_sessions import AgentSessions
from locum.broker.auditing import Auditing
from locum.broker.comparisons import BULK
from locum.broker.control import Control
from locum.broker.core import Answered, Core, Method, Params, take_value
from locum.broker.granting import Granting
from locum.broker.harden import lock_memory, runs_as_root
from locum.broker.judging import Judging
from locum.broker.level import L0, level_of
from locum.broker.peer import agent_marker
from locum.broker.policing import Policing
from locum.broker.stored import Stored
from locum.errors import LocumError, NotAllowed, Unavailable, UsageProblem

if TYPE_CHECKING:
    from locum.broker.connection import Connection
    from locum.paths import Paths

TAKE_BACK_WITHIN = 5
"""Seconds for which a broker that ends waits until what was issued for leases is taken back; then its journal has it."""
_RELEASES = {"lease.request", "lease.redeem"}
"""What they answer leaves only when everybody who must have the record of it has it."""


class Service:
    """One broker's methods, and what happens to it from outside: a client that leaves, a second that passes, its end."""

    def __init__(self, paths: Paths) -> None:
        self.stopping = asyncio.Event()
        self._started = time.monotonic()
        self._memory_locked = lock_memory()
        self._core = Core(paths)
        self.approvals = self._core.approvals
        self._judging = Judging(self._core)
        self._sessions = AgentSessions(self._core)
        self.granting = Granting(self._core, self._judging, self._sessions)
        self._stored = Stored(self._core)
        self.control = Control(self._core)
        self.granting.on_leases = lambda leases: self.control.tell({"event": "leases", "leases": leases})
        self._auditing = Auditing(self._core)
        self._methods: dict[str, Method] = {
            "status": self._status,
            "vault.unlock": self._unlock,
            "vault.lock": self._lock,
            "broker.stop": self._stop,
            **self._auditing.methods(),
            **self._stored.methods(),
            **self.control.methods(),
            **self.granting.methods(),
            **self._sessions.methods(),
            **Policing(self._core, self._judging, self.granting).methods(),
        }
        self._core.record.write("broker.start", ok=True, pid=os.getpid(), level=L0.name)

    async def call(self, connection: Connection, message: wire.Message, payload: bytearray) -> Answered:
        """Do what a frame asks. Raises LocumError."""
        method = self._methods.get(str(message.get("method")))
        params = message.get("params")
        if method is None or not isinstance(params, dict):
            raise UsageProblem(
                "wire.method", "the broker does not know this request", "Update locum, or stop the broker."
            )
        if self.stopping.is_set():
            raise Unavailable("unavailable.broker", "the broker is ending", "Run the command again.")
        if not connection.peer.alive():
            raise NotAllowed("denied.peer", "the process that opened this connection is gone")
        if message.get("method") not in _RELEASES:
            return await method(connection, cast("Params", params), payload)
        self._core.record.check()
        result, values = await method(connection, cast("Params", params), payload)
        try:
            await self._core.record.confirmed()
        except LocumError:
            if isinstance(values, bytearray):
                values[:] = bytes(len(values))
            raise
        return result, values

    def needed(self) -> set[object]:
        """Return the connections that something hangs on."""
        return {lease.holder for lease in self._core.leases}

    def foreign(self, connection: Connection, pid: int) -> None:
        """Write down that process `pid` used a connection that is not its own."""
        with contextlib.suppress(LocumError):
            self._core.record.write(
                "broker.foreign", ok=False, pid=pid, reason=f"used the connection of process {connection.peer.pid}"
            )

    def left(self, connection: Connection) -> None:
        """A connection closed: what hangs on it ends with it."""
        self._stored.left(connection)
        self.granting.left(connection)

    def tick(self) -> None:
        """Once a second."""
        self._stored.write_comparisons(older_than=BULK)
        self._sessions.tick()
        self.granting.tick()

    @property
    def is_busy(self) -> bool:
        """Whether something is left to do that no client waits for: an agent's session is known as long as it is open."""
        return self._core.upstream.is_busy or len(self._sessions) > 0

    async def end(self) -> None:
        """End every lease, and give those who have to take something back the time for it."""
        self.stopping.set()
        self._sessions.end_all("the broker has stopped")
        self.granting.end_all("the broker has stopped")
        await self._core.upstream.drain(TAKE_BACK_WITHIN)

    def close(self) -> None:
        """End everything and write the last record."""
        self.granting.end_all("the broker has stopped")
        self._stored.write_comparisons()
        with contextlib.suppress(LocumError):
            self._core.record.write("broker.stop", ok=True, pid=os.getpid())
        self._judging.close()
        self._core.close()

    async def _status(self, connection: Connection, params: Params, payload: bytearray) -> Answered:  # noqa: ARG002 - one signature
        about = await self._core.in_worker(self._core.vault.describe)
        vault = {
            "exists": about.exists,
            "unlocked": about.unlocked,
            "items": about.items,
            "slots": [{"type": slot.type, "detail": slot.detail} for slot in about.slots],
        }
        return {
            "locum": __version__, "protocol": wire.PROTOCOL, "pid": os.getpid(), "level": level_of(connection.peer.pid).name,
            "root": runs_as_root(), "vault": vault,
            "control": self._core.approvals.has_control, "leases": len(self._core.leases), "binding": connection.peer.binding,
            "sender": "every message" if sys.platform == "linux" else "connection",
            "memory": "locked" if self._memory_locked else "may be swapped",
            "audit": self._auditing.status(),
            "uptime": round(time.monotonic() - self._started),
        }, b""  # fmt: skip

    async def _unlock(self, connection: Connection, params: Params, payload: bytearray) -> Answered:  # noqa: ARG002 - one signature
        passphrase = take_value(payload)
        try:
            await self._core.open_vault(connection, passphrase)
        finally:
            passphrase.wipe()
        return {}, b""

    async def _lock(self, connection: Connection, params: Params, payload: bytearray) -> Answered:  # noqa: ARG002 - one signature
        self.granting.end_all("the vault was locked")
        self._stored.write_comparisons()
        self._core.record.write("vault.lock", ok=True, pid=connection.peer.pid)
        self._core.record.close()  # its last signature needs the vault's key
        self._judging.memory.forget()
        await self._core.in_worker(self._core.vault.lock)
        return {}, b""

    async def _stop(self, connection: Connection, params: Params, payload: bytearray) -> Answered:  # noqa: ARG002 - one signature
        marker = agent_marker(connection.peer.pid)
        if marker and self._core.approvals.has_control:
            message = f"an editor holds the broker, and the asker is inside an AI agent ({marker})"
            raise NotAllowed("denied.agent", message, "Stop it from a terminal of your own.")
        self.stopping.set()
        return {}, b""
