"""Credentials that somebody else issues for one lease, and taking them back when it ends.

    active → closing → (gone)            the issuer has taken it back
                     → revoke_pending    it could not be reached: tried again, 1 s, 2 s, 4 s … later, also after a restart
    active → expires_at                  the issuer cannot take it back: it works until then, and we say so

Nothing here is called revoked before its issuer has said so.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from locum.broker.journal import Entry, Journal
from locum.broker.leases import Lease, boot_clock
from locum.broker.wire import Grant
from locum.errors import LocumError, Unavailable
from locum.secret import SecretBytes

T = TypeVar("T")

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 3600.0
"""Seconds between two tries to take something back; each pause is twice the one before."""
GRACE = 3600
"""Seconds after its own end for which we still try: clocks differ."""
_THREADS = 4


@dataclass(frozen=True, slots=True)
class Issued:
    """What an issuer gives."""

    value: SecretBytes
    handle: SecretBytes
    """What it takes it back by."""
    expires: int
    """Seconds since 1970."""
    revocable: bool = True


class Issuer(Protocol):
    """Somebody who makes credentials for a time. Its methods run in a thread and must come back within 10 seconds."""

    def issue(self, source: str, ttl: int) -> Issued:
        """Make a credential that lives `ttl` seconds at most. Raises LocumError."""
        ...

    def revoke(self, handle: SecretBytes) -> None:
        """Take it back; no error for one that the issuer no longer knows. Raises LocumError when that is not sure."""
        ...


ISSUERS: dict[str, Issuer] = {}
"""By the scheme of a source: `scheme://…`."""


def issuer_of(source: str) -> str:
    """Return the scheme of a source that somebody issues for, else ""."""
    scheme, separator, _ = source.partition("://")
    return scheme if separator and scheme in ISSUERS else ""


@dataclass(slots=True)
class _Open:
    entry: Entry
    state: str = "issued"
    """`issued` until it is in the journal; see the module for the others."""
    tries: int = 0
    due: float = 0.0
    """When to try again, on the boot clock."""
    busy: bool = field(default=False, repr=False)


class Upstream:
    """All credentials that are out there. `write` is `Record.write`; `clock` as `boot_clock`; `wall` as `time.time`."""

    def __init__(
        self, journal: Journal, in_worker: Callable[[Callable[[], Any]], Awaitable[Any]], write: Callable[..., None], *,
        clock: Callable[[], float] = boot_clock, wall: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        self._journal, self._in_worker, self._write = journal, in_worker, write
        self._clock, self._wall = clock, wall
        self._open: dict[str, _Open] = {}
        self._running: set[asyncio.Task[Any]] = set()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="issuer")
        self._read = False
        self.unread = 0
        """Entries of the journal that do not open: of another vault, or damaged."""

    @property
    def is_busy(self) -> bool:
        """Whether something is still to be taken back."""
        return any(item.state in {"closing", "revoke_pending"} for item in self._open.values())

    async def issue(self, lease: Lease, grant: Grant, is_live: Callable[[], bool]) -> SecretBytes:
        """Have a value issued for a lease. It is journalled when this returns. Raises LocumError.

        Cancelling does not stop what has begun: a credential that comes after its lease has ended is taken back.
        """
        return await asyncio.shield(self._start(self._issue(lease, grant, is_live)))

    async def _issue(self, lease: Lease, grant: Grant, is_live: Callable[[], bool]) -> SecretBytes:
        scheme = issuer_of(grant.source)
        if not scheme:
            raise Unavailable("provider.absent", f"nobody here issues {grant.reference}")
        issuer = ISSUERS[scheme]
        ttl = max(1, int(lease.last - self._clock()))
        try:
            issued = await self._in_thread(lambda: issuer.issue(grant.source, ttl))
        except LocumError:
            raise
        except Exception as problem:  # noqa: BLE001 - whatever it was, its text may hold a value: only its type is told
            raise Unavailable("unavailable.issuer", f"{scheme} failed ({type(problem).__name__})") from None
        request = lease.request
        entry = Entry(
            "up_" + secrets.token_hex(16), lease.id, request.task or request.argv[0], scheme, grant.reference,
            issued.expires, issued.revocable, issued.handle,
        )  # fmt: skip
        self._open[entry.id] = item = _Open(entry)
        try:
            await self._in_worker(lambda: self._journal.add(entry))
        except BaseException:
            issued.value.wipe()
            self._end(item)
            raise
        item.state = "active"
        self._note("upstream.issue", entry, ok=True)
        if not is_live():
            issued.value.wipe()
            self._end(item)
            raise Unavailable("unavailable.lease", "the lease ended while its secret was issued")
        return issued.value

    def close(self, lease_id: str) -> None:
        """A lease has ended: take back what was issued for it."""
        for item in list(self._open.values()):
            if item.entry.lease == lease_id and item.state == "active":
                self._end(item)

    async def replay(self) -> None:
        """Once in a broker's life, with the vault open: take back what an earlier one has left. Raises VaultLocked."""
        if self._read:
            return
        self._read = True
        try:
            entries, self.unread = await self._in_worker(lambda: self._journal.read(frozenset(self._open)))
        except BaseException:
            self._read = False
            raise
        for entry in entries:
            if entry.id not in self._open:
                self._open[entry.id] = item = _Open(entry)
                self._end(item)

    def tick(self) -> None:
        """Once a second: try again what is due, forget what is over."""
        now, wall = self._clock(), self._wall()
        for item in list(self._open.values()):
            if item.state == "revoke_pending" and now >= item.due:
                self._try(item)
            elif item.state == "expires_at" and wall >= item.entry.expires:
                self._forget(item)

    async def drain(self, seconds: float) -> None:
        """Wait for what is under way, at most so long. What is not done stays in the journal."""
        if self._running:
            await asyncio.wait(list(self._running), timeout=seconds)

    def shut(self) -> None:
        """End the threads, and forget the handles."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for item in self._open.values():
            item.entry.handle.wipe()

    def describe(self) -> list[dict[str, Any]]:
        """Return what is out there, as it may be shown."""
        now = self._clock()
        return [
            {
                "id": item.entry.id, "lease": item.entry.lease, "task": item.entry.task, "issuer": item.entry.issuer,
                "reference": item.entry.reference, "state": item.state, "tries": item.tries, "expires": item.entry.expires,
                "next_try_in": max(0, round(item.due - now)) if item.state == "revoke_pending" else 0,
            }
            for item in self._open.values()
        ]  # fmt: skip

    def _end(self, item: _Open) -> None:
        if item.entry.revocable:
            item.state = "closing"
            self._try(item)
        else:
            item.state = "expires_at"

    def _try(self, item: _Open) -> None:
        if not item.busy:
            item.busy = True
            self._start(self._take_back(item))

    async def _take_back(self, item: _Open) -> None:
        entry = item.entry
        try:
            issuer = ISSUERS.get(entry.issuer)
            if issuer is None:
                raise Unavailable("provider.absent", "nobody here knows this issuer")
            await self._in_thread(lambda: issuer.revoke(entry.handle))
        except Exception as problem:  # noqa: BLE001 - whatever it was, it is not revoked; its text may hold the handle
            self._failed(item, problem.code if isinstance(problem, LocumError) else type(problem).__name__)
        else:
            self._note("upstream.revoke", entry, ok=True)
            self._forget(item)
        finally:
            item.busy = False

    def _failed(self, item: _Open, reason: str) -> None:
        if item.state != "revoke_pending":
            self._note("upstream.revoke", item.entry, ok=False, reason=reason)  # once: not every try
        item.state = "revoke_pending"
        item.tries += 1
        item.due = self._clock() + min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(item.tries - 1, 20))
        if self._wall() > item.entry.expires + GRACE:
            self._note("upstream.expire", item.entry, ok=False, reason="never taken back; its time is over")
            self._forget(item)

    def _forget(self, item: _Open) -> None:
        self._open.pop(item.entry.id, None)
        self._journal.remove(item.entry.id)
        item.entry.handle.wipe()

    def _note(self, operation: str, entry: Entry, *, ok: bool, reason: str = "") -> None:
        with contextlib.suppress(LocumError):  # a record that cannot be written must not keep a credential alive
            self._write(
                operation, ok=ok, durable=operation == "upstream.issue", lease=entry.lease, task=entry.task,
                references=[entry.reference], reason=f"{entry.issuer}: {reason}" if reason else entry.issuer,
            )  # fmt: skip

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _start(self, work: Any) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task
