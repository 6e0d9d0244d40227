"""A run that did not begin because no block came says which option asks for blocks."""

from __future__ import annotations

import pytest

from sprint.core.chaos.blocks_hint import with_hint_of_blocks
from sprint.core.chaos.named import build
from sprint.core.chaos.result import ActivityDone, Result
from sprint.core.chaos.wiring import Wiring, Wishes
from tests.core.chaos.a_relay import a_relay
from tests.core.chaos.results import result

DOCUMENT = build("force-open", a_relay(), Wiring(), Wishes(blocks_within_s=90.0))
OF_BLOCKS = [
    each.name for each in DOCUMENT.hypothesis.probes if each.name.endswith(("advances", "delivered"))
]


def not_begun(probe: str) -> Result:
    failed = ActivityDone(
        phase="before", type="probe", name=probe, begun_s=0.0, ended_s=90.0, tolerated=False
    )
    return result(verdict="could_not_run", reason="it did not hold", activities=(failed,))


@pytest.mark.parametrize("probe", OF_BLOCKS)
def test_a_chain_without_a_block_in_time_is_told_with_the_option_that_asks_for_one(probe: str) -> None:
    told = with_hint_of_blocks(not_begun(probe), DOCUMENT).reason
    assert told.startswith("it did not hold; --blocks-within asks for a block within 90 s")


def test_what_else_did_not_hold_is_told_without_that_option() -> None:
    for made in (not_begun("the relay is ready"), result()):
        assert with_hint_of_blocks(made, DOCUMENT) == made


def test_every_chain_is_asked_for_blocks() -> None:
    assert OF_BLOCKS
