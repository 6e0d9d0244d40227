"""What a source's breaker is told of its connections, requests and silences, by a clock that a test moves."""

from __future__ import annotations

import math

from msgspec.structs import replace

from sprint.core.breaker.outcomes import State
from sprint.core.relay.lateness import Late
from sprint.core.relay.source_url import source_of
from sprint.tools.breaker import CircuitBreaker
from sprint.tools.relay.breakers import RelayBreakers
from sprint.tools.relay.sources.guard import CALLS_MAX, TRIAL_LATE_MAX, SourceGuard

CHAIN = "litecoin-regtest"
SILENCE = Late("getheaders", 4.0)


class Guarded:
    """The guard of one source of two, the other of which is well; chance gives the middle."""

    def __init__(self) -> None:
        self.now = 100.0
        self.breakers = RelayBreakers("turbo", clock=lambda: self.now, rng=lambda: 0.5)
        self.breaker = self._breaker("alice")
        self._breaker("bob")
        self.guard = SourceGuard(self.breaker)

    def _breaker(self, name: str) -> CircuitBreaker:
        return self.breakers.source(CHAIN, source_of("litecoin", "regtest", "p2p://127.0.0.1:1", name=name))

    def state(self) -> State:
        """Read the state anew: a type checker would take it to be what it was asserted to be."""
        return self.breaker.state

    @property
    def totals(self) -> dict[str, int]:
        return self.breaker.explain().totals

    def connect(self) -> None:
        """Connect, and have the first request answered."""
        assert self.guard.attempt()
        self.guard.answered("getheaders")

    def open(self, why: str = "refused") -> None:
        for _ in range(3):
            assert self.guard.attempt()
            self.guard.ended(why)
        assert self.state() == "open"

    def wait_out(self) -> None:
        """Let the delay pass."""
        self.now += self.guard.retry_after_s()


def test_without_a_breaker_everything_is_let_through_and_nothing_counted() -> None:
    guard = SourceGuard()
    for _ in range(10):
        assert guard.attempt()
        guard.asked("x")
        guard.answered("x")
        guard.heard("ping")
        guard.late(SILENCE, needed=False)
        guard.ended("refused")
        guard.stopped()
    assert (guard.shut, guard.withheld, guard.retry_after_s()) == ("", "", 0.0)


def test_refused_connections_open_it_on_evidence_that_says_so() -> None:
    source = Guarded()
    source.open("connection refused")
    assert source.guard.shut == "its breaker is open: 3 failures in a row, limit 3: connection refused"
    assert not source.guard.attempt()
    assert 0.0 < source.guard.retry_after_s() <= 30.0


def test_a_handshake_without_an_answer_is_no_success() -> None:
    source = Guarded()
    for _ in range(3):
        assert source.guard.attempt()
        source.guard.asked("getheaders")
        source.guard.ended("the node closed the connection")
    assert source.state() == "open"


def test_an_answer_makes_a_connection_a_success_and_each_request_a_call_of_its_own() -> None:
    source = Guarded()
    assert source.guard.attempt()
    source.guard.asked("getheaders")
    assert source.totals.get("success", 0) == 0
    source.guard.answered("getheaders")
    source.guard.asked("block")
    source.now += 0.25
    source.guard.answered("block")
    assert source.totals == {"success": 2}
    assert source.breaker.statistics().latency_sum_s == 0.25


def test_what_nobody_asked_for_is_no_call() -> None:
    source = Guarded()
    source.connect()
    source.guard.answered("getheaders")
    source.guard.answered("block")
    source.guard.heard("ping")
    assert source.totals == {"success": 1}


def test_a_node_that_falls_silent_opens_it_on_evidence_that_says_for_how_long() -> None:
    source = Guarded()
    source.connect()
    for seconds in (4.0, 8.0, 12.0):
        assert source.state() == "closed"
        source.guard.late(Late("getheaders", seconds), needed=False)
    assert source.guard.shut.endswith("3 failures in a row, limit 3: no answer to getheaders for 12 s")


def test_an_answer_between_two_silences_begins_the_count_anew() -> None:
    source = Guarded()
    source.connect()
    for _ in range(5):
        source.guard.asked("getheaders")
        source.guard.late(SILENCE, needed=False)
        source.guard.late(SILENCE, needed=False)
        source.guard.answered("getheaders")
    assert source.state() == "closed"


