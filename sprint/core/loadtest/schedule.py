"""When each request is due: the moment the integral of the rate reaches its number.

Open loop: the moments follow from the plan alone, whatever the answers do. They are worked out in whole
numbers, so that after 24 hours they are as exact as at the start: the n-th request, counted from 0, is due at
the first whole nanosecond at which n requests have been asked for. Of k processes the i-th takes the
requests i, i + k, i + 2k, and so on.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from math import isqrt

from sprint.core.duration import SECOND_NS
from sprint.core.loadtest.plan import Segment

_REQUEST = 2 * SECOND_NS  # one request, in the unit of (rate from + rate to) * nanoseconds
TAKE_MAX = 100_000


class Schedule:
    """The requests of one of `processes` generators, in order."""

    def __init__(self, segments: Sequence[Segment], *, process: int = 0, processes: int = 1) -> None:
        if not 0 <= process < processes:
            raise ValueError(f"process {process} of {processes}: they are counted from 0")
        self._segments = tuple(segment for segment in segments if segment.duration_ns)
        self._starts_ns = [0, *accumulate(segment.duration_ns for segment in self._segments)]
        self._asked = [0, *accumulate(map(_content, self._segments))]
        self._next = process
        self._process = process
        self._step = processes
        self.duration_ns = self._starts_ns[-1]
        self.whole_count = _ceiling(self._asked[-1], _REQUEST)

    def __repr__(self) -> str:
        return f"Schedule({self.taken} of {self.count} taken, process {self._process} of {self._step})"

    @property
    def count(self) -> int:
        """How many requests are this process's, over the whole duration."""
        return self._mine(self.whole_count)

    @property
    def taken(self) -> int:
        """How many of them were taken."""
        return self._mine(self._next)

    @property
    def next_moment_ns(self) -> int | None:
        """When the next request of this process is due; None after the last."""
        return None if self._next >= self.whole_count else self.moment_ns(self._next)

    def moment_ns(self, number: int) -> int:
        """Return when the request of that number, of all processes, is due: nanoseconds from the start."""
        if not 0 <= number < self.whole_count:
            raise ValueError(f"request {number}: the schedule has {self.whole_count}, counted from 0")
        return self._moment_ns(self._place(number), number)

    def due(self, now_ns: int) -> int:
        """Return how many requests of this process are due by now, the ones taken included."""
        return self._mine(self.whole_due(now_ns))

    def whole_due(self, now_ns: int) -> int:
        """Return how many requests of all processes are due by now."""
        if now_ns < 0:
            return 0
        place = bisect_right(self._starts_ns, now_ns) - 1
        if place >= len(self._segments):
            return self.whole_count
        segment, before = self._segments[place], self._asked[place]
        asked, parts = _asked_upto(segment, now_ns - self._starts_ns[place])
        upto = (before * parts + asked) // (_REQUEST * parts) + 1
        return min(upto, _ceiling(self._asked[place + 1], _REQUEST))

    def take(self, now_ns: int, limit: int = TAKE_MAX) -> list[int]:
        """Return the moments of this process's requests that are due and not yet taken, at most `limit`."""
        end = min(self.whole_due(now_ns), self._next + limit * self._step)
        moments: list[int] = []
        while self._next < end:
            place = self._place(self._next)
            upto = min(end, _ceiling(self._asked[place + 1], _REQUEST))
            numbers = range(self._next, upto, self._step)
            moments += self._moments_ns(place, numbers)
            self._next = numbers[-1] + self._step
        return moments

    def _mine(self, whole: int) -> int:
        return max(0, _ceiling(whole - self._process, self._step))

    def _place(self, number: int) -> int:
        """Return the place of a request's segment: the last that begins with no more than it asked for."""
        return bisect_right(self._asked, number * _REQUEST) - 1

    def _moments_ns(self, place: int, numbers: range) -> list[int]:
        segment = self._segments[place]
        if segment.from_per_s != segment.to_per_s:
            return [self._moment_ns(place, number) for number in numbers]
        start_ns, before, rate = self._starts_ns[place], self._asked[place], 2 * segment.from_per_s
        return [start_ns - (before - number * _REQUEST) // rate for number in numbers]

    def _moment_ns(self, place: int, number: int) -> int:
        wanted = number * _REQUEST - self._asked[place]
        return self._starts_ns[place] + _offset_ns(self._segments[place], wanted)


def _content(segment: Segment) -> int:
    return (segment.from_per_s + segment.to_per_s) * segment.duration_ns


def _asked_upto(segment: Segment, offset_ns: int) -> tuple[int, int]:
    """Return what a segment has asked for by then, as numerator and denominator."""
    rise = segment.to_per_s - segment.from_per_s
    return offset_ns * (2 * segment.from_per_s * segment.duration_ns + rise * offset_ns), segment.duration_ns


def _offset_ns(segment: Segment, wanted: int) -> int:
    """Return the first whole nanosecond of a segment at which it has asked for `wanted`.

    The rate is a line, so its integral is a parabola: the root is worked out in its form without
    cancellation, and the last nanosecond, lost in the whole square root, is looked for.
    """
    start, rise = segment.from_per_s, segment.to_per_s - segment.from_per_s
    if not rise:
        return _ceiling(wanted, 2 * start)
    base, scaled = start * segment.duration_ns, wanted * segment.duration_ns
    root = isqrt(base * base + rise * scaled)
    offset_ns = scaled // (base + root) if base + root else 0
    while _asked_upto(segment, offset_ns)[0] < scaled:
        offset_ns += 1
    while offset_ns and _asked_upto(segment, offset_ns - 1)[0] >= scaled:
        offset_ns -= 1
    return offset_ns


def _ceiling(value: int, divisor: int) -> int:
    return -(-value // divisor)
