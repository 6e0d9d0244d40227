"""Two devnet nodes of one network show faults of the line in turn: what comes of their breakers is told.

By a `QuickClock`: run it by `python -m tests.integration.ten_nodes_process --breakers`. Each fault stands
under a name; in all of them a block is mined every `BLOCK_EVERY_S` at a node that is well, and both learn it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import httpx
import msgspec

from sprint.core.chains import display_hash
from sprint.core.config import ChainSection
from sprint.core.relay.gate import WAIT_NEEDED_MAX_S
from sprint.tools.devnet.edge import Devnet, DevnetOptions
from sprint.tools.devnet.faults import Fault
from sprint.tools.devnet.seeded_bits import SeededBits
from sprint.tools.runtime import clock, wall_clock
from tests.integration.branch_follower import BranchFollower
from tests.integration.quick_clock import QuickClock
from tests.integration.quick_relay import Subscriber, start_relay, until, until_true

CHAIN = "bitcoin-regtest"
NAMES = ("alice", "bob")
BLOCK_EVERY_S = 5.0
STALL_S = 40
LONG_STALL_S = 600
LONG_WAIT_S = 14.0


class Told(msgspec.Struct, frozen=True):
    """What a fault led to: transitions by source, as `from > to: evidence`; how long until all was well."""

    fault: str
    transitions: dict[str, tuple[str, ...]]
    back_s: float


class Story(msgspec.Struct, frozen=True):
    """All faults in their order; how long one that was needed was missing; the blocks given, and mined."""

    told: tuple[Told, ...]
    needed_s: float
    delivered: tuple[str, ...]
    mined: tuple[str, ...]


class Drill:
    """Two nodes, a relay on both, a subscriber."""

    def __init__(self, devnets: dict[str, Devnet], admin: httpx.AsyncClient, subscriber: Subscriber) -> None:
        self.devnets = devnets
        self.admin = admin
        self.subscriber = subscriber
        self._seen = 0
        self.needed_s = 0.0

    def mine(self, at: str = "bob") -> str:
        """Mine a block at a node, and let the other have it."""
        (block,) = self.devnets[at].mine(CHAIN)
        for name, devnet in self.devnets.items():
            if name != at:
                devnet.learn(CHAIN, self.devnets[at].ledger(CHAIN), block)
        return display_hash(block)

    async def mine_for(self, seconds: float) -> None:
        ends_at = clock() + seconds
        while clock() < ends_at:
            self.mine()
            await asyncio.sleep(BLOCK_EVERY_S)

    async def states(self) -> dict[str, str]:
        return {name: (await self.explain(name))["state"] for name in NAMES}

    async def explain(self, name: str) -> dict[str, Any]:
        answer = await self.admin.get(f"/api/breakers/source:{CHAIN}:{name}")
        return dict(answer.raise_for_status().json())

    async def waits_longer_than(self, name: str, seconds: float) -> bool:
        explanation = (await self.explain(name))["explanation"]
        return bool(explanation["state"] == "open" and explanation["retry_after_s"] > seconds)

    async def order(self, name: str, action: str) -> None:
        body = {"action": action, "reason": "a drill"}
        (await self.admin.post(f"/api/breakers/source:{CHAIN}:{name}/state", json=body)).raise_for_status()

    async def well(self) -> bool:
        """Whether both sources are ready and both breakers closed."""
        sources = (await self.admin.get("/api/sources")).json()["sources"][CHAIN]
        ready = all(source["state"] == "ready" for source in sources)
        return ready and set((await self.states()).values()) == {"closed"}

    async def tell(self, fault: str, scene: Callable[[Drill], Awaitable[None]]) -> Told:
        """Play a scene, wait until all is well, and tell what the breakers did."""
        before = {name: len(await self._history(name)) for name in NAMES}
        await scene(self)
        over_at = clock()
        await until(self.well, f"both are well after: {fault}")
        back_s = clock() - over_at
        moves = {}
        for name in NAMES:
            rows = (await self._history(name))[before[name] :]
            moves[name] = tuple(f"{row['from']} > {row['to']}: {row['evidence']['text']}" for row in rows)
        last = self.mine()
        await until_true(lambda: self.subscriber.has(last), f"the block after: {fault}")
        return Told(fault, moves, round(back_s, 1))

    async def _history(self, name: str) -> list[dict[str, Any]]:
        answer = await self.admin.get(f"/api/breakers/source:{CHAIN}:{name}/history")
        return list(answer.raise_for_status().json()["transitions"])


async def stall(drill: Drill) -> None:
    """The node says nothing for a time, while its connections stay open and others mine."""
    drill.devnets["alice"].show(CHAIN, Fault.STALL, STALL_S)
    await drill.mine_for(STALL_S)


async def quiet_stall(drill: Drill) -> None:
    """The same while nobody mines, so that nothing is asked of it but whether it is there."""
    drill.devnets["alice"].show(CHAIN, Fault.STALL, 2 * STALL_S)
    await asyncio.sleep(2 * STALL_S)


async def delay(drill: Drill) -> None:
    """All that the node says comes three seconds late: slow, and good."""
    drill.devnets["alice"].show(CHAIN, Fault.DELAY, 3_000)
    await drill.mine_for(10.0)


async def drip(drill: Drill) -> None:
    """What the node says comes byte by byte."""
    drill.devnets["alice"].show(CHAIN, Fault.DRIP, 50)
    await drill.mine_for(5.0)


async def disconnect(drill: Drill) -> None:
    """The node cuts its connections again and again, as one with no free slot does."""
    for _ in range(4):
        drill.devnets["alice"].show(CHAIN, Fault.DISCONNECT)
        drill.mine()
        await asyncio.sleep(0.5)


async def both_stall(drill: Drill) -> None:
    """First one node falls silent and is cut off, then the other: the one that is back first is used."""
    drill.devnets["alice"].show(CHAIN, Fault.STALL, STALL_S)
    await drill.mine_for(STALL_S / 2)
    drill.devnets["bob"].show(CHAIN, Fault.STALL, 3 * STALL_S)
    await asyncio.sleep(STALL_S / 2)
    alone = drill.mine("alice")
    await until_true(lambda: drill.subscriber.has(alone), "a block of the one that is back")
    await asyncio.sleep(3 * STALL_S)


async def last_is_lost(drill: Drill) -> None:
    """A node was out for so long that it is tried twice a minute; when it is well again the other is lost."""
    drill.devnets["alice"].show(CHAIN, Fault.STALL, LONG_STALL_S)
    while not await drill.waits_longer_than("alice", LONG_WAIT_S):
        drill.mine()
        await asyncio.sleep(BLOCK_EVERY_S)
    drill.devnets["alice"].show(CHAIN, Fault.STALL, 1)
    await asyncio.sleep(WAIT_NEEDED_MAX_S)
    if (await drill.states())["alice"] != "open":
        raise AssertionError("it was to be waiting still")
    lost_at = clock()
    await drill.order("bob", "force_open")
    alone = drill.mine("alice")
    await until_true(lambda: drill.subscriber.has(alone), "a block of the one that was out")
    drill.needed_s = clock() - lost_at
    await drill.order("bob", "release")


async def operator(drill: Drill) -> None:
    """An operator's word holds for all sources of a chain, the last one too, until it is taken back."""
    for name in NAMES:
        await drill.order(name, "force_open")
    held = drill.mine()
    await asyncio.sleep(60.0)
    if drill.subscriber.has(held):
        raise AssertionError("a block came although both breakers were held open")
    for name in NAMES:
        await drill.order(name, "release")
    await until_true(lambda: drill.subscriber.has(held), "the block that was held back")


