"""How often a value may be compared with those in the vault, and what the record says of it. No vault, no log, no socket.

Each comparison tells an asker whether a guess was right. So all askers together have few of them, and they are written
down in bulk: one record a minute and asker, with how many there were, how many were refused, and the names that were
told. An asker that learnt a name or was refused is written down as soon as it leaves; the others can wait.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from locum.broker.leases import boot_clock
from locum.errors import Unavailable

BURST = 500
"""Comparisons at once: a workspace with that many findings."""
REFILL = 1.0
"""Comparisons a second from then on."""
BULK = 60.0
"""Seconds after which what was asked is written down; earlier when the vault is locked, and what was told or refused."""


@dataclass(slots=True)
class _Asked:
    about: dict[str, Any]
    since: float
    tried: int = 0
    refused: int = 0
    names: set[str] = field(default_factory=set[str])
    processes: set[object] = field(default_factory=set[object])


class Comparisons:
    """The budget of a whole broker, and who used how much of it. `write` appends a record of these fields."""

    def __init__(self, write: Callable[[dict[str, Any]], None], clock: Callable[[], float] = boot_clock) -> None:
        self._write, self._clock = write, clock
        self._left, self._at = float(BURST), clock()
        self._asked: dict[object, _Asked] = {}

    def take(self, asker: object, process: object, about: Callable[[], dict[str, Any]]) -> None:
        """Use one comparison. `asker` is what one record is for; many `process`es may be of one asker. `about` says who
        asks, for the record, and is called once a record.

        Raises Unavailable (`unavailable.rate`), and AuditFailed when what is overdue cannot be written.
        """
        self.write_down(older_than=BULK)
        now = self._clock()
        self._left = min(float(BURST), self._left + max(0.0, now - self._at) * REFILL)
        self._at = now
        asked = self._of(asker, about)
        asked.tried += 1
        asked.processes.add(process)
        if self._left < 1:
            asked.refused += 1
            raise Unavailable(
                "unavailable.rate", "too many values were compared with your vault in a short time",
                f"Wait a little: {round(REFILL * 60)} more may be compared each minute.",
            )  # fmt: skip
        self._left -= 1

    def told(self, asker: object, about: Callable[[], dict[str, Any]], name: str) -> None:
        """Note that the asker learnt a name."""
        self._of(asker, about).names.add(name)

    def left(self, asker: object) -> None:
        """One process of an asker left: write down what was told or refused. Raises AuditFailed; then it is kept."""
        asked = self._asked.get(asker)
        if asked is not None and (asked.names or asked.refused):
            self._write_one(asker, asked)

    def write_down(self, *, older_than: float = 0.0) -> None:
        """Write what was asked (longer ago than so many seconds). Raises AuditFailed; then it is kept."""
        for asker, asked in list(self._asked.items()):
            if self._clock() - asked.since >= older_than:
                self._write_one(asker, asked)

    def _write_one(self, asker: object, asked: _Asked) -> None:
        counts = {"tried": asked.tried, "refused": asked.refused, "processes": len(asked.processes)}
        self._write(asked.about | counts | {"resources": sorted(asked.names)})
        del self._asked[asker]

    def _of(self, asker: object, about: Callable[[], dict[str, Any]]) -> _Asked:
        if asker not in self._asked:
            self._asked[asker] = _Asked(about(), self._clock())
        return self._asked[asker]
