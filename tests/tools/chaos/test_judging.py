"""A result tells what its names stand for."""

from __future__ import annotations

import msgspec

from sprint.core.chaos.topology import DependencyMap
from sprint.tools.chaos.judging import stand_ins
from tests.core.chaos.run_stories import CHAIN, dependencies


def test_a_source_that_stood_for_a_users_own_was_named_without_a_word() -> None:
    relay: DependencyMap = dependencies()
    detour = msgspec.structs.replace(relay.sources[0], name="alice-chaos")
    led = msgspec.structs.replace(relay, sources=(*relay.sources, detour))
    assert stand_ins(led) == (
        f"{CHAIN}:alice-chaos is {CHAIN}:alice, led through a fault proxy while this ran",
    )
    alone = msgspec.structs.replace(relay, sources=(detour, *relay.sources[1:]))
    assert stand_ins(alone) == stand_ins(relay) == stand_ins(None) == ()
