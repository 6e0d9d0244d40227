"""Which subscribers are given an event, in which encoding, and how long it took until each had it.

Times are taken once for a slice of subscribers, on the observer's clock: from the event being known to be in
the log until its bytes were written to the connection's transport, the coalescing window included. What the
transport or the network then takes is the subscriber's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple, Protocol

import msgspec

from sprint.core.relay.event_log import LoggedEvent
from sprint.tools.web.outgoing import FlushWindow

# One reading of the clock for so many: at 5 us a write its error is below a third of a millisecond.
SUBSCRIBERS_PER_READING = 64
# What is kept for a window costs about a quarter of a write; the window's own flush writes it later.
KEPT_PER_WRITE = 4

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


def offers(
    run: Run, frames: Sequence[bytes], cursors: Sequence[str], times: Timekeeper | None
) -> Iterator[int]:
    """Offer encoded events to a run, as one write each; each step tells how many writes' time it took."""
    joined = b"".join(frames) if len(frames) > 1 else b""
    for start in range(0, len(run.subscribers), SUBSCRIBERS_PER_READING):
        subscribers = run.subscribers[start : start + SUBSCRIBERS_PER_READING]
        if joined:
            for subscriber in subscribers:
                subscriber.offer_run(frames, cursors, joined)
        else:
            frame, cursor = frames[0], cursors[0]
            for subscriber in subscribers:
                subscriber.offer(frame, cursor)
        if times is not None and run.window is None:
            times.note(run, len(subscribers))
        yield len(subscribers) if run.window is None else len(subscribers) // KEPT_PER_WRITE
    if times is not None and run.window is not None and run.subscribers:
        times.note(run, len(run.subscribers))
