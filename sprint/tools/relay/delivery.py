"""From committed events to subscribers: one encoding per event, replay joined to live.

`publish` is called on the event loop with what was committed, in order, and never awaits. A subscriber
that starts in the past is *following*: it is given pages from the store, then from the ring of recent
events, and joins live in the same turn of the loop in which nothing is left between it and the newest
event; so there is no gap and no repeat. Nothing is sent that was not published: a page ends at the
published position, however far the store is ahead.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, ParamSpec, TypeVar

import msgspec

from sprint.core.errors import CursorExpired
from sprint.core.relay.event_log import LoggedEvent
from sprint.core.relay.fanout import Fanout, Subscription
from sprint.core.relay.tiers import TierPolicy
from sprint.tools.relay.hand_over import (
    DeliveryObserver,
    Encode,
    HandingOver,
    HandOver,
    Published,
    Run,
    Subscriber,
    Timekeeper,
)
from sprint.tools.relay.place import EventReader, Place, StartAsked, locate
from sprint.tools.relay.ring import RecentEvents
from sprint.tools.web.outgoing import FlushWindow
from sprint.tools.web.websocket import encode_text_frame

REPLAY_PAGE_EVENTS = 200
REPLAY_STALL_S = 5.0
# Handed over in one turn of the loop, so that a long group of commits lets the sockets drain between.
EVENTS_PER_TURN = 64
# Writes in one turn: at some 8 us each, half a millisecond, so that whatever else is due goes between.
OFFERS_PER_TURN = 64
BACKLOG_EVENTS_MAX = 10_000

P = ParamSpec("P")
T = TypeVar("T")


class _UnderWay(NamedTuple):
    """A hand-over that is not through yet, and its times so far."""

    work: HandingOver
    events: Sequence[LoggedEvent]
    started: float
    encoded: float
    subscribers: int


class Delivery:
    """Hands committed events to subscribers. Called on one event loop; reads the store in one thread."""

    def __init__(
        self,
        store: EventReader,
        log_id: str,
        position: int,
        *,
        observer: DeliveryObserver | None = None,
        replay_stall_s: float = REPLAY_STALL_S,
    ) -> None:
        self.log_id = log_id
        self._store = store
        self._position = position
        self._observer = observer
        self._replay_stall_s = replay_stall_s
        self._ring = RecentEvents(position)
        self._fanout = Fanout()
        self._subscribers: dict[int, tuple[Subscriber, TierPolicy]] = {}
        self._policies: dict[str, TierPolicy] = {}  # those that were changed, by tier
        self._ids: dict[Subscriber, int] = {}
        self._last_id = 0
        # For each (chain, type): the fan-out's own tuple of targets, and what it means here.
        self._runs: dict[tuple[str, str], tuple[tuple[int, ...], list[Run]]] = {}
        self._backlog: deque[Published] = deque()
        self._under_way: _UnderWay | None = None
        self._turn_due = False
        self._reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store-reader")

    def __repr__(self) -> str:
        return f"Delivery({self.log_id}, position={self._position}, subscribers={self.subscriber_count})"

    @property
    def position(self) -> int:
        """Position of the newest event handed over."""
        return self._position

    def subscribers_by_tier(self) -> Counter[str]:
        """Count the live subscribers of each tier."""
        return Counter(policy.name for _, policy in self._subscribers.values())

    @property
    def subscriber_count(self) -> int:
        """Subscribers that are live; those that still follow are not counted."""
        return len(self._fanout)

    def publish(self, events: Sequence[LoggedEvent]) -> None:
        """Hand over committed events, in order. More than a turn's worth goes on in the next turns."""
        now = self._observer.now() if self._observer else 0.0
        self._backlog.extend(Published(event, now) for event in events)
        if not self._turn_due:
            self._publish_turn()

    def finish(self) -> None:
        """Hand over now all that was published, in one turn however long: nobody is to go without."""
        while self._under_way is not None or self._backlog:
            self._step()

    def close(self) -> None:
        """Let go of the reader thread, once no one follows any more."""
        self._reader.shutdown(wait=True, cancel_futures=True)

    async def read(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a reading function of the store in the reader thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._reader, lambda: function(*args, **kwargs))

    async def locate(self, asked: StartAsked) -> Place:
        """Return the place that was asked for. Raises a CursorError where there is none."""
        if asked.start == "latest":
            return Place.of_log(self.log_id, asked.chains, self._position)
        return await self.read(locate, self._store, self.log_id, self._position, asked)

    async def follow(self, subscriber: Subscriber, subscription: Subscription, place: Place) -> bool:
        """Give a subscriber all from `place` on and let it join live; False if it ended before.

        Raises CursorExpired where the history is pruned away under it.
        """
        for gap in place.gaps:
            subscriber.offer(subscriber.encode(gap.body), gap.cursor)
        position = place.position
        while position < self._position:
            if not await self._drained(subscriber):
                return False
            events, position = await self._page(subscription, position)
            if not self._replay(subscriber, subscription, place.floors, events):
                return False
        self._join(subscriber, subscription)
        return True

    def change_policy(self, policy: TierPolicy) -> None:
        """Serve the subscribers of a tier under its new policy, those too who still follow."""
        self._policies[policy.name] = policy
        self._fanout.change_policy(policy)

    def unsubscribe(self, subscriber: Subscriber) -> bool:
        """Forget a subscriber; False if it was not live.

        What is being handed over reaches it first: who comes back with another subscription is told all
        from there on, and must be given nothing by what began before.
        """
        subscriber_id = self._ids.pop(subscriber, None)
        if subscriber_id is None:
            return False
        if self._under_way is not None:
            self._under_way.work.leave(subscriber)
        del self._subscribers[subscriber_id]
        return self._fanout.remove(subscriber_id)

    def _publish_turn(self) -> None:
        self._turn_due = False
        offered_max = OFFERS_PER_TURN if len(self._backlog) <= BACKLOG_EVENTS_MAX else math.inf
        waiting = len(self._backlog)
        left = max(0, waiting - max(EVENTS_PER_TURN, waiting - BACKLOG_EVENTS_MAX))
        offered = 0
        while offered < offered_max and (self._under_way is not None or len(self._backlog) > left):
            offered += self._step()
        if self._backlog or self._under_way is not None:
            self._turn_due = True
            asyncio.get_running_loop().call_soon(self._publish_turn)

    def _step(self) -> int:
        """Go one step on with what is handed over, or due next; return how many writes' time it took."""
        under_way = self._under_way
        if under_way is None:
            under_way = self._under_way = self._begin(self._next_together())
        cost = under_way.work.step()
        if cost is not None:
            return cost
        self._under_way = None
        self._tell(under_way)
        return 0

    def _next_together(self) -> list[Published]:
        """Take the next events that have the same targets off the backlog."""
        backlog = self._backlog
        together = [backlog.popleft()]
        targets = self._target_ids(together[0])
        while backlog and len(together) < EVENTS_PER_TURN and self._target_ids(backlog[0]) == targets:
            together.append(backlog.popleft())
        return together

    def _begin(self, published: Sequence[Published]) -> _UnderWay:
        """Begin to hand over events that have the same targets, as one write each: that is what costs.

        A header and its block are often committed together; written apart, the block would wait until the
        header is out to everybody.
        """
        observer = self._observer
        started = observer.now() if observer else 0.0
        events = [each.event for each in published]
        frames = [encode_text_frame(event.body) for event in events]
        encoded = observer.now() if observer else 0.0
        for event, frame in zip(events, frames, strict=True):
            self._ring.add(event, frame)
        self._position = events[-1].position
        targets, runs = self._targets(events[0].chain, events[0].type)
        times = Timekeeper(observer, published) if observer else None
        return _UnderWay(HandingOver(events, frames, runs, times), events, started, encoded, len(targets))

    def _tell(self, done: _UnderWay) -> None:
        observer = self._observer
        if observer is not None:
            now = observer.now()
            for event in done.events:
                observer.handed_over(HandOver(event, done.started, done.encoded, now, done.subscribers))

    def _target_ids(self, published: Published) -> tuple[int, ...]:
        return self._targets(published.event.chain, published.event.type)[0]

    def _targets(self, chain: str, event_type: str) -> tuple[tuple[int, ...], list[Run]]:
        """Return who is given an event, as runs of one tier and encoding each, in order of rank."""
        targets = self._fanout.targets(chain, event_type)
        known = self._runs.get((chain, event_type))
        if known is not None and known[0] is targets:
            return known
        by_kind: dict[tuple[Encode, str, FlushWindow | None], Run] = {}
        for subscriber_id in targets:
            subscriber, policy = self._subscribers[subscriber_id]
            kind = (subscriber.encode, policy.name, subscriber.window)
            # A tier has one rank, so its runs stand where its first subscriber does.
            by_kind.setdefault(kind, Run(*kind, [])).subscribers.append(subscriber)
        runs = list(by_kind.values())
        self._runs[chain, event_type] = (targets, runs)
        return targets, runs

    def _join(self, subscriber: Subscriber, subscription: Subscription) -> None:
        self.unsubscribe(subscriber)
        # It may have been changed since they subscribed.
        policy = self._policies.get(subscription.policy.name, subscription.policy)
        self._last_id += 1
        self._fanout.add(self._last_id, msgspec.structs.replace(subscription, policy=policy))
        self._subscribers[self._last_id] = (subscriber, policy)
        self._ids[subscriber] = self._last_id

    async def _drained(self, subscriber: Subscriber) -> bool:
        try:
            async with asyncio.timeout(self._replay_stall_s):
                return await subscriber.drained()
        except TimeoutError:
            subscriber.close_slow()
            return False

    async def _page(
        self, subscription: Subscription, after: int
    ) -> tuple[Sequence[tuple[LoggedEvent, bytes | None]], int]:
        """Return the next events after a position, with their frames if at hand, and the place they reach."""
        if self._ring.covers(after):
            page = self._ring.after(after, REPLAY_PAGE_EVENTS)
            return page, page[-1][0].position if page else self._position
        upto = self._position
        events = await self.read(self._read_page, subscription, after, upto)
        reached = events[-1].position if len(events) == REPLAY_PAGE_EVENTS else upto
        return [(event, None) for event in events], reached

    def _read_page(self, subscription: Subscription, after: int, upto: int) -> list[LoggedEvent]:
        events = self._store.read_events(
            after, upto, subscription.chains, subscription.types, REPLAY_PAGE_EVENTS
        )
        earliest = self._store.bounds().earliest
        if after < earliest:
            raise CursorExpired(
                f"position {after} was pruned while it was replayed, the earliest is {earliest}",
                earliest=Place.cursor_at(self.log_id, earliest),
            )
        return events

    @staticmethod
    def _replay(
        subscriber: Subscriber,
        subscription: Subscription,
        floors: Mapping[str, int],
        events: Sequence[tuple[LoggedEvent, bytes | None]],
    ) -> bool:
        encode = subscriber.encode
        for event, kept in events:
            if not subscription.wants(event.chain, event.type) or event.position <= floors[event.chain]:
                continue
            frame = kept if kept and encode is encode_text_frame else encode(event.body)
            if not subscriber.offer(frame, event.cursor):
                return False
        return True
