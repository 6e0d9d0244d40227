"""A relay and a subscriber on one loop that lives by a `QuickClock`; imported after that is installed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack

from sprint.core.config import ChainSection
from sprint.core.model import BlockEvent, Event
from sprint.core.relay.source_url import parse_source
from sprint.core.relay.tiers import find_tier
from sprint.tools.client import AsyncClient
from sprint.tools.relay.listeners import Ports
from sprint.tools.relay.service import RelayOptions, RelayService, Serving, packaged_tiers
from sprint.tools.runtime import StopSignal, clock

WAIT_S = 900.0  # by the quick clock; a source that lied twice is shut out for up to twenty seconds
LOOK_S = 0.1
PORTS = Ports(host="127.0.0.1", tier=0, admin=0, metrics=0, free_if_taken=False)


class Subscriber:
    """Reads all events from the first one on."""

    def __init__(self, url: str) -> None:
        self.client = AsyncClient(url)
        self.events: list[Event] = []
        self._task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for event in self.client.events(start="earliest"):
            self.events.append(event)

    async def stop(self) -> None:
        await self.client.aclose()
        await self._task

    def has(self, block: str) -> bool:
        return any(isinstance(e, BlockEvent) and e.data.hash == block for e in reversed(self.events))


async def start_relay(
    stack: AsyncExitStack, chain: str, section: ChainSection, urls: Sequence[str]
) -> Serving:
    """Start a relay on the running loop; it is stopped with the stack."""
    options = RelayOptions(
        sources=tuple(map(parse_source, urls)),
        chain_sections={chain: section},
        tiers=(find_tier(packaged_tiers({}), "turbo"),),
        ports=PORTS,
        data_dir=None,
        durability="memory",
        demo=False,
    )
    stop = StopSignal()
    ready: asyncio.Future[Serving] = asyncio.get_running_loop().create_future()
    running = asyncio.create_task(RelayService(options).run(ready.set_result, stop))

    async def end() -> None:
        stop.stop(0)
        await running

    stack.push_async_callback(end)
    await asyncio.wait((running, ready), return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        await running
    return await ready


async def until(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    due = clock() + WAIT_S
    while not await condition():
        if clock() > due:
            raise TimeoutError(f"not within {WAIT_S:g} s of the quick clock: {what}")
        await asyncio.sleep(LOOK_S)


async def until_true(condition: Callable[[], bool], what: str) -> None:
    async def met() -> bool:
        return condition()

    await until(met, what)
