"""A gc-heavy relay at `basic` and at each higher level, in one run: longest pause, p99 and p99.9 under load.

    python -m tests.bench.bench_optimize [--levels LEVEL…] [--heaps HEAP…] [--seconds S] [--rounds N] …

Each CPU has a busy process. Rounds go A B B A: `basic`, which leaves all as it is, and the level; a level's
relay is started for its two rounds and ended after them, as part of what it sets is the whole host's. A
block is due every 25 ms; its latency is from then to its event at a subscriber. The seeds say 1.5 to 5 times
for their levels, over nothing. Last, how long it takes to apply each kind of setting to this process.
"""

from __future__ import annotations

import argparse
import gc
import os
import tempfile
import time
from contextlib import ExitStack
from itertools import count, product
from pathlib import Path

from sprint.core.optimize.levels import LEVELS, LevelName
from sprint.core.optimize.plan import plan
from sprint.core.optimize.setting import Setting
from sprint.core.optimize.verdict import ROUNDS_MIN, compare, in_words
from sprint.tools.optimize.applying import Target, apply
from sprint.tools.optimize.bench.load import CpuLoad
from sprint.tools.optimize.facts import read_facts
from tests.bench.figures import environment, median, percentile, row_ms
from tests.bench.optimize_scene import HEAPS, GcHeavyRelay, Heard
from tests.bench.rows import skip, tell

LOAD_SPARE_S = 60.0
SEEDS_CLAIM = {"basic": 1.5, "standard": 2.0, "aggressive": 3.0, "enterprise": 4.0, "turbo": 5.0}
SHARES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}
# What the seeds call each feature, and the settings that are it.
APPLY_ROWS = {
    "pinning": ("cpu_affinity",),
    "memory lock": ("memory_lock",),
    "real time": ("realtime_guard", "scheduler"),
    "NUMA": ("numa_policy",),
    "latency": ("timer_slack", "cpu_dma_latency", "sysctl:net.core.busy_poll", "sysctl:net.core.busy_read"),
}


def main() -> None:
    options = arguments()
    print(environment())
    # This process is the subscriber: its own collector would be in both sides' figures.
    gc.disable()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sprint-bench-")))
        for heap, level in product(options.heaps, options.levels):
            if heap == "churn" or level == "turbo":
                place = folder / f"{level}-{heap}"
                print_level(level, heap, *measure(level, heap, place, options.seconds, options.rounds))
    print_applies(options.applies)
    print(environment())


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="What a level gains, and how long it takes to apply")
    parser.add_argument(
        "--levels", nargs="+", choices=LEVELS, default=["standard", "aggressive", "enterprise", "turbo"]
    )
    parser.add_argument("--heaps", nargs="+", choices=HEAPS, default=list(HEAPS), help="beyond churn: turbo")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=2, help="of A B B A")
    parser.add_argument("--applies", type=int, default=50)
    return parser.parse_args()


def measure(
    level: LevelName, heap: str, folder: Path, seconds: float, rounds: int
) -> tuple[list[Heard], list[Heard]]:
    """Return what was heard at `basic` and at the level, round by round."""
    basic: list[Heard] = []
    tuned: list[Heard] = []
    numbers = count()
    for _ in range(rounds):
        with GcHeavyRelay("basic", folder / str(next(numbers)), HEAPS[heap]) as before:
            basic.append(hear(before, seconds))
            with GcHeavyRelay(level, folder / str(next(numbers)), HEAPS[heap]) as after:
                tuned += [hear(after, seconds) for _ in range(2)]
                print(f"{level}: {after.resident_mb():.0f} MB, basic {before.resident_mb():.0f} MB resident")
            basic.append(hear(before, seconds))
            if not before.has_priority:
                print("node and subscriber could not run before the load: figures hold their delays too")
    return basic, tuned


def hear(relay: GcHeavyRelay, seconds: float) -> Heard:
    with CpuLoad(os.cpu_count() or 1, seconds + LOAD_SPARE_S):
        return relay.hear(seconds)


