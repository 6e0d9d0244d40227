"""The proxies of a process over HTTP: what they are, which faults are on them, and what those have done.

    GET     /api/faults                                what kinds of faults there are, with their figures
    GET     /api/proxies                               all proxies with their toxics
    POST    /api/proxies                               {"name": "node", "target": "127.0.0.1:19444"}
    GET     /api/proxies/{proxy}
    DELETE  /api/proxies/{proxy}
    GET     /api/proxies/{proxy}/toxics
    POST    /api/proxies/{proxy}/toxics                {"kind": "latency", "latency_ms": 200, "ttl_ms": 30000}
    GET     /api/proxies/{proxy}/toxics/{toxic}
    PUT     /api/proxies/{proxy}/toxics/{toxic}        {"latency_ms": 400}
    DELETE  /api/proxies/{proxy}/toxics/{toxic}
    POST    /api/faults/reset                          {}: all faults off all proxies

What cannot be is refused whole, with the key, what was given and what would be right.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from sprint.core.errors import ConfigError, ListenError, RequestError
from sprint.core.faultproxy.codec import proxy_of, refuse_fields, shown, toxic_row
from sprint.core.faultproxy.toxics import KINDS, ActiveToxic
from sprint.tools.faultproxy.proxies import FaultProxies
from sprint.tools.faultproxy.proxy import FaultProxy
from sprint.tools.runtime import clock
from sprint.tools.web.bodies import json_body
from sprint.tools.web.guard import Guard
from sprint.tools.web.problem_pages import add_problems
from sprint.tools.web.router import Handler, Request, Response, Router, Site
from sprint.tools.web.server import Listener, serve

PATH = "/api/proxies"
KINDS_PATH = "/api/faults"
BODY_SIZE_MAX = 4_096
CONNECTIONS_MAX = 64
CREATED = 201


class ProxyEndpoints:
    """Answers for some proxies."""

    def __init__(self, proxies: FaultProxies) -> None:
        self._proxies = proxies

    def add_to(self, router: Router) -> None:
        """Serve the proxies' paths."""
        one = f"{PATH}/{{proxy}}"
        toxics = f"{one}/toxics"
        for method, pattern, handler in (
            ("GET", KINDS_PATH, self._kinds),
            ("GET", PATH, self._list),
            ("POST", PATH, self._create),
            ("POST", f"{KINDS_PATH}/reset", self._reset),
            ("GET", one, self._one),
            ("DELETE", one, self._delete),
            ("GET", toxics, self._toxics),
            ("POST", toxics, self._add),
            ("GET", f"{toxics}/{{toxic}}", self._toxic),
            ("PUT", f"{toxics}/{{toxic}}", self._change),
            ("DELETE", f"{toxics}/{{toxic}}", self._remove),
        ):
            router.add(method, pattern, _refusing(handler))

    async def _kinds(self, _: Request) -> Response:
        return _json({"kinds": KINDS})

    async def _list(self, _: Request) -> Response:
        return _json({"proxies": [proxy.view() for proxy in self._proxies]})

    async def _create(self, request: Request) -> Response:
        proxy = self._proxies.create(proxy_of(await json_body(request)))
        return _json({"proxy": proxy.view()}, CREATED)

    async def _reset(self, request: Request) -> Response:
        refuse_fields(await json_body(request))
        return _json({"removed": self._proxies.reset()})

    async def _one(self, request: Request) -> Response:
        return _json(self._proxy(request).view())

    async def _delete(self, request: Request) -> Response:
        proxy = self._proxy(request)
        view = proxy.view()
        await self._proxies.delete(proxy.settings.name)
        return _json({"proxy": view})

    async def _toxics(self, request: Request) -> Response:
        return _json({"toxics": self._proxy(request).view()["toxics"]})

    async def _add(self, request: Request) -> Response:
        fields = await json_body(request)
        return _toxic_answer(self._proxy(request).add_toxic(fields), CREATED)

    async def _toxic(self, request: Request) -> Response:
        return _toxic_answer(self._active(request)[1])

    async def _change(self, request: Request) -> Response:
        fields = await json_body(request)
        proxy, active = self._active(request)
        return _toxic_answer(proxy.change(active.toxic.name, fields))

    async def _remove(self, request: Request) -> Response:
        proxy, active = self._active(request)
        return _toxic_answer(proxy.remove(active.toxic.name))

    def _proxy(self, request: Request) -> FaultProxy:
        try:
            return self._proxies.find(request.parameters["proxy"])
        except ConfigError as error:
            raise RequestError("not_found", str(error)) from error

    def _active(self, request: Request) -> tuple[FaultProxy, ActiveToxic]:
        proxy = self._proxy(request)
        name = request.parameters["toxic"]
        active = proxy.find(name)
        if active is None:
            raise RequestError("not_found", f"no toxic {shown(name)} on proxy {proxy.settings.name}")
        return proxy, active


async def serve_control(proxies: FaultProxies, bound: socket.socket) -> Listener:
    """Serve the control of some proxies on a bound socket."""
    router = Router()
    add_problems(router)
    ProxyEndpoints(proxies).add_to(router)
    guard = Guard(bound.getsockname()[1], body_size_max=BODY_SIZE_MAX)
    return await serve(Site(router, guard, connections_max=CONNECTIONS_MAX), bound)


def _refusing(handler: Callable[[Request], Awaitable[Response]]) -> Handler:
    """Have what cannot be told as a problem of the request."""

    async def answer(request: Request) -> Response:
        with _refused():
            return await handler(request)

    return answer


@contextmanager
def _refused() -> Iterator[None]:
    try:
        yield
    except (ConfigError, ListenError) as error:
        raise RequestError("bad_query", str(error)) from error


def _toxic_answer(active: ActiveToxic, status: int = 200) -> Response:
    return _json({"toxic": toxic_row(active, clock())}, status)


def _json(answer: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(answer), status)
