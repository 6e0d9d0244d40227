"""A guarded call of a closed breaker beside the breakers of others, and what ours costs besides.

    python -m tests.bench.bench_breaker [--rounds N] [--calls N]

Every breaker guards a function that returns at once, each by the way its documentation shows first. Ours
has everything on: time window, percentiles, adaptive threshold, latency, health, recovery, prediction;
interlock has a time window of the same length. pybreaker, circuitbreaker, purgatory and aiobreaker count
failures and keep no window. Time is that of the thread.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial

import aiobreaker
import circuitbreaker
import interlock
import psutil
import purgatory
import pybreaker

from sprint.core.breaker.policy import Policy
from sprint.core.breaker.transitions import Transition
from sprint.core.errors import CircuitOpenError
from sprint.tools.breaker import CircuitBreaker, packaged_policies
from tests.bench.figures import environment, median
from tests.bench.rows import tell
from tests.bench.side_by_side import Run, Taken, lines, measure, ratios, shown_ns, timed

CALLS = 20_000
AWAITED = 5_000
BREAKERS = 10_000
TRIPS = 2_000
OURS = "ours, breaker.call, everything on"
WINDOW_S = 30


def answer() -> int:
    return 1


async def answer_later() -> int:
    return 1


def everything_on() -> Policy:
    return packaged_policies({"turbo": {"prediction": {"enabled": True}}})["turbo"]


def repeated(call: Callable[[], object]) -> Run:
    def work() -> None:
        for _ in range(CALLS):
            call()

    return lambda _: timed(work, CALLS)


def awaited(call: Callable[[], Awaitable[object]]) -> Run:
    async def work() -> float:
        begun = time.thread_time_ns()
        for _ in range(AWAITED):
            await call()
        return (time.thread_time_ns() - begun) / AWAITED

    return lambda _: asyncio.run(work())


def interlocked() -> interlock.CircuitBreaker:
    config = interlock.Config(window_type=interlock.WindowType.TIME_BASED, window_size=WINDOW_S)
    return interlock.CircuitBreaker(name="peer", config=config)


def sync_runs() -> dict[str, Run]:
    ours, decorating = (CircuitBreaker("ours", everything_on()) for _ in range(2))

    def in_a_block() -> int:
        with ours:
            return answer()

    purgatories = purgatory.SyncCircuitBreakerFactory()
    return {
        OURS: repeated(partial(ours.call, answer)),
        "ours, @breaker": repeated(decorating(answer)),
        "ours, with breaker": repeated(in_a_block),
        "ours, admit and permit.success": repeated(lambda: ours.admit().success(0.001)),
        "pybreaker": repeated(partial(pybreaker.CircuitBreaker().call, answer)),
        "circuitbreaker (no window)": repeated(circuitbreaker.circuit(answer)),
        "purgatory": repeated(purgatories("peer")(answer)),
        "interlock-cb": repeated(partial(interlocked().call_sync, answer)),
        "no breaker": repeated(answer),
    }


def async_runs() -> dict[str, Run]:
    ours = CircuitBreaker("ours", everything_on())
    purgatories = purgatory.AsyncCircuitBreakerFactory()
    return {
        "ours, await breaker.call": awaited(partial(ours.call, answer_later)),
        "aiobreaker": awaited(partial(aiobreaker.CircuitBreaker().call_async, answer_later)),
        "purgatory": awaited(purgatories("peer")(answer_later)),
        "interlock-cb": awaited(partial(interlocked().call_async, answer_later)),
        "no breaker": awaited(answer_later),
    }


def tell_targets(taken: Taken, later: Taken) -> None:
    ours = shown_ns(median(taken[OURS]))
    tell("guarded call, closed, everything on", median(taken[OURS]) / 1000, ours=ours)
    for peer in ("pybreaker", "interlock-cb", "circuitbreaker (no window)"):
        name = f"guarded call / {peer.split(' ', 1)[0]}"
        tell(name, median(ratios(taken, OURS, peer)), ours=ours, peer=shown_ns(median(taken[peer])))
    ours = shown_ns(median(later["ours, await breaker.call"]))
    peer = shown_ns(median(later["aiobreaker"]))
    ratio = median(ratios(later, "ours, await breaker.call", "aiobreaker"))
    tell("guarded await / aiobreaker", ratio, ours=ours, peer=peer)


def trip_us() -> float:
    """Time of the outcome that opens a breaker whose window is full: recording, detectors, transition."""
    policy, taken = everything_on(), []
    for _ in range(TRIPS):
        breaker = CircuitBreaker("ours", policy)
        for _ in range(50):
            breaker.call(answer)
        for _ in range((policy.failures_to_open or 1) - 1):
            breaker.admit().failure()
        taken.append(timed(breaker.admit().failure, 1) / 1000)
        if breaker.state != "open":
            raise SystemExit("the last failure did not open it")
    return median(taken)


def transition_us() -> float:
    """Time of one transition alone, by an operator's word, until a listener has been told."""
    breaker, taken = CircuitBreaker("ours", everything_on()), []
    told: list[Transition] = []
    breaker.listen(told.append)
    for _ in range(TRIPS):
        taken.append(timed(breaker.force_open, 1) / 1000)
        breaker.release()
    if len(told) != 2 * TRIPS:
        raise SystemExit(f"{2 * TRIPS} transitions made, told of {len(told)}")
    return median(taken)


