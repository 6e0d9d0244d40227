"""Who ordered what: every request on the admin listener that may change something is told of, once it ended.

`AuditedRouter` stands where the listener's router would, so that no endpoint can forget to tell.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from sprint.core.errors import SprintError
from sprint.core.monitor.orders import OPERATOR, REASON_LENGTH_MAX
from sprint.tools.web.problems import PROBLEMS, code_of
from sprint.tools.web.router import Handler, Request, Response, Router, StreamResponse

AUDITED_UNDER = "/api/"  # not what the devnet is told, which is no part of the relay
READING = ("GET", "HEAD")
TARGET_LENGTH_MAX = 200
DONE = "done"


class OrderGiven(msgspec.Struct, frozen=True):
    """One order: who gave it, from which address, what, about what, why; how it was answered.

    `outcome` is `done`, or why it was refused. In the order of the audit log's columns.
    """

    actor: str
    client: str
    action: str
    target: str
    reason: str
    status: int | None
    outcome: str


Ordered = Callable[[OrderGiven], None]


class AuditedRouter(Router):
    """A router that tells `ordered` of each request that is not just reading."""

    def __init__(self, ordered: Ordered) -> None:
        super().__init__()
        self._ordered = ordered

    def add(self, method: str, pattern: str, handler: Handler) -> None:
        """Answer `method` on `pattern` with `handler`, and tell of it."""
        audited = method not in READING and pattern.startswith(AUDITED_UNDER)
        super().add(method, pattern, self._telling(handler) if audited else handler)

    def _telling(self, handler: Handler) -> Handler:
        async def answer(request: Request) -> Response | StreamResponse:
            try:
                response = await handler(request)
            except SprintError as error:
                self._ordered(_order(request, PROBLEMS[code_of(error)].status, str(error)))
                raise
            except Exception as error:
                self._ordered(_order(request, PROBLEMS["internal"].status, repr(error)))
                raise
            self._ordered(_order(request, getattr(response, "status", None), DONE))
            return response

        return answer


def _order(request: Request, status: int | None, outcome: str) -> OrderGiven:
    fields = _fields(request)
    client = request.scope.get("client") or ("",)
    return OrderGiven(
        actor=OPERATOR,
        client=str(client[0]),
        action=_text(fields.get("action") or request.scope["method"]),
        target=_text(request.path)[:TARGET_LENGTH_MAX],
        reason=_text(fields.get("reason", "")),
        status=status,
        outcome=_text(outcome),
    )


def _fields(request: Request) -> dict[str, Any]:
    """Return what a request says, in its body or else in its query; nothing where neither can be read."""
    try:
        body = msgspec.json.decode(request.body_read)
    except (ValueError, RecursionError):  # also of text that is no UTF-8, or nested too deep
        body = None
    try:
        return body if isinstance(body, dict) else dict(request.query)
    except SprintError:
        return {}


def _text(value: object) -> str:
    """Return one printable line, as what was refused may be anything."""
    text = value if isinstance(value, str) else repr(value)
    return "".join(each if each.isprintable() else "?" for each in text[:REASON_LENGTH_MAX])
