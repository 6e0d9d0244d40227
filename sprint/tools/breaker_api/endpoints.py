"""The breakers' paths, for whichever listener serves them.

    GET   /api/breakers                     all of them, a row each
    GET   /api/breakers/{name}              one, with why it is in its state and the figures it goes by
    GET   /api/breakers/{name}/metrics      its figures over time
    GET   /api/breakers/{name}/history      its transitions
    GET   /api/breakers/{name}/config       its policy, and what an operator has laid over it
    PUT   /api/breakers/{name}/config       figures to lay over it: {"failures_to_open": 5}
    POST  /api/breakers/{name}/state        {"action": "force_open", "reason": "maintenance"}
    WS    /ws                               all of it as it happens

A name stands percent-encoded in a path where it has other characters than letters, digits and `-._~`.
"""

from __future__ import annotations

import difflib
import logging
from collections.abc import Mapping
from typing import Any

import msgspec

from sprint.core.breaker.policy import Policy
from sprint.core.breaker.policy_overlay import policy_with
from sprint.core.breaker.policy_set import check_trials
from sprint.core.breaker.transitions import Transition
from sprint.core.errors import ConfigError, RequestError
from sprint.core.monitor.history import POINTS_PER_BREAKER_MAX, TRANSITIONS_PER_BREAKER_MAX
from sprint.core.monitor.orders import OPERATOR, order_of, refuse_unknown
from sprint.core.monitor.rows import transition_row
from sprint.tools.breaker import BreakerRegistry, CircuitBreaker
from sprint.tools.breaker_api.feed import METRICS_INTERVAL_S, BreakerFeed
from sprint.tools.breaker_api.session import BreakerSession
from sprint.tools.runtime import log_fields
from sprint.tools.web.bodies import json_body
from sprint.tools.web.router import Request, Response, Router

PATH = "/api/breakers"
# A look for near names is over so many names, and for so long a one, at most.
NAMES_COMPARED_MAX = 200
NAME_COMPARED_LENGTH_MAX = 128
NUMBER_DIGITS_MAX = 15
log = logging.getLogger(__name__)


