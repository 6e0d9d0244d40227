"""A delivery's time counts from when the same message first came, the same time that it was sent."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.loadtest.arrivals import Arrivals, Listener


def listeners_of(arrivals: Arrivals, count: int) -> list[Listener]:
    return [arrivals.listener(0) for _ in range(count)]


@given(
    messages=st.lists(st.sampled_from([b"beat", b"a", b"b"]), max_size=40),
    rng=st.randoms(use_true_random=False),
    count=st.integers(1, 20),
)
def test_each_time_the_same_is_sent_counts_by_itself_however_far_connections_are_apart(
    messages: list[bytes], rng: Random, count: int
) -> None:
    """A heartbeat's time was told as that since the first one of the run."""
    arrivals = Arrivals(count)
    listeners = listeners_of(arrivals, count)
    left = [iter(enumerate(messages)) for _ in listeners]
    first_ns: dict[int, int] = {}
    turns = [number for number in range(count) for _ in messages]
    rng.shuffle(turns)
    for at_ns, number in enumerate(turns):
        place, message = next(left[number])
        assert arrivals.came(listeners[number], message, at_ns) == first_ns.setdefault(place, at_ns)


@given(behind=st.integers(0, 12), remembered=st.integers(1, 6))
def test_who_is_too_far_behind_has_no_time_and_not_a_short_one(behind: int, remembered: int) -> None:
    """The slowest deliveries were told as 0 ms, once their first arrival was forgotten."""
    arrivals = Arrivals(2, remembered=remembered)
    quick, slow = listeners_of(arrivals, 2)
    digests = [b"%d" % number for number in range(behind + 1)]
    for at_ns, digest in enumerate(digests):
        assert arrivals.came(quick, digest, at_ns) == at_ns
    told = [arrivals.came(slow, digest, 1_000) for digest in digests]
    forgotten = max(0, behind + 1 - remembered)
    assert told == [None] * forgotten + list(range(forgotten, behind + 1))
    assert arrivals.came(slow, b"new", 2_000) == 2_000
    assert arrivals.came(quick, b"new", 2_001) == 2_000


def test_what_came_before_a_connection_was_there_is_not_awaited_by_it() -> None:
    arrivals = Arrivals(2)
    early = arrivals.listener(0)
    arrivals.came(early, b"greeting", 5)
    late = arrivals.listener(10)
    assert arrivals.came(late, b"greeting", 11) == 11


def test_what_came_while_a_connection_was_being_opened_is_the_same_message_over_it() -> None:
    """Taken for one of its own it made the next one of the same bytes late for all others."""
    arrivals = Arrivals(2)
    early = arrivals.listener(0)
    arrivals.came(early, b"beat", 5)
    late = arrivals.listener(4)
    assert [arrivals.came(late, b"beat", 6), arrivals.came(early, b"beat", 1_000)] == [5, 1_000]
    assert arrivals.came(late, b"beat", 1_001) == 1_000


def test_a_message_that_a_connection_never_had_makes_no_later_one_of_the_same_bytes_late() -> None:
    arrivals = Arrivals(2)
    one, other = listeners_of(arrivals, 2)
    for at_ns, digest in enumerate([b"beat", b"a", b"beat"]):
        arrivals.came(one, digest, at_ns)
    assert arrivals.came(other, b"a", 10) == 1
    assert arrivals.came(other, b"beat", 11) == 2


def test_what_comes_in_another_order_is_found_too() -> None:
    arrivals = Arrivals(2)
    one, other = listeners_of(arrivals, 2)
    for at_ns, digest in enumerate([b"a", b"b"]):
        arrivals.came(one, digest, at_ns)
    assert [arrivals.came(other, digest, 10) for digest in (b"b", b"a")] == [1, 0]


def test_no_more_is_remembered_than_was_said() -> None:
    arrivals = Arrivals(1, remembered=3)
    listener = arrivals.listener(0)
    for at_ns in range(10):
        arrivals.came(listener, b"%d" % (at_ns % 2), at_ns)
    assert repr(arrivals) == "Arrivals(3 messages, 1 of 1)"


def test_more_listeners_than_were_said_are_refused() -> None:
    arrivals = Arrivals(1)
    arrivals.listener(0)
    with pytest.raises(ValueError, match="beyond the 1"):
        arrivals.listener(0)
