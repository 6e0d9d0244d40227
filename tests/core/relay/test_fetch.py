"""Which body is asked of whom: bounds, and that no want is ever forgotten."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.relay.fetch import (
    FLIGHTS_MAX,
    HEDGE_WAIT_S_MIN,
    HEDGE_WAIT_S_UNKNOWN,
    REQUEST_TIMEOUT_MAX_S,
    RETRY_WAIT_FIRST_S,
    RETRY_WAIT_MAX_S,
    BodyFetcher,
    Request,
)
from sprint.core.relay.settings import ChainSettings

SETTINGS = ChainSettings(bodies_in_flight_max=2, late_retries_max=5)
SOURCES = ("a", "b", "c")
STEPS_MAX = 2_000


def name(number: int) -> bytes:
    return number.to_bytes(32, "big")


class Watched:
    """A fetcher whose requests are held against its bounds as they come."""

    def __init__(self, settings: ChainSettings = SETTINGS) -> None:
        self.fetcher = BodyFetcher(settings)
        self.settings = settings
        self.now = 100.0
        self.in_flight: dict[str, set[bytes]] = {}
        self.wanted: set[bytes] = set()
        self.asked = Counter[tuple[str, bytes]]()
        self.asked_at: dict[tuple[str, bytes], float] = {}

    def ready(self, source: str) -> None:
        self.fetcher.source_ready(source)
        self.in_flight.setdefault(source, set())

    def lost(self, source: str) -> None:
        self.fetcher.source_lost(source)
        self.in_flight.pop(source, None)
        self.asked_at = {key: at for key, at in self.asked_at.items() if key[0] != source}

    def want(self, number: int, announcers: tuple[str, ...] = ()) -> None:
        self.fetcher.want(name(number), number, announcers)
        self.wanted.add(name(number))

    def done(self, block_hash: bytes) -> None:
        self.fetcher.done(block_hash)
        self.wanted.discard(block_hash)
        self.asked_at = {key: at for key, at in self.asked_at.items() if key[1] != block_hash}
        for hashes in self.in_flight.values():
            hashes.discard(block_hash)

    def failed(self, source: str, block_hash: bytes) -> None:
        self.fetcher.failed(block_hash, source)
        self.in_flight.get(source, set()).discard(block_hash)

    def step(self) -> list[Request]:
        """Expire and assign, and check what is asked for."""
        for source, block_hash, _ in self.fetcher.expire(self.now):
            self.in_flight[source].remove(block_hash)
        requests = self.fetcher.assign(self.now)
        for request in requests:
            for block_hash in request.bodies:
                self._check(request.source, block_hash)
        due = self.fetcher.next_timer()
        assert due is None or due > self.now, "there is nothing left to do now, and yet a timer is due"
        return requests

    def _check(self, source: str, block_hash: bytes) -> None:
        assert block_hash in self.wanted
        assert source in self.in_flight, "a source that is not ready is asked"
        assert block_hash not in self.in_flight[source], "asked twice of one"
        self.in_flight[source].add(block_hash)
        flights = sum(block_hash in hashes for hashes in self.in_flight.values())
        assert flights <= FLIGHTS_MAX, "asked of too many at once"
        assert len(self.in_flight[source]) <= self.settings.bodies_in_flight_max
        last = self.asked_at.get((source, block_hash))
        assert last is None or self.now >= last + RETRY_WAIT_FIRST_S, "asked again before its wait"
        self.asked_at[source, block_hash] = self.now
        self.asked[source, block_hash] += 1

    def advance(self) -> bool:
        """Go to the next timer; False if there is none."""
        due = self.fetcher.next_timer()
        if due is None:
            return False
        self.now = due
        self.step()
        return True


actions = st.lists(
    st.tuples(
        st.sampled_from(("want", "ready", "lost", "arrive", "fail", "unasked", "time", "wait")),
        st.integers(0, 7),
        st.sampled_from(SOURCES),
    ),
    max_size=80,
)


def act(watched: Watched, kind: str, number: int, source: str) -> None:
    flying = sorted(watched.in_flight.get(source, ()))
    if kind == "want":
        watched.want(number, (source,))
    elif kind == "ready":
        watched.ready(source)
    elif kind == "lost":
        watched.lost(source)
    elif kind == "arrive" and flying:
        watched.fetcher.arrived(flying[0], source)
        watched.done(flying[0])
    elif kind == "fail" and flying:
        watched.failed(source, flying[0])
    elif kind == "unasked":
        watched.failed(source, name(number))
    elif kind == "time":
        watched.now += number / 7
    elif kind == "wait":
        watched.advance()


@given(actions)
def test_bounds_hold_and_no_timer_is_due_while_nothing_can_be_done(
    steps: list[tuple[str, int, str]],
) -> None:
    watched = Watched()
    for kind, number, source in steps:
        act(watched, kind, number, source)
        watched.step()
    assert {h for h in watched.wanted if watched.fetcher.get(h)} == watched.wanted
    assert len(watched.fetcher) == len(watched.wanted)


@given(actions)
def test_every_want_is_asked_for_until_it_is_done_whatever_came_before(
    steps: list[tuple[str, int, str]],
) -> None:
    watched = Watched()
    for kind, number, source in steps:
        act(watched, kind, number, source)
        watched.step()
    watched.ready("honest")
    watched.step()
    for _ in range(STEPS_MAX):
        if not watched.wanted:
            break
        for block_hash in sorted(watched.in_flight["honest"]):
            watched.fetcher.arrived(block_hash, "honest")
            watched.done(block_hash)
        watched.step()
        if not watched.in_flight["honest"]:
            watched.advance()
    assert watched.wanted == set()


@given(st.sets(st.integers(0, 30), min_size=1))
def test_the_lowest_are_asked_for_first(numbers: set[int]) -> None:
    watched = Watched()
    watched.ready("a")
    for number in sorted(numbers, reverse=True):
        watched.want(number)
    (request,) = watched.step()
    assert request.bodies == tuple(map(name, sorted(numbers)[: SETTINGS.bodies_in_flight_max]))


def test_who_announced_it_is_asked_first_then_who_did_not_and_then_the_first_after_a_wait() -> None:
    watched = Watched()
    for source in SOURCES:
        watched.ready(source)
    watched.want(1, ("b",))
    order = []
    for _ in range(4):
        while not (requests := watched.step()):
            watched.now = watched.fetcher.next_timer() or 0.0
        order.append(requests[0].source)
        watched.failed(order[-1], name(1))
    assert order == ["b", "a", "c", "b"]


# A source that had stopped reading held all its slots; the other, which had not the body, was asked for
# it again and again as fast as it could answer, until the growing timeout overflowed.
def test_a_source_without_the_body_is_not_asked_at_network_speed_while_another_is_full() -> None:
    watched = Watched(ChainSettings(bodies_in_flight_max=1, body_request_timeout_s=60.0))
    watched.ready("full")
    watched.want(1)
    watched.step()
    watched.ready("empty")
    watched.want(2)
    started, asked = watched.now, 0
    while watched.now < started + 30.0:
        for request in watched.step():
            assert request.source == "empty"
            asked += name(2) in request.bodies
            for block_hash in request.bodies:
                watched.failed("empty", block_hash)
        watched.now = watched.fetcher.next_timer() or watched.now
    assert 30.0 / RETRY_WAIT_MAX_S <= asked <= 30.0 / RETRY_WAIT_FIRST_S


def test_waits_and_timeouts_stay_at_their_caps_however_often_a_body_was_asked_for() -> None:
    watched = Watched(ChainSettings(bodies_in_flight_max=1))
    watched.ready("a")
    watched.want(1)
    watched.step()
    for _ in range(1_200):
        before = watched.now
        assert watched.advance()
        assert watched.now - before <= REQUEST_TIMEOUT_MAX_S
    assert watched.asked["a", name(1)] > 500


def test_a_source_that_stalls_has_twice_the_time_once_however_much_it_held_up_and_others_have_not() -> None:
    """Bitcoin Core's measure of a stalled download: 2 s, doubled by a stall."""
    watched = Watched(ChainSettings(bodies_in_flight_max=4))
    watched.ready("a")
    for number in range(3):
        watched.want(number)
    watched.step()
    for time_s in (2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 64.0):
        watched.now += time_s - 0.001
        assert watched.fetcher.expire(watched.now) == []
        watched.now += 0.001
        assert len(watched.fetcher.expire(watched.now)) == 3
        watched.in_flight["a"].clear()
        watched.now += RETRY_WAIT_MAX_S
        watched.step()
    watched.ready("b")
    watched.want(9, ("b",))
    watched.step()
    watched.now += 2.0
    assert [found[:2] for found in watched.fetcher.expire(watched.now)] == [("b", name(9))]


