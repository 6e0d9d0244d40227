"""The newest events in memory, with their frames, so that a short replay needs no store."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from itertools import islice

from sprint.core.relay.event_log import LoggedEvent

RING_EVENTS_MAX = 2_048
RING_SIZE_MAX = 4 * 1024 * 1024


class RecentEvents:
    """Bounded in events and bytes; the oldest give way."""

    def __init__(
        self, position: int, *, events_max: int = RING_EVENTS_MAX, size_max: int = RING_SIZE_MAX
    ) -> None:
        self.size = 0
        self._floor = position  # everything after it is here
        self._events_max = events_max
        self._size_max = size_max
        self._events: deque[tuple[LoggedEvent, bytes]] = deque()

    def __len__(self) -> int:
        return len(self._events)

    def __repr__(self) -> str:
        return f"RecentEvents({len(self)} events, {self.size} bytes, after {self._floor})"

    def add(self, event: LoggedEvent, frame: bytes) -> None:
        """Keep an event, which is newer than all that are kept."""
        self._events.append((event, frame))
        self.size += len(event.body) + len(frame)
        while len(self._events) > self._events_max or self.size > self._size_max:
            oldest, oldest_frame = self._events.popleft()
            self.size -= len(oldest.body) + len(oldest_frame)
            self._floor = oldest.position

    def covers(self, after: int) -> bool:
        """Tell whether every event after a position is here."""
        return after >= self._floor

    def after(self, position: int, limit: int) -> list[tuple[LoggedEvent, bytes]]:
        """Return the events after a position that is covered, oldest first."""
        first = bisect_right(self._events, position, key=lambda kept: kept[0].position)
        return list(islice(self._events, first, first + limit))