class LaidOver(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator laid over a breaker's policy: the fields, over which policy, what came of it, when."""

    fields: dict[str, Any]
    below: Policy
    policy: Policy
    at: str


class BreakerEndpoints:
    """Answers for the breakers of a feed's registry."""

    def __init__(self, feed: BreakerFeed) -> None:
        self._feed = feed
        self._registry: BreakerRegistry = feed.registry
        self._laid_over: dict[str, LaidOver] = {}

    def add_to(self, router: Router) -> None:
        """Serve the breakers' paths."""
        for method, pattern, handler in (
            ("GET", PATH, self._list),
            ("GET", f"{PATH}/{{name}}", self._one),
            ("GET", f"{PATH}/{{name}}/metrics", self._metrics),
            ("GET", f"{PATH}/{{name}}/history", self._history),
            ("GET", f"{PATH}/{{name}}/config", self._config),
            ("PUT", f"{PATH}/{{name}}/config", self._lay_over),
            ("POST", f"{PATH}/{{name}}/state", self._order),
        ):
            router.add(method, pattern, handler)
        router.add_websocket("/ws", lambda _: BreakerSession(self._feed))

    async def _list(self, request: Request) -> Response:
        only_query(request)
        return json_answer({"breakers": list((await self._feed.rows()).values())})

    async def _one(self, request: Request) -> Response:
        only_query(request)
        breaker = self._breaker(request)
        row: dict[str, Any] = msgspec.to_builtins(self._feed.row(breaker))
        return json_answer({**row, "explanation": self._explained(breaker), **self._policy(breaker)})

    async def _metrics(self, request: Request) -> Response:
        only_query(request, "limit")
        breaker = self._breaker(request)
        limit = _number(request, "limit", POINTS_PER_BREAKER_MAX, POINTS_PER_BREAKER_MAX)
        points = self._feed.metrics.points(breaker.name, limit)
        return json_answer({"breaker": breaker.name, "interval_s": METRICS_INTERVAL_S, "points": points})

    async def _history(self, request: Request) -> Response:
        only_query(request, "limit", "after")
        breaker = self._breaker(request)
        limit = _number(request, "limit", TRANSITIONS_PER_BREAKER_MAX, TRANSITIONS_PER_BREAKER_MAX)
        after = _number(request, "after", 0, 10**NUMBER_DIGITS_MAX, least=0)
        self._feed.tell_waiting()
        rows = self._feed.transitions.rows(breaker.name, after=after, limit=limit)
        return json_answer({"breaker": breaker.name, "transitions": rows})

    async def _config(self, request: Request) -> Response:
        only_query(request)
        return json_answer(self._policy(self._breaker(request)))

    async def _lay_over(self, request: Request) -> Response:
        """Lay figures over the policy, in place of those of last time; an empty object takes them back."""
        only_query(request)
        fields = await json_body(request)
        breaker = self._breaker(request)
        known = self._in_force(breaker)
        below = known.below if known else breaker.policy
        try:
            policy = policy_with(below, fields)
            check_trials(breaker.name, policy)
        except ConfigError as error:
            raise RequestError("bad_query", str(error)) from error
        breaker.adopt(policy)
        self._laid_over = {
            name: laid for name, laid in self._laid_over.items() if self._registry.find(name) is not None
        }
        self._laid_over.pop(breaker.name, None)
        if fields:
            self._laid_over[breaker.name] = LaidOver(
                fields=fields, below=below, policy=policy, at=self._feed.now()
            )
        said = msgspec.json.encode(fields).decode()
        log_fields(
            log, logging.WARNING, "breaker's policy changed", breaker=breaker.name, by=OPERATOR, fields=said
        )
        return json_answer(self._policy(breaker))

    async def _order(self, request: Request) -> Response:
        only_query(request)
        fields = await json_body(request)
        breaker = self._breaker(request)
        try:
            order = order_of(fields)
        except ConfigError as error:
            raise RequestError("bad_query", str(error)) from error
        why = f"{OPERATOR}: {order.reason}" if order.reason else OPERATOR
        changed = bool(getattr(breaker, order.action)(why))
        log_fields(
            log,
            logging.WARNING,
            f"breaker told: {order.action}",
            breaker=breaker.name,
            by=OPERATOR,
            reason=order.reason,
            changed=changed,
        )
        return json_answer({"changed": changed, "breaker": self._feed.row(breaker)})

    def _explained(self, breaker: CircuitBreaker) -> dict[str, Any]:
        """Return all of `explain()`, its transitions with times of the day."""
        explanation = breaker.explain()
        told: dict[str, Any] = msgspec.to_builtins(explanation)
        offset_s = self._feed.unix_offset_s
        rows = [_own_row(each, offset_s) for each in explanation.last_transitions]
        return {**told, "last_transitions": rows}

    def _policy(self, breaker: CircuitBreaker) -> dict[str, Any]:
        known = self._in_force(breaker)
        laid = None if known is None else {"fields": known.fields, "at": known.at}
        return {"config": breaker.policy, "laid_over": laid}

    def _in_force(self, breaker: CircuitBreaker) -> LaidOver | None:
        """Return what was laid over a breaker's policy, unless another policy came in its place since."""
        known = self._laid_over.get(breaker.name)
        return known if known is not None and known.policy == breaker.policy else None

    def _breaker(self, request: Request) -> CircuitBreaker:
        name = request.parameters["name"]
        breaker = self._registry.find(name)
        if breaker is not None:
            return breaker
        names = [breaker.name for breaker in self._registry]
        raise RequestError("unknown_breaker", f"no breaker {name[:128]!a}; {_near(name, names)}")


def _own_row(transition: Transition, unix_offset_s: float) -> dict[str, Any]:
    """Return a transition with its number among those of its breaker: history and watchers count all."""
    row: dict[str, Any] = msgspec.to_builtins(transition_row(transition, transition.number, unix_offset_s))
    return {"own_number": row.pop("number"), **row}


def _near(name: str, names: list[str]) -> str:
    if not names:
        return "there is none yet"
    compared = names[:NAMES_COMPARED_MAX]
    near = difflib.get_close_matches(name[:NAME_COMPARED_LENGTH_MAX], compared, n=3)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"there are {len(names)}, as {compared[0]}; GET {PATH} lists them"


def only_query(request: Request, *keys: str) -> None:
    """Refuse a key of the query that is not known: a misspelt limit must not be passed over."""
    try:
        refuse_unknown(request.query, *keys)
    except ConfigError as error:
        raise RequestError("bad_query", f"query: {error}") from error


def _number(request: Request, key: str, default: int, most: int, *, least: int = 1) -> int:
    text = request.query.get(key)
    if text is None:
        return default
    digits = text.isascii() and text.isdigit() and len(text) <= NUMBER_DIGITS_MAX
    if not digits or not least <= int(text) <= most:
        raise RequestError("bad_query", f"{key} {text[:64]!a}: want a whole number from {least} to {most}")
    return int(text)


def json_answer(answer: Mapping[str, Any]) -> Response:
    """Answer with JSON."""
    return Response(msgspec.json.encode(answer))
