"""A served relay without sources: a store in memory, a small view, one listener on a free port."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from typing import Any

import httpx

from sprint.core.chains import display_hash
from sprint.core.model import BlockData, ChainStatusData, CheckSlip, EventData
from sprint.core.relay.event_log import EventLog, LoggedEvent
from sprint.core.relay.status import BlockStatus
from sprint.core.relay.tiers import TierPolicy
from sprint.tools.net import bind
from sprint.tools.relay.api import Api, ChainView
from sprint.tools.relay.delivery import Delivery
from sprint.tools.relay.streams import HEARTBEAT_INTERVAL_S
from sprint.tools.store import LogBounds, StoredBlock
from sprint.tools.web.server import Listener, serve

LOG_ID = "00112233445566aa"
CHAINS = ("bitcoin", "litecoin-regtest")


def policy(rank: int = 5, window_ms: float = 0, connections_max: int = 10_000) -> TierPolicy:
    return TierPolicy(
        name=f"rank-{rank}",
        port=0,
        rank=rank,
        coalescing_window_ms=window_ms,
        delivery_goal_ms=5,
        connections_max=connections_max,
        requests_per_minute=0,
        history_days=1,
    )


def block_data(height: int, *, padding: int = 0, branch: str = "a") -> BlockData:
    return BlockData(
        hash=f"{branch}{height:063x}",
        height=height,
        parent=f"{branch}{height - 1:063x}",
        timestamp="2025-09-05T18:55:07Z",
        tx_count=1,
        size=300,
        validation="full",
        source="core-1",
        sources_seen=1,
        agreed_by=1,
        relay_time_ms=0.5,
        proof=CheckSlip(("pow",), ("core-1",)),
        native={"padding": "x" * padding} if padding else {},
    )


def resolve(name: str) -> str | None:
    names = {"bitcoin": "bitcoin", "btc": "bitcoin", "litecoin": CHAINS[1], "ltc": CHAINS[1]}
    return names.get(name, name if name in CHAINS else None)


class MemoryStore:
    """Keeps every event, and every block as delivered. `prune` forgets the oldest events."""

    def __init__(self) -> None:
        self.events: list[LoggedEvent] = []
        self.blocks: list[StoredBlock] = []
        self.earliest = 0
        self.reads = 0

    def commit(self, event: LoggedEvent) -> None:
        self.events.append(event)
        if event.type == "block":
            assert event.hash is not None
            assert event.height is not None
            block = StoredBlock(event.chain, event.hash, event.height, canonical=True, event_body=event.body)
            self.blocks.append(block)

    def prune(self, position: int) -> None:
        self.earliest = position
        self.events = [event for event in self.events if event.position > position]

    def bounds(self) -> LogBounds:
        return LogBounds(self.earliest, self.events[-1].position if self.events else self.earliest)

    def read_events(
        self, after: int, upto: int, chains: Collection[str], types: Collection[str], limit: int
    ) -> list[LoggedEvent]:
        self.reads += 1
        found = [
            event
            for event in self.events
            if after < event.position <= upto
            and (not chains or event.chain in chains)
            and (not types or event.type in types)
        ]
        return found[:limit]

    def block_by_hash(self, displayed_hash: str) -> list[StoredBlock]:
        return [block for block in self.blocks if block.hash == displayed_hash]

    def block_at(self, chain: str, height: int) -> StoredBlock | None:
        at = [block for block in self.blocks if (block.chain, block.height) == (chain, height)]
        return next((block for block in at if block.canonical), None)

    def blocks_before(self, chain: str, before: int, limit: int) -> list[StoredBlock]:
        found = [b for b in self.blocks if b.chain == chain and b.height < before and b.canonical]
        return sorted(found, key=lambda block: -block.height)[:limit]


class MemoryView:
    """What the service would know."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.missing: str | None = None
        self.statuses: list[BlockStatus] = []

    def chains(self) -> Sequence[ChainView]:
        return [ChainView(chain, chain.partition("-")[0], "main", (), "ok") for chain in CHAINS]

    def chain_status(self, chain: str) -> Mapping[str, Any]:
        if chain != "bitcoin":
            raise RuntimeError("a mistake in the view")
        return {"chain": chain, "anchor": "first_use", "log": LOG_ID}

    def latest(self, chain: str) -> StoredBlock | None:
        blocks = [block for block in self._store.blocks if block.chain == chain and block.canonical]
        return max(blocks, key=lambda block: block.height, default=None)

    def block_statuses(self, block_hash: bytes) -> Sequence[BlockStatus]:
        return [status for status in self.statuses if status.hash == display_hash(block_hash)]

    def health(self) -> Mapping[str, Any]:
        return {"status": "ok", "parts": {}}

    def not_ready(self) -> str | None:
        return self.missing

    def version(self) -> Mapping[str, Any]:
        return {"version": "0.1.0"}


class Relay:
    """A log, its store and its delivery. `block` and `status` do what the pipeline and writer would."""

    def __init__(self, *, position: int = 0) -> None:
        self.log = EventLog(LOG_ID, position, {})
        self.store = MemoryStore()
        self.view = MemoryView(self.store)
        self.delivery = Delivery(self.store, LOG_ID, position)
        self.api = Api(self.view, self.store, self.delivery, resolve)

    def commit(self, chain: str, data: EventData) -> LoggedEvent:
        event = self.log.append(chain, data)
        self.store.commit(event)
        return event

    def block(self, height: int, chain: str = "bitcoin", *, padding: int = 0) -> LoggedEvent:
        event = self.commit(chain, block_data(height, padding=padding))
        self.delivery.publish([event])
        return event

    def status(self, chain: str = "bitcoin") -> LoggedEvent:
        event = self.commit(chain, ChainStatusData("stalled", "test"))
        self.delivery.publish([event])
        return event

    @contextlib.asynccontextmanager
    async def listening(
        self, tier: TierPolicy | None = None, *, heartbeat_interval_s: float = HEARTBEAT_INTERVAL_S
    ) -> AsyncIterator[Listener]:
        bound = bind("127.0.0.1", 0)
        port = bound.getsockname()[1]
        site = self.api.site(tier or policy(), port, heartbeat_interval_s=heartbeat_interval_s)
        listener = await serve(site, bound)
        try:
            yield listener
        finally:
            await listener.stop()
            self.delivery.close()


def http_client(listener: Listener) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=listener.url, trust_env=False, timeout=10)


def websocket_url(listener: Listener, path: str) -> str:
    return f"ws://127.0.0.1:{listener.port}{path}"


async def until(condition: Callable[[], bool]) -> None:
    """Yield to the loop until something holds; fails the test when it does not within 10,000 turns."""
    for _ in range(10_000):
        if condition():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it never came to hold")
