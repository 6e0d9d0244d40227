"""Writes down what a relay knows beside its log: headers, reorgs, sources, peers, orders, minutes.

It looks at what is there: at the commits that were handed over, a little at a time, and once a minute at the
counters that the metrics read too. Rows go to the store's side queue, so that none of this is waited for.
What of it was not written when a relay is killed is missing; the log is what is promised.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Protocol

from sprint.core.relay.event_log import Commit, LoggedEvent
from sprint.core.relay.records import Record
from sprint.core.relay.rollup import MINUTE_MS, Reading, minute_of, rows_of_minute
from sprint.core.relay.tiers import TierPolicy
from sprint.tools.relay.audit import OrderGiven
from sprint.tools.relay.metrics import RelayParts
from sprint.tools.relay.readings import EventCounts, known_peers, read_counters, source_rows
from sprint.tools.relay.record_rows import CHAIN_EVENTS, event_row, order_row
from sprint.tools.relay.stages import StageObserver
from sprint.tools.runtime import log_fields, wall_clock

EVENTS_WAITING_MAX = 8_192  # noted and not yet made rows of; a catch-up may bring more
EVENTS_STEP_MAX = 100  # made rows of in one turn of the loop, some 0.5 ms
STEP_S = 1.0
STEP_BUSY_S = 0.02
log = logging.getLogger(__name__)


class RecordSink(Protocol):
    """What takes rows; a store."""

    def submit_records(self, records: Sequence[Record]) -> None: ...


class Recorder:
    """Fills the tables of one relay from `start` to `stop`. All calls are on the loop's thread."""

    def __init__(
        self, store: RecordSink, parts: RelayParts, tiers: Sequence[TierPolicy], observer: StageObserver
    ) -> None:
        self._store = store
        self._parts = parts
        self._tiers = tiers
        self._observer = observer
        self._waiting: deque[LoggedEvent] = deque()
        self._dropped = 0
        self._events: EventCounts = EventCounts()
        self._peers: dict[tuple[str, str, int], Record] = {}
        self._handle: asyncio.TimerHandle | None = None
        self._before = self._read()
        self._minute_ms = minute_of(wall_clock())
        self._sources_written_ms = 0

    def __repr__(self) -> str:
        return f"Recorder({len(self._waiting)} events waiting, {self._dropped} dropped)"

    def start(self) -> None:
        """Begin to write down."""
        self._handle = asyncio.get_running_loop().call_later(STEP_S, self._step)

    def stop(self) -> None:
        """Write down what is known and end; again is harmless."""
        if self._handle is None:
            return
        self._handle.cancel()
        self._handle = None
        self._write_events(EVENTS_WAITING_MAX)
        # The sources are as they were in the minute: by now they are cancelled.
        self._write_minute()

    def note(self, commits: Iterable[Commit]) -> None:
        """Take note of commits that are handed over; it costs next to nothing."""
        for commit in commits:
            self._events[commit.chain] += len(commit.events)
            for event in commit.events:
                if event.type in CHAIN_EVENTS:
                    if len(self._waiting) >= EVENTS_WAITING_MAX:
                        self._waiting.popleft()
                        self._dropped += 1
                    self._waiting.append(event)

    def ordered(self, order: OrderGiven) -> None:
        """Write down an order of an operator."""
        self._store.submit_records([order_row(order, _now_ms())])

    def _step(self) -> None:
        self._handle = asyncio.get_running_loop().call_later(
            STEP_BUSY_S if len(self._waiting) > EVENTS_STEP_MAX else STEP_S, self._step
        )
        self._write_events(EVENTS_STEP_MAX)
        if minute_of(wall_clock()) != self._minute_ms:
            self._write_minute()
        if self._sources_written_ms != self._minute_ms:
            self._sources_written_ms = self._minute_ms
            self._store.submit_records(source_rows(self._parts.chains, _now_ms()))

    def _write_events(self, most: int) -> None:
        at_ms = _now_ms()
        count = min(most, len(self._waiting))
        rows = [event_row(self._waiting.popleft(), at_ms) for _ in range(count)]
        self._store.submit_records(rows)
        if self._dropped:
            log_fields(log, logging.WARNING, "headers were not written down", records=self._dropped)
            self._dropped = 0

    def _write_minute(self) -> None:
        """Write the minute that is over, or what there was of it; after a gap it is that of its beginning."""
        after, at_ms = self._read(), _now_ms()
        rows = rows_of_minute(self._before, after, self._minute_ms)
        peers = known_peers(self._parts.chains, at_ms)
        # All but the time that a row was made.
        rows += [row for key, row in peers.items() if not _is_same(self._peers.get(key), row)]
        self._peers = peers
        self._store.submit_records(rows)
        self._before, self._minute_ms = after, at_ms // MINUTE_MS * MINUTE_MS

    def _read(self) -> Reading:
        return read_counters(self._parts, self._events, self._tiers, self._observer)


def _is_same(before: Record | None, after: Record) -> bool:
    return before is not None and before.values[:-1] == after.values[:-1]


def _now_ms() -> int:
    return int(wall_clock() * 1000)
