"""A relay whose only source lies for minutes, then drops its false block and mines on; what is told of it.

By a `QuickClock`: run it by `python -m tests.integration.ten_nodes_process --sole LIE`.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import msgspec

from sprint.core.chains import display_hash
from sprint.core.config import ChainSection
from sprint.core.model import ChainStatusEvent, SourceStatusEvent
from sprint.tools.devnet.block_maker import HeaderLie
from sprint.tools.devnet.edge import Devnet, DevnetOptions
from sprint.tools.devnet.seeded_bits import SeededBits
from sprint.tools.runtime import clock, wall_clock
from tests.integration.quick_clock import QuickClock
from tests.integration.quick_relay import Subscriber, start_relay, until_true

CHAIN = "bitcoin-regtest"
LIES_S = 150.0


class LiarsStory(msgspec.Struct, frozen=True):
    """What was told of the source and of the chain; `back_s`: from its repentance to its next block."""

    statuses: tuple[str, ...]
    reasons: tuple[str, ...]
    back_s: float


def tell(lie: str, quick: QuickClock) -> LiarsStory:
    with asyncio.Runner(loop_factory=quick.new_loop) as runner:
        return runner.run(_tell(HeaderLie(lie), quick))


async def _tell(lie: HeaderLie, quick: QuickClock) -> LiarsStory:
    async with AsyncExitStack() as stack:
        options = DevnetOptions(block_interval_s=0.0, blocks_at_start=5)
        devnet = Devnet([CHAIN], options, rng_of=SeededBits, wall_clock=wall_clock)
        ((_, _, port),) = await devnet.start()
        stack.push_async_callback(devnet.stop)
        url = f"only@bitcoin:regtest=p2p://127.0.0.1:{port}"
        serving = await start_relay(stack, CHAIN, ChainSection(), [url])
        subscriber = Subscriber(serving.listeners[0].url)
        stack.push_async_callback(subscriber.stop)
        tip = display_hash(devnet.ledger(CHAIN).tip)
        await until_true(lambda: subscriber.has(tip), "the first block arrives")
        quick.leaping = True
        (false,) = devnet.tell(CHAIN, lie)
        await asyncio.sleep(LIES_S)
        repented_at = clock()
        devnet.invalidate(CHAIN, false)
        last = display_hash(devnet.mine(CHAIN, 2)[-1])
        await until_true(lambda: subscriber.has(last), "the block after the lie arrives")
        back_s = clock() - repented_at
        quick.leaping = False
        told = [e.data for e in subscriber.events if isinstance(e, SourceStatusEvent | ChainStatusEvent)]
        return LiarsStory(tuple(t.status for t in told), tuple(t.reason for t in told), round(back_s, 1))
