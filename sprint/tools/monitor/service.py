"""The monitor as a service on a port: page, REST, WebSocket and metrics, all of one board.

async with served(FleetFeed(monitor), bind("127.0.0.1", 8090)) as listener:
    print(listener.url)

Off loopback it has a key and TLS (`sprint.tools.web.access`): the page's files and its sign-in are open, all
that is known and can be told stands behind the key.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from sprint.tools.monitor.alert_metrics import AlertMetrics
from sprint.tools.monitor.endpoints import MonitorEndpoints
from sprint.tools.monitor.feed import FleetFeed
from sprint.tools.monitor.metrics import MonitorMetrics
from sprint.tools.monitor.page_endpoints import PageEndpoints
from sprint.tools.monitor.page_files import add_page
from sprint.tools.monitor.signing_in import Gate, KeyedRouter
from sprint.tools.web.access import Access
from sprint.tools.web.guard import Guard
from sprint.tools.web.problem_pages import add_problems
from sprint.tools.web.router import Request, Response, Router, Site
from sprint.tools.web.server import Listener, connections_limit, serve

PORT_DEFAULT = 8090
KEY_VARIABLE = "SPRINT_MONITOR_KEY"
# A policy with all of its figures is below 2 KiB.
BODY_SIZE_MAX = 16 * 1024
CONNECTIONS_MAX = 256
OPEN_TO_ALL = Access()


@contextlib.asynccontextmanager
async def served(
    feed: FleetFeed, bound: socket.socket, access: Access = OPEN_TO_ALL
) -> AsyncIterator[Listener]:
    """Serve a feed's monitor on a bound socket while within; `access.host` is one more name for it."""
    scheme = "https" if access.tls else "http"
    guard = Guard(bound.getsockname()[1], access.host, scheme=scheme, body_size_max=BODY_SIZE_MAX)
    site = Site(_router(feed, access), guard, connections_max=connections_limit(CONNECTIONS_MAX))
    listener = await serve(site, bound, access.tls)
    try:
        yield listener
    finally:
        await listener.stop()


def _router(feed: FleetFeed, access: Access) -> Router:
    registry = CollectorRegistry()
    registry.register(MonitorMetrics(feed.monitor, feed))
    registry.register(AlertMetrics(feed.monitor))

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)

    router, gate = Router(), Gate(access)
    keyed = KeyedRouter(router, gate) if access.key else router
    keyed.add("GET", "/metrics", metrics)
    MonitorEndpoints(feed.monitor, feed).add_to(keyed)
    PageEndpoints(feed.monitor).add_to(keyed)
    gate.add_to(router)
    add_problems(router)
    add_page(router)
    return router
