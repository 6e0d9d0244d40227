"""Replay joined to live: each position once, in order, whatever the interleaving."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sprint.core.errors import CursorExpired
from sprint.core.model import EVENT_TYPES, ChainStatusData, decode_event
from sprint.core.relay.event_log import Cursor
from sprint.core.relay.fanout import Subscription
from sprint.tools.relay import delivery as delivery_module
from sprint.tools.relay.delivery import EVENTS_PER_TURN, Delivery
from sprint.tools.relay.place import Start, StartAsked
from sprint.tools.relay.ring import RecentEvents
from sprint.tools.web.outgoing import FlushWindow
from tests.tools.relay.serving import CHAINS, LOG_ID, Relay, block_data, policy, until

ALL = frozenset(CHAINS)


def everything(chains: frozenset[str] = ALL, rank: int = 5) -> Subscription:
    return Subscription(chains, frozenset(EVENT_TYPES), policy(rank))


class Recorder:
    """A subscriber that keeps what it is given. `turns` are yielded each time it is asked to drain."""

    window: FlushWindow | None = None

    def __init__(self, turns: int = 0, order: list[Recorder] | None = None) -> None:
        self.bodies: list[bytes] = []
        self.runs: list[int] = []
        self.cursor = ""
        self.slow = False
        self.stalled = asyncio.Event()
        self.stalled.set()
        self._turns = turns
        self._order = order

    @staticmethod
    def encode(body: bytes) -> bytes:
        return body

    def offer(self, frame: bytes, cursor: str) -> bool:
        self.bodies.append(frame)
        self.cursor = cursor
        if self._order is not None:
            self._order.append(self)
        return not self.slow

    def offer_run(self, frames: Sequence[bytes], cursors: Sequence[str], joined: bytes) -> bool:
        assert joined == b"".join(frames)
        self.runs.append(len(frames))
        return all(self.offer(frame, cursor) for frame, cursor in zip(frames, cursors, strict=True))

    async def drained(self) -> bool:
        for _ in range(self._turns):
            await asyncio.sleep(0)
        await self.stalled.wait()
        return not self.slow

    def close_slow(self) -> None:
        self.slow = True

    @property
    def positions(self) -> list[tuple[str, int]]:
        events = [decode_event(body) for body in self.bodies]
        return [(event.chain, event.seq) for event in events]


class SteppedDelivery(Delivery):
    """Reads the store on the loop after some turns, so that an interleaving is what the example says."""

    turns = 0

    async def read(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        for _ in range(self.turns):
            await asyncio.sleep(0)
        return function(*args, **kwargs)


def stepped_relay(turns: int, ring_events: int) -> Relay:
    relay = Relay()
    delivery = SteppedDelivery(relay.store, LOG_ID, 0)
    delivery.turns = turns
    delivery._ring = RecentEvents(0, events_max=ring_events)
    relay.delivery = delivery
    return relay


steps = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.integers(1, 8), st.sampled_from(CHAINS)),
        st.tuples(st.just("turns"), st.integers(1, 5), st.just("")),
    ),
    max_size=30,
)


@settings(max_examples=150, deadline=None)
@given(
    before=st.integers(0, 25),
    start=st.integers(0, 25),
    ring=st.integers(1, 12),
    page=st.integers(1, 5),
    turns=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    live=steps,
)
def test_replay_joins_live_without_gap_or_repeat(
    before: int, start: int, ring: int, page: int, turns: tuple[int, int], live: list[tuple[str, int, str]]
) -> None:
    async def run() -> None:
        relay = stepped_relay(turns[0], ring)
        for height in range(before):
            relay.block(height, CHAINS[height % 2])
        first = min(start, before)
        subscriber = Recorder(turns[1])
        place = await relay.delivery.locate(StartAsked(ALL, Cursor(LOG_ID, first).encode()))
        following = asyncio.create_task(relay.delivery.follow(subscriber, everything(), place))
        for action, count, chain in live:
            for number in range(count):
                if action == "publish":
                    relay.block(1_000 + number, chain)
                else:
                    await asyncio.sleep(0)
        assert await asyncio.wait_for(following, 10)
        relay.block(9_999)
        assert subscriber.bodies == [event.body for event in relay.store.events[first:]]
        relay.delivery.close()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delivery_module, "REPLAY_PAGE_EVENTS", page)
        asyncio.run(run())


@given(places=st.tuples(st.integers(0, 20), st.integers(0, 20)), ring=st.integers(1, 12))
@settings(max_examples=50, deadline=None)
def test_each_chain_of_a_list_of_cursors_goes_on_from_its_own(places: tuple[int, int], ring: int) -> None:
    async def run() -> None:
        relay = stepped_relay(1, ring)
        for height in range(20):
            relay.block(height, CHAINS[height % 2])
        cursors = tuple(Cursor(LOG_ID, at, chain).encode() for at, chain in zip(places, CHAINS, strict=True))
        subscriber = Recorder()
        place = await relay.delivery.locate(StartAsked(ALL, cursors))
        assert await relay.delivery.follow(subscriber, everything(), place)
        floors = dict(zip(CHAINS, places, strict=True))
        wanted = [event.body for event in relay.store.events if event.position > floors[event.chain]]
        assert subscriber.bodies == wanted
        relay.delivery.close()

    asyncio.run(run())


def test_chain_without_a_cursor_in_the_list_starts_at_latest() -> None:
    async def run() -> None:
        relay = Relay()
        for height in range(6):
            relay.block(height, CHAINS[height % 2])
        place = await relay.delivery.locate(StartAsked(ALL, (Cursor(LOG_ID, 2, CHAINS[0]).encode(),)))
        assert place.floors == {CHAINS[0]: 2, CHAINS[1]: 6}
        relay.delivery.close()

    asyncio.run(run())


@pytest.mark.parametrize(("start", "seqs"), [("earliest", [4, 5, 6]), ("latest", [6])])
def test_earliest_is_the_oldest_kept_and_latest_the_next(start: Start, seqs: list[int]) -> None:
    async def run() -> None:
        relay = Relay()
        for height in range(1, 6):
            relay.block(height)
        relay.store.prune(3)
        subscriber = Recorder()
        place = await relay.delivery.locate(StartAsked(ALL, start))
        await relay.delivery.follow(subscriber, everything(), place)
        relay.block(6)
        assert [seq for _, seq in subscriber.positions] == seqs
        relay.delivery.close()

    asyncio.run(run())


def test_nothing_is_replayed_that_was_committed_but_not_published() -> None:
    async def run() -> None:
        relay = stepped_relay(2, 1)
        for height in range(5):
            relay.block(height)
        ahead = [
            relay.commit("bitcoin", decode_event(event.body).data) for event in tuple(relay.store.events)
        ]
        subscriber = Recorder()
        place = await relay.delivery.locate(StartAsked(ALL, "earliest"))
        assert await relay.delivery.follow(subscriber, everything(), place)
        assert len(subscriber.bodies) == 5
        relay.delivery.publish(ahead)
        assert subscriber.bodies == [event.body for event in relay.store.events]
        relay.delivery.close()

    asyncio.run(run())


def test_history_pruned_under_a_replay_is_told_not_skipped() -> None:
    async def run() -> None:
        relay = stepped_relay(1, 1)
        for height in range(10):
            relay.block(height)
        place = await relay.delivery.locate(StartAsked(ALL, "earliest"))
        relay.store.prune(5)
        with pytest.raises(CursorExpired) as expired:
            await relay.delivery.follow(Recorder(), everything(), place)
        assert expired.value.earliest == Cursor(LOG_ID, 5).encode()
        relay.delivery.close()

    asyncio.run(run())


def test_replaying_subscriber_that_does_not_drain_is_closed_as_slow() -> None:
    async def run() -> None:
        relay = Relay()
        relay.delivery._replay_stall_s = 0.01
        relay.block(1)
        subscriber = Recorder()
        subscriber.stalled.clear()
        place = await relay.delivery.locate(StartAsked(ALL, "earliest"))
        assert not await relay.delivery.follow(subscriber, everything(), place)
        assert subscriber.slow
        assert relay.delivery.subscriber_count == 0
        relay.delivery.close()

    asyncio.run(run())


def test_highest_rank_is_given_an_event_first() -> None:
    async def run() -> None:
        relay = Relay()
        order: list[Recorder] = []
        by_rank = {rank: Recorder(order=order) for rank in (1, 5, 3)}
        for rank, subscriber in by_rank.items():
            place = await relay.delivery.locate(StartAsked(ALL))
            await relay.delivery.follow(subscriber, everything(rank=rank), place)
        relay.block(1)
        assert order == [by_rank[5], by_rank[3], by_rank[1]]
        relay.delivery.close()

    asyncio.run(run())


def test_long_group_of_commits_is_handed_over_in_turns_and_in_order() -> None:
    async def run() -> None:
        relay = Relay()
        subscriber = Recorder()
        await relay.delivery.follow(subscriber, everything(), await relay.delivery.locate(StartAsked(ALL)))
        template = relay.block(0)
        group = [
            relay.commit("bitcoin", decode_event(template.body).data) for _ in range(3 * EVENTS_PER_TURN)
        ]
        relay.delivery.publish(group)
        assert len(subscriber.bodies) == 1 + EVENTS_PER_TURN
        late = relay.block(7)
        await until(lambda: relay.delivery.position == late.position)
        assert subscriber.bodies == [event.body for event in relay.store.events]
        relay.delivery.close()

    asyncio.run(run())


def test_events_published_together_are_one_write_for_those_who_take_them_all_and_stay_in_order() -> None:
    async def run() -> None:
        relay = Relay()
        all_taker, block_taker = Recorder(), Recorder()
        for subscriber, types in ((all_taker, EVENT_TYPES), (block_taker, ("block",))):
            subscription = Subscription(ALL, frozenset(types), policy())
            place = await relay.delivery.locate(StartAsked(ALL, "latest"))
            assert await relay.delivery.follow(subscriber, subscription, place)
        gone = relay.commit("bitcoin", ChainStatusData("stalled", "test"))
        back = relay.commit("bitcoin", ChainStatusData("recovered", "test"))
        blocks = [relay.commit("bitcoin", block_data(height)) for height in (1, 2)]
        relay.delivery.publish([gone, back, *blocks])
        assert all_taker.bodies == [gone.body, back.body, blocks[0].body, blocks[1].body]
        assert block_taker.bodies == [block.body for block in blocks]
        assert all_taker.runs == [2, 2]
        assert block_taker.runs == [2]
        assert all_taker.cursor == block_taker.cursor == blocks[-1].cursor
        relay.delivery.close()

    asyncio.run(run())


@given(
    sizes=st.lists(st.integers(0, 50), max_size=60),
    events_max=st.integers(1, 8),
    size_max=st.integers(1, 400),
)
def test_ring_stays_in_its_bounds_and_covers_exactly_what_it_has(
    sizes: list[int], events_max: int, size_max: int
) -> None:
    relay = Relay()
    ring = RecentEvents(0, events_max=events_max, size_max=size_max)
    events = [relay.log.append("bitcoin", decode_event(_BODY).data) for _ in sizes]
    for event, size in zip(events, sizes, strict=True):
        ring.add(event, b"x" * size)
        assert len(ring) <= events_max
        assert ring.size <= size_max
    kept = [event for event, _ in ring.after(len(events) - len(ring), 1_000)]
    assert kept == events[len(events) - len(ring) :]
    assert ring.covers(len(events) - len(ring))
    assert len(ring) == len(events) or not ring.covers(len(events) - len(ring) - 1)
    relay.delivery.close()


_BODY = Relay().block(1).body