SCENES = (stall, quiet_stall, delay, drip, disconnect, both_stall, last_is_lost, operator)


def tell(quick: QuickClock) -> Story:
    with asyncio.Runner(loop_factory=quick.new_loop) as runner:
        return runner.run(_tell(quick))


async def _tell(quick: QuickClock) -> Story:
    async with AsyncExitStack() as stack:
        devnets = {}
        urls = []
        for name in NAMES:
            options = DevnetOptions(block_interval_s=0.0, blocks_at_start=0)
            devnets[name] = Devnet([CHAIN], options, rng_of=SeededBits, wall_clock=wall_clock)
            ((_, _, port),) = await devnets[name].start()
            stack.push_async_callback(devnets[name].stop)
            urls.append(f"{name}@bitcoin:regtest=p2p://127.0.0.1:{port}")
        serving = await start_relay(stack, CHAIN, ChainSection(), urls)
        subscriber = Subscriber(serving.listeners[0].url)
        stack.push_async_callback(subscriber.stop)
        admin = await stack.enter_async_context(httpx.AsyncClient(base_url=serving.admin))
        drill = Drill(devnets, admin, subscriber)
        first = drill.mine()
        await until_true(lambda: subscriber.has(first), "the first block arrives")
        quick.leaping = True
        told = [await drill.tell(scene.__name__, scene) for scene in SCENES]
        quick.leaping = False
        follower = BranchFollower()
        for event in list(subscriber.events):
            follower.take(event)
        follower.finish()
        ledger = devnets["bob"].ledger(CHAIN)
        heights = range(follower.first_height, ledger.height() + 1)
        hashes = [ledger.best_chain_hash_at(height) for height in heights]
        mined = tuple(display_hash(block) for block in hashes if block is not None)
        return Story(tuple(told), round(drill.needed_s, 1), tuple(follower.branch), mined)
