"""Which subscribers are given an event, in which encoding, and how long it took until each had it.

Times are taken once for a slice of subscribers, on the observer's clock: from the event being known to be in
the log until its bytes were written to the connection's transport, the coalescing window included. What the
transport or the network then takes is the subscriber's own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, Protocol

import msgspec

from sprint.core.relay.event_log import LoggedEvent
from sprint.tools.web.outgoing import FlushWindow
from sprint.tools.web.websocket import encode_text_frame

# One reading of the clock for so many: at 5 us a write its error is below a third of a millisecond.
SUBSCRIBERS_PER_READING = 64
# What is kept for a window costs about a quarter of a write; the window's own flush writes it later.
KEPT_PER_WRITE = 4
log = logging.getLogger(__name__)

Encode = Callable[[bytes], bytes]


class Subscriber(Protocol):
    """Who is given events. Hashed by identity; the connection behind it is bounded by itself."""

    @property
    def encode(self) -> Encode:
        """Encoding of an event's body for this kind of connection: one function for the whole kind."""

    @property
    def window(self) -> FlushWindow | None:
        """The coalescing window in which what it is offered waits, None where it is written at once."""

    def offer(self, frame: bytes, cursor: str) -> bool:
        """Take an encoded event; False where it was dropped. Never awaits."""

    def offer_run(self, frames: Sequence[bytes], cursors: Sequence[str], joined: bytes) -> bool:
        """Take several encoded events at once; `joined` is all of them, to be written as one."""

    async def drained(self) -> bool:
        """Wait until more may be offered at leisure; False once nothing is taken any more."""

    def close_slow(self) -> None:
        """Close as too slow."""


class HandOver(msgspec.Struct, frozen=True):
    """Times of one event on the delivery's clock, for the stage histograms."""

    event: LoggedEvent
    started: float
    encoded: float
    handed_over: float
    subscribers: int


class DeliveryObserver(Protocol):
    """Is told the stage times of each event; `now` is its own monotonic clock."""

    def now(self) -> float: ...

    def handed_over(self, times: HandOver) -> None: ...

    def delivered(self, chain: str, tier: str, seconds: float, subscribers: int) -> None:
        """Take note that so many subscribers of a tier had an event so long after it was in the log."""


class Published(NamedTuple):
    """An event, and when it was published on the observer's clock; 0 without an observer."""

    event: LoggedEvent
    at: float


class Run(NamedTuple):
    """Subscribers that follow one another in rank, of one tier, encoding and window."""

    encode: Encode
    tier: str
    window: FlushWindow | None
    subscribers: list[Subscriber]


class Timekeeper:
    """Tells an observer when the subscribers of a run had some events."""

    def __init__(self, observer: DeliveryObserver, events: Sequence[Published]) -> None:
        self._observer = observer
        self._published = [(each.event.chain, each.at) for each in events]

    def note(self, run: Run, subscribers: int) -> None:
        """Take note that so many of a run were offered the events: now, or when their window closes."""
        if run.window is None:
            self._tell(run.tier, subscribers)
        else:
            run.window.when_flushed(partial(self._tell, run.tier, subscribers))

    def _tell(self, tier: str, subscribers: int) -> None:
        now = self._observer.now()
        for chain, at in self._published:
            self._observer.delivered(chain, tier, now - at, subscribers)


class HandingOver:
    """Gives events to all who are due them, a few at a step; who leaves between is given them first."""

    def __init__(
        self,
        events: Sequence[LoggedEvent],
        frames: list[bytes],
        runs: Sequence[Run],
        times: Timekeeper | None,
    ) -> None:
        self._events = events
        self._cursors = [event.cursor for event in events]
        self._encodings: dict[Encode, list[bytes]] = {encode_text_frame: frames}
        self._runs = runs
        self._times = times
        self._run = 0  # whose turn it is, and from which subscriber on
        self._next = 0
        self._left: set[Subscriber] = set()
        self._places: dict[Subscriber, tuple[int, int]] | None = None

    def __repr__(self) -> str:
        return (
            f"HandingOver({len(self._events)} events, run {self._run} of {len(self._runs)}, at {self._next})"
        )

    def step(self) -> int | None:
        """Offer the events to the next few; return how many writes' time that took, None at the end."""
        if self._run == len(self._runs):
            return None
        run = self._runs[self._run]
        subscribers = run.subscribers[self._next : self._next + SUBSCRIBERS_PER_READING]
        # Before they are offered anything: one that is closed as slow leaves amid its own offer.
        self._next += len(subscribers)
        if self._left:
            subscribers = [each for each in subscribers if each not in self._left]
        self._offer(run, subscribers)
        through = self._next == len(run.subscribers)
        if self._times is not None:
            if run.window is None:
                self._times.note(run, len(subscribers))
            elif through:
                self._times.note(run, len(run.subscribers))
        if through:
            self._run, self._next = self._run + 1, 0
        return len(subscribers) if run.window is None else len(subscribers) // KEPT_PER_WRITE

    def leave(self, subscriber: Subscriber) -> None:
        """Give one that leaves what is under way, if its turn has not come, and pass it over then."""
        if self._places is None:  # of all at once: where a proxy dies, thousands leave together
            self._places = {
                each: (number, place)
                for number, run in enumerate(self._runs)
                for place, each in enumerate(run.subscribers)
            }
        place = self._places.get(subscriber)
        if place is not None and place >= (self._run, self._next) and subscriber not in self._left:
            self._left.add(subscriber)
            self._offer(self._runs[place[0]], [subscriber])

    def _offer(self, run: Run, subscribers: Sequence[Subscriber]) -> None:
        frames = self._frames(run)
        joined = b"".join(frames) if len(frames) > 1 else b""
        frame, cursor, cursors = frames[0], self._cursors[0], self._cursors
        for subscriber in subscribers:
            try:
                if joined:
                    subscriber.offer_run(frames, cursors, joined)
                else:
                    subscriber.offer(frame, cursor)
            except Exception:
                log.exception("a subscriber could not be given an event; it is closed and may resume")
                _close(subscriber)

    def _frames(self, run: Run) -> list[bytes]:
        frames = self._encodings.get(run.encode)
        if frames is None:
            frames = self._encodings[run.encode] = [run.encode(event.body) for event in self._events]
        return frames


def _close(subscriber: Subscriber) -> None:
    """Close one to whom an event could not be given by a mistake of ours: the others still get theirs."""
    try:
        subscriber.close_slow()
    except Exception:
        log.exception("nor could it be closed")
