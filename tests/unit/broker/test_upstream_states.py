"""Taking back what others issued: the states, the pauses, the end of trying, and the sealed journal."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from locum.broker.journal import Entry, Journal
from locum.broker.leases import Lease
from locum.broker.upstream import GRACE, ISSUERS, LONGEST_PAUSE, Issued, Upstream
from locum.broker.wire import Grant, LeaseRequest
from locum.errors import Unavailable
from locum.secret import SecretBytes

ROLE = Grant("ROLE", "locum://ROLE", "made://role")
REQUEST = LeaseRequest(("psql",), "/home/u/app", (ROLE,), "/home/u/app", "migrate", 60)


@dataclass
class Away:
    """An issuer that may be away, and that may be made to wait."""

    away: bool = False
    gate: threading.Event = field(default_factory=threading.Event)
    live: int = 0
    tried: int = 0

    def issue(self, source: str, ttl: int) -> Issued:
        assert source == ROLE.source
        assert self.gate.wait(20)
        self.live += 1
        return Issued(SecretBytes(b"what was issued"), SecretBytes(b"a handle"), 1000 + ttl)

    def revoke(self, handle: SecretBytes) -> None:
        self.tried += 1
        with handle.view() as view:
            assert bytes(view) == b"a handle"
        if self.away:
            raise RuntimeError("a handle")  # whatever it says is told to nobody
        self.live -= 1


class Bench:
    """The parts around an `Upstream`, with clocks that a test moves."""

    def __init__(self, folder: Path) -> None:
        self.now, self.wall = 100.0, 1000.0
        self.issuer = Away()
        self.issuer.gate.set()
        self.written: list[tuple[str, bool, str]] = []
        self.folder = folder / "upstream"
        self.journal = Journal(self.folder, lambda salt: SecretBytes(hashlib.sha256(b"key" + salt).digest()))
        self.upstream = Upstream(
            self.journal, self._in_worker, self._write, clock=lambda: self.now, wall=lambda: self.wall
        )
        self.lease = Lease(
            "ls_1", REQUEST, "0" * 64, 1, datetime.now(UTC), 160.0, 160.0, "editor", self, "L0", 1
        )  # fmt: skip

    async def _in_worker(self, work: Callable[[], Any]) -> Any:
        return await asyncio.to_thread(work)

    def _write(self, operation: str, *, ok: bool, reason: str = "", **fields: Any) -> None:
        assert "a handle" not in f"{reason}{fields}"
        self.written.append((operation, ok, reason))

    def issue(self, is_live: Callable[[], bool] = lambda: True) -> Awaitable[SecretBytes]:
        return self.upstream.issue(self.lease, ROLE, is_live)

    async def pass_time(self, seconds: float) -> None:
        """Move both clocks by whole seconds, with the broker's look at things in each."""
        for _ in range(round(seconds)):
            self.now += 1
            self.wall += 1
            self.upstream.tick()
            await self.upstream.drain(20)

    @property
    def states(self) -> list[str]:
        return [item["state"] for item in self.upstream.describe()]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    parts = Bench(tmp_path)
    ISSUERS["made"] = parts.issuer
    yield parts
    del ISSUERS["made"]
    parts.upstream.shut()


def test_pauses_double_and_the_state_says_what_is_known(bench: Bench) -> None:
    async def story() -> None:
        await bench.issue()
        assert bench.states == ["active"]
        bench.issuer.away = True
        bench.upstream.close("ls_1")
        assert bench.states == ["closing"]
        await bench.upstream.drain(20)
        assert bench.states == ["revoke_pending"]
        tries = [bench.issuer.tried]
        for _ in range(16):
            await bench.pass_time(1)
            tries.append(bench.issuer.tried)
        assert tries == [1, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4, 5, 5]
        bench.issuer.away = False
        assert bench.issuer.live == 1
        await bench.pass_time(16)
        assert bench.states == []
        assert bench.issuer.live == 0

    asyncio.run(story())
    assert [item[:2] for item in bench.written] == [
        ("upstream.issue", True), ("upstream.revoke", False), ("upstream.revoke", True),
    ]  # fmt: skip
    assert bench.written[1][2] == "made: RuntimeError"
    assert list(bench.folder.iterdir()) == []


def test_trying_ends_only_after_a_try_that_is_late_enough(bench: Bench) -> None:
    async def story() -> None:
        await bench.issue()
        bench.issuer.away = True
        bench.upstream.close("ls_1")
        await bench.upstream.drain(20)
        bench.wall += GRACE + 10_000  # a clock that jumps lets nothing be forgotten by itself
        assert bench.states == ["revoke_pending"]
        bench.now += LONGEST_PAUSE
        bench.upstream.tick()
        await bench.upstream.drain(20)
        assert bench.states == []

    asyncio.run(story())
    assert bench.issuer.tried == 2
    assert bench.written[-1][:2] == ("upstream.expire", False)


def test_what_comes_after_its_lease_has_ended_is_taken_back(bench: Bench) -> None:
    """The asker left while the issuer was still at it: what it makes is known to nobody but us."""

    async def story() -> None:
        live = True
        bench.issuer.gate.clear()
        asking = asyncio.ensure_future(bench.issue(lambda: live))
        await asyncio.sleep(0.05)
        asking.cancel()
        live = False
        bench.upstream.close("ls_1")
        bench.issuer.gate.set()
        while bench.issuer.tried == 0:
            await bench.upstream.drain(20)
            await asyncio.sleep(0.01)
        await bench.upstream.drain(20)

    asyncio.run(story())
    assert bench.issuer.live == 0
    assert bench.states == []


ENTRY = Entry(
    "up_" + "0" * 32,
    "ls_1",
    "migrate\n",
    "made",
    "locum://ROLE",
    1060,
    True,
    SecretBytes(b"a handle\nof \x00 odd bytes"),
)


def test_an_entry_comes_back_as_it_was_under_its_own_name_and_key_only(tmp_path: Path) -> None:
    def derive(salt: bytes) -> SecretBytes:
        return SecretBytes(hashlib.sha256(salt).digest())

    journal = Journal(tmp_path / "upstream", derive)
    journal.add(ENTRY)
    ((found,), closed) = journal.read([])
    assert closed == 0
    assert found.handle.same_as(ENTRY.handle)
    assert replace(found, handle=ENTRY.handle).task == ENTRY.task
    assert journal.read([ENTRY.id]) == ([], 0)
    path = tmp_path / "upstream" / ENTRY.id
    assert path.stat().st_mode & 0o777 == 0o600
    path.rename(path.with_name("up_" + "1" * 32))
    assert journal.read([]) == ([], 1)
    path.with_name("up_" + "1" * 32).rename(path)
    assert Journal(tmp_path / "upstream", lambda salt: SecretBytes(salt + salt)).read([]) == ([], 1)
    for size in range(path.stat().st_size):
        raw = path.read_bytes()
        path.write_bytes(raw[:size])
        assert journal.read([]) == ([], 1)
        path.write_bytes(raw)
    journal.remove(ENTRY.id)
    assert journal.read([]) == ([], 0)


def test_an_entry_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "upstream").write_text("in the way")
    with pytest.raises(Unavailable):
        Journal(tmp_path / "upstream", lambda salt: SecretBytes(salt + salt)).add(ENTRY)
