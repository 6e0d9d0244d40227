"""What the page asks besides the breakers: what happened before it was opened, and what a policy may be.

GET  /api/events?limit=100&before=…   transitions of all breakers, the newest first, and `next`
GET  /api/figures                     the figures that may be laid over a policy, and what each may be
"""

from __future__ import annotations

from typing import Any

import msgspec

from sprint.core.errors import RequestError
from sprint.core.monitor.board import Happened
from sprint.core.monitor.events_page import LIMIT_MAX, events_page
from sprint.core.monitor.figures_form import figures
from sprint.tools.breaker_api.endpoints import json_answer, only_query
from sprint.tools.monitor.monitor import Monitor
from sprint.tools.web.router import Request, Response, Router

LIMIT_DEFAULT = 100


class PageEndpoints:
    """Answers for a monitor's page, and for whoever else asks."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor

    def add_to(self, router: Router) -> None:
        """Serve all paths."""
        router.add("GET", "/api/events", self._events)
        router.add("GET", "/api/figures", self._figures)

    async def _events(self, request: Request) -> Response:
        only_query(request, "limit", "before")
        text = request.query.get("limit", str(LIMIT_DEFAULT))
        digits = text.isascii() and text.isdigit() and len(text) <= len(str(LIMIT_MAX))
        if not digits or not 1 <= int(text) <= LIMIT_MAX:
            raise RequestError("bad_query", f"limit {text[:64]!a}: want a whole number from 1 to {LIMIT_MAX}")
        page = events_page(self._monitor.board.recent, request.query.get("before", ""), int(text))
        return json_answer({"events": [_told(each) for each in page.events], "next": page.next})

    async def _figures(self, request: Request) -> Response:
        only_query(request)
        return json_answer({"figures": figures()})


def _told(happened: Happened) -> dict[str, Any]:
    row: dict[str, Any] = msgspec.to_builtins(happened.transition)
    return {"relay": happened.relay, **row}
