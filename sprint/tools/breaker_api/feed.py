"""What goes on with a registry's breakers: kept as history, and told to those who watch.

Transitions are told at once, whatever thread they happen in; rows that changed at most every 250 ms, and only
while somebody watches; figures every 5 s. A round over very many breakers is done a few at a time and less
often, so that it takes a twentieth of the event loop's time at most.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from typing import Protocol

from sprint.core.breaker.transitions import Transition
from sprint.core.monitor.codec import Delta, Message, Metrics, Snapshot, TransitionTold, delta_between, encode
from sprint.core.monitor.history import MetricsHistory, TransitionHistory
from sprint.core.monitor.rows import BreakerRow, MetricsPoint, point_of, rfc3339, row_of, transition_row
from sprint.tools import runtime
from sprint.tools.breaker import BreakerRegistry, CircuitBreaker

DELTA_INTERVAL_S = 0.25
METRICS_INTERVAL_S = 5.0
# A round that took so long is followed by a pause of so many times that.
PAUSE_FACTOR = 19.0
ROWS_A_TURN = 50
POINTS_A_TURN = 10
POINTS_PER_MESSAGE_MAX = 200
# Transitions that wait for the event loop's next turn; the oldest are dropped, and their numbers missing.
TRANSITIONS_WAITING_MAX = 1_024
# The wall clock may be set; times already told stay as they are until it is off by more than this.
CLOCK_OFF_S_MAX = 1.0
log = logging.getLogger(__name__)


class Watcher(Protocol):
    """Somebody who is told everything, within the bounds of its connection."""

    def tell(self, payload: bytes, seq: int) -> None: ...


class BreakerFeed:
    """Watches the breakers of a registry. All but the listener runs on the event loop."""

    def __init__(
        self,
        registry: BreakerRegistry,
        *,
        clock: Callable[[], float] = runtime.clock,
        wall_clock: Callable[[], float] = runtime.wall_clock,
    ) -> None:
        self.registry = registry
        self.transitions = TransitionHistory()
        self.metrics = MetricsHistory()
        self.unix_offset_s = wall_clock() - clock()
        self._clock = clock
        self._wall_clock = wall_clock
        self._loop: asyncio.AbstractEventLoop | None = None
        self._numbers: Iterator[int] = itertools.count(1)
        self._numbering = threading.Lock()
        self._waiting: deque[tuple[int, Transition]] = deque(maxlen=TRANSITIONS_WAITING_MAX)
        self._seq = 0
        self._known: dict[str, BreakerRow] | None = None  # what the watchers have been told
        self._watchers: dict[Watcher, bool] = {}  # with whether it has had its snapshot
        self._tasks: set[asyncio.Task[None]] = set()
        self._watching = False
        registry.listen(self._heard)

    def __repr__(self) -> str:
        return f"BreakerFeed({len(self.registry)} breakers, {len(self._watchers)} watchers)"

    def start(self) -> None:
        """Begin to keep figures and transitions."""
        self._loop = asyncio.get_running_loop()
        self._begin(self._measure_for_ever())
        self._loop.call_soon(self.tell_waiting)

    def stop(self) -> None:
        """End all work; watchers are closed by whoever serves them."""
        self._loop = None
        for task in self._tasks:
            task.cancel()

    def row(self, breaker: CircuitBreaker) -> BreakerRow:
        """Return a breaker's row as it is now."""
        return breaker.tend(lambda machine, now: row_of(machine, now, self.unix_offset_s))

    async def rows(self) -> dict[str, BreakerRow]:
        """Return the rows of all breakers, by name."""
        found: dict[str, BreakerRow] = {}
        for number, breaker in enumerate(self.registry, 1):
            found[breaker.name] = self.row(breaker)
            if number % ROWS_A_TURN == 0:
                await asyncio.sleep(0)
        return found

    def watch(self, watcher: Watcher) -> None:
        """Tell a watcher all rows, and from then on everything."""
        self._watchers[watcher] = False
        if self._known is not None:
            self._introduce()
        elif not self._watching:
            self._watching = True
            self._begin(self._compare_while_watched())

    def leave(self, watcher: Watcher) -> None:
        """Tell a watcher no more."""
        self._watchers.pop(watcher, None)

    def now(self) -> str:
        """Return the time of the day, as it is told."""
        return rfc3339(self._clock() + self.unix_offset_s)

    # -- transitions

    def _heard(self, transition: Transition) -> None:
        """Take a transition, in whatever thread it happened."""
        with self._numbering:  # else a thread could stop between its number and its place
            self._waiting.append((next(self._numbers), transition))
        loop = self._loop
        if loop is not None:
            loop.call_soon_threadsafe(self.tell_waiting)

    def tell_waiting(self) -> None:
        """Keep and tell the transitions that have been heard by now."""
        while self._waiting:
            number, transition = self._waiting.popleft()
            row = transition_row(transition, number, self.unix_offset_s)
            self.transitions.add(row)
            if self._watchers:
                self._tell(TransitionTold(seq=self._next_seq(), at=self.now(), transition=row))

    # -- rows

    async def _compare_while_watched(self) -> None:
        try:
            while self._watchers:
                began = self._clock()
                try:
                    await self._compare()
                    self._introduce()
                except Exception:  # a mistake over one breaker must not leave watchers with nothing for ever
                    log.exception("a round over the breakers' rows failed")
                took_s = self._clock() - began
                await asyncio.sleep(max(DELTA_INTERVAL_S - took_s, took_s * PAUSE_FACTOR))
        finally:
            self._known, self._watching = None, False

    async def _compare(self) -> None:
        """Tell what has changed since it was told last."""
        rows = await self.rows()
        self.tell_waiting()  # a row must not be told before the transition that made it so
        known, self._known = self._known, rows
        if known is None:
            return
        change = delta_between(known, rows)
        if change:
            seq = self._next_seq()
            self._tell(Delta(seq=seq, at=self.now(), changed=change.changed, removed=change.removed))

    def _introduce(self) -> None:
        """Give all that are known to watchers who have had nothing yet: the next message follows on it."""
        new = [watcher for watcher, begun in self._watchers.items() if not begun]
        if new and self._known is not None:
            snapshot = Snapshot(seq=self._seq, at=self.now(), breakers=tuple(self._known.values()))
            payload = encode(snapshot)
            for watcher in new:
                self._watchers[watcher] = True
                watcher.tell(payload, snapshot.seq)

    def _tell(self, message: Message) -> None:
        payload = encode(message)
        for watcher in [watcher for watcher, begun in self._watchers.items() if begun]:
            watcher.tell(payload, message.seq)

    def _next_seq(self) -> int:
        self._seq += 1
        return self._seq

    # -- figures

    async def _measure_for_ever(self) -> None:
        took_s = 0.0
        while True:
            await asyncio.sleep(max(METRICS_INTERVAL_S - took_s, took_s * PAUSE_FACTOR))
            began = self._clock()
            try:
                await self.measure()
            except Exception:  # a mistake over one breaker must not end the figures of all
                log.exception("a round over the breakers' figures failed")
            took_s = self._clock() - began

    async def measure(self) -> None:
        """Take one point of every breaker, keep it and tell it; forget breakers that are gone."""
        self._keep_time()
        points: dict[str, MetricsPoint] = {}
        for number, breaker in enumerate(self.registry, 1):
            try:
                points[breaker.name] = self._measured(breaker)
            except (ArithmeticError, ValueError, OSError):  # its row says what is wrong with it
                log.debug("no figures of breaker %s", breaker.name, exc_info=True)
            if len(points) == POINTS_PER_MESSAGE_MAX:
                self._tell_points(points)
                points = {}
            if number % POINTS_A_TURN == 0:
                await asyncio.sleep(0)
        self._tell_points(points)
        names = {breaker.name for breaker in self.registry}
        self.metrics.keep_only(names)
        self.transitions.keep_only(names)

    def _measured(self, breaker: CircuitBreaker) -> MetricsPoint:
        point = breaker.tend(lambda machine, now: point_of(machine, now, self.unix_offset_s))
        self.metrics.add(breaker.name, self._clock() + self.unix_offset_s, point)
        return point

    def _tell_points(self, points: dict[str, MetricsPoint]) -> None:
        if points and self._watchers:
            self._tell(Metrics(seq=self._next_seq(), at=self.now(), points=points))

    def _keep_time(self) -> None:
        offset_s = self._wall_clock() - self._clock()
        if abs(offset_s - self.unix_offset_s) > CLOCK_OFF_S_MAX:
            self.unix_offset_s = offset_s

    def _begin(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
