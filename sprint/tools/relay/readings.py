"""Reads a relay's counters for its minutes, its sources and the peers it knows, as they are at one time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from sprint.core.relay import record_tables as tables
from sprint.core.relay.records import Record
from sprint.core.relay.rollup import BreakerCounts, ChainCounts, Reading, SourceCounts
from sprint.core.relay.tiers import TierPolicy
from sprint.tools.relay.breaker_metrics import BREAKERS_TOLD_MAX, read
from sprint.tools.relay.metrics import DELIVERY_BOUNDS_S, RelayParts
from sprint.tools.relay.sources.p2p_chain import P2pChain
from sprint.tools.relay.sources.view import Source
from sprint.tools.relay.stages import STAGE_BOUNDS_S, StageObserver, StageTimes
from sprint.tools.relay.view import ServedChain
from sprint.tools.runtime import wall_clock

EventCounts = Counter[str]
_SERVICES_MASK = 2**63 - 1  # a node may claim any 64 bits; a database's whole numbers have a sign


def read_counters(
    parts: RelayParts, events: EventCounts, tiers: Sequence[TierPolicy], observer: StageObserver
) -> Reading:
    """Read all counters of a relay; `events` counts those handed over, by chain."""
    return Reading(
        chains={chain: _chain_counts(served, events[chain]) for chain, served in parts.chains.items()},
        sources=_source_counts(parts.chains),
        breakers=_breaker_counts(parts),
        stages=observer.counts() if isinstance(observer, StageTimes) else {},
        stage_bounds_s=STAGE_BOUNDS_S,
        deliveries=parts.delivery_seconds.all_counts(),
        delivery_bounds_s=DELIVERY_BOUNDS_S,
        goals_ms={tier.name: tier.delivery_goal_ms for tier in tiers},
        subscribers=parts.delivery.subscriber_count,
    )


def source_rows(chains: Mapping[str, ServedChain], at_ms: int) -> list[Record]:
    """Return a row of each source as it is."""
    return [
        _source_row(chain_id, chain, source, at_ms)
        for chain_id, chain in chains.items()
        for source in chain.sources
    ]


def known_peers(chains: Mapping[str, ServedChain], at_ms: int) -> dict[tuple[str, str, int], Record]:
    """Return a row of each node that the address books know, by chain, host and port."""
    found = {}
    for chain_id, chain in chains.items():
        if not any(source.spec.scheme == "p2p" for source in chain.sources):
            continue
        for known in P2pChain.of(chain.intake, chain.network.parameters).peers.book.entries():
            address = known.address
            standing = "served" if known.succeeded else "failed" if known.failures else "untried"
            if not known.failures and not known.succeeded and known.not_before > wall_clock():
                standing = "shut out"
            key = (chain_id, address.host, address.port)
            services, not_before_ms = address.services & _SERVICES_MASK, int(known.not_before * 1000)
            found[key] = Record(
                tables.PEERS, (*key, services, standing, known.failures, not_before_ms, at_ms)
            )
    return found


def _chain_counts(chain: ServedChain, events: int) -> ChainCounts:
    state = chain.intake.pipeline.state
    tally = state.tally
    return ChainCounts(
        events=events,
        headers_accepted=tally.headers_accepted,
        headers_refused=tally.headers_refused,
        blocks_accepted=tally.blocks_accepted,
        blocks_refused=tally.blocks_refused,
        verdicts_known=tally.verdicts_known,
        height=state.tree.head.height,
    )


def _source_counts(chains: Mapping[str, ServedChain]) -> dict[tuple[str, str], SourceCounts]:
    found = {}
    for chain_id, chain in chains.items():
        for source in chain.sources:
            standing = chain.intake.pipeline.state.board.standing(source.spec.name)
            if standing is not None:
                found[chain_id, source.spec.name] = SourceCounts(
                    standing.wins, standing.confirmations, standing.timeouts, standing.lag_ms
                )
    return found


def _breaker_counts(parts: RelayParts) -> dict[str, BreakerCounts]:
    found = {}
    for breaker, _ in zip(parts.breakers.registry, range(BREAKERS_TOLD_MAX), strict=False):
        reading = read(breaker)
        found[reading.name] = BreakerCounts(
            state=reading.state,
            successes=reading.totals.get("success", 0),
            failures=reading.totals.get("failure", 0),
            rejected=reading.totals.get("rejected", 0),
            opened=reading.opened,
        )
    return found


def _source_row(chain_id: str, chain: ServedChain, source: Source, at_ms: int) -> Record:
    view, standing = source.view(), chain.intake.pipeline.state.board.standing(source.spec.name)
    raced: tuple[int | float | None, ...] = (None,) * 8
    if standing is not None:
        raced = (
            standing.height,
            standing.behind_blocks,
            standing.wins,
            standing.confirmations,
            standing.lag_ms,
            standing.score,
            standing.answers,
            standing.timeouts,
        )
    named = (chain_id, view.name, source.spec.scheme, view.provider, _plain(view.user_agent), view.state)
    counted = (sum(view.faults.values()), view.connects, view.blocks_received)
    demoted = standing.demoted if standing is not None else ""
    return Record(tables.SOURCES, (*named, _plain(view.reason), *raced, *counted, demoted, at_ms))


def _plain(text: str) -> str:
    """Leave out what PostgreSQL takes in no text: a node may call itself anything."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()
