"""Two tiers under bursts, by counts: the lower is given its events joined, and never before the higher."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import Any, NamedTuple, cast

from sprint.core.relay.fanout import Subscription
from sprint.tools.relay.delivery import EVENTS_PER_TURN, Delivery
from sprint.tools.relay.feed import OutgoingSubscriber
from sprint.tools.relay.hand_over import Encode, HandOver
from sprint.tools.relay.place import StartAsked
from sprint.tools.web.http import encode_line_chunk
from sprint.tools.web.outgoing import FLUSHED_PER_TURN, WINDOW_MESSAGES_MAX, FlushWindow, Outgoing
from sprint.tools.web.websocket import encode_text_frame
from tests.tools.relay.serving import LOG_ID, Relay, block_data
from tests.tools.relay.test_delivery import ALL, everything

FREE, TURBO = 1, 5
OF_EACH = 100
TURNS_OF_AN_EVENT = 2  # a hundred writes to turbo, and what is kept for free takes the time of 25


class Write(NamedTuple):
    """One write: by a subscriber of which rank, and how many events it carries."""

    rank: int
    subscriber: int
    events: int


class NotedTransport:
    """Takes all at once, as a peer's that reads well, and notes each write in the order of all."""

    def __init__(self, rank: int, subscriber: int, writes: list[Write]) -> None:
        self._who = (rank, subscriber)
        self._writes = writes

    def write(self, data: bytes) -> None:
        self._writes.append(Write(*self._who, data.count(b'"type":"block"')))

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, **_: int) -> None: ...

    def get_extra_info(self, _: str) -> None: ...

    def is_closing(self) -> bool:
        return False


