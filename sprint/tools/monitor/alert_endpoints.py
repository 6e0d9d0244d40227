"""The monitor's paths of alerts: what stands and what is over, who has one in hand, and silences.

GET     /api/alerts                          what stands, then what is over; silences; sinks
GET     /api/alerts/history                  what is over, by pages: ?limit=100&before=N
POST    /api/alerts/{id}/acknowledge         {"by": "anna"}
GET     /api/silences
POST    /api/silences                        {"breaker": "source:*", "for": "2h", "by": "anna", "why": "…"}
DELETE  /api/silences/{id}
"""

from __future__ import annotations

from sprint.core.errors import ConfigError, RequestError
from sprint.core.monitor.orders import refuse_unknown
from sprint.tools.breaker_api.endpoints import json_answer, only_query
from sprint.tools.monitor.monitor import AlertDesk, Monitor
from sprint.tools.web.bodies import json_body
from sprint.tools.web.router import Request, Response, Router

PATH = "/api/alerts"
SILENCES_PATH = "/api/silences"
PAGE_MAX = 500
PAGE_DEFAULT = 100
NUMBER_DIGITS_MAX = 18
CREATED = 201


class AlertEndpoints:
    """Answers for the desk of a monitor, which may have none."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor

    def add_to(self, router: Router) -> None:
        """Serve all paths."""
        for method, pattern, handler in (
            ("GET", PATH, self._list),
            ("GET", f"{PATH}/history", self._history),
            ("POST", f"{PATH}/{{id}}/acknowledge", self._acknowledge),
            ("GET", SILENCES_PATH, self._silences),
            ("POST", SILENCES_PATH, self._silence),
            ("DELETE", f"{SILENCES_PATH}/{{id}}", self._end_silence),
        ):
            router.add(method, pattern, handler)

    async def _list(self, request: Request) -> Response:
        only_query(request)
        alerts = self._monitor.alerts
        return json_answer({"alerts": []} if alerts is None else alerts.view())

    async def _history(self, request: Request) -> Response:
        only_query(request, "limit", "before")
        limit, before = _number(request, "limit", PAGE_MAX), _number(request, "before")
        alerts = self._monitor.alerts
        if alerts is None:
            return json_answer({"alerts": [], "next": None})
        return json_answer(await alerts.history(PAGE_DEFAULT if limit is None else limit, before))

    async def _acknowledge(self, request: Request) -> Response:
        only_query(request)
        fields = await json_body(request)
        try:
            refuse_unknown(fields, "by")
        except ConfigError as error:
            raise RequestError("bad_query", str(error)) from error
        return json_answer(await self._desk().acknowledge(request.parameters["id"], fields.get("by", "")))

    async def _silences(self, request: Request) -> Response:
        only_query(request)
        alerts = self._monitor.alerts
        return json_answer({"silences": [] if alerts is None else alerts.silences()})

    async def _silence(self, request: Request) -> Response:
        only_query(request)
        fields = await json_body(request)
        answer = json_answer(await self._desk().silence(fields))
        return Response(answer.body, status=CREATED)

    async def _end_silence(self, request: Request) -> Response:
        only_query(request)
        return json_answer(await self._desk().end_silence(request.parameters["id"]))

    def _desk(self) -> AlertDesk:
        self._monitor.check_writable()
        if self._monitor.alerts is None:
            raise RequestError("no_alerts", "this monitor raises no alerts; start it with --alerts")
        return self._monitor.alerts


def _number(request: Request, key: str, most: int | None = None) -> int | None:
    """Return a whole number of the query, None where there is none."""
    text = request.query.get(key)
    if text is None:
        return None
    digits = text.isascii() and text.isdigit() and len(text) <= NUMBER_DIGITS_MAX
    if not digits or int(text) < 1 or (most is not None and int(text) > most):
        wanted = "1 or more" if most is None else f"from 1 to {most}"
        raise RequestError("bad_query", f"{key} {text[:64]!a}: want a whole number, {wanted}")
    return int(text)
