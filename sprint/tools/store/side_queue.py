"""Records on their way to the database, beside the commits: bounded, written when no commit waits.

Both stores have one. `put` may be called from any thread and never blocks. `run` is called by the writer's
thread as part of its upkeep, so between commits, and writes one small group: a commit that comes meanwhile
waits a millisecond or two. A group that a failing database refuses stays first in line for the next turn.
What does not fit is dropped, the oldest first, counted, and told in the log; so is a record that no database
would take, which must not hold up those behind it.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence

from sprint.core.errors import StoreError
from sprint.core.relay.records import Record
from sprint.tools.runtime import clock, log_fields

RECORDS_WAITING_MAX = 16_384
AUDIT_WAITING_MAX = 1_024  # beside those: a flood of figures must not push an operator's order out
RECORDS_GROUP_MAX = 200
_log = logging.getLogger(__name__)
# Writes them all or none: StoreError where the database fails, ValueError where a record is at fault.
WriteRecords = Callable[[Sequence[Record]], None]


class SideQueue:
    """The records of one store that are not in yet."""

    def __init__(self, write: WriteRecords) -> None:
        self._write = write
        self._guard = threading.Lock()
        self._audit: deque[Record] = deque()
        self._others: deque[Record] = deque()
        self._group_max = RECORDS_GROUP_MAX
        self._trouble = ""
        self._told_dropped = 0
        self.dropped = 0

    def __repr__(self) -> str:
        return f"SideQueue({self.waiting} waiting, {self.dropped} dropped)"

    @property
    def waiting(self) -> int:
        """Records put and not in yet."""
        return len(self._audit) + len(self._others)

    def put(self, records: Sequence[Record]) -> None:
        """Queue records; the oldest are dropped beyond the limit, and counted in `dropped`."""
        with self._guard:
            for record in records:
                audit = record.table.keep == "audit"
                queue, limit = (
                    (self._audit, AUDIT_WAITING_MAX) if audit else (self._others, RECORDS_WAITING_MAX)
                )
                if len(queue) >= limit:
                    queue.popleft()
                    self.dropped += 1
                queue.append(record)

    def run(self) -> bool:
        """Write one group; True where more may be written at once. Raises nothing that a store does."""
        self._tell_dropped()
        with self._guard:
            queue = self._audit or self._others
            group = [queue.popleft() for _ in range(min(self._group_max, len(queue)))]
        if not group:
            return False
        try:
            self._write(group)
        except StoreError as error:
            self._put_back(queue, group)
            self._tell("records wait for the store; events are not touched by it", str(error))
            return False
        except ValueError as error:
            self._refused(queue, group, error)
            return True
        self._group_max = RECORDS_GROUP_MAX
        self._trouble = ""
        return self.waiting > 0

    def finish(self, ends_at: float) -> None:
        """Write what is left, as far as the database takes it by then; the store's close calls it once."""
        while self.run() and clock() < ends_at:
            pass
        if self.waiting:
            log_fields(_log, logging.WARNING, "closed with records not in", records=self.waiting)

    def _put_back(self, queue: deque[Record], group: list[Record]) -> None:
        with self._guard:
            queue.extendleft(reversed(group))

    def _refused(self, queue: deque[Record], group: list[Record], error: ValueError) -> None:
        """Try a refused group one by one; a single record that is refused is dropped."""
        if len(group) > 1:
            self._group_max = 1
            self._put_back(queue, group)
            return
        self.dropped += 1
        self._tell(f"a record of {group[0].table.name} is dropped, as no database takes it", str(error))

    def _tell(self, message: str, reason: str) -> None:
        """Say it once while it lasts."""
        if reason != self._trouble:
            self._trouble = reason
            log_fields(_log, logging.WARNING, message, reason=reason, waiting=self.waiting)

    def _tell_dropped(self) -> None:
        if self.dropped > self._told_dropped:
            new, self._told_dropped = self.dropped - self._told_dropped, self.dropped
            log_fields(_log, logging.WARNING, "records dropped: too many waited", records=new)
