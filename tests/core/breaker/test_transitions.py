"""The transition table: every state can be left, operators' words work in all, the diagram is the table."""

from __future__ import annotations

from typing import get_args

from sprint.core.breaker.outcomes import State
from sprint.core.breaker.transitions import TRANSITIONS, Cause, mermaid

STATES: tuple[State, ...] = get_args(State)
OPERATORS = {"forced_open", "forced_closed", "released", "reset"}


def test_every_cause_and_every_state_is_in_the_table() -> None:
    assert {state for state, _ in TRANSITIONS} == set(STATES) == set(TRANSITIONS.values())
    assert {cause for _, cause in TRANSITIONS} == set(get_args(Cause))


def test_forced_states_are_left_by_an_operators_word_only() -> None:
    for state, cause in TRANSITIONS:
        if state.startswith("force"):
            assert cause in OPERATORS


def test_every_state_leads_to_closed_without_an_operator_but_the_forced_ones() -> None:
    reached: set[State] = {"closed"}
    for _ in STATES:
        reached |= {
            source
            for (source, cause), target in TRANSITIONS.items()
            if target in reached and cause not in OPERATORS
        }
    assert reached == {"closed", "open", "half_open"}


def test_reset_closes_every_state() -> None:
    assert [TRANSITIONS[state, "reset"] for state in STATES] == ["closed"] * len(STATES)


def test_the_diagram_shows_each_way_once() -> None:
    drawn = mermaid()
    for (source, cause), target in TRANSITIONS.items():
        (line,) = [line for line in drawn.splitlines() if line.strip().startswith(f"{source} --> {target}:")]
        assert cause in line
