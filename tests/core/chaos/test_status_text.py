"""The line of how a run gets on says what is not well, and fits into a terminal."""

from __future__ import annotations

from sprint.core.chaos.observation import BreakerSeen, Sample
from sprint.core.chaos.status_text import status_parts


def sample(*states: str) -> Sample:
    breakers = tuple(
        BreakerSeen(name=f"source:litecoin-regtest:s{number}", state=state, reason="")
        for number, state in enumerate(states)
    )
    return Sample(1.0, answered=True, health="degraded", breakers=breakers)


def test_breakers_that_are_not_closed_are_named_by_their_source() -> None:
    assert status_parts(sample("closed", "open"), 3.4, 12) == [
        "faults on for 3 s", "s1 open", "health degraded", "12 blocks",
    ]  # fmt: skip


def test_how_long_the_faults_stay_is_told_where_it_is_known() -> None:
    assert status_parts(sample("open"), 3.4, 12, 20.0)[0] == "faults on for 3 s, 17 s left"
    assert status_parts(sample("open"), 20.1, 12, 20.0)[0] == "faults on for 20 s, soon off"


def test_where_all_are_closed_they_are_counted() -> None:
    assert status_parts(sample("closed", "closed"), None, 0)[0] == "2 breakers closed"


def test_many_are_counted_after_the_first() -> None:
    parts = status_parts(sample(*["half_open"] * 40), 3_600.0, 100_000)
    assert parts[1] == "s0 half_open, s1 half_open, s2 half_open and 37 more"


def test_a_relay_that_gives_no_answer_is_told_and_so_is_nothing() -> None:
    assert status_parts(Sample(1.0, answered=False), 2.0, 3) == [
        "faults on for 2 s", "the relay gives no answer",
    ]  # fmt: skip
    assert status_parts(None, None, 0) == []
