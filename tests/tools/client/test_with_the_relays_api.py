"""The client against the relay's own API and delivery, over an in-memory log: the two agree on the wire."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any

import pytest

from sprint.core.errors import ClientError, CursorExpired, CursorForeign, CursorUnknown
from sprint.core.model import BlockData, BlockEvent, CheckSlip, Event, GapEvent, decode_event
from sprint.core.relay.event_log import Cursor, EventLog, LoggedEvent
from sprint.core.relay.status import BlockStatus
from sprint.core.relay.tiers import TierPolicy
from sprint.tools.client import AsyncClient, ClientSettings
from sprint.tools.net import bind
from sprint.tools.relay.api import Api, ChainView
from sprint.tools.relay.delivery import Delivery
from sprint.tools.relay.place import EventReader, Place, StartAsked
from sprint.tools.store import LogBounds, StoredBlock
from sprint.tools.web.server import Listener, serve

CHAINS = {"bitcoin": "btc", "litecoin": "ltc"}
TIER = TierPolicy(
    name="test",
    port=0,
    rank=1,
    coalescing_window_ms=0,
    delivery_goal_ms=5,
    connections_max=100,
    requests_per_minute=0,
    history_days=1,
)
SETTINGS = ClientSettings(backoff_first_s=0.01, backoff_longest_s=0.02)


class ToldDelivery(Delivery):
    """Tells when a subscriber's place was found; `subscribed` is sent in the same turn of the loop."""

    def __init__(self, store: EventReader, log_id: str, position: int) -> None:
        super().__init__(store, log_id, position)
        self.located = asyncio.Event()

    async def locate(self, asked: StartAsked) -> Place:
        place = await super().locate(asked)
        self.located.set()
        return place


class Relay:
    """Log, store and view in memory behind the relay's API, on one port across restarts."""

    def __init__(self, log_id: str = "11" * 8, port: int = 0) -> None:
        self.log = EventLog(log_id, 0, {})
        self.events: list[LoggedEvent] = []
        self.blocks: list[StoredBlock] = []
        self.earliest = 0
        self.port = port
        self.delivery = ToldDelivery(self, log_id, 0)
        self._listener: Listener | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        bound = bind("127.0.0.1", self.port)
        self.port = bound.getsockname()[1]
        api = Api(self, self, self.delivery, self.resolve)
        self._listener = await serve(api.site(TIER, self.port), bound)

    async def stop(self) -> None:
        if self._listener is not None:
            await self._listener.stop()

    def mine(self, chain: str) -> LoggedEvent:
        height = sum(block.chain == chain for block in self.blocks)
        found = f"{len(self.blocks):064x}"
        event = self.log.append(chain, block_data(found, height))
        self.events.append(event)
        self.blocks.append(StoredBlock(chain, found, height, canonical=True, event_body=event.body))
        self.delivery.publish((event,))
        return event

    def decoded(self) -> list[Event]:
        return [decode_event(event.body) for event in self.events]

    def resolve(self, name: str) -> str | None:
        return next((chain for chain, alias in CHAINS.items() if name in (chain, alias)), None)

    def bounds(self) -> LogBounds:
        return LogBounds(self.earliest, self.log.position)

    def read_events(
        self, after: int, upto: int, chains: Collection[str], types: Collection[str], limit: int
    ) -> list[LoggedEvent]:
        return [
            event
            for event in self.events[max(after, self.earliest) : upto]
            if (not chains or event.chain in chains) and (not types or event.type in types)
        ][:limit]

    def block_by_hash(self, displayed_hash: str) -> list[StoredBlock]:
        return [block for block in self.blocks if block.hash == displayed_hash]

    def block_at(self, chain: str, height: int) -> StoredBlock | None:
        return next((b for b in self.blocks if b.chain == chain and b.height == height), None)

    def blocks_before(self, chain: str, before: int, limit: int) -> list[StoredBlock]:
        below = [b for b in reversed(self.blocks) if b.chain == chain and b.height < before]
        return below[:limit]

    def chains(self) -> Sequence[ChainView]:
        return [ChainView(chain, chain, "main", (alias,), "ok") for chain, alias in CHAINS.items()]

    def chain_status(self, chain: str) -> Mapping[str, Any]:
        return {"chain": chain}

    def latest(self, chain: str) -> StoredBlock | None:
        return next((block for block in reversed(self.blocks) if block.chain == chain), None)

    def block_statuses(self, block_hash: bytes) -> Sequence[BlockStatus]:
        return []

    def health(self) -> Mapping[str, Any]:
        return {"status": "ok"}

    def not_ready(self) -> str | None:
        return None

    def version(self) -> Mapping[str, Any]:
        return {"version": "1.2.3"}


def block_data(found: str, height: int) -> BlockData:
    return BlockData(
        hash=found,
        height=height,
        parent="00" * 32,
        timestamp="2025-09-05T18:55:07Z",
        tx_count=1,
        size=285,
        validation="full",
        source="core-1",
        sources_seen=1,
        agreed_by=1,
        relay_time_ms=0.5,
        proof=CheckSlip((), ()),
        native={},
    )


