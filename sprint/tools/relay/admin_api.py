"""The operator's listener: health, breakers, sources, metrics. Loopback only.

Whoever may connect to it may change what the relay does, so it stays on loopback until there are keys.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec
from prometheus_client import CollectorRegistry

from sprint.core.monitor.rows import BreakerRow
from sprint.tools.breaker_api.endpoints import BreakerEndpoints
from sprint.tools.breaker_api.feed import BreakerFeed
from sprint.tools.relay.admin_sources import SourceEndpoints
from sprint.tools.relay.audit import AuditedRouter, Ordered
from sprint.tools.relay.breakers import source_breaker_name
from sprint.tools.relay.listeners import ADMIN_CONNECTIONS_MAX, add_metrics
from sprint.tools.relay.live_sources import LiveSources
from sprint.tools.relay.sources.paused import PausedSource
from sprint.tools.relay.view import ServedChain, ServiceView
from sprint.tools.web.guard import Guard
from sprint.tools.web.problem_pages import add_problems
from sprint.tools.web.router import Request, Response, Site
from sprint.tools.web.server import connections_limit

# A policy with all of its figures is below 2 KiB.
BODY_SIZE_MAX = 16 * 1024
REASONS_MAX = 16
IN_STATES = ("closed", "force_close")


def rejects(row: BreakerRow) -> bool:
    """Tell whether a breaker keeps calls from being made. In shadow only an operator's word does."""
    return row.state == "force_open" if row.shadow else row.state not in IN_STATES


class AdminApi:
    """Answers what an operator asks of a relay."""

    def __init__(
        self,
        view: ServiceView,
        chains: Mapping[str, ServedChain],
        feed: BreakerFeed,
        live: LiveSources,
        ordered: Ordered = lambda _: None,
    ) -> None:
        self._view = view
        self._chains = chains
        self._feed = feed
        self._live = live
        self._ordered = ordered

    def site(self, guard: Guard, registry: CollectorRegistry) -> Site:
        """Return what the admin listener serves."""
        router = AuditedRouter(self._ordered)
        add_metrics(router, registry)
        add_problems(router)
        router.add_answer("/api/v1/health", self._service_health)
        router.add("GET", "/api/health", self._health)
        SourceEndpoints(self._chains, self._feed, self._live).add_to(router)
        BreakerEndpoints(self._feed).add_to(router)
        return Site(router, guard, connections_max=connections_limit(ADMIN_CONNECTIONS_MAX))

    def _service_health(self, _: Request) -> Response:
        return Response(msgspec.json.encode(self._view.health()))

    async def _health(self, _: Request) -> Response:
        """Answer with the service's health, and with what breakers and sources add to it."""
        rows = list((await self._feed.rows()).values())
        health = self._view.health()
        resting = self._resting()
        counted = [row for row in rows if row.name not in resting]
        reasons = [f"breaker {row.name} is {row.state}: {row.reason}" for row in counted if rejects(row)]
        reasons += [
            f"breaker {row.name} would be open, and nobody stands in: {row.withheld}"
            for row in counted
            if row.withheld is not None
        ]
        status = "degraded" if health["status"] == "ok" and reasons else health["status"]
        chains = {
            chain_id: {**health["parts"]["chains"][chain_id], **self._counts(chain_id, chain, rows)}
            for chain_id, chain in self._chains.items()
        }
        told = {
            "status": status,
            "reasons": reasons[:REASONS_MAX],
            "version": health["version"],
            "store": health["parts"]["store"],
            "listeners": [each._asdict() for each in self._view.listeners()],
            "breakers": Counter(row.state for row in rows),
            "chains": chains,
        }
        return Response(msgspec.json.encode(told))

    def _resting(self) -> set[str]:
        """Name the breakers of sources that an operator has paused: nothing is missing by them."""
        return {
            source_breaker_name(chain_id, source.spec.name)
            for chain_id, chain in self._chains.items()
            for source in chain.sources
            if isinstance(source, PausedSource)
        }

    @staticmethod
    def _counts(chain_id: str, chain: ServedChain, rows: list[BreakerRow]) -> dict[str, Any]:
        return {
            "sources": len(chain.sources),
            "sources_ready": chain.intake.pipeline.state.sources_ready,
            "sources_paused": sum(isinstance(source, PausedSource) for source in chain.sources),
            "breakers": Counter(row.state for row in rows if row.chain == chain_id),
        }
