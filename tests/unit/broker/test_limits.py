"""Rates, and who gives up a place: counts and a clock that the test moves."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from locum.broker.limits import COSTLY, KNOWN, REQUESTS, REQUESTS_OF_ONE, SILENT, Bucket, Rate, Rates, Seat, who_leaves


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@given(st.lists(st.floats(0, 5), min_size=1, max_size=200))
def test_a_bucket_never_gives_more_than_its_rate(waits: list[float]) -> None:
    rate, now, given_out = Rate(10, 2), 0.0, 0
    bucket = Bucket(rate, now)
    for wait in waits:
        now += wait
        given_out += bucket.take(now)
    assert given_out <= rate.burst + rate.a_second * now + 1e-6
    assert bucket.take(now + rate.burst / rate.a_second), "it fills again"


def test_one_asker_does_not_use_up_what_others_have() -> None:
    clock = Clock()
    rates = Rates(clock)
    taken = sum(rates.take(1, "status") for _ in range(10_000))
    assert taken == REQUESTS_OF_ONE.burst < REQUESTS.burst
    assert rates.take(2, "status")


def test_all_askers_together_have_a_rate_too() -> None:
    rates = Rates(Clock())
    assert sum(rates.take(asker, "status") for asker in range(100) for _ in range(1000)) == REQUESTS.burst


def test_costly_methods_have_rates_of_their_own() -> None:
    clock = Clock()
    rates = Rates(clock)
    assert sum(rates.take(1, "vault.unlock") for _ in range(100)) == COSTLY["vault.unlock"][0].burst
    assert rates.take(1, "status")
    assert rates.take(2, "vault.unlock")
    clock.now += 60
    assert rates.take(1, "vault.unlock")


def test_who_asked_long_ago_is_forgotten() -> None:
    clock = Clock()
    rates = Rates(clock)
    for asker in range(1000):
        rates.take(asker, "status")
    assert len(rates) == 1000
    clock.now += 60
    rates.forget()
    assert len(rates) == 0


SEATS = st.builds(Seat, st.integers(1, 4), st.booleans(), st.integers(SILENT, KNOWN), st.floats(0, 100))


@given(st.lists(SEATS, max_size=20))
def test_the_greediest_process_gives_up_a_place_that_nobody_needs(seats: list[Seat]) -> None:
    leaves = who_leaves(seats)
    spare = [seat for seat in seats if not seat.needed]
    if not spare:
        assert leaves is None
        return
    assert leaves is not None
    assert not leaves.needed

    def places(seat: Seat) -> int:
        return sum(other.pid == seat.pid for other in seats)

    assert places(leaves) == max(places(seat) for seat in spare)
    equals = [seat for seat in spare if places(seat) == places(leaves)]
    assert leaves.standing == min(seat.standing for seat in equals), "who never asked anything goes before who did"
    assert leaves.since == min(seat.since for seat in equals if seat.standing == leaves.standing)
