"""What a load test recorded, of all its generators: totals, percentiles, points over time.

Cells of `recorder` are added as they come; k processes give what one would have given. Every request that the
schedule asked for is accounted for: answered in one of four ways, unanswered at the end, or never sent, with
the reason. What is missing after all that was lost with its generator, and is told as that.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from sprint.core.duration import SECOND_NS
from sprint.core.errors import WireError
from sprint.core.kernels import in_use
from sprint.core.kernels.binding import NewHistogram
from sprint.core.loadtest.cell import (
    FAILED,
    HISTOGRAM_DIGITS,
    HISTOGRAMS,
    RESPONSE,
    SCHEDULE_ERROR,
    SERVICE,
    WORKER_WAIT,
    Cell,
    Counts,
    KindSeen,
    StateChange,
    decode_cell,
    decode_counted,
)
from sprint.core.loadtest.plan import Segment
from sprint.core.loadtest.recorder import KINDS_MAX, LIMITS_MAX, OTHER
from sprint.core.loadtest.schedule import Schedule
from sprint.core.loadtest.series import Point, Series

CHANGES_MAX = 10_000
LOST = "lost with its generator"

_MS = 1_000_000
_SHARES = (0.5, 0.9, 0.95, 0.99, 0.999)
# Where a distribution is looked at: evenly up to 90 %, then each time a tenth of what is left.
DISTRIBUTION_SHARES = (
    *(n / 20 for n in range(19)),
    *(1 - tenth * part for tenth in (0.1, 0.01, 0.001, 0.0001) for part in (0.75, 0.5, 0.25, 0.1)),
    1.0,
)


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """How long so many requests took, in milliseconds; least, greatest and mean are exact."""

    count: int
    ms_min: float
    ms_mean: float
    ms_p50: float
    ms_p90: float
    ms_p95: float
    ms_p99: float
    ms_p99_9: float
    ms_max: float


class ErrorKind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of failure: how often, when first, and what one of them said."""

    kind: str
    count: int
    first_s: float
    example: str


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """The indicators of a run.

    `asked` requests were due by `duration_s`. Of those `begun` the generator came to: they are `successes`,
    `failures`, `limited` (429) or `rejected` (by a breaker), which together are `answered`, or `unanswered`.
    Rates are over `duration_s`. Latencies are of successes, but `failed` of all others that came to an end.
    """

    duration_s: float
    asked: int
    begun: int
    answered: int
    successes: int
    failures: int
    limited: int
    rejected: int
    unanswered: int
    never_sent: int
    rate_asked_per_s: float
    rate_begun_per_s: float
    rate_answered_per_s: float
    rate_success_per_s: float
    error_share: float
    bytes_in: int
    bytes_out: int
    state_changes: int
    response: Latency | None = None
    service: Latency | None = None
    failed: Latency | None = None
    schedule_error: Latency | None = None
    worker_wait: Latency | None = None


