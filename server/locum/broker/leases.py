"""Leases: who may have which values, until when. A table with a clock; no sockets, no vault, no files.

Unknown, expired and foreign leases give one and the same error, so that asking teaches nothing.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from locum.broker.wire import LeaseRequest
from locum.errors import NotAllowed

MAX_LIVE = 8
"""Live leases a process may hold."""
MAX_DERIVED = 1000
"""Leases that the processes of one task may ask for without a question."""
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
    """The hash of everything that the yes covers (`content.Content.hash`)."""
    pid: int
    granted: datetime
    deadline: float
    """On `boot_clock`."""
    last: float
    """No renewal goes beyond this; on `boot_clock`."""
    approved_by: str
    """`editor`, `terminal`, `policy:ID` or `lease:ID`."""
    holder: object
    level: str
    uses: int
    """How often the values may still be taken."""
    session: str = ""
    """The agent's session that it ends with, "" for none."""
    client: str = ""
    """What that session's client calls itself."""
    derived: int = 0
    """How many leases were made of this one."""

    @property
    def parent(self) -> str:
        """The lease that this one was made of, "" for one that stands by itself."""
        return self.approved_by.removeprefix("lease:") if self.approved_by.startswith("lease:") else ""

    @property
    def standing(self) -> str:
        """The standing yes that it rests on, "" for none."""
        return self.approved_by.removeprefix("policy:") if self.approved_by.startswith("policy:") else ""

    @property
    def scope(self) -> dict[str, Any]:
        """The agent's session as the record has it; empty for none."""
        return {"session": self.session, "client": self.client} if self.session else {}

    def describe(self, now: float) -> dict[str, Any]:
        """Return what may be shown of it. `now` on `boot_clock`."""
        request = self.request
        return {
            "id": self.id,
            "task": request.task,
            "argv": [part[:MAX_SHOWN] for part in request.argv[:MAX_SHOWN]],
            "cwd": request.cwd,
            "env": [grant.env for grant in request.grants if grant.env],
            "files": [file.path for file in request.files],
            "references": [grant.reference for grant in request.grants],
            "channel": request.channel,
            "pid": self.pid,
            "granted": self.granted.isoformat(timespec="seconds").replace("+00:00", "Z"),
            "expires_in": max(0, round(self.deadline - now)),
            "renewable_for": max(0, round(self.last - now)) if self.last > self.deadline else 0,
            "approved_by": self.approved_by,
            "level": self.level,
            "uses_left": self.uses,
            "session": self.session,
            "client": self.client,
            "state": "active",
        }


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

    def grant(
        self, request: LeaseRequest, content: str, *, pid: int, holder: object, approved_by: str, level: str, ttl: int,
        session: str = "", client: str = "",
    ) -> Lease:  # fmt: skip
        """Make a lease of an approved request that lives `ttl` seconds, and no longer than the agent's `session` if given."""
        now = self._clock()
        lease = Lease(
            "ls_" + secrets.token_hex(16), request, content, pid, datetime.now(UTC), now + ttl,
            now + max(ttl, request.max_ttl), approved_by, holder, level, request.uses,
            session, client,
        )  # fmt: skip
        self._leases[lease.id] = lease
        return lease

    def derive(self, parent: Lease, request: LeaseRequest, content: str, *, pid: int, holder: object) -> Lease:
        """Make a lease of another one's references, for a process of its task: one use, and it ends with the other.

        Raises NotAllowed when too many were made.
        """
        if parent.derived >= MAX_DERIVED:
            raise NotAllowed("denied.limit", f"the task has asked {MAX_DERIVED} times already", "Start it again.")
        parent.derived += 1
        lease = Lease(
            "ls_" + secrets.token_hex(16), request, content, pid, datetime.now(UTC), parent.deadline, parent.deadline,
            f"lease:{parent.id}", holder, parent.level, 1, parent.session, parent.client,
        )  # fmt: skip
        self._leases[lease.id] = lease
        return lease

    def use(self, lease_id: str, holder: object) -> Lease:
        """Take one use of a lease. Raises NotAllowed (`denied.lease`)."""
        lease = self._held(lease_id, holder)
        if lease.uses <= 0:
            raise no_lease()
        lease.uses -= 1
        return lease

    def renew(self, lease_id: str, holder: object) -> Lease:
        """Let a lease live for its time once more, never beyond what was approved. Raises NotAllowed (`denied.…`)."""
        lease = self._held(lease_id, holder)
        if lease.last <= lease.deadline:
            raise NotAllowed("denied.renewal", "this lease may not be renewed any more", "Run the task again.")
        lease.deadline = min(lease.last, self._clock() + lease.request.ttl)
        return lease

    def is_live(self, lease_id: str, holder: object) -> bool:
        """Say whether a lease of this holder is still there and in its time."""
        lease = self._leases.get(lease_id)
        return lease is not None and lease.holder is holder and self._clock() < lease.deadline

    def _held(self, lease_id: str, holder: object) -> Lease:
        """Return a live lease of this holder. One error for all that is not: asking teaches nothing."""
        lease = self._leases.get(lease_id)
        if lease is None or not self.is_live(lease_id, holder):
            raise no_lease()
        return lease

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

    def of_session(self, session: str) -> list[Lease]:
        """Return the leases that end with an agent's session."""
        return [lease for lease in self._leases.values() if lease.session == session]

    def derived_of(self, lease: Lease) -> list[Lease]:
        """Return the leases that were made of this one."""
        return [other for other in self._leases.values() if other.parent == lease.id]

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

    def describe_one(self, lease: Lease) -> dict[str, Any]:
        """Return one of them as it may be shown."""
        return lease.describe(self._clock())


def no_lease() -> NotAllowed:
    """Return the one error for a lease that is unknown, over, used up or somebody else's."""
    return NotAllowed("denied.lease", "no such lease for this process", "Ask for a new one: run the task again.")


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
