"""How what a node sends is held back: late, not at all for a time, or a few bytes at a time. Nothing is lost.

Pure: bytes in, bytes out, time as an argument. A line that nothing is wrong with hands on what it is given.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

LINE_BYTES_MAX = 1 << 20  # held back by one line; the rest waits in its session
DRIP_INTERVAL_S = 0.1


class LineConditions:
    """What is wrong with all lines of one node, and until when; later calls replace earlier ones."""

    def __init__(self) -> None:
        self.stalled_until = 0.0
        self.delayed_until = 0.0
        self.delay_s = 0.0
        self.drip_until = 0.0
        self.drip_bytes_per_s = 0

    def __repr__(self) -> str:
        until = (self.stalled_until, self.delayed_until, self.drip_until)
        return "LineConditions(stalled until {:g}, delayed until {:g}, drip until {:g})".format(*until)

    def stall(self, seconds: float, now: float) -> None:
        self.stalled_until = now + seconds

    def delay(self, delay_s: float, lasts_s: float, now: float) -> None:
        self.delay_s, self.delayed_until = delay_s, now + lasts_s

    def drip(self, bytes_per_s: int, lasts_s: float, now: float) -> None:
        self.drip_bytes_per_s, self.drip_until = bytes_per_s, now + lasts_s


class Line:
    """What one connection sends, under its node's conditions."""

    def __init__(self, conditions: LineConditions) -> None:
        self._conditions = conditions
        self._waiting: deque[tuple[float, bytes]] = deque()  # when it may go out, and what
        self._waiting_bytes = 0
        self._drips_at = 0.0

    def __repr__(self) -> str:
        return f"Line({self._waiting_bytes} bytes wait)"

    def send(self, pull: Callable[[], bytes], now: float) -> bytes:
        """Return what goes out now, empty if nothing does; `pull` gives what there is to send, or nothing."""
        conditions = self._conditions
        if now < conditions.stalled_until:
            return b""
        if not self._waiting and now >= max(conditions.delayed_until, conditions.drip_until):
            return pull()
        self._take(pull, now)
        if not self._waiting or self._waiting[0][0] > now:
            return b""
        if now >= conditions.drip_until:
            return self._out(len(self._waiting[0][1]))
        if now < self._drips_at:
            return b""
        self._drips_at = now + DRIP_INTERVAL_S
        return self._out(max(1, int(conditions.drip_bytes_per_s * DRIP_INTERVAL_S)))

    def next_timer(self, now: float) -> float | None:
        """Return when something that is held back may go out; None where nothing is."""
        if now < self._conditions.stalled_until:
            return self._conditions.stalled_until
        if not self._waiting:
            return None
        due = self._waiting[0][0]
        return max(due, self._drips_at) if now < self._conditions.drip_until else due

    def _take(self, pull: Callable[[], bytes], now: float) -> None:
        conditions = self._conditions
        due = now + conditions.delay_s if now < conditions.delayed_until else now
        if self._waiting:
            due = max(due, self._waiting[-1][0])  # what was sent first arrives first
        while self._waiting_bytes < LINE_BYTES_MAX and (data := pull()):
            self._waiting.append((due, data))
            self._waiting_bytes += len(data)

    def _out(self, size: int) -> bytes:
        """Take up to `size` bytes off what waits first."""
        due, data = self._waiting.popleft()
        if size < len(data):
            self._waiting.appendleft((due, data[size:]))
        out = data[:size]
        self._waiting_bytes -= len(out)
        return out