class Recording:
    """The record of a run. It has one owner and no lock.

    `segments` are the plan's; empty where nothing is scheduled, as for deliveries to a subscriber. Where
    `processes` says how many hand in cells, a point is there as soon as all have; else some seconds later.
    """

    def __init__(
        self,
        segments: Sequence[Segment],
        *,
        processes: int | None = None,
        new_histogram: NewHistogram | None = None,
    ) -> None:
        new = new_histogram or in_use().new_histogram
        self._schedule = Schedule(segments)
        self._histograms = {name: new(digits=HISTOGRAM_DIGITS) for name in HISTOGRAMS}
        self._series = Series(self._asked_upto, lambda: new(digits=HISTOGRAM_DIGITS), processes=processes)
        self._counts = Counts()
        self._kinds: dict[str, KindSeen] = {}
        self._changes: list[StateChange] = []
        self.limits: dict[str, int] = {}
        self.never_sent_by_reason: dict[str, int] = {}
        self.unanswered = 0
        self.state_changes = 0

    def __repr__(self) -> str:
        return f"Recording({self._counts.answered} answered, {self._series})"

    def add(self, packet: bytes) -> None:
        """Add a cell; WireError where it is none."""
        cell = decode_cell(packet)
        histograms = {name: decode_counted(data) for name, data in cell.histograms.items()}
        try:
            for name, counted in histograms.items():
                self._histograms[name].add_counted(counted)
        except ValueError as error:
            raise WireError(f"a cell of second {cell.second} with a wrong histogram: {error}") from error
        self._counts.add(cell.counts)
        self._add_names(cell)
        self._series.add(cell)

    def never_sent(self, reason: str, count: int) -> None:
        """Count requests that were due and were not sent."""
        _add_name(self.never_sent_by_reason, reason, count, KINDS_MAX)

    def finish(self, stopped_ns: int) -> None:
        """Close the record of a run that was stopped then, or over: what is missing is told as lost."""
        self._series.finish(stopped_ns)
        counted = self._counts.answered + self.unanswered + sum(self.never_sent_by_reason.values())
        lost = self._asked_upto(stopped_ns) - counted
        if lost > 0:
            self.never_sent(LOST, lost)

    def totals(self, now_ns: int) -> Totals:
        """Return the indicators, as of `now_ns` from the start."""
        counts, asked = self._counts, self._asked_upto(now_ns)
        duration_s = min(now_ns, self._schedule.duration_ns or now_ns) / SECOND_NS
        per_s = 1 / duration_s if duration_s else 0.0
        without_success = counts.answered - counts.successes + self.unanswered
        return Totals(
            duration_s=duration_s,
            asked=asked,
            begun=counts.begun,
            answered=counts.answered,
            successes=counts.successes,
            failures=counts.failures,
            limited=counts.limited,
            rejected=counts.rejected,
            unanswered=self.unanswered,
            never_sent=sum(self.never_sent_by_reason.values()),
            rate_asked_per_s=asked * per_s,
            rate_begun_per_s=counts.begun * per_s,
            rate_answered_per_s=counts.answered * per_s,
            rate_success_per_s=counts.successes * per_s,
            error_share=without_success / max(1, counts.answered + self.unanswered),
            bytes_in=counts.bytes_in,
            bytes_out=counts.bytes_out,
            state_changes=self.state_changes,
            response=self._latency(RESPONSE, counts.response_ns_sum),
            service=self._latency(SERVICE, counts.service_ns_sum),
            failed=self._latency(FAILED, counts.failed_ns_sum),
            schedule_error=self._latency(SCHEDULE_ERROR, counts.schedule_error_ns_sum),
            worker_wait=self._latency(WORKER_WAIT, counts.worker_wait_ns_sum),
        )

    def points(self) -> list[Point]:
        """Return the points of the seconds that are closed, oldest first."""
        return self._series.points()

    def rates(self) -> tuple[float, float]:
        """Return how many requests a second were asked for and answered, over the seconds that are closed.

        What is recorded comes a second late: over the time so far a rate would be too low.
        """
        closed_ns = self._series.closed_ns
        if not closed_ns:
            return 0.0, 0.0
        per_s = SECOND_NS / closed_ns
        return self._asked_upto(closed_ns) * per_s, self._series.closed_answered * per_s

    def newest(self) -> Point | None:
        """Return the last point that is closed."""
        return self._series.newest()

    def errors(self) -> list[ErrorKind]:
        """Return the kinds of failures, the most frequent first."""
        rows = [
            ErrorKind(kind=kind, count=seen.count, first_s=seen.first_ns / SECOND_NS, example=seen.example)
            for kind, seen in self._kinds.items()
        ]
        return sorted(rows, key=lambda row: (-row.count, row.kind))

    def changes(self) -> list[StateChange]:
        """Return the breakers' changes, the first `CHANGES_MAX` that came, in order of time."""
        return sorted(self._changes, key=lambda change: change.at_ns)

    def distribution(self, name: str = RESPONSE) -> list[tuple[float, float]]:
        """Return pairs of a share of successes and the milliseconds they don't exceed."""
        found = self._histograms[name].percentiles(DISTRIBUTION_SHARES)
        values = found or []
        return [(share, value / _MS) for share, value in zip(DISTRIBUTION_SHARES, values, strict=False)]

    def buckets(self, count: int, name: str = RESPONSE) -> list[tuple[float, int]]:
        """Return buckets that grow from the least latency to the greatest: up to how many ms, how many."""
        histogram = self._histograms[name]
        if histogram.least is None or histogram.greatest is None:
            return []
        least, greatest = max(histogram.least, 1), max(histogram.greatest, 1)
        growth = (greatest / least) ** (1 / count)
        edges = [*(int(least * growth**place) for place in range(1, count)), greatest]
        upto = histogram.counts_within(edges)
        return [
            (edge / _MS, within - before)
            for edge, within, before in zip(edges, upto, [0, *upto], strict=False)
        ]

    def _asked_upto(self, now_ns: int) -> int:
        """Return how many requests were due before a moment."""
        return self._schedule.whole_due(now_ns - 1)

    def _add_names(self, cell: Cell) -> None:
        for kind, seen in cell.kinds.items():
            name = kind if kind in self._kinds or len(self._kinds) < KINDS_MAX else OTHER
            known = self._kinds.setdefault(name, KindSeen(0, seen.first_ns, seen.example))
            if seen.first_ns < known.first_ns:
                known.first_ns, known.example = seen.first_ns, seen.example
            known.count += seen.count
        for limit, count in cell.limits.items():
            _add_name(self.limits, limit, count, LIMITS_MAX)
        for reason, count in cell.never_sent.items():
            self.never_sent(reason, count)
        self.unanswered += cell.unanswered
        self.state_changes += len(cell.changes) + cell.changes_dropped
        self._changes += cell.changes[: max(0, CHANGES_MAX - len(self._changes))]

    def _latency(self, name: str, sum_ns: int) -> Latency | None:
        histogram = self._histograms[name]
        found = histogram.percentiles(_SHARES)
        if found is None:
            return None
        count = len(histogram)
        p50, p90, p95, p99, p99_9 = (value / _MS for value in found)
        return Latency(
            count=count,
            ms_min=_extreme_ms(histogram.least),
            ms_mean=sum_ns / count / _MS,
            ms_p50=p50,
            ms_p90=p90,
            ms_p95=p95,
            ms_p99=p99,
            ms_p99_9=p99_9,
            ms_max=_extreme_ms(histogram.greatest),
        )


def _extreme_ms(value_ns: int | None) -> float:
    return (value_ns or 0) / _MS


def _add_name(known: dict[str, int], name: str, count: int, most: int) -> None:
    """Count under a name, or under OTHER where there are enough names already."""
    kept = name if name in known or len(known) < most else OTHER
    known[kept] = known.get(kept, 0) + count