def test_a_pong_makes_good_for_late_pongs_and_not_for_late_blocks() -> None:
    source = Guarded()
    source.connect()
    for _ in range(5):
        source.guard.late(Late("ping", 4.0), needed=False)
        source.guard.late(Late("ping", 8.0), needed=False)
        source.guard.heard("ping")
    assert source.state() == "closed"
    for _ in range(3):
        source.guard.late(Late("getdata", 2.0), needed=False)
        source.guard.heard("ping")
    assert source.state() == "open"


def test_what_we_end_ourselves_tells_nothing_of_the_node() -> None:
    source = Guarded()
    for _ in range(10):
        assert source.guard.attempt()
        source.guard.stopped()
        source.connect()
        source.guard.asked("block")
        source.guard.stopped()
    assert source.totals == {"success": 10, "cancelled": 20}


def test_requests_under_way_when_a_connection_is_lost_are_one_failure_together() -> None:
    source = Guarded()
    source.connect()
    for number in range(16):
        source.guard.asked(number)
    source.guard.ended("the node closed the connection")
    assert source.totals == {"success": 1, "cancelled": 16, "failure": 1}


def test_a_node_that_asks_for_patience_is_neither_good_nor_bad() -> None:
    source = Guarded()
    source.connect()
    for _ in range(5):
        source.guard.asked("headers")
        source.guard.told_nothing("headers")
    assert source.totals == {"success": 1, "inconclusive": 5}


def test_requests_that_are_waited_for_are_bounded() -> None:
    source = Guarded()
    source.connect()
    for number in range(CALLS_MAX + 5):
        source.guard.asked(number)
    assert source.totals == {"success": 1, "cancelled": 5}


def test_a_trial_that_connects_and_is_answered_closes_it() -> None:
    source = Guarded()
    source.open()
    source.wait_out()
    source.connect()
    assert source.state() == "closed"


def test_a_trial_that_is_refused_waits_longer_each_time_and_never_longer_than_the_longest() -> None:
    source = Guarded()
    source.open()
    for _ in range(12):
        source.wait_out()
        assert source.guard.attempt()
        source.guard.ended("refused")
        assert source.state() == "open"
        assert source.guard.retry_after_s() <= 30.0
    assert source.guard.retry_after_s() == 30.0


def test_a_silent_trial_is_given_up_unless_there_is_no_other_source() -> None:
    source = Guarded()
    source.open()
    source.wait_out()
    assert source.guard.attempt()
    for _ in range(TRIAL_LATE_MAX + 2):
        source.guard.late(SILENCE, needed=True)
    assert source.state() == "half_open"
    source.guard.late(SILENCE, needed=False)
    assert source.state() == "open"
    assert "the trial call failed" in source.guard.shut
    assert "no answer to getheaders" in source.guard.shut


def test_the_end_of_a_connection_that_the_breaker_ended_is_no_failure_more() -> None:
    source = Guarded()
    source.connect()
    for _ in range(3):
        source.guard.late(SILENCE, needed=False)
    source.guard.ended(source.guard.shut)
    assert source.totals["failure"] == 3


def test_a_trial_is_brought_forward() -> None:
    source = Guarded()
    source.open()
    assert source.guard.retry_after_s() > 0.0
    source.guard.bring_forward()
    assert source.guard.retry_after_s() == 0.0
    assert source.guard.attempt()


def test_held_open_by_an_operator_it_is_tried_at_no_time_and_not_brought_forward() -> None:
    source = Guarded()
    source.breaker.force_open("the rack is moved")
    source.guard.bring_forward()
    assert source.guard.retry_after_s() == math.inf
    assert source.guard.shut == "its breaker is held open: the rack is moved"
    source.breaker.release()
    source.connect()
    assert source.state() == "closed"


def test_a_shadow_says_that_it_is_open_and_shuts_nothing() -> None:
    source = Guarded()
    source.breaker.adopt(replace(source.breaker.policy, shadow=True))
    for _ in range(3):
        assert source.guard.attempt()
        source.guard.ended("refused")
    assert source.state() == "open"
    assert (source.guard.shut, source.guard.retry_after_s()) == ("", 0.0)
    assert source.guard.attempt()


def test_whoever_heeds_it_is_told_of_transitions_until_the_end() -> None:
    source = Guarded()
    told: list[str] = []
    with source.guard.heeded(lambda _: told.append(source.state())):
        source.open()
        assert told == ["open"]
        assert not source.breaker.listeners.errors
    source.breaker.reset()
    assert told == ["open"]
