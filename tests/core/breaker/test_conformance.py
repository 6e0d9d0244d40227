"""The conformance table is what the machine does, and what interlock-cb does where it is installed."""

from __future__ import annotations

import importlib.util

import pytest

from sprint.core.breaker.transitions import TRANSITIONS
from tests.core.breaker.conformance import (
    MARKS,
    OTHERS,
    PAGE,
    InterlockSubject,
    Situation,
    SprintSubject,
    as_table,
)
from tests.core.breaker.peer_transitions import RESILIENCE4J, PeerTransition
from tests.core.breaker.peer_transitions import as_table as transitions_table
from tests.core.breaker.situations import SITUATIONS

NAMES = [situation.name for situation in SITUATIONS]
INTERLOCK = OTHERS.index("interlock-cb")


@pytest.mark.parametrize("situation", SITUATIONS, ids=NAMES)
def test_the_machine_does_what_the_table_says(situation: Situation) -> None:
    assert situation.steps(SprintSubject()) == situation.ours


@pytest.mark.skipif(
    importlib.util.find_spec("interlock") is None, reason="scripts/bench installs interlock-cb"
)
@pytest.mark.parametrize("situation", SITUATIONS, ids=NAMES)
def test_interlock_does_what_the_table_says(situation: Situation) -> None:
    said = situation.others[INTERLOCK]
    same = said.startswith("=")
    expected = situation.ours if same else said.split(": ")[0]
    assert situation.steps(InterlockSubject()) == expected


@pytest.mark.parametrize("situation", SITUATIONS, ids=NAMES)
def test_where_another_differs_there_is_a_reason(situation: Situation) -> None:
    differs = any(not said.startswith(("=", "-", "the user's")) for said in situation.others)
    assert bool(situation.reason) is differs


def test_a_name_is_one_situations() -> None:
    assert len(set(NAMES)) == len(NAMES) >= 20


MADE = [each for each in RESILIENCE4J if each.steps is not None]


@pytest.mark.parametrize("transition", MADE, ids=[each.name for each in MADE])
def test_each_transition_of_resilience4j_that_is_made_here_is_made(transition: PeerTransition) -> None:
    subject = SprintSubject()
    assert transition.steps is not None
    transition.steps(subject)
    last = subject.machine.transitions[-1]
    assert (last.from_state, last.to_state) == transition.ours


def test_there_is_no_transition_here_that_resilience4j_has_not() -> None:
    ours = {(source, target) for (source, _), target in TRANSITIONS.items()}
    assert ours == {each.ours for each in MADE}


@pytest.mark.parametrize("word", ["force_open", "force_close"])
def test_a_word_that_changes_nothing_is_no_transition(word: str) -> None:
    subject = SprintSubject()
    subject.operate(word)
    subject.operate(word)
    assert len(subject.machine.transitions) == 1


def test_a_release_from_forced_open_lets_the_next_call_be_a_trial() -> None:
    subject = SprintSubject()
    subject.operate("force_open")
    subject.operate("release")
    assert subject.state() == "open"
    assert subject.begin() is not None
    assert subject.state() == "half_open"


def test_the_page_has_the_tables() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert as_table(SITUATIONS) in page, "python -m tests.core.breaker.conformance"
    assert transitions_table() in page, "python -m tests.core.breaker.conformance"


def test_each_table_stands_on_the_page_once() -> None:
    """A copy of one at the end of the page had been there, which the command would not have written anew."""
    page = PAGE.read_text(encoding="utf-8")
    assert [page.count(mark) for marks in MARKS.values() for mark in marks] == [1, 1, 1, 1]
