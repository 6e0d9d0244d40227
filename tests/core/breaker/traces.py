"""Outages to hold breakers against: calls that arrive as planned, each with the outcome that it would have.

A trace is made of a seed alone. Ten calls a second arrive by chance (exponential gaps) for ten minutes at a
callee that answers in 20 ms (median of a log-normal, sigma 0.4) and fails once in two hundred. Two blips of 2
to 12 failures in a row and two pauses of up to 1.5 s, which calls wait for the end of, are no outage. One of
these is, for 90 to 150 seconds:

    hard fail   every call is refused within 2 ms
    brown-out   six of ten fail after a second, the others take five times as long
    slow        none fails, all take twenty times as long
    flapping    10 s of hard fail and 10 s of health in turn
    partial     three of ten fail, as with one dead server behind a balancer
    recovery    a hard fail whose share of failures then falls in a straight line over its last 60 s
    creeping    the other way round: the share of failures rises in a straight line over its first 60 s
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple

CALLS_PER_S = 10.0
TRACE_S = 600.0
LATENCY_MEDIAN_S = 0.02
LATENCY_SIGMA = 0.4
FAILURE_SHARE = 0.005
BLIP_CALLS = (2, 12)
PAUSE_S = (0.3, 1.5)
OUTAGE_FROM_S, OUTAGE_UNTIL_S = (180.0, 240.0)  # when it begins
OUTAGE_S = (90.0, 150.0)
REFUSED_S, TIMED_OUT_S = 0.002, 1.0
BROWN_OUT_SHARE, BROWN_OUT_FACTOR = 0.6, 5.0
SLOW_FACTOR = 20.0
FLAP_S = 10.0
PARTIAL_SHARE = 0.3
RECOVERING_S = CREEPING_S = 60.0


class Arrival(NamedTuple):
    """One planned call: when it comes, whether it would fail, how long it would take."""

    at: float
    fails: bool
    latency_s: float
    hurt: bool  # by the outage: it fails or is slow because of it


class Trace(NamedTuple):
    """The calls of one run, and from when to when the callee was out."""

    kind: str
    seed: int
    arrivals: tuple[Arrival, ...]
    outage: tuple[float, float]


# What becomes of a call within an outage: (fails, latency, hurt), from its random numbers, the time since the
# outage began and the time until it ends.
_Fate = Callable[[random.Random, float, float, float], tuple[bool, float, bool]]


def trace(kind: str, seed: int) -> Trace:
    """Return the trace of one kind; the same for the same seed."""
    rng = random.Random(f"{kind} {seed}")
    begins = rng.uniform(OUTAGE_FROM_S, OUTAGE_UNTIL_S)
    ends = begins + rng.uniform(*OUTAGE_S)
    blips, pauses = (_one_before_and_one_after(rng, begins, ends) for _ in range(2))
    blip_calls_left, pause_ends = 0, 0.0
    arrivals = []
    at = rng.expovariate(CALLS_PER_S)
    while at < TRACE_S:
        latency_s = rng.lognormvariate(0.0, LATENCY_SIGMA) * LATENCY_MEDIAN_S
        fails, hurt = rng.random() < FAILURE_SHARE, False
        if blips and at >= blips[0]:
            blips.pop(0)
            blip_calls_left = rng.randint(*BLIP_CALLS)
        if pauses and at >= pauses[0]:
            pause_ends = pauses.pop(0) + rng.uniform(*PAUSE_S)
        if begins <= at < ends:
            fails, latency_s, hurt = KINDS[kind](rng, latency_s, at - begins, ends - at)
        elif blip_calls_left:
            blip_calls_left -= 1
            fails = True
        latency_s = max(latency_s, pause_ends - at)
        arrivals.append(Arrival(at, fails, latency_s, hurt))
        at += rng.expovariate(CALLS_PER_S)
    return Trace(kind, seed, tuple(arrivals), (begins, ends))


def _one_before_and_one_after(rng: random.Random, begins: float, ends: float) -> list[float]:
    return [rng.uniform(30.0, begins - 60.0), rng.uniform(ends + 120.0, TRACE_S - 30.0)]


def _hard_fail(
    rng: random.Random, latency_s: float, since_s: float, left_s: float
) -> tuple[bool, float, bool]:
    return True, REFUSED_S, True


def _brown_out(
    rng: random.Random, latency_s: float, since_s: float, left_s: float
) -> tuple[bool, float, bool]:
    if rng.random() < BROWN_OUT_SHARE:
        return True, TIMED_OUT_S, True
    return False, latency_s * BROWN_OUT_FACTOR, True


def _slow(rng: random.Random, latency_s: float, since_s: float, left_s: float) -> tuple[bool, float, bool]:
    return False, latency_s * SLOW_FACTOR, True


def _flapping(
    rng: random.Random, latency_s: float, since_s: float, left_s: float
) -> tuple[bool, float, bool]:
    if int(since_s / FLAP_S) % 2 == 0:
        return True, REFUSED_S, True
    return False, latency_s, False


def _partial(rng: random.Random, latency_s: float, since_s: float, left_s: float) -> tuple[bool, float, bool]:
    if rng.random() < PARTIAL_SHARE:
        return True, TIMED_OUT_S, True
    return False, latency_s, False


def _recovery(
    rng: random.Random, latency_s: float, since_s: float, left_s: float
) -> tuple[bool, float, bool]:
    if rng.random() < left_s / RECOVERING_S:
        return True, REFUSED_S, True
    return False, latency_s, False


def _creeping(
    rng: random.Random, latency_s: float, since_s: float, left_s: float
) -> tuple[bool, float, bool]:
    if rng.random() < since_s / CREEPING_S:
        return True, REFUSED_S, True
    return False, latency_s, False


KINDS: dict[str, _Fate] = {
    "hard fail": _hard_fail,
    "brown-out": _brown_out,
    "slow": _slow,
    "flapping": _flapping,
    "partial": _partial,
    "recovery": _recovery,
    "creeping": _creeping,
}
