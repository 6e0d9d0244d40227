"""Recorded calls under another policy: the same each time, and the same as if they were made."""

from __future__ import annotations

from msgspec.structs import replace

from sprint.core.breaker.policy import BackoffPolicy, Policy
from sprint.core.breaker.replay import RecordedCall, replay

POLICY = Policy(failures_to_open=3, half_open_calls=1, backoff=BackoffPolicy(base_s=10.0, jitter="none"))


def outage(began_at: float, ended_at: float) -> list[RecordedCall]:
    """A call every second for a minute, of 0.1 s, that fails during the outage."""
    return [
        RecordedCall(now, 0.1, "failure" if began_at <= now < ended_at else "success")
        for now in map(float, range(60))
    ]


def test_an_outage_trips_once_and_spares_its_failures() -> None:
    replayed = replay(outage(10.0, 22.0), POLICY)
    (trip,) = replayed.trips
    assert trip.at == 12.1
    assert [each.to_state for each in replayed.transitions] == ["open", "half_open", "closed"]
    assert (replayed.rejected, replayed.failures_avoided, replayed.successes_refused) == (10, 9, 1)


def test_another_policy_lists_other_trips() -> None:
    calls = outage(10.0, 15.0)
    assert replay(calls, replace(POLICY, failures_to_open=6)).trips == ()
    assert len(replay(calls, replace(POLICY, failures_to_open=1)).trips) == 1


def test_a_shadow_policy_is_replayed_as_if_it_rejected() -> None:
    shadow = replace(POLICY, shadow=True)
    assert replay(outage(10.0, 22.0), shadow).rejected == 10


def test_the_order_in_which_calls_are_given_does_not_matter() -> None:
    calls = outage(10.0, 22.0)
    assert replay(calls[::-1], POLICY) == replay(calls, POLICY)


def test_calls_that_overlapped_do_so_again() -> None:
    slow = [RecordedCall(0.0, 5.0, "failure") for _ in range(5)]
    later = [RecordedCall(1.0, 0.1, "success")]
    assert replay([*slow, *later], POLICY).rejected == 0
    assert replay([*slow, RecordedCall(5.0, 0.1, "success")], POLICY).rejected == 1


def test_more_transitions_than_a_machine_keeps_are_all_listed() -> None:
    calls = [RecordedCall(float(now), 0.0, "failure") for now in range(10_000)]
    policy = replace(POLICY, backoff=BackoffPolicy(base_s=5.0, longest_s=5.0, jitter="none"))
    replayed = replay(calls, policy)
    assert len(replayed.transitions) > 1_000
    assert [each.number for each in replayed.transitions] == list(range(1, len(replayed.transitions) + 1))


def test_nothing_recorded_is_nothing_replayed() -> None:
    assert replay([], POLICY).transitions == ()
