"""A node whose clock is late mines on where its chain is hours ahead of that clock alone."""

from __future__ import annotations

import asyncio
import random

import pytest

from sprint.core.errors import ConfigError
from sprint.tools.devnet.edge import Devnet, DevnetOptions
from sprint.tools.devnet.ledger import AHEAD_S_MAX

CHAIN = "bitcoin-regtest"
START = 1_700_000_000.0
LATE_S = 86_400


class Clock:
    def __init__(self) -> None:
        self.unix_s = START

    def __call__(self) -> float:
        return self.unix_s


@pytest.mark.parametrize(("behind_s", "mines"), [(0, False), (LATE_S, True)])
def test_an_hour_at_twenty_blocks_a_second_was_cut_short_by_the_nodes_own_late_clock(
    behind_s: int,
    *,
    mines: bool,
) -> None:
    """The chain was held against the late clock, so that a late one gave it no more room than a right one."""
    asyncio.run(_mine_late(behind_s, mines=mines))


async def _mine_late(behind_s: int, *, mines: bool) -> None:
    clock = Clock()
    options = DevnetOptions(block_interval_s=0, clock_behind_s=behind_s)
    devnet = Devnet([CHAIN], options, rng_of=random.Random, wall_clock=clock)
    await devnet.start()
    try:
        devnet.mine(CHAIN, 12)
        clock.unix_s -= AHEAD_S_MAX + 100
        if mines:
            assert len(devnet.mine(CHAIN, 1)) == 1
            clock.unix_s -= LATE_S
        with pytest.raises(ConfigError, match=f"limit {AHEAD_S_MAX + behind_s}"):
            devnet.mine(CHAIN, 1)
    finally:
        await devnet.stop()
