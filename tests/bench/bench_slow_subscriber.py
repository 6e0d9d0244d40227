"""What one subscriber that stops reading costs the relay and the 99 others.

    python -m tests.bench.bench_slow_subscriber [--rounds N] [--round-s S] [--interval-ms MS]

A devnet node mines by its clock, in a process of its own, and so does each other part. Rounds alternate:
all 100 read, then one stalls; in every second of these it reads again once it is closed, and what had been
queued is counted; in the others it never reads and is reset. Latency is from the node's announcement, as a
bare socket reads it, to the block event at each of the 99.
"""

from __future__ import annotations

import argparse
import tempfile
from contextlib import ExitStack
from pathlib import Path

from sprint.tools.net import SEND_BUFFER_SIZE
from sprint.tools.web.outgoing import BYTES_MAX, MESSAGES_MAX
from sprint.tools.web.websocket import CLOSE_TIMEOUT_S
from tests.bench.figures import ROW_HEAD, environment, median, percentile, row_ms
from tests.bench.rows import tell
from tests.integration.slow_subscriber import RETAINED_BLOCKS, Closed, Reading, Scene

DRIFT_GOAL_MB = 5.0
MB = 1 << 20


def main() -> None:
    parser = argparse.ArgumentParser(description="One slow subscriber beside 99")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--round-s", type=float, default=5.0)
    parser.add_argument("--interval-ms", type=float, default=10.0)
    options = parser.parse_args()
    print(environment())
    pairs: list[tuple[Reading, Reading, Closed]] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sprint-bench-")))
        scene = Scene(stack, folder, options.interval_ms)
        scene.read(options.round_s)
        for number in range(options.rounds):
            reading = scene.read(options.round_s)
            stalled, closed = scene.stall(options.round_s, never_read=number % 2 == 1)
            pairs.append((reading, stalled, closed))
    print(f"a block every {options.interval_ms:g} ms, {len(pairs)} pairs of rounds of {options.round_s:g} s")
    print_latencies(pairs)
    print_closes([closed for _, _, closed in pairs])
    print_memory([reading for pair in pairs for reading in pair[:2]])
    print(environment())


def print_latencies(pairs: list[tuple[Reading, Reading, Closed]]) -> None:
    print(f"\n{ROW_HEAD}")
    factors = []
    for reading, stalled, _ in pairs:
        print(row_ms("all 100 read", reading.latencies_s))
        print(row_ms("one stalled, the other 99", stalled.latencies_s))
        factors.append(percentile(stalled.latencies_s, 0.99) / percentile(reading.latencies_s, 0.99))
    faults = sum(reading.faults + stalled.faults for reading, stalled, _ in pairs)
    print(f"events lost or out of order at the 99: {faults}")
    shown = ", ".join(f"{factor:.2f}" for factor in factors)
    print(f"p99 of the 99, stalled to all reading: {shown}")
    tell("p99 of 99 with one stalled / with none", median(factors), ours=f"{len(factors)} pairs of rounds")


def print_closes(closes: list[Closed]) -> None:
    print(
        f"\nlimits: {MESSAGES_MAX} messages, {BYTES_MAX} bytes with the socket's {SEND_BUFFER_SIZE}; "
        f"reset {CLOSE_TIMEOUT_S:g} s after that"
    )
    for closed in closes:
        how = f"closed {closed.after_s:.1f} s after it stopped reading"
        if closed.held_messages is None:
            print(f"{how}; never read: reset {closed.reset_after_s:.2f} s later")
        else:
            print(
                f"{how}, code {closed.code}: the relay held {closed.held_messages} messages, "
                f"{closed.held_bytes} bytes; with what lay in the sockets {closed.messages} messages, "
                f"{closed.size_bytes} bytes were queued, all in order"
            )


def print_memory(readings: list[Reading]) -> None:
    resident = [reading.resident_bytes / MB for reading in readings]
    drift = max(resident) - min(resident)
    print(
        f"\nresident memory of the relay after each round, its tree kept at {RETAINED_BLOCKS} blocks: "
        f"{', '.join(f'{part:.1f}' for part in resident)} MB; drift {drift:.1f} MB, goal {DRIFT_GOAL_MB:g}"
    )


if __name__ == "__main__":
    main()
