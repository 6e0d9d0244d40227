"""The monitor as a service on a port: page, REST, WebSocket and metrics, all of one board.

async with served(FleetFeed(monitor), bind("127.0.0.1", 8090)) as listener:
    print(listener.url)
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from sprint.tools.monitor.endpoints import MonitorEndpoints
from sprint.tools.monitor.feed import FleetFeed
from sprint.tools.monitor.metrics import MonitorMetrics
from sprint.tools.monitor.page_files import add_page
from sprint.tools.web.guard import Guard
from sprint.tools.web.problem_pages import add_problems
from sprint.tools.web.router import Request, Response, Router, Site
from sprint.tools.web.server import Listener, connections_limit, serve

PORT_DEFAULT = 8090
# A policy with all of its figures is below 2 KiB.
BODY_SIZE_MAX = 16 * 1024
CONNECTIONS_MAX = 256


@contextlib.asynccontextmanager
async def served(feed: FleetFeed, bound: socket.socket) -> AsyncIterator[Listener]:
    """Serve a feed's monitor on a bound socket while within."""
    host, port = bound.getsockname()[:2]
    guard = Guard(port, host, body_size_max=BODY_SIZE_MAX)
    site = Site(_router(feed), guard, connections_max=connections_limit(CONNECTIONS_MAX))
    listener = await serve(site, bound)
    try:
        yield listener
    finally:
        await listener.stop()


def _router(feed: FleetFeed) -> Router:
    registry = CollectorRegistry()
    registry.register(MonitorMetrics(feed.monitor, feed))

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)

    router = Router()
    router.add("GET", "/metrics", metrics)
    add_problems(router)
    MonitorEndpoints(feed.monitor, feed).add_to(router)
    add_page(router)
    return router