def with_relay(scenario: Callable[[Relay, AsyncClient], Awaitable[None]]) -> None:
    async def run() -> None:
        relay = Relay()
        await relay.start()
        try:
            async with AsyncClient(relay.url, settings=SETTINGS) as client:
                await scenario(relay, client)
        finally:
            await relay.stop()
            relay.delivery.close()

    asyncio.run(run())


@pytest.mark.parametrize("start", ["earliest", "cursor", "list"])
def test_every_block_is_handed_out_once_over_restarts_of_the_listener(start: str) -> None:
    async def scenario(relay: Relay, client: AsyncClient) -> None:
        for number in range(250):
            relay.mine(("bitcoin", "litecoin")[number % 2])
        places: dict[str, str | list[str]] = {
            "earliest": "earliest",
            "cursor": relay.events[9].cursor,
            "list": [relay.events[20].cursor, relay.events[3].cursor],
        }
        wanted = {
            "earliest": relay.decoded(),
            "cursor": relay.decoded()[10:],
            "list": [e for i, e in enumerate(relay.decoded()) if i > (20, 3)[i % 2]],
        }[start]
        handed: list[Event] = []
        chains = ["btc", "litecoin"]
        async with client.events(chains, ["block"], places[start]) as events:
            for stop_after in (3, 100):
                while len(handed) < stop_after:
                    handed.append(await anext(events))
                await relay.stop()
                await relay.start()
            relay.mine("bitcoin")
            while len(handed) <= len(wanted):
                handed.append(await anext(events))
        assert handed == [*wanted, relay.decoded()[-1]]

    with_relay(scenario)


def test_what_is_mined_while_the_listener_is_away_is_not_missed() -> None:
    async def scenario(relay: Relay, client: AsyncClient) -> None:
        relay.mine("bitcoin")
        events = client.events()
        first = asyncio.ensure_future(anext(events))
        await relay.delivery.located.wait()
        await relay.stop()
        relay.mine("litecoin")
        await relay.start()
        assert await first == relay.decoded()[1]

    with_relay(scenario)


def test_requests_are_answered_in_types() -> None:
    async def scenario(relay: Relay, client: AsyncClient) -> None:
        with pytest.raises(ClientError, match="no block of bitcoin") as caught:
            await client.latest("btc")
        assert caught.value.code == "block_not_found"
        for _ in range(3):
            relay.mine("bitcoin")
        latest = await client.latest("btc")
        assert (latest.chain, latest.height, latest.confirmations, latest.canonical) == (
            "bitcoin",
            2,
            1,
            True,
        )
        assert [chain.chain for chain in await client.chains()] == list(CHAINS)
        assert await client.status("ltc") == {"chain": "litecoin"}
        assert (await client.version()).version == "1.2.3"
        assert (await client.health())["status"] == "ok"
        with pytest.raises(ClientError) as caught:
            await client.status("dash")
        assert caught.value.code == "unknown_chain"

    with_relay(scenario)


def test_a_block_is_the_same_by_hash_and_by_height() -> None:
    async def scenario(relay: Relay, client: AsyncClient) -> None:
        for _ in range(3):
            relay.mine("bitcoin")
        latest = await client.latest("btc")
        assert await client.block("bitcoin", 2) == latest
        assert await client.block("btc", latest.hash) == latest
        assert (await client.block("bitcoin", 0)).confirmations == 3

    with_relay(scenario)


def test_places_that_cannot_be_resumed_from_are_raised_as_what_they_are() -> None:
    async def scenario(relay: Relay, client: AsyncClient) -> None:
        for _ in range(4):
            relay.mine("bitcoin")
        relay.earliest = 2
        with pytest.raises(CursorExpired) as caught:
            await anext(client.events(start=relay.events[0].cursor))
        assert await anext(client.events(start=caught.value.earliest)) == relay.decoded()[2]
        with pytest.raises(CursorForeign):
            await anext(client.events(start=Cursor("22" * 8, 1).encode()))
        for unknown in ("nonsense", Cursor("11" * 8, 99).encode()):
            with pytest.raises(CursorUnknown):
                await anext(client.events(start=unknown))
        foreign = client.events(start=Cursor("22" * 8, 1).encode(), on_foreign="earliest")
        assert await anext(foreign) == relay.decoded()[2]
        with pytest.raises(ClientError) as refused:
            await anext(client.events("dash"))
        assert refused.value.code == "unknown_chain"

    with_relay(scenario)


def test_history_that_expires_while_away_gives_one_gap_for_the_chain_that_lost_some() -> None:
    async def scenario(relay: Relay, client: AsyncClient) -> None:
        relay.mine("litecoin")
        relay.mine("bitcoin")
        events = client.events(start="earliest", on_expired="skip")
        assert [await anext(events), await anext(events)] == relay.decoded()
        await relay.stop()
        for _ in range(4):
            relay.mine("bitcoin")
        relay.earliest = 4
        relay.mine("litecoin")
        # A replay from the ring would still have them; a relay that restarts has only its store.
        relay.delivery.close()
        relay.delivery = ToldDelivery(relay, relay.log.log_id, relay.log.position)
        await relay.start()
        gap = await anext(events)
        assert isinstance(gap, GapEvent)
        assert (gap.chain, gap.seq) == ("bitcoin", 3)
        rest = [await anext(events) for _ in range(3)]
        assert rest == relay.decoded()[4:]
        assert all(isinstance(event, BlockEvent) for event in rest)

    with_relay(scenario)
