"""The conformance table is what the machine does, and what interlock-cb does where it is installed."""

from __future__ import annotations

import importlib.util

import pytest

from tests.core.breaker.conformance import OTHERS, PAGE, InterlockSubject, Situation, SprintSubject, as_table
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


def test_the_page_has_the_table() -> None:
    assert as_table(SITUATIONS) in PAGE.read_text(encoding="utf-8"), (
        "python -m tests.core.breaker.conformance"
    )
