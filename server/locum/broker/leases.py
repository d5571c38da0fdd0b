"""Leases: who may have which values, until when. A table with a clock; no sockets, no vault, no files.

Unknown, expired and foreign leases give one and the same error, so that asking teaches nothing.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from locum.broker.wire import Grant, LeaseRequest
from locum.errors import NotAllowed

MAX_LIVE = 8
"""Live leases a process may hold."""
MAX_SHOWN = 200
"""Arguments, and characters of each, that a list of leases shows."""


def boot_clock() -> float:
    """Seconds that count suspend and do not jump with the wall clock."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.clock_gettime(clock) if clock is not None else time.monotonic()


@dataclass(slots=True)
class Lease:
    """One approved task."""

    id: str
    request: LeaseRequest
    content: str
    """SHA-256 over everything that the person approved."""
    pid: int
    granted: datetime
    deadline: float
    """On `boot_clock`."""
    approved_by: str
    holder: object
    """The connection it lives in; leases are used through it and nothing else."""
    redeemed: bool = False

    def describe(self, now: float) -> dict[str, Any]:
        """Return what may be shown: names and references only."""
        request = self.request
        return {
            "id": self.id,
            "task": request.task,
            "argv": [part[:MAX_SHOWN] for part in request.argv[:MAX_SHOWN]],
            "cwd": request.cwd,
            "env": [grant.env for grant in request.grants if grant.env],
            "files": [file.path for file in request.files],
            "references": [grant.reference for grant in request.grants],
            "pid": self.pid,
            "granted": self.granted.isoformat(timespec="seconds").replace("+00:00", "Z"),
            "expires_in": max(0, round(self.deadline - now)),
            "state": "active",
        }


def content_hash(request: LeaseRequest) -> str:
    """Return what an approval is bound to: variables, files, references, sources, argv, cwd, workspace, channel, ttl."""
    grants = sorted((grant.env, grant.reference, grant.source, grant.file) for grant in request.grants)
    files = sorted((file.path, file.digest, file.mounted) for file in request.files)
    parts = [grants, files, request.argv, request.cwd, request.workspace, request.channel, request.ttl]
    return hashlib.sha256(json.dumps(parts).encode("utf-8", "surrogateescape")).hexdigest()


class LeaseTable:
    """All live leases. `clock` as `boot_clock`."""

    def __init__(self, clock: Callable[[], float] = boot_clock) -> None:
        self._clock = clock
        self._leases: dict[str, Lease] = {}

    def __len__(self) -> int:
        return len(self._leases)

    def check_room(self, holder: object) -> None:
        """Raise NotAllowed when this holder has as many leases as it may."""
        if sum(lease.holder is holder for lease in self._leases.values()) >= MAX_LIVE:
            raise NotAllowed("denied.limit", f"this process holds {MAX_LIVE} leases already", "End one of its tasks.")

    def grant(self, request: LeaseRequest, *, pid: int, holder: object, approved_by: str) -> Lease:
        """Make a lease of an approved request."""
        lease = Lease(
            "ls_" + secrets.token_hex(16), request, content_hash(request), pid, datetime.now(UTC),
            self._clock() + request.ttl, approved_by, holder,
        )  # fmt: skip
        self._leases[lease.id] = lease
        return lease

    def use(self, lease_id: str, holder: object) -> tuple[Grant, ...]:
        """Take the one use of a lease. Raises NotAllowed (`denied.lease`)."""
        lease = self._leases.get(lease_id)
        if lease is None or lease.holder is not holder or lease.redeemed or self._clock() >= lease.deadline:
            raise NotAllowed("denied.lease", "no such lease for this process", "Ask for a new one: run the task again.")
        lease.redeemed = True
        return lease.request.grants

    def is_live(self, lease_id: str, holder: object) -> bool:
        """Say whether a lease of this holder is still there and in its time."""
        lease = self._leases.get(lease_id)
        return lease is not None and lease.holder is holder and self._clock() < lease.deadline

    def find(self, lease_id: str) -> Lease | None:
        """Return a live lease by id or by a prefix of it that fits one lease only."""
        fitting = [lease for key, lease in self._leases.items() if key.startswith(lease_id)]
        return fitting[0] if len(fitting) == 1 else None

    def end(self, lease: Lease) -> None:
        """Forget a lease."""
        self._leases.pop(lease.id, None)

    def of(self, holder: object) -> list[Lease]:
        """Return the leases that live in one connection."""
        return [lease for lease in self._leases.values() if lease.holder is holder]

    def expired(self) -> list[Lease]:
        """Return the leases whose time is over."""
        now = self._clock()
        return [lease for lease in self._leases.values() if now >= lease.deadline]

    def __iter__(self) -> Iterator[Lease]:
        return iter(list(self._leases.values()))

    def describe(self) -> list[dict[str, Any]]:
        """Return all of them as they may be shown."""
        now = self._clock()
        return [lease.describe(now) for lease in self._leases.values()]


class SleepDetector:
    """Tells that the machine was suspended: the clock that counts suspend ran ahead of the one that does not."""

    def __init__(self, boot: Callable[[], float] = boot_clock, running: Callable[[], float] = time.monotonic) -> None:
        self._boot, self._running = boot, running
        self._lead = boot() - running()

    def slept(self, tolerance: float = 5.0) -> bool:
        """Say whether there was a suspend of more than `tolerance` seconds since the last call."""
        lead = self._boot() - self._running()
        before, self._lead = self._lead, lead
        return lead - before > tolerance
