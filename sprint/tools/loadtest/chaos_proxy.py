"""Faults between the generators and the target: the fault proxy in front of it, for the length of the run."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable

from sprint.core.faultproxy.codec import proxy_of
from sprint.tools.faultproxy.proxy import FaultProxy
from sprint.tools.loadtest.descriptors import sockets_for
from sprint.tools.loadtest.options import LoadOptions
from sprint.tools.loadtest.target_url import TargetUrl

CONNECTIONS_MAX = 10_000


@contextlib.asynccontextmanager
async def proxied(
    options: LoadOptions, url: TargetUrl, address: str, said: Callable[[str], None]
) -> AsyncIterator[tuple[str, int]]:
    """Give host and port of a proxy before the target while within.

    It resets `failure_rate` of the connections. Each request then has a connection of its own, so that this
    is the share of requests that fail by it.
    """
    sockets_for(2 * options.plan.workers)
    host = f"[{address}]" if ":" in address else address
    settings = proxy_of(
        {
            "name": "target",
            "target": f"{host}:{url.port}",
            "connections_max": CONNECTIONS_MAX,
            "seed": str(options.seed),
        }
    )
    # Whoever loads a target answers for it: the load is the greater burden.
    async with FaultProxy(settings, allowed={address}) as proxy:
        if options.failure_rate:
            proxy.add(
                name="reset", kind="reset", direction="downstream", toxicity=options.failure_rate, after_ms=0
            )
        said(
            f"chaos: a fault proxy at {proxy.address} resets {options.failure_rate:.3g} of the connections, "
            "and each request has one of its own"
        )
        yield proxy.address.host, proxy.address.port