def test_a_source_that_stalled_has_less_time_again_with_each_body_that_comes() -> None:
    watched = Watched(ChainSettings(bodies_in_flight_max=1))
    watched.ready("a")
    watched.want(0)
    watched.step()
    watched.now += 2.0
    watched.step()
    watched.now += RETRY_WAIT_FIRST_S * 2
    watched.step()
    times = []
    for number in range(1, 7):
        watched.fetcher.arrived(name(number - 1), "a")
        watched.done(name(number - 1))
        watched.want(number)
        watched.step()
        times.append(round((watched.fetcher.next_timer() or 0.0) - watched.now, 3))
    assert times == [3.4, 2.89, 2.457, 2.088, 2.0, 2.0]


def test_a_body_that_does_not_come_is_asked_of_the_other_source_when_its_time_is_over() -> None:
    watched = Watched()
    watched.ready("a")
    watched.want(1)
    watched.step()
    watched.ready("b")
    watched.now += SETTINGS.body_request_timeout_s
    (request,) = watched.step()
    assert request == Request("b", bodies=(name(1),))


def test_a_lost_sources_bodies_are_asked_of_the_others_at_once() -> None:
    watched = Watched()
    watched.ready("a")
    watched.want(1)
    watched.step()
    watched.ready("b")
    watched.lost("a")
    assert watched.step() == [Request("b", bodies=(name(1),))]


