"""How often something may happen, and for how long not after a no. Clocks are handed in; no state outlives the process."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable

from locum.errors import NotAllowed

REQUESTS_A_MINUTE = 30
"""Leases that one process may ask for in a minute."""
AFTER_A_NO = 30.0
"""Seconds in which the same thing is not asked again."""
MANY_NOES = 3
WITHIN = 600.0
AFTER_MANY_NOES = 300.0
"""Seconds in which a session is not listened to that got so many noes within so many seconds."""
_MOST_KEYS = 1024


class Pace:
    """At most `most` times in a minute for each key."""

    def __init__(self, most: int = REQUESTS_A_MINUTE, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._clock = most, clock
        self._times: OrderedDict[Hashable, deque[float]] = OrderedDict()

    def take(self, key: Hashable) -> None:
        """Count one more. Raises NotAllowed (`denied.rate`) when it is one too many."""
        now = self._clock()
        times = self._times.setdefault(key, deque())
        self._times.move_to_end(key)
        while len(self._times) > _MOST_KEYS:
            self._times.popitem(last=False)
        while times and now - times[0] > 60:
            times.popleft()
        if len(times) >= self._most:
            raise NotAllowed(
                "denied.rate", f"more than {self._most} leases were asked for in a minute", "Wait a little."
            )
        times.append(now)


class Cooldown:
    """What was refused is not asked again at once: a person must not be worn down."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._noes: OrderedDict[Hashable, float] = OrderedDict()
        self._sessions: OrderedDict[Hashable, deque[float]] = OrderedDict()

    def check(self, what: Hashable, session: Hashable, *, agent: bool) -> None:
        """Raise NotAllowed (`denied.cooldown`) while a no is fresh: to an agent one no, to anybody else many.

        A person who said no by mistake asks again; an agent tries again.
        """
        now = self._clock()
        left = self._noes.get(what, -AFTER_A_NO) + AFTER_A_NO - now if agent else 0.0
        times = self._sessions.get(session, deque())
        recent = [at for at in times if now - at < WITHIN]
        if len(recent) >= MANY_NOES:
            left = max(left, recent[-1] + AFTER_MANY_NOES - now)
        if left > 0:
            raise NotAllowed(
                "denied.cooldown", f"the answer was no; it is not asked again for {round(left) or 1} s",
                "Run it in a terminal of your own to be asked at once.",
            )  # fmt: skip

    def refused(self, what: Hashable, session: Hashable) -> None:
        """Note a no."""
        now = self._clock()
        self._noes[what] = now
        self._sessions.setdefault(session, deque(maxlen=MANY_NOES)).append(now)
        for table in (self._noes, self._sessions):
            while len(table) > _MOST_KEYS:
                table.popitem(last=False)
