"""How much a client may take: requests a second, requests at a time, bytes in memory, places at the table.

Pure: counts and a clock. Nobody is told anything here, and nothing is closed.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass

MAX_CONNECTIONS = 256
MAX_CONNECTIONS_OF_ONE = 64
"""Of one process. An editor has one for each thing that it does at a time, a launcher one."""
MAX_IN_FLIGHT = 32
"""Unanswered requests of one connection."""
MAX_IN_FLIGHT_OF_ONE = 64
"""Unanswered requests of one process: the vault works on one at a time, and others wait behind them."""
MAX_HELD = 32 * 1024 * 1024
"""Bytes of all connections together: half-read frames, requests at work, answers that nobody fetches."""
FRAME_WITHIN = 10.0
"""Seconds from the first byte of a frame to its last."""
MAX_REFUSED = 200
"""Refusals in a row, after which a connection is dropped: it does not listen."""


@dataclass(frozen=True, slots=True)
class Rate:
    """So many at once, so many a second afterwards."""

    burst: float
    a_second: float


REQUESTS_OF_ONE = Rate(2000, 500)
"""A fix of a whole tree compares and stores some thousand values, one after the other, at about this speed."""
REQUESTS = Rate(4000, 1500)
FOREIGN_TOLD = Rate(10, 0.1)
"""How often it is recorded that a process used another's connection."""
COSTLY: dict[str, tuple[Rate, Rate]] = {
    # Argon2id takes 0.2 s of the vault's one thread; reading a whole record takes as long as the record is.
    "vault.unlock": (Rate(5, 0.5), Rate(10, 1)),
    "audit.verify": (Rate(5, 0.5), Rate(10, 1)),
    "session.account": (Rate(5, 0.5), Rate(20, 2)),
}
"""Methods that cost more than their frame: the rate of one process, and that of all."""


class Bucket:
    """A token bucket, full at first."""

    __slots__ = ("_at", "_left", "_rate")

    def __init__(self, rate: Rate, now: float) -> None:
        self._rate, self._left, self._at = rate, rate.burst, now

    def take(self, now: float) -> bool:
        """Take one; say whether there was one."""
        self._fill(now)
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def is_full(self, now: float) -> bool:
        """Say whether it is as if nobody had ever taken from it."""
        self._fill(now)
        return self._left >= self._rate.burst

    def _fill(self, now: float) -> None:
        self._left = min(self._rate.burst, self._left + (now - self._at) * self._rate.a_second)
        self._at = now


class Rates:
    """Who may send one more request now. `clock` in seconds, never going back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        now = clock()
        self._all = Bucket(REQUESTS, now)
        self._costly = {method: Bucket(rate, now) for method, (_, rate) in COSTLY.items()}
        self._of: dict[tuple[Hashable, str], Bucket] = {}

    def take(self, asker: Hashable, method: str) -> bool:
        """Count a request of `asker` (a process); say whether it is within the rates."""
        now = self._clock()
        if not self._bucket(asker, "", REQUESTS_OF_ONE, now).take(now) or not self._all.take(now):
            return False
        if method in COSTLY:
            return self._bucket(asker, method, COSTLY[method][0], now).take(now) and self._costly[method].take(now)
        return True

    def forget(self) -> None:
        """Let go of those who have not asked for a while. Once a second."""
        now = self._clock()
        for key in [key for key, bucket in self._of.items() if bucket.is_full(now)]:
            del self._of[key]

    def __len__(self) -> int:
        return len(self._of)

    def _bucket(self, asker: Hashable, method: str, rate: Rate, now: float) -> Bucket:
        bucket = self._of.get((asker, method))
        if bucket is None:
            bucket = self._of[asker, method] = Bucket(rate, now)
        return bucket


SILENT, NEW, KNOWN = range(3)
"""Never asked anything, and came long ago or just now; has asked something."""
NEW_FOR = 1.0
"""Seconds that a client has to ask its first question before it counts as silent."""


@dataclass(frozen=True, slots=True)
class Seat:
    """What counts when somebody has to give up a place."""

    pid: int
    needed: bool
    """It has a lease, a question or a request at work: it keeps its place."""
    standing: int
    """`SILENT`, `NEW` or `KNOWN`."""
    since: float
    """When it last said something, or came."""


def who_leaves(seats: Iterable[Seat]) -> Seat | None:
    """Return who gives up a place when all are taken: of the process with most places, silent before known, longest idle.

    None when nobody can be spared.
    """
    seats = list(seats)
    places = Counter(seat.pid for seat in seats)
    free = [seat for seat in seats if not seat.needed]
    return min(free, key=lambda seat: (-places[seat.pid], seat.standing, seat.since), default=None)