class Tiers:
    """A delivery, its subscribers, and the order in which they were written to."""

    def __init__(self) -> None:
        self.relay = Relay()
        self.writes: list[Write] = []
        self.window = FlushWindow(60)
        self._height = 0

    async def join(self, rank: int, count: int, encode: Encode = encode_text_frame) -> None:
        window = self.window if rank == FREE else None
        subscription: Subscription = everything(ALL, rank)
        for number in range(count):
            transport = cast("Any", NotedTransport(rank, number, self.writes))
            subscriber = OutgoingSubscriber(Outgoing(transport, self._overflow, window), encode)
            place = await self.relay.delivery.locate(StartAsked(ALL, "latest"))
            assert await self.relay.delivery.follow(subscriber, subscription, place)

    def publish(self, count: int) -> None:
        heights = range(self._height + 1, self._height + 1 + count)
        self._height += count
        self.relay.delivery.publish([self.relay.commit("bitcoin", block_data(height)) for height in heights])

    def given(self, rank: int) -> Counter[int]:
        """Count the events that each subscriber of a rank was given."""
        found: Counter[int] = Counter()
        for write in self.writes:
            if write.rank == rank:
                found[write.subscriber] += write.events
        return found

    def of(self, rank: int) -> list[int]:
        return [place for place, write in enumerate(self.writes) if write.rank == rank]

    @staticmethod
    def _overflow(cursor: str) -> None:
        raise AssertionError(f"a peer that reads well was closed as slow at {cursor}")


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def test_events_one_by_one_are_a_write_each_for_turbo_and_one_for_all_in_frees_window() -> None:
    async def main() -> None:
        tiers = Tiers()
        await tiers.join(FREE, OF_EACH)
        await tiers.join(TURBO, OF_EACH)
        for _ in range(20):
            tiers.publish(1)
            await asyncio.sleep(0)
        assert [write.rank for write in tiers.writes] == [TURBO] * (20 * OF_EACH)
        tiers.window._flush()
        await turns(OF_EACH // FLUSHED_PER_TURN + 1)
        free = [write for write in tiers.writes if write.rank == FREE]
        assert [(write.subscriber, write.events) for write in free] == [(n, 20) for n in range(OF_EACH)]
        tiers.relay.delivery.close()

    asyncio.run(main())


def test_an_event_amid_frees_flush_waits_for_a_few_of_its_writes_and_no_more() -> None:
    async def main() -> None:
        tiers = Tiers()
        await tiers.join(FREE, OF_EACH)
        await tiers.join(TURBO, OF_EACH)
        tiers.publish(1)
        tiers.relay.delivery.finish()
        tiers.window._flush()
        assert len(tiers.of(FREE)) == FLUSHED_PER_TURN
        tiers.publish(1)
        await turns(TURNS_OF_AN_EVENT)
        turbo = tiers.of(TURBO)[OF_EACH:]
        assert len(turbo) == OF_EACH
        assert turbo[0] == OF_EACH + FLUSHED_PER_TURN
        assert turbo[-1] - turbo[0] < OF_EACH + TURNS_OF_AN_EVENT * FLUSHED_PER_TURN
        await turns(OF_EACH // FLUSHED_PER_TURN + 1)
        tiers.window._flush()
        await turns(OF_EACH // FLUSHED_PER_TURN + 1)
        assert tiers.given(FREE) == tiers.given(TURBO) == dict.fromkeys(range(OF_EACH), 2)
        tiers.relay.delivery.close()

    asyncio.run(main())


def test_a_burst_that_fills_frees_window_does_not_hold_up_turbo_for_all_of_free() -> None:
    """A full window was flushed at once: each 64 events of a catch-up waited for a write to all of free."""

    async def main() -> None:
        tiers = Tiers()
        await tiers.join(FREE, OF_EACH)
        await tiers.join(TURBO, OF_EACH)
        burst_turns = 10
        tiers.publish(burst_turns * EVENTS_PER_TURN)
        await turns(10 * burst_turns)
        turbo = tiers.of(TURBO)
        assert len(turbo) == burst_turns * OF_EACH
        between = [place for place in tiers.of(FREE) if place < turbo[-1]]
        assert len(between) <= burst_turns * TURNS_OF_AN_EVENT * FLUSHED_PER_TURN
        tiers.window._flush()
        await turns(10 * burst_turns)
        events = burst_turns * EVENTS_PER_TURN
        assert tiers.given(FREE) == tiers.given(TURBO) == dict.fromkeys(range(OF_EACH), events)
        assert max(write.events for write in tiers.writes if write.rank == FREE) > WINDOW_MESSAGES_MAX
        tiers.relay.delivery.close()

    asyncio.run(main())


def test_writes_are_in_order_of_rank_however_tiers_and_kinds_of_connection_came(seed: int) -> None:
    async def main() -> None:
        tiers = Tiers()
        rng = random.Random(seed)
        for _ in range(60):
            await tiers.join(
                rng.choice((2, 3, 4, TURBO)), 1, rng.choice((encode_text_frame, encode_line_chunk))
            )
        tiers.publish(1)
        ranks = [write.rank for write in tiers.writes]
        assert len(ranks) == 60
        assert ranks == sorted(ranks, reverse=True)
        tiers.relay.delivery.close()

    asyncio.run(main())


def test_kinds_of_connection_that_alternate_are_timed_as_two_and_not_one_by_one() -> None:
    """Each change from WebSocket to lines was a run of its own, with a reading of the clock for each."""

    class Observer:
        def __init__(self) -> None:
            self.told: list[int] = []

        def now(self) -> float:
            return 0.0

        def handed_over(self, times: HandOver) -> None: ...

        def delivered(self, chain: str, tier: str, seconds: float, subscribers: int) -> None:
            self.told.append(subscribers)

    async def main() -> None:
        tiers, observer = Tiers(), Observer()
        tiers.relay.delivery = Delivery(tiers.relay.store, LOG_ID, 0, observer=observer)
        for number in range(20):
            await tiers.join(TURBO, 1, encode_line_chunk if number % 2 else encode_text_frame)
        tiers.publish(1)
        assert observer.told == [10, 10]
        tiers.relay.delivery.close()

    asyncio.run(main())
