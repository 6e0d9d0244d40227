"""The list of problems, served where answers name them: `type` of an answer is a path of its own listener."""

from __future__ import annotations

import msgspec

from sprint.core.errors import RequestError
from sprint.tools.web.problems import PROBLEMS
from sprint.tools.web.router import Request, Response, Router


def add_problems(router: Router) -> None:
    """Serve `/problems` and `/problems/{code}`."""
    router.add_answer("/problems", _problems)
    router.add_answer("/problems/{code}", _problem)


def _problems(_: Request) -> Response:
    return Response(msgspec.json.encode({"problems": list(PROBLEMS.values())}))


def _problem(request: Request) -> Response:
    kind = PROBLEMS.get(request.parameters["code"])
    if kind is None:
        raise RequestError("not_found", "no such problem; `/problems` lists them")
    return Response(msgspec.json.encode(kind))
