"""The operator's listener: health, breakers, sources, metrics. Loopback only.

Whoever may connect to it may change what the relay does, so it stays on loopback until there are keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from prometheus_client import CollectorRegistry

from sprint.tools.breaker import CircuitBreaker
from sprint.tools.breaker_api.endpoints import BreakerEndpoints
from sprint.tools.breaker_api.feed import BreakerFeed
from sprint.tools.relay.breakers import source_breaker_name
from sprint.tools.relay.listeners import ADMIN_CONNECTIONS_MAX, add_metrics
from sprint.tools.relay.sources.view import Source
from sprint.tools.relay.view import ServedChain, ServiceView, source_answer
from sprint.tools.web.guard import Guard
from sprint.tools.web.router import Request, Response, Router, Site
from sprint.tools.web.server import connections_limit

# A policy with all of its figures is below 2 KiB.
BODY_SIZE_MAX = 16 * 1024


class AdminApi:
    """Answers what an operator asks of a relay."""

    def __init__(self, view: ServiceView, chains: Mapping[str, ServedChain], feed: BreakerFeed) -> None:
        self._view = view
        self._chains = chains
        self._feed = feed

    def site(self, guard: Guard, registry: CollectorRegistry) -> Site:
        """Return what the admin listener serves."""
        router = Router()
        add_metrics(router, registry)
        router.add_answer("/api/v1/health", self._service_health)
        router.add_answer("/api/sources", self._sources)
        BreakerEndpoints(self._feed).add_to(router)
        return Site(router, guard, connections_max=connections_limit(ADMIN_CONNECTIONS_MAX))

    def _service_health(self, _: Request) -> Response:
        return Response(msgspec.json.encode(self._view.health()))

    def _sources(self, _: Request) -> Response:
        listed = {
            chain_id: [self._source(chain_id, chain, source) for source in chain.sources]
            for chain_id, chain in self._chains.items()
        }
        return Response(msgspec.json.encode({"sources": listed}))

    def _source(self, chain_id: str, chain: ServedChain, source: Source) -> dict[str, Any]:
        breaker = self._breaker_of(chain_id, source)
        told = None
        if breaker is not None:
            row = self._feed.row(breaker)
            told = {"name": row.name, "state": row.state, "reason": row.reason, "since": row.since}
        return {**source_answer(chain, source), "breaker": told}

    def _breaker_of(self, chain_id: str, source: Source) -> CircuitBreaker | None:
        return self._feed.registry.find(source_breaker_name(chain_id, source.spec.name))
