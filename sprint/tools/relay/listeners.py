"""Which addresses the relay listens on: one for each tier, the admin one, the metrics one.

Sockets are bound before anything is promised. A port that was asked for and is taken is an error; a default
port that is taken while the devnet runs is replaced by a free one, because a first try must not fail on it.
"""

from __future__ import annotations

import logging
import socket

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from sprint.core.errors import ListenError
from sprint.core.relay.tiers import TierPolicy
from sprint.tools.net import bind
from sprint.tools.runtime import log_fields
from sprint.tools.web.guard import Guard
from sprint.tools.web.router import Request, Response, Router, Site
from sprint.tools.web.server import connections_limit

ADMIN_PORT = 8081
METRICS_PORT = 9090
ADMIN_CONNECTIONS_MAX = 64
log = logging.getLogger(__name__)


class Ports(msgspec.Struct, frozen=True):
    """Ports asked for; None takes the default. `free_if_taken` holds for defaults only.

    `tiers_set` names the tiers whose port the config sets: no default.
    """

    host: str
    tier: int | None
    admin: int | None
    metrics: int | None
    free_if_taken: bool
    tiers_set: frozenset[str] = frozenset()
    one_tier: bool = True


def bind_all(tiers: tuple[TierPolicy, ...], ports: Ports) -> list[socket.socket]:
    """Bind one socket for each tier, then the admin one and the metrics one; all or none."""
    wanted = [_tier_port(tier, ports) for tier in tiers]
    wanted += [(ports.admin, ADMIN_PORT, "--admin-port"), (ports.metrics, METRICS_PORT, "--metrics-port")]
    bound: list[socket.socket] = []
    try:
        for asked, default, option in wanted:
            bound.append(_bind_one(ports, asked, default, option))
    except ListenError:
        for listener in bound:
            listener.close()
        raise
    return bound


def _tier_port(tier: TierPolicy, ports: Ports) -> tuple[int | None, int, str]:
    """Return the port asked for, the default, and what it was or would be asked with."""
    if ports.tier is None and tier.name in ports.tiers_set:
        return tier.port, tier.port, f"tiers.{tier.name}.port"
    option = "--port" if ports.one_tier else f"[tiers.{tier.name}] port"
    return ports.tier, tier.port, option


def _bind_one(ports: Ports, asked: int | None, default: int, option: str) -> socket.socket:
    if asked is not None:
        return bind(ports.host, asked, option=option)
    try:
        return bind(ports.host, default, option=option)
    except ListenError:
        if not ports.free_if_taken:
            raise
    listener = bind(ports.host, 0, option=option)
    taken = f"port {default} is taken; a free one serves instead"
    log_fields(log, logging.WARNING, taken, port=listener.getsockname()[1], option=option)
    return listener


def metrics_site(guard: Guard, registry: CollectorRegistry) -> Site:
    """Prometheus metrics and nothing else."""
    router = Router()
    add_metrics(router, registry)
    return Site(router, guard, connections_max=connections_limit(ADMIN_CONNECTIONS_MAX))


def add_metrics(router: Router, registry: CollectorRegistry) -> None:
    """Serve a registry's metrics at `/metrics`."""

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)

    router.add("GET", "/metrics", metrics)
