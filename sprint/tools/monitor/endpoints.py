"""The monitor's paths: what it knows of all relays, and orders that it hands to the relay they are for.

    GET   /api/breakers                     the relays, and the breakers of all, a row each with `relay`
    GET   /api/breakers/{name}              one, with what its relay says of it now
    GET   /api/breakers/{name}/metrics      its figures over time
    GET   /api/breakers/{name}/history      its transitions
    POST  /api/breakers/{name}/state        {"action": "force_open", "reason": "maintenance"}
    PUT   /api/breakers/{name}/config       figures to lay over its policy
    GET   /api/health
    WS    /ws                               all of it as it happens

Alerts and silences have paths of their own. A name that several relays have wants `?relay=NAME`.
"""

from __future__ import annotations

import difflib
from collections import Counter

from sprint import __version__
from sprint.core.errors import ConfigError, RequestError
from sprint.core.monitor.board import Key, RelaySeen
from sprint.core.monitor.fleet import row_told
from sprint.core.monitor.history import POINTS_PER_BREAKER_MAX, TRANSITIONS_PER_BREAKER_MAX
from sprint.core.monitor.orders import order_of
from sprint.core.monitor.rows import BreakerRow
from sprint.tools.breaker_api.endpoints import json_answer, only_query
from sprint.tools.monitor.alert_endpoints import AlertEndpoints
from sprint.tools.monitor.feed import FleetFeed
from sprint.tools.monitor.monitor import Monitor
from sprint.tools.monitor.relay_api import RelayLost
from sprint.tools.monitor.session import FleetSession
from sprint.tools.web.bodies import json_body
from sprint.tools.web.router import Request, Response, Router

PATH = "/api/breakers"
REASONS_MAX = 16
NAMES_COMPARED_MAX = 1_000
LISTED_MAX = 8
NUMBER_DIGITS_MAX = 9


