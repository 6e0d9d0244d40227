"""Recording values beside hdrhistogram, both at 3 significant digits and up to an hour in nanoseconds.

    python -m tests.bench.bench_histogram [--rounds N]

Values are times, log-normal around 60 µs. All keep counts by bucket of the same width, the least and the
greatest value; hdrhistogram keeps their number too. The batch row takes values that stand in one array of
64-bit numbers already; the row above it puts them there one by one first. The last row is what the loop and
the cheapest call of a builtin take. A percentile of each is printed, so that all can be seen to count alike.
"""

from __future__ import annotations

import argparse
import random
from array import array
from collections.abc import Callable
from functools import partial

from hdrh.histogram import HdrHistogram

from sprint.core.kernels.histogram import HOUR_NS, PlainHistogram
from sprint.core.kernels.histogram_compiled import CompiledHistogram
from tests.bench.figures import environment
from tests.bench.side_by_side import Run, lines, measure, tell_ratio, timed

VALUES = 20_000
SHARES = (0.5, 0.99, 1.0)


def one_by_one(values: list[int], record: Callable[[int], object]) -> Run:
    def work() -> None:
        for value in values:
            record(value)

    return lambda _: timed(work, VALUES)


def in_one_piece(values: list[int], histogram: PlainHistogram) -> Run:
    packed = array("q", values)
    return lambda _: timed(partial(histogram.record_many, packed), VALUES)


def packed_first(values: list[int], histogram: PlainHistogram) -> Run:
    def work() -> None:
        packed = array("q")
        append = packed.append
        for value in values:
            append(value)
        histogram.record_many(packed)

    return lambda _: timed(work, VALUES)


def main() -> None:
    parser = argparse.ArgumentParser(description="Benchmark of the histogram beside hdrhistogram")
    parser.add_argument("--rounds", type=int, default=31)
    options = parser.parse_args()
    rng = random.Random(1)
    values = [int(rng.lognormvariate(11, 1.5)) + 1 for _ in range(VALUES)]
    peer, plain = HdrHistogram(1, HOUR_NS, 3), PlainHistogram()
    by_builtin, by_call = CompiledHistogram(by_builtin=True), CompiledHistogram(by_builtin=False)
    runs: dict[str, Run] = {
        "hdrhistogram record_value": one_by_one(values, peer.record_value),
        "reference": one_by_one(values, plain.record),
        "compiled, by builtin": one_by_one(values, by_builtin.record),
        "compiled, by numba's dispatcher": one_by_one(values, by_call.record),
        "compiled, array.append, then a batch": packed_first(values, CompiledHistogram()),
        "compiled, a batch of 20,000": in_one_piece(values, CompiledHistogram()),
        "list.append (the loop and a builtin's call)": lambda _: timed(partial(_append_all, values), VALUES),
    }
    print(environment())
    taken = measure(runs, options.rounds)
    print(*lines(taken), sep="\n")
    tell_ratio("histogram record / hdrhistogram", taken, "compiled, by builtin", "hdrhistogram record_value")
    theirs = [int(peer.get_value_at_percentile(100 * share)) for share in SHARES]
    print(f"\np50, p99, greatest: hdrhistogram {theirs}, compiled {by_builtin.percentiles(SHARES)}")
    print(f"memory of the counts: {by_builtin.size_bytes:,} bytes")


def _append_all(values: list[int]) -> None:
    kept: list[int] = []
    append = kept.append
    for value in values:
        append(value)


if __name__ == "__main__":
    main()
