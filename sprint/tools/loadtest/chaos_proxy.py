"""Faults between the generators and the target: the fault proxy in front of it, for the length of the run."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

from sprint.core.faultproxy.codec import proxy_of
from sprint.core.faultproxy.toxics import ActiveToxic
from sprint.core.loadtest.faults import fault_text, fields_of
from sprint.tools.faultproxy.proxy import FaultProxy
from sprint.tools.loadtest.descriptors import sockets_for
from sprint.tools.loadtest.options import LoadOptions
from sprint.tools.loadtest.target_url import TargetUrl

CONNECTIONS_MAX = 10_000


class Proxied(NamedTuple):
    """Where the proxy stands in for the target, and the faults that it was given."""

    host: str
    port: int
    faults: tuple[ActiveToxic, ...]


@contextlib.asynccontextmanager
async def proxied(
    options: LoadOptions, url: TargetUrl, address: str, said: Callable[[str], None]
) -> AsyncIterator[Proxied]:
    """Stand a proxy before the target while within, with the faults that were asked for.

    What the faults did can still be read afterwards.
    """
    # Of each connection the proxy has two ends.
    room = sockets_for(2 * (options.connections or options.plan.workers)) // 2
    if options.holds and room < options.connections:
        said(f"chaos: the hard limit of open files lets {room:,} connections through the proxy, no more")
    host = f"[{address}]" if ":" in address else address
    settings = proxy_of(
        {
            "name": "target",
            "target": f"{host}:{url.port}",
            "connections_max": max(1, min(room, CONNECTIONS_MAX)),
            "seed": str(options.seed),
        }
    )
    # Whoever loads a target answers for it: the load is the greater burden.
    async with FaultProxy(settings, allowed={address}) as proxy:
        active = tuple(proxy.add_toxic(fields_of(fault)) for fault in options.faults)
        said(f"chaos: a fault proxy at {proxy.address}: {_told(options)}")
        yield Proxied(proxy.address.host, proxy.address.port, active)


def _told(options: LoadOptions) -> str:
    faults = "; ".join(map(fault_text, options.faults)) or "no fault, as the failure rate is 0"
    each = "; each request has a connection of its own" if options.has_one_request_each else ""
    return faults + each
