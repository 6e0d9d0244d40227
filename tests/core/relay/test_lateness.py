"""An answer that is owed is told as late every few seconds, and never while a part of one is coming."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sprint.core.relay.lateness import LATE_AFTER_S, Late, Lateness


def told(lateness: Lateness, owed: dict[str, float], until: float, heard_at: float = 0.0) -> list[Late]:
    """Check whenever it is due, up to a time, as an edge with a timer does."""
    found = []
    while (due := lateness.next_timer()) is not None and due <= until:
        late = lateness.check(owed, heard_at, due)
        found += [late] if late else []
    return found


def test_nothing_is_looked_at_while_nothing_was_asked() -> None:
    assert Lateness().next_timer() is None
    assert Lateness().check({"ping": 0.0}, 0.0, 100.0) is None


def test_a_silence_is_told_every_few_seconds_with_how_long_it_is() -> None:
    lateness = Lateness()
    lateness.asked(10.0)
    found = told(lateness, {"getheaders": 10.0}, 22.0)
    assert found == [Late("getheaders", 4.0), Late("getheaders", 8.0), Late("getheaders", 12.0)]
    assert found[-1].why == "no answer to getheaders for 12 s"


def test_what_is_answered_in_time_is_looked_at_once_and_let_be() -> None:
    lateness = Lateness()
    lateness.asked(10.0)
    assert told(lateness, {}, 100.0) == []
    assert lateness.next_timer() is None


def test_of_several_the_one_that_is_owed_longest_is_told() -> None:
    lateness = Lateness()
    lateness.asked(0.0)
    assert told(lateness, {"ping": 2.0, "getheaders": 0.0}, 4.0) == [Late("getheaders", 4.0)]


def test_what_is_asked_beside_a_call_that_may_wait_is_late_in_its_own_time() -> None:
    lateness = Lateness()
    lateness.asked(0.0)
    owed = {"waitforblockheight": 10.0}
    assert told(lateness, owed, 4.0) == []
    lateness.asked(4.5)
    owed["getbestblockhash"] = 4.5
    found = told(lateness, owed, 16.5)
    assert [late.why for late in found] == [f"no answer to getbestblockhash for {s} s" for s in (4, 8, 12)]


def test_an_answer_that_is_coming_is_not_late_however_slow_it_is() -> None:
    lateness = Lateness()
    lateness.asked(0.0)
    for second in range(60):
        assert lateness.check({"getdata": 0.0}, float(second), float(second)) is None
    assert told(lateness, {"getdata": 0.0}, 63.0, heard_at=59.0) == [Late("getdata", 4.0)]


def test_many_that_were_held_up_by_one_pause_count_as_one() -> None:
    lateness = Lateness()
    found = [lateness.overdue("getdata", 2.0, 0.0, 10.0 + number / 10) for number in range(39)]
    assert [late for late in found if late] == [Late("getdata", 2.0)]
    assert lateness.overdue("getdata", 2.0, 0.0, 14.0) == Late("getdata", 2.0)
    assert lateness.overdue("getdata", 2.0, 17.0, 20.0) is None, "a part of it came just now"


@given(st.lists(st.tuples(st.floats(0.0, 30.0), st.booleans()), max_size=60))
def test_whatever_comes_late_is_never_told_oftener_than_every_few_seconds(
    steps: list[tuple[float, bool]],
) -> None:
    lateness, now = Lateness(), 100.0
    told_at: list[float] = []
    for wait_s, found_elsewhere in steps:
        now += wait_s
        lateness.asked(now)
        if found_elsewhere:
            late = lateness.overdue("getdata", 2.0, 0.0, now)
        else:
            late = lateness.check({"ping": 0.0}, 0.0, now)
        told_at += [now] if late else []
    assert all(after >= before + LATE_AFTER_S for before, after in pairwise(told_at))
