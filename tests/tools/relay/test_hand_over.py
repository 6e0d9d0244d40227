"""How long a subscriber waited is told by tier, and one encoding serves all of a kind."""

from __future__ import annotations

import asyncio

from sprint.tools.relay.delivery import Delivery
from sprint.tools.relay.hand_over import HandOver
from sprint.tools.relay.place import StartAsked
from sprint.tools.web.outgoing import FlushWindow
from tests.tools.relay.serving import CHAINS, LOG_ID, Relay
from tests.tools.relay.test_delivery import ALL, Recorder, everything


def test_observer_is_told_the_stage_times_of_each_event() -> None:
    class Observer:
        def __init__(self) -> None:
            self.ticks = 0.0
            self.times: list[HandOver] = []
            self.deliveries: list[tuple[str, str, float, int]] = []

        def now(self) -> float:
            self.ticks += 1
            return self.ticks

        def handed_over(self, times: HandOver) -> None:
            self.times.append(times)

        def delivered(self, chain: str, tier: str, seconds: float, subscribers: int) -> None:
            self.deliveries.append((chain, tier, seconds, subscribers))

    async def run() -> None:
        relay = Relay()
        observer = Observer()
        relay.delivery = Delivery(relay.store, LOG_ID, 0, observer=observer)
        event = relay.block(1)
        assert observer.times == [HandOver(event, 2.0, 3.0, 4.0, 0)]
        assert not observer.deliveries
        relay.delivery.close()

    asyncio.run(run())


def test_each_tier_is_timed_until_its_own_write_the_window_included() -> None:
    class Observer:
        def __init__(self) -> None:
            self.time = 0.0
            self.deliveries: list[tuple[str, str, float, int]] = []

        def now(self) -> float:
            return self.time

        def handed_over(self, times: HandOver) -> None:
            self.time += 1

        def delivered(self, chain: str, tier: str, seconds: float, subscribers: int) -> None:
            self.deliveries.append((chain, tier, seconds, subscribers))

    async def run() -> None:
        relay = Relay()
        observer = Observer()
        relay.delivery = Delivery(relay.store, LOG_ID, 0, observer=observer)
        window = FlushWindow(60)
        for rank in (5, 1, 1):
            subscriber = Recorder()
            subscriber.window = window if rank == 1 else None
            place = await relay.delivery.locate(StartAsked(ALL, "latest"))
            assert await relay.delivery.follow(subscriber, everything(rank=rank), place)
        assert relay.delivery.subscribers_by_tier() == {"rank-5": 1, "rank-1": 2}
        relay.block(1)
        relay.block(2, CHAINS[1])
        at_once = [("bitcoin", "rank-5", 0.0, 1), (CHAINS[1], "rank-5", 0.0, 1)]
        assert observer.deliveries == at_once
        observer.time = 10.0
        window._flush()
        assert observer.deliveries[2:] == [("bitcoin", "rank-1", 10.0, 2), (CHAINS[1], "rank-1", 9.0, 2)]
        relay.delivery.close()

    asyncio.run(run())


def test_one_encoding_is_made_however_ranks_and_kinds_of_connection_alternate() -> None:
    encoded: list[bytes] = []

    class Lines(Recorder):
        @staticmethod
        def encode(body: bytes) -> bytes:
            encoded.append(body)
            return body + b"\n"

    async def run() -> None:
        relay = Relay()
        subscribers = [Lines() if number % 2 else Recorder() for number in range(8)]
        for number, subscriber in enumerate(subscribers):
            place = await relay.delivery.locate(StartAsked(ALL, "latest"))
            assert await relay.delivery.follow(subscriber, everything(rank=1 + number), place)
        event = relay.block(1)
        assert encoded == [event.body]
        assert [subscriber.bodies for subscriber in subscribers] == 4 * [[event.body], [event.body + b"\n"]]
        relay.delivery.close()

    asyncio.run(run())
