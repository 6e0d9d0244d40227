"""What a generator records while it runs: constant memory, and one cell a second for whoever merges.

All moments are nanoseconds from the start of the run, by the one monotonic clock that all processes share.
Response time counts from the moment a request was scheduled, service time from the moment it was sent: where
the target stalls, the first shows it and the second doesn't. Only successes are in these two; failures have a
histogram of their own, so that answers that fail fast don't flatter the percentiles.

For each request `began` is called when the generator comes to it, then exactly one of `succeeded`, `failed`,
`limited` and `rejected`. What never got there is told at the end by `never_sent` and `unanswered`.

What comes with every request waits to be counted with others, until its cell ends at the latest: a compiled
histogram takes many values at once in a fraction of the time that they take one by one.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Sequence

from sprint.core.duration import SECOND_NS
from sprint.core.kernels import in_use
from sprint.core.kernels.binding import NewHistogram
from sprint.core.kernels.histogram import PlainHistogram
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
    encode_cell,
    encode_counted,
)

KINDS_MAX = 64
LIMITS_MAX = 16
NAME_LENGTH_MAX = 80
EXAMPLE_LENGTH_MAX = 200
OTHER = "other"
CHANGES_MAX = 1_000  # of a cell
BATCH_MAX = (
    128  # values that wait to be counted, of each kind: so many hold the generator up for microseconds
)
CELLS_WAITING_MAX = 600  # beyond it nobody fetches them: then one cell goes on for longer


class Recorder:
    """The record of one generator. It has one owner and no lock.

    `in_flight` is a gauge that the generator may set at any time; each cell takes it as it is at its end.
    """

    def __init__(self, process: int = 0, *, new_histogram: NewHistogram | None = None) -> None:
        new = new_histogram or in_use().new_histogram
        self._histograms = {name: new(digits=HISTOGRAM_DIGITS) for name in HISTOGRAMS}
        # In nanoseconds, not counted yet.
        self._schedule_errors: list[int] = []
        self._responses: list[int] = []
        self._services: list[int] = []
        self._bytes_in = self._bytes_out = 0
        self._record_failed = self._histograms[FAILED].record
        self._record_worker_wait = self._histograms[WORKER_WAIT].record
        self._process = process
        self._second = 0
        self._ends_ns = SECOND_NS
        self._waiting: list[bytes] = []
        self.in_flight = 0
        self._begin_cell()

    def __repr__(self) -> str:
        return f"Recorder(process {self._process}, second {self._second}, {len(self._waiting)} cells waiting)"

    def began(self, scheduled_ns: int, now_ns: int) -> None:
        """Count a request that the generator came to: how late it was is the schedule error."""
        self.began_together([now_ns - scheduled_ns], now_ns)

    def began_together(self, errors_ns: Sequence[int], now_ns: int, bytes_out: int = 0) -> None:
        """Count requests that the generator came to one after the other, the last of them now.

        So many bytes went out for them.
        """
        if now_ns >= self._ends_ns:
            self._turn(now_ns)
        errors = self._schedule_errors
        errors += errors_ns
        self._bytes_out += bytes_out
        if len(errors) >= BATCH_MAX:
            self._count_begun()

    def waited(self, wait_ns: int) -> None:
        """Count how long a request waited for a worker, in addition to its schedule error."""
        self._record_worker_wait(wait_ns)
        self._counts.worker_wait_ns_sum += wait_ns

    def succeeded(self, scheduled_ns: int, sent_ns: int, done_ns: int, bytes_in: int = 0) -> None:
        """Count a request that was answered well."""
        self.succeeded_together([done_ns - scheduled_ns], [done_ns - sent_ns], done_ns, bytes_in)

    def succeeded_together(
        self, responses_ns: Sequence[int], services_ns: Sequence[int], done_ns: int, bytes_in: int
    ) -> None:
        """Count requests that were answered well one after the other, the last of them at `done_ns`.

        All count in the second of the last, also those that came microseconds before it began.
        """
        if done_ns >= self._ends_ns:
            self._turn(done_ns)
        responses = self._responses
        responses += responses_ns
        self._services += services_ns
        self._bytes_in += bytes_in
        if len(responses) >= BATCH_MAX:
            self._count_successes()

    def failed(
        self, kind: str, scheduled_ns: int, done_ns: int, *, example: str = "", bytes_in: int = 0
    ) -> None:
        """Count a request that failed: refused, reset, timeout, 500 and so on, with one example's message."""
        self._without_success(scheduled_ns, done_ns, bytes_in).failures += 1
        self._count_kind(kind, done_ns, example)

    def limited(self, limit: str, scheduled_ns: int, done_ns: int, *, bytes_in: int = 0) -> None:
        """Count an answer 429; `limit` is what the answer says of its limit, in words."""
        self._without_success(scheduled_ns, done_ns, bytes_in).limited += 1
        name = _bounded(limit, self._limits, LIMITS_MAX)
        self._limits[name] = self._limits.get(name, 0) + 1

    def rejected(self, scheduled_ns: int, done_ns: int) -> None:
        """Count a request that a breaker didn't let through."""
        self._without_success(scheduled_ns, done_ns, 0).rejected += 1

    def sent_bytes(self, count: int) -> None:
        """Count bytes that went out."""
        self._bytes_out += count

    def never_sent(self, reason: str, count: int = 1) -> None:
        """Count requests that were due and were not sent."""
        name = _bounded(reason, self._never_sent, KINDS_MAX)
        self._never_sent[name] = self._never_sent.get(name, 0) + count

    def unanswered(self, count: int = 1) -> None:
        """Count requests that were sent and whose answers nobody waits for any more, as the run is over."""
        self._unanswered += count

    def changed(self, change: StateChange) -> None:
        """Note that a breaker came into another state."""
        if len(self._changes) < CHANGES_MAX:
            self._changes.append(change)
        else:
            self._changes_dropped += 1

    def cells(self, now_ns: int, *, last: bool = False) -> list[bytes]:
        """Return the cells of the seconds that are over, oldest first; with `last` the one begun too."""
        if now_ns >= self._ends_ns or last:
            self._turn(max(now_ns, self._ends_ns))
        waiting, self._waiting = self._waiting, []
        return waiting

    def _without_success(self, scheduled_ns: int, done_ns: int, bytes_in: int) -> Counts:
        """Record what every request without success has, and return the counts to count it in."""
        if done_ns >= self._ends_ns:
            self._turn(done_ns)
        counts = self._counts
        counts.bytes_in += bytes_in
        counts.failed_ns_sum += done_ns - scheduled_ns
        self._record_failed(done_ns - scheduled_ns)
        return counts

    def _count_begun(self) -> None:
        counts, errors = self._counts, self._schedule_errors
        counts.begun += len(errors)
        counts.schedule_error_ns_sum += _count_all(self._histograms[SCHEDULE_ERROR], errors)
        counts.bytes_out += self._bytes_out
        self._bytes_out = 0

    def _count_successes(self) -> None:
        counts = self._counts
        counts.successes += len(self._responses)
        counts.response_ns_sum += _count_all(self._histograms[RESPONSE], self._responses)
        counts.service_ns_sum += _count_all(self._histograms[SERVICE], self._services)
        counts.bytes_in += self._bytes_in
        self._bytes_in = 0

    def _count_kind(self, kind: str, done_ns: int, example: str) -> None:
        name = _bounded(kind, self._kinds, KINDS_MAX)
        seen = self._kinds.get(name)
        if seen is None:
            self._kinds[name] = KindSeen(1, done_ns, example[:EXAMPLE_LENGTH_MAX])
        else:
            seen.count += 1

    def _turn(self, now_ns: int) -> None:
        """Close the cell and begin that of `now_ns`; go on with it for longer where nobody fetches cells."""
        if len(self._waiting) < CELLS_WAITING_MAX:
            self._waiting.append(encode_cell(self._cell()))
            self._second = now_ns // SECOND_NS
            self._begin_cell()
        self._ends_ns = (now_ns // SECOND_NS + 1) * SECOND_NS

    def _cell(self) -> Cell:
        self._count_begun()
        self._count_successes()
        counted = {name: histogram.counted() for name, histogram in self._histograms.items()}
        return Cell(
            process=self._process,
            second=self._second,
            in_flight=self.in_flight,
            counts=self._counts,
            kinds=self._kinds,
            limits=self._limits,
            never_sent=self._never_sent,
            unanswered=self._unanswered,
            changes=self._changes,
            changes_dropped=self._changes_dropped,
            histograms={name: encode_counted(each) for name, each in counted.items() if each is not None},
        )

    def _begin_cell(self) -> None:
        for histogram in self._histograms.values():
            histogram.clear()
        self._counts = Counts()
        self._kinds: dict[str, KindSeen] = {}
        self._limits: dict[str, int] = {}
        self._never_sent: dict[str, int] = {}
        self._unanswered = 0
        self._changes: list[StateChange] = []
        self._changes_dropped = 0


def _count_all(histogram: PlainHistogram, values: list[int]) -> int:
    """Count values that waited, and forget them; return their sum."""
    histogram.record_many(array("q", values))
    total = sum(values)
    values.clear()
    return total


def _bounded(name: str, known: Collection[str], most: int) -> str:
    """Return the name to count under: shortened, or OTHER where there are enough names already."""
    short = name[:NAME_LENGTH_MAX]
    return short if short in known or len(known) < most else OTHER
