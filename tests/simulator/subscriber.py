"""A subscriber: takes each event as soon as it is handed over, goes away now and then, resumes by cursor."""

from __future__ import annotations

from collections.abc import Sequence

from sprint.core.relay.event_log import LoggedEvent, parse_cursor
from tests.simulator.checker import Violation

RULE = "commit before delivery"


class Subscriber:
    """Holds what it was given, in the order it was given."""

    def __init__(self, log_id: str) -> None:
        self._log_id = log_id
        self.taken: list[LoggedEvent] = []
        self.online = True

    def take(self, events: Sequence[LoggedEvent]) -> None:
        """Take what is handed over live. A position that does not follow is a repeat or a loss."""
        if not self.online:
            return
        for event in events:
            if event.position != self._position() + 1:
                raise Violation(RULE, f"position {event.position} after {self._position()}")
            self.taken.append(event)

    def resume(self, log: Sequence[LoggedEvent]) -> None:
        """Come back with the last cursor, and be given what the log holds after it."""
        position = self._position()
        if position > len(log):
            raise Violation(RULE, f"was given up to position {position}, the log ends at {len(log)}")
        if position and log[position - 1].body != self.taken[-1].body:
            raise Violation(RULE, f"was given another event at position {position} than the log holds")
        self.online = True
        self.take(log[position:])

    def _position(self) -> int:
        return parse_cursor(self.taken[-1].cursor, self._log_id).position if self.taken else 0