def print_level(level: LevelName, heap: str, basic: list[Heard], tuned: list[Heard]) -> None:
    before, after = ([each for heard in side for each in heard.latencies_s] for side in (basic, tuned))
    print(f"\nheap {heap}: {HEAPS[heap].at_start:,} objects at the start, {HEAPS[heap].later:,} later")
    print(f"{row_ms('event latency, basic', before)}\n{row_ms(f'event latency, {level}', after)}")
    ratios = {}
    for name, share in SHARES.items():
        one, other = (1000 * percentile(side, share) for side in (before, after))
        ratios[name] = one / other
        print(f"    {name:6} {one:9.3f} {other:9.3f} ms  {one / other:.2f} times shorter")
    print_shares(level, basic, tuned)
    pauses = [[1000 * max(heard.pauses_s, default=0.0) for heard in side] for side in (basic, tuned)]
    longest = [max(side) for side in pauses]
    print(f"    longest pause of each round, ms: basic {_texts(pauses[0])}; {level} {_texts(pauses[1])}")
    print(f"    rounds of the collector: {_counts(basic)} at basic, {_counts(tuned)} at {level}")
    claim = SEEDS_CLAIM[level]
    print(f"    the seeds say {claim:g} times for {level}; p99 here {ratios['p99']:.2f}")
    if level == "turbo" and heap == "churn":
        ours, peer = f"{longest[1]:.2f} ms", f"{longest[0]:.1f} ms"
        tell(
            "gc-heavy relay, longest pause, basic / turbo",
            longest[0] / max(longest[1], 0.001),
            ours=ours,
            peer=peer,
        )
        for name in ("p99", "p99.9"):
            one, other = (1000 * percentile(side, SHARES[name]) for side in (before, after))
            row = f"gc-heavy relay, event latency {name}, basic / turbo"
            tell(row, ratios[name], ours=f"{other:.2f} ms", peer=f"{one:.2f} ms")


def print_shares(level: LevelName, basic: list[Heard], tuned: list[Heard]) -> None:
    """Say how sure each ratio is, from the rounds: one figure of each."""
    for name, share in SHARES.items():
        rounds = [[percentile(heard.latencies_s, share) for heard in side] for side in (basic, tuned)]
        if len(rounds[0]) >= ROUNDS_MIN:
            change = compare(*rounds)
            print(f"    {name:6} of {level} over {len(rounds[0])} rounds of each side: {in_words(change)}")


def _texts(values: list[float]) -> str:
    return ", ".join(f"{value:.2f}" for value in values)


def _counts(side: list[Heard]) -> int:
    return sum(len(heard.pauses_s) for heard in side)


def print_applies(times: int) -> None:
    """Apply the settings of each kind to this process alone, and restore them, so many times."""
    facts = read_facts()
    planned = {setting.key: setting for setting in plan(LEVELS["turbo"].fields, facts)}
    print(f"\napplied, read back and restored {times} times, ms to apply alone:")
    for name, keys in APPLY_ROWS.items():
        settings = [planned[key] for key in keys if key in planned and not planned[key].unsupported]
        if settings:
            print_apply(name, settings, times)
        else:
            skip(f"apply: {name}", next(planned[key].unsupported for key in keys if key in planned))


def print_apply(name: str, settings: list[Setting], times: int) -> None:
    took = []
    states: set[tuple[str, str]] = set()
    with tempfile.TemporaryDirectory(prefix="sprint-bench-") as folder:
        for _ in range(times):
            began = time.perf_counter()
            applied = apply(
                settings, target=Target.of_self(), journal_folder=Path(folder), clock=time.monotonic
            )
            took.append(1000 * (time.perf_counter() - began))
            states |= {(outcome.setting.key, outcome.state) for outcome in applied.outcomes}
            applied.restore()
    print(f"{name:14} p50 {median(took):8.3f}  max {max(took):8.3f}  {sorted(states)}")
    if {state for _, state in states} == {"applied"}:
        tell(f"apply: {name}", max(took), ours=f"{max(took):.2f} ms, the longest of {times}")
    else:
        skip(
            f"apply: {name}",
            f"not applied here: {', '.join(key for key, state in sorted(states) if state != 'applied')}",
        )


if __name__ == "__main__":
    main()
