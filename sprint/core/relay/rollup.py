"""One minute of a relay in rows: what its counters grew by between two readings of them.

A reading is taken by the edge, all counters at one time. A counter that fell belongs to something that was
made anew meanwhile, a source or a breaker, and has grown by what it shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate

import msgspec

from sprint.core.relay import record_tables as tables
from sprint.core.relay.records import Record

MINUTE_MS = 60_000
Key = tuple[str, str]


class ChainCounts(msgspec.Struct, frozen=True):
    """Counters of one chain's pipeline, and the height of its head."""

    events: int = 0
    headers_accepted: int = 0
    headers_refused: int = 0
    blocks_accepted: int = 0
    blocks_refused: int = 0
    verdicts_known: int = 0
    height: int = 0


class SourceCounts(msgspec.Struct, frozen=True):
    """Counters of one source in its race, and its average lag."""

    wins: int = 0
    duplicates: int = 0
    timeouts: int = 0
    lag_ms: float | None = None


class BreakerCounts(msgspec.Struct, frozen=True):
    """Counters of one breaker's calls, and its state."""

    state: str = ""
    successes: int = 0
    failures: int = 0
    rejected: int = 0
    opened: int = 0


class Reading(msgspec.Struct, frozen=True):
    """All counters at one time.

    Histograms count from one bound to the next and beyond the last: `stages` by chain and stage with
    `stage_bounds_s`, `deliveries` by chain and tier with `delivery_bounds_s`. `goals_ms` is by tier.
    """

    chains: Mapping[str, ChainCounts] = {}
    sources: Mapping[Key, SourceCounts] = {}
    breakers: Mapping[str, BreakerCounts] = {}
    stages: Mapping[Key, Sequence[int]] = {}
    stage_bounds_s: Sequence[float] = ()
    deliveries: Mapping[Key, Sequence[int]] = {}
    delivery_bounds_s: Sequence[float] = ()
    goals_ms: Mapping[str, float] = {}
    subscribers: int = 0


def minute_of(unix_s: float) -> int:
    """Return the beginning of a time's minute, in Unix milliseconds."""
    return int(unix_s * 1000) // MINUTE_MS * MINUTE_MS


def rows_of_minute(before: Reading, after: Reading, minute_ms: int) -> list[Record]:
    """Return the rows of the minute between two readings; none for what was not there at its end."""
    return [
        *_throughput(before, after, minute_ms),
        *_duplicates(before, after, minute_ms),
        *_breakers(before, after, minute_ms),
        *_latency(before, after, minute_ms),
        *_sla(before, after, minute_ms),
    ]


def percentile_ms(counts: Sequence[int], bounds_s: Sequence[float], share: float) -> float | None:
    """Return the bound that this share of the values did not exceed; None where it lies beyond the last."""
    due = share * sum(counts)
    for bound_s, so_far in zip(bounds_s, accumulate(counts), strict=False):
        if so_far >= due:
            return round(bound_s * 1000, 6)
    return None


def _grown(before: int, after: int) -> int:
    return after - before if after >= before else after


def _all_grown(before: Sequence[int], after: Sequence[int]) -> list[int]:
    earlier = before or [0] * len(after)
    return [_grown(old, new) for old, new in zip(earlier, after, strict=True)]


def _throughput(before: Reading, after: Reading, minute_ms: int) -> list[Record]:
    rows = []
    for chain, now in after.chains.items():
        then = before.chains.get(chain, ChainCounts())
        counted = (
            _grown(then.events, now.events),
            _grown(then.headers_accepted, now.headers_accepted),
            _grown(then.headers_refused, now.headers_refused),
            _grown(then.blocks_accepted, now.blocks_accepted),
            _grown(then.blocks_refused, now.blocks_refused),
            _grown(then.verdicts_known, now.verdicts_known),
        )
        rows.append(Record(tables.THROUGHPUT, (minute_ms, chain, *counted, now.height, after.subscribers)))
    return rows


def _duplicates(before: Reading, after: Reading, minute_ms: int) -> list[Record]:
    rows = []
    for key, now in after.sources.items():
        then = before.sources.get(key, SourceCounts())
        counted = (
            _grown(then.wins, now.wins),
            _grown(then.duplicates, now.duplicates),
            _grown(then.timeouts, now.timeouts),
        )
        rows.append(Record(tables.DUPLICATES, (minute_ms, *key, *counted, now.lag_ms)))
    return rows


def _breakers(before: Reading, after: Reading, minute_ms: int) -> list[Record]:
    rows = []
    for name, now in after.breakers.items():
        then = before.breakers.get(name, BreakerCounts())
        counted = (
            _grown(then.successes, now.successes),
            _grown(then.failures, now.failures),
            _grown(then.rejected, now.rejected),
            _grown(then.opened, now.opened),
        )
        rows.append(Record(tables.BREAKERS, (minute_ms, name, now.state, *counted)))
    return rows


def _latency(before: Reading, after: Reading, minute_ms: int) -> list[Record]:
    rows = []
    for key, now in after.stages.items():
        counts = _all_grown(before.stages.get(key, ()), now)
        if sum(counts):
            shares = [percentile_ms(counts, after.stage_bounds_s, share) for share in (0.5, 0.95, 0.99)]
            rows.append(Record(tables.LATENCY, (minute_ms, *key, sum(counts), *shares)))
    return rows


def _sla(before: Reading, after: Reading, minute_ms: int) -> list[Record]:
    rows = []
    for (chain, tier), now in after.deliveries.items():
        counts = _all_grown(before.deliveries.get((chain, tier), ()), now)
        if not sum(counts) or tier not in after.goals_ms:
            continue
        goal_ms, bounds_s = after.goals_ms[tier], after.delivery_bounds_s
        within = sum(count for count, bound in zip(counts, bounds_s, strict=False) if bound * 1000 <= goal_ms)
        p99_ms = percentile_ms(counts, bounds_s, 0.99)
        rows.append(Record(tables.SLA, (minute_ms, tier, chain, goal_ms, sum(counts), within, p99_ms)))
    return rows
