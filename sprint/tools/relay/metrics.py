"""What the relay's parts know of themselves, as Prometheus metrics: read from them when somebody asks.

Labels are names that the operator chose (chains, sources, tiers) or words of this program; never a hash, an
address, or anything that a peer sent.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate

from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

from sprint.core.chains import internal_hash
from sprint.tools.relay.hand_over import HandOver
from sprint.tools.relay.stages import StageObserver
from sprint.tools.runtime import clock

# Every tier's packaged goal (5, 10, 50, 100 ms) is a bound, so that the share within it can be read exactly.
DELIVERY_BOUNDS_S = (
    0.000_05,
    0.000_1,
    0.000_25,
    0.000_5,
    0.001,
    0.002_5,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
)


class DeliverySeconds(Collector):
    """`sprint_delivery_seconds{chain,tier}`: counts a run of subscribers for the price of one."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], list[int]] = {}
        self._sums: dict[tuple[str, str], float] = {}

    def observe(self, chain: str, tier: str, seconds: float, subscribers: int) -> None:
        """Count so many deliveries that took so long."""
        key = (chain, tier)
        counts = self._counts.get(key)
        if counts is None:
            counts = self._counts[key] = [0] * (len(DELIVERY_BOUNDS_S) + 1)
            self._sums[key] = 0.0
        counts[bisect_left(DELIVERY_BOUNDS_S, seconds)] += subscribers
        self._sums[key] += seconds * subscribers

    def counts(self, chain: str, tier: str) -> tuple[int, ...]:
        """Return the deliveries up to each of the bounds from the one before, and those beyond the last."""
        return tuple(self._counts.get((chain, tier), (0,) * (len(DELIVERY_BOUNDS_S) + 1)))

    def collect(self) -> Iterator[HistogramMetricFamily]:
        family = HistogramMetricFamily(
            "sprint_delivery_seconds",
            "Time from an event being in the log to its being written to a subscriber's connection",
            labels=("chain", "tier"),
        )
        bounds = [*map(str, DELIVERY_BOUNDS_S), "+Inf"]
        for key, counts in self._counts.items():
            buckets = list(zip(bounds, map(float, accumulate(counts)), strict=True))
            family.add_metric(key, buckets, self._sums[key])
        yield family


class DeliveryTimes:
    """The delivery's observer: ends a block's stages, and counts how long each tier waited."""

    def __init__(self, stages: StageObserver, seconds: DeliverySeconds) -> None:
        self._stages = stages
        self._seconds = seconds

    def now(self) -> float:
        return clock()

    def handed_over(self, times: HandOver) -> None:
        event = times.event
        if event.type == "block" and event.hash is not None:
            self._stages.mark("handed_over", event.chain, internal_hash(event.hash), times.handed_over)

    def delivered(self, chain: str, tier: str, seconds: float, subscribers: int) -> None:
        self._seconds.observe(chain, tier, seconds, subscribers)