def test_a_body_that_nobody_asked_for_frees_no_slot_of_another_source() -> None:
    watched = Watched(ChainSettings(bodies_in_flight_max=1))
    watched.ready("a")
    watched.want(1)
    watched.want(2)
    watched.step()
    watched.fetcher.arrived(name(1), "b")
    assert watched.fetcher.was_asked_of(name(1), "a")
    assert watched.step() == []


def test_a_late_body_is_asked_for_more_and_more_seldom_and_then_given_up() -> None:
    watched = Watched()
    watched.ready("a")
    watched.want(1)
    watched.fetcher.make_late(name(1), watched.now)
    waits, last = [], watched.now
    while watched.fetcher.get(name(1)) is not None:
        assert watched.advance()
        if watched.in_flight["a"]:
            waits.append(round(watched.now - last, 6))
            last = watched.now
            watched.failed("a", name(1))
    assert waits == [5.0, 10.0, 20.0, 40.0, 80.0, 160.0]
    assert len(watched.fetcher) == 0


def test_overdue_tells_of_what_was_asked_for_long_ago_and_is_not_late_lowest_first() -> None:
    watched = Watched(ChainSettings(bodies_in_flight_max=3))
    watched.ready("a")
    for number in (3, 1, 2):
        watched.want(number)
    watched.step()
    watched.fetcher.make_late(name(2), watched.now)
    assert watched.fetcher.overdue(watched.now - 0.001) == []
    assert [w.height for w in watched.fetcher.overdue(watched.now)] == [1, 3]


@pytest.mark.parametrize("source", SOURCES)
def test_nothing_is_asked_of_nobody(source: str) -> None:
    watched = Watched()
    watched.want(1)
    assert watched.step() == []
    assert watched.fetcher.next_timer() is None
    watched.ready(source)
    assert watched.step() == [Request(source, bodies=(name(1),))]


def hedged(slow_after_s: float) -> BodyFetcher:
    """A body that was asked of "a", which mostly answers within so long, with "b" beside it."""
    fetcher = BodyFetcher(SETTINGS, slow_after_s=lambda *_: slow_after_s)
    fetcher.source_ready("a")
    fetcher.want(name(1), 1, ("a",))
    assert fetcher.assign(100.0) == [Request("a", bodies=(name(1),))]
    fetcher.source_ready("b")
    return fetcher


def test_a_second_source_is_asked_when_the_first_is_slower_than_it_mostly_is() -> None:
    fetcher = hedged(0.4)
    assert fetcher.assign(100.3) == []
    assert fetcher.next_timer() == 100.4
    assert fetcher.assign(100.4) == [Request("b", bodies=(name(1),))]
    assert fetcher.assign(100.9) == []
    assert fetcher.arrived(name(1), "b") == 100.4
    fetcher.done(name(1))
    assert (len(fetcher), fetcher.next_timer()) == (0, None)


def test_a_hedge_comes_no_sooner_than_its_least_wait_and_later_where_the_source_is_not_known() -> None:
    assert hedged(0.0).next_timer() == 100.0 + HEDGE_WAIT_S_MIN
    plain = BodyFetcher(SETTINGS)
    plain.source_ready("a")
    plain.want(name(1), 1, ("a",))
    plain.assign(100.0)
    plain.source_ready("b")
    assert plain.next_timer() == 100.0 + HEDGE_WAIT_S_UNKNOWN


@pytest.mark.parametrize("first_to_fail", ["a", "b"])
def test_one_of_two_that_fails_leaves_the_other_flight_alone(first_to_fail: str) -> None:
    fetcher = hedged(0.4)
    fetcher.assign(100.4)
    other = "b" if first_to_fail == "a" else "a"
    fetcher.failed(name(1), first_to_fail)
    assert fetcher.was_asked_of(name(1), other)
    assert fetcher.assign(100.41) == []
    fetcher.source_lost(other)
    asked = [fetcher.assign(100.42 + wait_s) for wait_s in (0.0, RETRY_WAIT_MAX_S)]
    assert [Request(first_to_fail, bodies=(name(1),))] in asked


def test_a_body_of_another_branch_is_not_hedged() -> None:
    fetcher = BodyFetcher(SETTINGS)
    fetcher.source_ready("a")
    fetcher.source_ready("b")
    fetcher.want(name(1), 1, ("a",), best=False)
    assert len(fetcher.assign(100.0)) == 1
    assert fetcher.assign(100.0 + HEDGE_WAIT_S_UNKNOWN) == []
