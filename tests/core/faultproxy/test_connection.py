"""Which toxics a connection has and when it is ended: by seed, number and the toxic's name alone."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from sprint.core.faultproxy.codec import changed_toxic, toxic_of
from sprint.core.faultproxy.connection import ConnectionFaults, Ending
from sprint.core.faultproxy.drawing import SeededDraws
from sprint.core.faultproxy.stages import End
from sprint.core.faultproxy.toxics import ActiveToxic, Direction, ToxicSet
from tests.core.faultproxy.toxics import active

UP, DOWN = Direction.UPSTREAM, Direction.DOWNSTREAM


def faults(number: int = 1, seed: str = "s") -> ConnectionFaults:
    return ConnectionFaults(number, lambda label: SeededDraws(f"{seed}/{label}"))


def met(toxics: Sequence[ActiveToxic], seed: str = "s", numbers: range = range(1, 401)) -> list[int]:
    """The connections that have the first of these toxics."""
    found = []
    for number in numbers:
        before = toxics[0].counts.connections_met
        faults(number, seed).adopt(toxics, 0.0)
        found += [number] * (toxics[0].counts.connections_met - before)
    return found


@pytest.mark.parametrize(
    ("direction", "held"), [("upstream", (2, 0)), ("downstream", (0, 2)), ("both", (2, 2))]
)
def test_a_toxic_is_on_its_direction_only(direction: str, held: tuple[int, int]) -> None:
    connection = faults()
    connection.adopt([active("stall", direction=direction)], 0.0)
    for channel in connection.channels.values():
        channel.feed(b"ab", 0.0)
    assert (connection.channels[UP].held_size, connection.channels[DOWN].held_size) == (2, 2)
    ready = [0 if channel.take() else 2 for channel in connection.channels.values()]
    assert tuple(ready) == held


def test_so_many_connections_have_a_toxic_as_its_share_says() -> None:
    assert met([active("stall", toxicity=0)]) == []
    assert met([active("stall", toxicity=1)]) == list(range(1, 401))
    assert 80 <= len(met([active("stall", toxicity=0.25)])) <= 120


def test_the_same_seed_draws_the_same_connections_and_another_seed_others() -> None:
    first = met([active("stall", toxicity=0.5)])
    assert met([active("stall", toxicity=0.5)]) == first
    assert met([active("stall", toxicity=0.5)], "other") != first
    assert met([active("stall", toxicity=0.5, name="other")]) != first


def test_what_is_drawn_hangs_on_no_other_toxic_and_a_larger_share_only_adds() -> None:
    alone = met([active("stall", toxicity=0.3)])
    beside = met([active("stall", toxicity=0.3), active("latency", latency_ms=1, toxicity=0.5)])
    assert alone == beside
    assert set(alone) < set(met([active("stall", toxicity=0.6)]))


def test_a_toxic_that_stays_goes_on_as_it_is_when_another_comes() -> None:
    connection = faults()
    reset, other = active("reset", after_ms=1_000), active("stall")
    connection.adopt([reset], 5.0)
    connection.adopt([reset, other], 5.9)
    assert (connection.next_due(), reset.counts.connections_met) == (6.0, 1)
    assert connection.due_ending(5.999) is None
    assert connection.due_ending(6.0) == Ending(resets_client=True, resets_target=True)


@pytest.mark.parametrize(
    ("direction", "resets"), [("upstream", "target"), ("downstream", "client"), ("both", "client target")]
)
def test_the_end_in_the_direction_of_a_reset_sees_it_and_the_other_is_closed(
    direction: str, resets: str
) -> None:
    toxic = active("reset", direction=direction)
    connection = faults()
    connection.adopt([toxic], 0.0)
    assert connection.due_ending(0.0) == Ending(
        resets_client="client" in resets, resets_target="target" in resets
    )
    assert (toxic.counts.connections_reset, toxic.counts.connections_closed) == (1, 0)


def test_a_timeout_loses_bytes_and_then_closes() -> None:
    toxic = active("timeout", after_ms=2_000)
    connection = faults()
    connection.adopt([toxic], 1.0)
    connection.channels[UP].feed(b"lost", 1.0)
    assert (connection.channels[UP].take(), toxic.counts.bytes_dropped) == (None, 4)
    assert connection.due_ending(2.999) is None
    assert connection.due_ending(3.0) == Ending(resets_client=False, resets_target=False)
    assert (toxic.counts.connections_reset, toxic.counts.connections_closed) == (0, 1)


def test_connections_are_lost_at_times_of_the_mean_that_is_asked_and_never_before() -> None:
    toxic = active("loss_of_connection", mean_ms=1_000, after_ms=500)
    ends = []
    for number in range(1_000):
        connection = faults(number)
        connection.adopt([toxic], 10.0)
        due = connection.next_due()
        assert due is not None
        ends.append(due - 10.5)
    assert min(ends) >= 0
    assert 0.9 < sum(ends) / len(ends) < 1.1
    assert 0.3 < sum(each > 1 for each in ends) / len(ends) < 0.44  # 1/e of them live longer than the mean


def test_a_connection_whose_bytes_fell_into_a_hole_is_reset_when_it_is_gone_and_counted_once() -> None:
    hole = active("black_hole")
    connection = faults()
    connection.adopt([hole], 0.0)
    for channel in connection.channels.values():
        channel.feed(b"lost", 0.0)
    connection.adopt([hole, active("latency", latency_ms=1)], 0.5)
    assert hole.counts.connections_reset == 0, "while it is there nothing is reset"
    connection.adopt([], 1.0)
    assert [channel.take() for channel in connection.channels.values()] == [End.RESET, End.RESET]
    assert (hole.counts.connections_reset, hole.counts.bytes_dropped) == (1, 8)


def test_a_connection_that_lost_nothing_is_not_counted_as_reset() -> None:
    hole = active("black_hole")
    connection = faults()
    connection.adopt([hole], 0.0)
    connection.adopt([], 1.0)
    assert [channel.take() for channel in connection.channels.values()] == [None, None]
    assert hole.counts.connections_reset == 0


def test_a_toxic_that_is_changed_is_not_counted_as_met_again() -> None:
    toxics, connection = ToxicSet(), faults()
    first = toxics.add(toxic_of({"kind": "stall"}), 0.0)
    connection.adopt(toxics.active, 0.0)
    toxics.change(changed_toxic(first.toxic, {"direction": "upstream"}), 1.0)
    connection.adopt(toxics.active, 1.0)
    assert first.counts.connections_met == 1
    faults(2).adopt(toxics.active, 2.0)
    assert first.counts.connections_met == 2


def test_a_toxic_that_is_gone_ends_nothing() -> None:
    connection = faults()
    connection.adopt([active("reset", after_ms=10)], 0.0)
    connection.adopt([], 0.005)
    assert (connection.next_due(), connection.due_ending(1.0)) == (None, None)
