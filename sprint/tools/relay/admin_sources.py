"""The sources' paths on the admin listener.

GET     /api/sources                          all of them, by chain
POST    /api/sources                          {"source": "NAME@CHAIN=URL", "reason": "a second node"}
DELETE  /api/sources/{chain}/{name}           ?reason=… may say why
POST    /api/sources/{chain}/{name}/state     {"action": "pause", "reason": "upgrade"}, or "resume"
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import msgspec

from sprint.core.errors import ConfigError, RequestError
from sprint.core.monitor.orders import OPERATOR, Order, order_of, reason_of, refuse_unknown
from sprint.tools.breaker_api.endpoints import only_query
from sprint.tools.breaker_api.feed import BreakerFeed
from sprint.tools.relay.breakers import source_breaker_name
from sprint.tools.relay.live_sources import LiveSources, made_of
from sprint.tools.relay.sources.view import Source
from sprint.tools.relay.view import ServedChain, source_answer
from sprint.tools.runtime import log_fields
from sprint.tools.web.bodies import json_body
from sprint.tools.web.router import Request, Response, Router

PATH = "/api/sources"
ACTIONS = ("pause", "resume")
log = logging.getLogger(__name__)


class SourceEndpoints:
    """Answers for the sources of a relay; what is changed is changed by `live`."""

    def __init__(self, chains: Mapping[str, ServedChain], feed: BreakerFeed, live: LiveSources) -> None:
        self._chains = chains
        self._feed = feed
        self._live = live

    def add_to(self, router: Router) -> None:
        """Serve the sources' paths."""
        router.add_answer(PATH, self._list)
        router.add("POST", PATH, self._add)
        router.add("DELETE", f"{PATH}/{{chain}}/{{name}}", self._remove)
        router.add("POST", f"{PATH}/{{chain}}/{{name}}/state", self._order)

    def _list(self, request: Request) -> Response:
        only_query(request)
        listed = {
            chain_id: [self._told(chain_id, source) for source in chain.sources]
            for chain_id, chain in self._chains.items()
        }
        return Response(msgspec.json.encode({"sources": listed}))

    async def _add(self, request: Request) -> Response:
        only_query(request)
        fields = await json_body(request)
        try:
            refuse_unknown(fields, "source", "reason")
            reason = reason_of(fields)
            chain_id, source = await self._live.add(made_of(fields))
        except ConfigError as error:
            raise RequestError("bad_query", str(error)) from error
        _log("source added", chain_id, source.spec.name, reason)
        return Response(msgspec.json.encode({"source": self._told(chain_id, source)}), status=201)

    async def _remove(self, request: Request) -> Response:
        chain, name = request.parameters["chain"], request.parameters["name"]
        only_query(request, "reason")
        try:
            reason = reason_of(request.query)
        except ConfigError as error:
            raise RequestError("bad_query", str(error)) from error
        warning = await self._live.remove(chain, name, _why("removed", reason))
        _log("source removed", chain, name, reason)
        return Response(msgspec.json.encode({"removed": name, "warning": warning}))

    async def _order(self, request: Request) -> Response:
        only_query(request)
        fields = await json_body(request)
        chain, name = request.parameters["chain"], request.parameters["name"]
        try:
            order: Order = order_of(fields, ACTIONS)
            if order.action == "pause":
                found = await self._live.pause(chain, name, _why("paused", order.reason))
            else:
                found = await self._live.resume(chain, name)
        except ConfigError as error:
            raise RequestError("bad_query", str(error)) from error
        changed, chain_id, source, warning = found
        _log(f"source told: {order.action}", chain_id, name, order.reason, changed=changed)
        told = {"changed": changed, "source": self._told(chain_id, source), "warning": warning}
        return Response(msgspec.json.encode(told))

    def _told(self, chain_id: str, source: Source) -> dict[str, Any]:
        """Return what a source shows of itself, how it stands in the race, and how its breaker is."""
        breaker = self._feed.registry.find(source_breaker_name(chain_id, source.spec.name))
        state = None
        if breaker is not None:
            row = self._feed.row(breaker)
            state = {"name": row.name, "state": row.state, "reason": row.reason, "since": row.since}
        return {**source_answer(self._chains[chain_id], source), "breaker": state}


def _why(what: str, reason: str) -> str:
    return f"{what} by {OPERATOR}: {reason}" if reason else f"{what} by {OPERATOR}"


def _log(message: str, chain: str, source: str, reason: str, **fields: object) -> None:
    said = {"chain": chain, "source": source, "by": OPERATOR, "reason": reason, **fields}
    log_fields(log, logging.WARNING, message, **said)
