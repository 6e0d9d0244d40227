"""Ten thousand WebSocket subscribers of one relay, held, with how late each had what the first one had.

    python -m tests.bench.bench_subscribers [--connections N] [--seconds N]

`sprint cb-loadtest --target demo` holds them: an embedded relay on its devnet, in a process of its own, gives
a block every second or so, and one generator has all connections. Generator and relay share the machine. A
delivery's time counts from when the first connection had the same event, as the event itself doesn't say when
it was sent. Memory is that of the largest process, CPU that of all.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from typing import Any

from sprint.tools.loadtest.descriptors import RESERVED
from sprint.tools.loadtest.working import SOCKETS_OF_A_RELAY
from tests.bench.figures import environment
from tests.bench.rows import skip, tell

COMMAND = (sys.executable, "-m", "sprint.cli.main", "cb-loadtest", "--target", "demo", "--json", "--quiet")
HELD = "WebSocket subscribers held to the end"
LATE_P50 = "deliveries after the first subscriber's, p50"
LATE_P99 = "deliveries after the first subscriber's, p99"
LOST = "WebSocket subscribers lost"
ROWS = (HELD, LATE_P50, LATE_P99, LOST)


def main() -> int:
    parser = argparse.ArgumentParser(description="Benchmark of many subscribers")
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--seconds", type=int, default=90)
    options = parser.parse_args()
    print(environment())
    missing = raise_limit(options.connections + RESERVED + SOCKETS_OF_A_RELAY)
    if missing:
        print(missing)
        for name in ROWS:
            skip(name, missing)
        return 0
    command = [*COMMAND, "--connections", str(options.connections), "--duration", f"{options.seconds}s"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if not done.stdout:
        print("cb-loadtest made no report; run it by hand to see why: " + " ".join(command[1:]))
        return 1
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    show(json.loads(done.stdout), used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
    print(environment())
    return 0


def raise_limit(needed: int) -> str:
    """Have so many open files, here and in what is started from here; return what is missing."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = needed if hard == resource.RLIM_INFINITY else max(needed, hard)
    if soft != resource.RLIM_INFINITY and soft < needed:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (needed, wanted))
        except (OSError, ValueError):
            return f"{needed} open files are needed, the soft limit is {soft} and the hard one {hard}"
    now = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    print(f"open files: soft limit {soft}, hard limit {hard}; {needed} needed, {now} had")
    return ""


def show(report: dict[str, Any], cpu_s: float, memory_mb: float) -> None:
    """Print what was found, with the rows of the summary."""
    totals, response = report["totals"], report["totals"]["response"]
    print(*report["notes"], sep="\n")
    print(f"{totals['successes']:,} deliveries in {totals['duration_s']:.3g} s, {totals['bytes_in']:,} bytes")
    for row in report["errors"]:
        print(f"{row['count']:,} {row['kind']}, the first after {row['first_s']:.3g} s: {row['example']}")
    print(f"CPU {cpu_s:.1f} s of all processes, the largest has {memory_mb:.0f} MB")
    lost = sum(row["count"] for row in report["errors"])
    asked = int(report["asked"]["options"]["connections"])
    held = asked - lost
    tell(HELD, held, ours=f"{held:,} of {asked:,}")
    tell(LOST, lost, ours=f"{lost:,} connections")
    if response is None:
        skip(LATE_P50, "nothing was delivered")
        skip(LATE_P99, "nothing was delivered")
        return
    print("ms after the first: " + ", ".join(f"{name} {value:,.4g}" for name, value in response.items()))
    tell(LATE_P50, response["ms_p50"], ours=f"{response['ms_p50']:.1f} ms")
    tell(LATE_P99, response["ms_p99"], ours=f"{response['ms_p99']:.1f} ms")


if __name__ == "__main__":
    sys.exit(main())
