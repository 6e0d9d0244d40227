"""Faults between the generators and the target: the fault proxy in front of it, for the length of the run.

It is a process of its own: beside the generators' reports in one, it had held up what was measured.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from typing import Any, NamedTuple

import httpx

from sprint.core.errors import SprintError
from sprint.core.loadtest.faults import FaultDone, fault_done, fault_text, fields_of
from sprint.core.loadtest.scenario import failure_rate_at
from sprint.tools import runtime
from sprint.tools.embedded.child import Child
from sprint.tools.embedded.folder import OwnedFolder
from sprint.tools.loadtest.children import started
from sprint.tools.loadtest.descriptors import sockets_for
from sprint.tools.loadtest.options import LoadOptions
from sprint.tools.loadtest.target_url import TargetUrl
from sprint.tools.loadtest.wanting import BUSY_SHARE_MIN, Wanting

CONNECTIONS_MAX = 10_000
ASK_TIMEOUT_S = 10.0
FOLLOW_INTERVAL_S = 0.5  # how often the share of connections with faults follows a scenario
NAME = "target"
_PROXY = f"/api/proxies/{NAME}"


class ProxyFailed(SprintError):
    """The fault proxy does not do what it is told."""

    code = "fault_proxy"


class OnTheWay(NamedTuple):
    """What the faults did, and where the proxy held requests up by itself."""

    faults: tuple[FaultDone, ...] = ()
    held_up: tuple[str, ...] = ()


class Proxied:
    """The proxy before a target. `host` and `port` are where it stands in for it."""

    def __init__(self, options: LoadOptions, asking: httpx.AsyncClient, wanting: Wanting) -> None:
        self._options = options
        self._asking = asking
        self._wanting = wanting
        self.host = ""
        self.port = 0

    def __repr__(self) -> str:
        return f"Proxied({self.host}:{self.port})"

    async def begin(self, target: str, connections_max: int) -> None:
        """Have it listen, with the faults that were asked for; ProxyFailed where it does not."""
        fields = {"name": NAME, "target": target, "connections_max": connections_max}
        made = await self._asked("POST", "/api/proxies", fields | {"seed": str(self._options.seed)})
        self.host, _, port = made["proxy"]["listen"].rpartition(":")
        self.port = int(port)
        for fault in self._options.faults:
            await self._asked("POST", f"{_PROXY}/toxics", fields_of(fault))

    async def follow(self, passed: Callable[[], float]) -> None:
        """Have the share of connections with faults be as the scenario says, until cancelled.

        `passed` is the share of the run that is over, 0 to 1.
        """
        options = self._options
        while True:
            rate = failure_rate_at(options.plan.scenario, passed(), options.failure_rate)
            for fault in options.faults:
                await self._asked("PUT", f"{_PROXY}/toxics/{fault.name}", {"toxicity": rate})
            await asyncio.sleep(FOLLOW_INTERVAL_S)

    async def told(self) -> OnTheWay:
        """Return what it did so far. Where it does not answer, it has ended amid the run."""
        try:
            view = await self._asked("GET", _PROXY)
        except ProxyFailed as error:
            return OnTheWay(held_up=(f"{error}; what was refused since was refused by it",))
        rows = {row["name"]: row for row in (*view["toxics_over"], *view["toxics"])}
        # What was asked for, where a scenario has changed the share since.
        done = (
            fault_done({**rows[fault.name], "toxicity": fault.toxicity}) for fault in self._options.faults
        )
        return OnTheWay(
            tuple(done), tuple(self._held_up(view["connections_refused"], view["connections_max"]))
        )

    def _held_up(self, refused: int, connections_max: int) -> list[str]:
        found, wanting = [], self._wanting
        if wanting.was_busy:
            found.append(
                f"the fault proxy wanted {BUSY_SHARE_MIN:.0%} of a processor or more in "
                f"{wanting.busy_intervals} of {wanting.intervals} seconds: requests waited for it, "
                "and not for the target alone; ask for fewer a second"
            )
        if refused:
            found.append(
                f"the fault proxy reset {refused:,} connections beyond the {connections_max:,} that it "
                "holds: fewer --workers, or a lower rate"
            )
        return found

    async def _asked(self, method: str, path: str, fields: dict[str, Any] | None = None) -> dict[str, Any]:
        try:
            answer = await self._asking.request(method, path, json=fields)
            found: dict[str, Any] = answer.raise_for_status().json()
        except (httpx.HTTPError, ValueError) as error:
            why = str(error) or type(error).__name__
            raise ProxyFailed(f"the fault proxy before the target does not answer: {why}") from error
        return found


@contextlib.asynccontextmanager
async def proxied(
    options: LoadOptions, url: TargetUrl, address: str, said: Callable[[str], None]
) -> AsyncIterator[Proxied]:
    """Stand a proxy before the target while within, with the faults that were asked for."""
    # Of each connection the proxy has two ends, and it has our limit of open files.
    room = sockets_for(2 * (options.connections or options.plan.workers)) // 2
    if options.holds and room < options.connections:
        said(f"chaos: the hard limit of open files lets {room:,} connections through the proxy, no more")
    host = f"[{address}]" if ":" in address else address
    # Whoever loads a target answers for it: the load is the greater burden.
    command = [sys.executable, "-m", "sprint.tools.faultproxy", "--until-eof", "--allow-target", address]

    def start(stack: ExitStack, is_wanted: Callable[[], bool]) -> Child:
        folder = stack.enter_context(OwnedFolder())
        return stack.enter_context(Child("the fault proxy", command, folder=folder.path, is_wanted=is_wanted))

    async with (
        started(start) as child,
        httpx.AsyncClient(
            base_url=str(child.first_line["control"]), trust_env=False, timeout=ASK_TIMEOUT_S
        ) as asking,
    ):
        wanting = Wanting(child.pid)
        proxy = Proxied(options, asking, wanting)
        await proxy.begin(f"{host}:{url.port}", max(1, min(room, CONNECTIONS_MAX)))
        said(f"chaos: a fault proxy at {proxy.host}:{proxy.port}: {_told(options)}")
        async with runtime.background(wanting.run()):
            yield proxy


def _told(options: LoadOptions) -> str:
    faults = "; ".join(map(fault_text, options.faults)) or "no fault, as the failure rate is 0"
    each = "; each request has a connection of its own" if options.has_one_request_each else ""
    return faults + each