class MonitorEndpoints:
    """Answers for a monitor."""

    def __init__(self, monitor: Monitor, feed: FleetFeed) -> None:
        self._monitor = monitor
        self._board = monitor.board
        self._feed = feed

    def add_to(self, router: Router) -> None:
        """Serve all paths."""
        for method, pattern, handler in (
            ("GET", PATH, self._list),
            ("GET", f"{PATH}/{{name}}", self._one),
            ("GET", f"{PATH}/{{name}}/metrics", self._metrics),
            ("GET", f"{PATH}/{{name}}/history", self._history),
            ("POST", f"{PATH}/{{name}}/state", self._order),
            ("PUT", f"{PATH}/{{name}}/config", self._lay_over),
            ("GET", "/api/health", self._health),
        ):
            router.add(method, pattern, handler)
        AlertEndpoints(self._monitor).add_to(router)
        router.add_websocket("/ws", lambda _: FleetSession(self._feed))

    async def _list(self, request: Request) -> Response:
        only_query(request, "relay")
        wanted = self._relay(request)
        rows = [row_told(key, row) for key, row in self._board.rows.items() if wanted in {"", key.relay}]
        relays = [_connection(each) for each in self._board.relays.values() if wanted in {"", each.name}]
        return json_answer({"relays": relays, "breakers": rows, "left_out": self._board.left_out})

    async def _one(self, request: Request) -> Response:
        """Answer with what the relay says now; where it can't be asked, with what it said last and why."""
        only_query(request, "relay")
        key = self._key(request)
        try:
            detail = await self._monitor.detail(key)
        except RelayLost as error:
            row = row_told(key, self._board.rows[key])
            unknown = {"explanation": None, "config": None, "laid_over": None}
            return json_answer({**row, **unknown, "unheard": str(error)})
        return json_answer({**detail, "relay": key.relay, "unheard": None})

    async def _metrics(self, request: Request) -> Response:
        only_query(request, "relay", "limit")
        key = self._key(request)
        points = self._board.points(key, _limit(request, POINTS_PER_BREAKER_MAX))
        return json_answer({"relay": key.relay, "breaker": key.breaker, "points": points})

    async def _history(self, request: Request) -> Response:
        only_query(request, "relay", "limit")
        key = self._key(request)
        rows = self._board.transitions(key, _limit(request, TRANSITIONS_PER_BREAKER_MAX))
        return json_answer({"relay": key.relay, "breaker": key.breaker, "transitions": rows})

    async def _order(self, request: Request) -> Response:
        only_query(request, "relay")
        fields = await json_body(request)
        key = self._key(request)
        try:
            order = order_of(fields)
        except ConfigError as error:
            raise RequestError("bad_query", str(error)) from error
        try:
            answer = await self._monitor.ordered(key, order.action, order.reason)
        except RelayLost as error:
            raise RequestError("relay_lost", str(error)) from error
        return json_answer({**answer, "relay": key.relay})

    async def _lay_over(self, request: Request) -> Response:
        only_query(request, "relay")
        fields = await json_body(request)
        key = self._key(request)
        try:
            answer = await self._monitor.lay_over(key, fields)
        except RelayLost as error:
            raise RequestError("relay_lost", str(error)) from error
        return json_answer({**answer, "relay": key.relay})

    async def _health(self, request: Request) -> Response:
        """Answer with how the relays are, as far as they are heard; 200 whatever that is."""
        only_query(request)
        relays = list(self._board.relays.values())
        lost = [
            f"relay {each.name} is {each.connection}: {each.reason}"
            for each in relays
            if each.connection != "live"
        ]
        rejecting = [
            f"breaker {key.breaker} of {key.relay} is {row.state}: {row.reason}"
            for key, row in self._board.rows.items()
            if _rejects(row)
        ]
        status = "degraded" if lost or rejecting else "ok"
        answer = {
            "status": "failing" if len(lost) == len(relays) else status,
            "reasons": [*lost, *rejecting][:REASONS_MAX],
            "version": __version__,
            "demo": self._monitor.demo,
            "read_only": self._monitor.read_only,
            "watchers": self._feed.watchers,
            "breakers": Counter(row.state for row in self._board.rows.values()),
            "left_out": self._board.left_out,
            "relays": relays,
        }
        return json_answer(answer)

    def _key(self, request: Request) -> Key:
        """Return which breaker a request is for; RequestError where there is none, or more than one."""
        name, relay = request.parameters["name"], self._relay(request)
        found = self._board.find(name, relay)
        if len(found) == 1:
            return found[0]
        if not found:
            raise RequestError("unknown_breaker", f"no breaker {name[:128]!a}; {self._near(name)}")
        relays = ", ".join(key.relay for key in found[:LISTED_MAX])
        raise RequestError("which_relay", f"{len(found)} relays have {name[:128]!a}: {relays}; say which")

    def _relay(self, request: Request) -> str:
        """Return which relay is named, empty where none is; an empty name is a slip, and none of one."""
        relay = request.query.get("relay")
        if relay is not None and relay not in self._board.relays:
            known = ", ".join(list(self._board.relays)[:LISTED_MAX])
            raise RequestError("unknown_relay", f"no relay {relay[:64]!a}; there is {known or 'none'}")
        return relay or ""

    def _near(self, name: str) -> str:
        names = list(dict.fromkeys(key.breaker for key in self._board.rows))
        if not names:
            return "there is none yet"
        near = difflib.get_close_matches(name[:128], names[:NAMES_COMPARED_MAX], n=3)
        known = f"there is {names[0]}" if len(names) == 1 else f"there are {len(names)}, as {names[0]}"
        said = f"did you mean {' or '.join(near)}?" if near else known
        return f"{said}; GET {PATH} lists them"


def _connection(seen: RelaySeen) -> dict[str, str]:
    return {
        "name": seen.name,
        "url": seen.url,
        "connection": seen.connection,
        "since": seen.since,
        "reason": seen.reason,
    }


def _rejects(row: BreakerRow) -> bool:
    """Tell whether a breaker keeps calls from being made; in shadow only an operator's word does."""
    return row.state == "force_open" if row.shadow else row.state not in {"closed", "force_close"}


def _limit(request: Request, most: int) -> int:
    text = request.query.get("limit")
    if text is None:
        return most
    digits = text.isascii() and text.isdigit() and len(text) <= NUMBER_DIGITS_MAX
    if not digits or not 1 <= int(text) <= most:
        raise RequestError("bad_query", f"limit {text[:64]!a}: want a whole number from 1 to {most}")
    return int(text)