def refused(breaker: CircuitBreaker) -> None:
    try:
        breaker.call(answer)
    except CircuitOpenError:
        return
    raise SystemExit("an open breaker let a call through")


def many_breakers_kb() -> float:
    """Resident memory of a breaker that has been used in every bucket of its window, in KB."""
    now = 0.0
    policy = everything_on()
    before = psutil.Process().memory_info().rss
    breakers = [CircuitBreaker(f"node-{number}", policy, clock=lambda: now) for number in range(BREAKERS)]
    for second in range(WINDOW_S):
        now = float(second)
        for breaker in breakers:
            breaker.call(answer)
            breaker.admit().success(0.001 * second)
    for breaker in breakers:
        breaker.explain()
    return (psutil.Process().memory_info().rss - before) / 1024 / len(breakers)


def drift_mb(calls: int) -> float:
    """Growth of the resident memory over so many calls, of which one in a thousand fails, in MB."""
    breaker = CircuitBreaker("ours", everything_on())
    rounds, each = 10, calls // 10

    def fails() -> None:
        raise ValueError

    def work() -> None:
        for number in range(each):
            if number % 1_000:
                breaker.call(answer)
            else:
                try:
                    breaker.call(fails)
                except ValueError:
                    continue

    work()
    before = psutil.Process().memory_info().rss
    for _ in range(rounds - 1):
        work()
    counted = breaker.explain().totals
    if counted["success"] + counted["failure"] != rounds * each:
        raise SystemExit(f"{rounds * each} calls made, counted {counted}")
    return (psutil.Process().memory_info().rss - before) / 1_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description="Benchmark of a guarded call beside other breakers")
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--calls", type=int, default=10_000_000)
    options = parser.parse_args()
    print(environment())
    taken, later = measure(sync_runs(), options.rounds), measure(async_runs(), options.rounds)
    print("a guarded call", *lines(taken), "\na guarded await", *lines(later), sep="\n")
    opened = CircuitBreaker("ours", everything_on())
    opened.force_open()
    rejected = median([repeated(partial(refused, opened))(number) for number in range(5)])
    print(f"\na refused call, with its exception: {shown_ns(rejected)}\n")
    tell_targets(taken, later)
    tell("the call that opens a breaker", trip_us(), ours="recording, detectors, transition")
    tell("a transition", transition_us(), ours="until the listener is told")
    tell("memory of a breaker, of 10,000", many_breakers_kb(), ours="resident, all buckets used")
    tell("drift of memory over the calls", drift_mb(options.calls), ours=f"{options.calls:,} calls")


if __name__ == "__main__":
    main()
