"""What the relay's parts know of themselves, as Prometheus metrics: read from them when somebody asks.

Labels are names that the operator chose (chains, sources, tiers) or words of this program; never a hash, an
address, or anything that a peer sent.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import GaugeHistogramMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from sprint import __version__
from sprint.core.chains import internal_hash
from sprint.core.relay.network_stats import NetworkStats
from sprint.core.relay.pipeline import Pipeline
from sprint.core.relay.tiers import TierPolicy
from sprint.tools.relay.attendant import OnTime
from sprint.tools.relay.breaker_metrics import BreakerMetrics
from sprint.tools.relay.breakers import RelayBreakers
from sprint.tools.relay.commit import CommitQueue, Committer
from sprint.tools.relay.delivery import Delivery
from sprint.tools.relay.faults import SourceFaults
from sprint.tools.relay.hand_over import HandOver
from sprint.tools.relay.listener_counts import ListenerCounts
from sprint.tools.relay.source_standings import SourceStandings
from sprint.tools.relay.source_traffic import SourceTraffic
from sprint.tools.relay.stages import StageObserver
from sprint.tools.relay.validation_counts import ValidationCounts
from sprint.tools.relay.view import ServedChain, ServiceView
from sprint.tools.runtime import clock
from sprint.tools.web.router import Site

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


class RelayParts(NamedTuple):
    """What the metrics are read from."""

    chains: Mapping[str, ServedChain]
    view: ServiceView
    tiers: Sequence[str]
    delivery: Delivery
    delivery_seconds: DeliverySeconds
    store: CommitQueue
    committer: Committer
    sites: Mapping[str, Site]
    breakers: RelayBreakers


def register_parts(registry: CollectorRegistry, parts: RelayParts) -> None:
    """Register all that is read from a running relay, and what the process says of itself."""
    registry.register(parts.delivery_seconds)
    registry.register(SourceFaults(parts.chains))
    registry.register(ValidationCounts(parts.chains))
    registry.register(SourceStandings(parts.chains))
    registry.register(SourceTraffic(parts.chains))
    registry.register(ChainStates(parts.chains))
    registry.register(KernelForm(parts.view))
    registry.register(DeliveryState(parts))
    registry.register(ListenerCounts(parts.sites))
    registry.register(BreakerMetrics(parts.breakers.registry, parts.breakers.workers))
    registry.register(NetworkState(parts.chains, parts.view))
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)


class ChainStates(Collector):
    """Where each chain is: its head, its best header, its sources, what is asked for."""

    def __init__(self, chains: Mapping[str, ServedChain]) -> None:
        self._chains = chains

    def collect(self) -> Iterator[GaugeMetricFamily]:
        pipelines = {chain_id: chain.intake.pipeline for chain_id, chain in self._chains.items()}
        for name, text, read in _CHAIN_GAUGES:
            gauge = GaugeMetricFamily(name, text, labels=("chain",))
            for chain_id, pipeline in pipelines.items():
                gauge.add_metric((chain_id,), read(pipeline))
            yield gauge


_CHAIN_GAUGES: tuple[tuple[str, str, Callable[[Pipeline], float]], ...] = (
    ("sprint_chain_height", "Height of the head", lambda p: p.state.tree.head.height),
    ("sprint_chain_header_height", "Height of the best header", lambda p: p.state.tree.best_header.height),
    ("sprint_chain_following", "1 once the chain's tip was found", lambda p: p.state.begun),
    ("sprint_chain_stalled", "1 while the chain is stalled", lambda p: p.watchdog.stalled is not None),
    ("sprint_chain_sources_ready", "Sources that are connected and usable", lambda p: p.state.sources_ready),
    ("sprint_chain_bodies_wanted", "Bodies asked for, or to be", lambda p: len(p.state.fetcher)),
)


class KernelForm(Collector):
    """Which form of the kernels works; `failed` where the compiled one could not be had."""

    def __init__(self, view: ServiceView) -> None:
        self._view = view

    def collect(self) -> Iterator[GaugeMetricFamily]:
        found = self._view.kernels()
        gauge = GaugeMetricFamily(
            "sprint_kernels",
            "1 for the form of the hash kernels that works, and how it came to that",
            labels=("tier", "state"),
        )
        gauge.add_metric((found.tier, found.state), 1)
        yield gauge


class NetworkState(Collector):
    """What the newest blocks of each proof-of-work chain say of its network."""

    def __init__(self, chains: Iterable[str], view: ServiceView) -> None:
        self._chains = chains
        self._view = view

    def collect(self) -> Iterator[GaugeMetricFamily | GaugeHistogramMetricFamily]:
        stats = [(chain_id, self._view.network_stats(chain_id)) for chain_id in self._chains]
        known = [(chain_id, found) for chain_id, found in stats if found is not None]
        for name, text, read in _NETWORK_GAUGES:
            gauge = GaugeMetricFamily(name, text, labels=("chain",))
            for chain_id, found in known:
                value = read(found)
                if value is not None:
                    gauge.add_metric((chain_id,), value)
            yield gauge
        pools = GaugeMetricFamily(
            "sprint_network_pool_blocks",
            "Blocks of each pool among the newest, by coinbase tag",
            labels=("chain", "pool"),
        )
        intervals = GaugeHistogramMetricFamily(
            "sprint_network_interval_seconds",
            "Time between the newest blocks, by their headers",
            labels=("chain",),
        )
        for chain_id, found in known:
            for pool, blocks in found.pools.items():
                pools.add_metric((chain_id, pool), blocks)
            bounds = [*map(str, found.intervals.bounds_s), "+Inf"]
            counts = map(float, accumulate(found.intervals.counts))
            total_s = found.intervals.mean_s * sum(found.intervals.counts)
            intervals.add_metric((chain_id,), list(zip(bounds, counts, strict=True)), total_s)
        yield pools
        yield intervals


_NETWORK_GAUGES: tuple[tuple[str, str, Callable[[NetworkStats], float | None]], ...] = (
    ("sprint_network_hashes_per_second", "Hash rate that the newest blocks took", lambda s: s.hash_rate),
    ("sprint_network_difficulty", "Difficulty of the head", lambda s: s.difficulty),
    (
        "sprint_network_difficulty_change_ratio",
        "The newest change of difficulty: new one over old one",
        lambda s: s.difficulty_change.ratio if s.difficulty_change else None,
    ),
    ("sprint_network_blocks", "Blocks that the network's figures are taken from", lambda s: s.blocks),
)


class DeliveryState(Collector):
    """The log, the store behind it, and who is given events."""

    def __init__(self, parts: RelayParts) -> None:
        self._parts = parts

    def collect(self) -> Iterator[GaugeMetricFamily]:
        parts = self._parts
        subscribers = GaugeMetricFamily("sprint_subscribers", "Live subscribers", labels=("tier",))
        by_tier = parts.delivery.subscribers_by_tier()
        for tier in parts.tiers:
            subscribers.add_metric((tier,), by_tier[tier])
        yield subscribers
        yield GaugeMetricFamily(
            "sprint_log_position", "Position of the newest event handed over", value=parts.delivery.position
        )
        yield GaugeMetricFamily(
            "sprint_store_commits_waiting", "Commits given to the store and not in yet", parts.store.in_flight
        )
        failing = parts.committer.failing is not None
        yield GaugeMetricFamily("sprint_store_failing", "1 while the store refuses", value=failing)
        build = GaugeMetricFamily(
            "sprint_build_info", "Always 1; its labels tell builds apart", labels=("version",)
        )
        build.add_metric((__version__,), 1)
        yield build


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

    def all_counts(self) -> dict[tuple[str, str], tuple[int, ...]]:
        """Return what `counts` does, by chain and tier."""
        return {key: tuple(counts) for key, counts in self._counts.items()}

    def on_time(self, tiers: Iterable[TierPolicy]) -> dict[str, OnTime]:
        """Count the deliveries of each tier, and those within its goal.

        What lies in the bucket that a goal of an operator's own cuts through counts as late.
        """
        found = {}
        for tier in tiers:
            bounds = bisect_right(DELIVERY_BOUNDS_S, tier.delivery_goal_ms / 1_000.0)
            counts = [counts for (_, name), counts in self._counts.items() if name == tier.name]
            found[tier.name] = OnTime(sum(sum(each[:bounds]) for each in counts), sum(map(sum, counts)))
        return found

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
