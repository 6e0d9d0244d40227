"""What the rules read off a board."""

from __future__ import annotations

from typing import Any

import pytest

from sprint.core.breaker.outcomes import State
from sprint.core.breaker.policy import Policy
from sprint.core.monitor.alerts.readings import readings, state_readings
from sprint.core.monitor.alerts.rules import LEVELS, STATE_SEVERITIES, Reading
from sprint.core.monitor.board import Board, Key, RelaySeen
from sprint.core.monitor.codec import Snapshot
from sprint.core.monitor.rows import rfc3339
from tests.core.monitor.rows_for_tests import row_named

LIMITS = {"source": Policy(name="source", failure_rate_max=0.5, slow_rate_max=None)}


def levels_of(connection: Any = "live", said: dict[str, Any] | None = None, **fields: Any) -> dict[str, str]:
    """Return the level that each rule reads, of those that read one."""
    board = Board()
    relay = RelaySeen(
        name="main", url="http://h:1", connection=connection, since=rfc3339(0.0), health=said or {}
    )
    board.connected(relay)
    board.told("main", Snapshot(seq=0, at=rfc3339(0.0), breakers=(row_named("x", **fields),)), 0.0)
    found = {each.rule.name: each.rule.severity(each.value) for each in readings(board, LIMITS)}
    return {name: LEVELS[severity - 1] for name, severity in found.items() if severity}


@pytest.mark.parametrize(
    ("state", "said"), [("force_open", "forced open"), ("half_open", "half open"), ("open", "open")]
)
def test_an_alert_tells_a_state_in_words_and_not_as_a_machine_does(state: State, said: str) -> None:
    told = next(state_readings(Key("main", "x"), state, "a new disk", shadow=False))
    assert told.text == f"x is {said}: a new disk"


def test_states_have_levels_and_a_shadow_only_informs() -> None:
    assert levels_of(state="closed") == {}
    assert levels_of(state="open") == {"state": "critical"}
    assert levels_of(state="half_open") == {"state": "warning"}
    assert levels_of(state="open", shadow=True) == {"state": "info"}
    assert levels_of(state="force_open", shadow=True) == {"state": "warning"}


def test_only_what_a_half_open_breaker_comes_to_is_undecided() -> None:
    def undecided(state: State) -> bool:
        return next(state_readings(Key("main", "x"), state, "", shadow=False)).undecided

    assert {state for state in STATE_SEVERITIES if undecided(state)} == {"half_open"}


def test_a_rate_is_held_against_its_policy_once_there_are_calls_enough() -> None:
    assert levels_of(calls=100, failure_rate=0.46) == {"failure_rate": "warning"}
    assert levels_of(calls=3, failure_rate=0.46) == {}
    assert levels_of(calls=100, failure_rate=0.46, policy="unknown") == {}
    assert levels_of(calls=100, slow_rate=1.0) == {}


def test_a_score_that_has_dropped_is_told_only_of_one_that_is_called() -> None:
    assert levels_of(calls=5, health=0.39, policy="unknown") == {"health": "warning"}
    assert levels_of(calls=5, health=0.9) == {}
    assert levels_of(calls=0, health=0.39) == {}


def health_read(**fields: Any) -> Reading:
    board = Board()
    board.told("main", Snapshot(seq=0, at=rfc3339(0.0), breakers=(row_named("x", **fields),)), 0.0)
    return next(each for each in readings(board, LIMITS) if each.rule.name == "health")


def test_a_busy_machine_alone_raises_no_alert_of_a_breaker_that_does_well() -> None:
    read = health_read(calls=50, health=0.42, latency_ms_mean=20.0)
    assert read.rule.severity(read.value) == 0
    assert read.text == "x: its health score is 0.42, 0.94 without the load of its machine"


def test_a_low_score_is_told_with_the_figures_that_make_it_low() -> None:
    read = health_read(calls=50, health=0.3, failure_rate=0.8, latency_ms_mean=4_000.0)
    assert read.rule.severity(read.value) == LEVELS.index("warning") + 1
    low = "success rate 0.2, want 0.999; error rate 0.8, want 0.001; latency 4 s, want 1 s"
    assert read.text == f"x: its health score is 0.30 ({low})"


def test_the_end_of_a_low_score_without_calls_says_that_there_are_none() -> None:
    read = health_read(calls=0, health=0.25)
    assert (read.value, read.text) == (None, "x has no calls now")


def test_a_relay_that_is_lost_or_failing_is_an_emergency() -> None:
    assert levels_of(connection="lost") == {"relay": "emergency"}
    assert levels_of(said={"status": "failing", "reasons": ["the disk is full"]}) == {"relay": "emergency"}
    assert levels_of(said={"status": "degraded"}) == {}
    assert levels_of(connection="connecting") == {}
