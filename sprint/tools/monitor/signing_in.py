"""The monitor's key: a program brings it with each request, a page once, for a cookie that says so.

    POST    /api/session   {"key": "…"}: a cookie for the page that asks
    GET     /api/session   whether a key is needed, and whether this page has shown it
    DELETE  /api/session   takes the cookie back

A browser can't put a header on a WebSocket, so the page has a cookie in its place: HttpOnly, so that no
script reads it, SameSite=Strict, so that no other page sends it. It holds until when it is good and, by the
key, a MAC over that (RFC 2104): nothing is kept here, and another key voids all cookies.
"""

from __future__ import annotations

import hashlib
import hmac
from http.cookies import CookieError, SimpleCookie

import msgspec

from sprint.core.errors import RequestError
from sprint.tools import runtime
from sprint.tools.web.access import Access, has_key
from sprint.tools.web.bodies import json_body
from sprint.tools.web.router import Handler, Request, Response, Router, Session, SessionMaker, StreamResponse

PATH = "/api/session"
SESSION_S = 12 * 3_600
COOKIE = "sprint_monitor"
_MAC_OF = b"sprint cb-monitor session until "


class Gate:
    """Lets in who has the key; without one everybody."""

    def __init__(self, access: Access) -> None:
        self._key = access.key
        self._secure = access.tls is not None

    def __repr__(self) -> str:
        return f"Gate({'with a key' if self._key else 'open'})"

    def add_to(self, router: Router) -> None:
        """Serve what a page signs in by."""
        router.add("GET", PATH, self._look)
        router.add("POST", PATH, self._sign_in)
        router.add("DELETE", PATH, self._sign_out)

    def is_open_to(self, request: Request) -> bool:
        """Tell whether a request may be answered."""
        return not self._key or has_key(request, self._key) or self._has_cookie(request)

    def check(self, request: Request) -> None:
        """Raise RequestError key_refused for one that may not."""
        if not self.is_open_to(request):
            raise RequestError(
                "key_refused",
                "no key, or another one; send Authorization: Bearer KEY, or sign in on the page",
            )

    async def _look(self, request: Request) -> Response:
        return _json({"key_needed": bool(self._key), "signed_in": self.is_open_to(request)})

    async def _sign_in(self, request: Request) -> Response:
        fields = await json_body(request)
        given = fields.get("key")
        if set(fields) != {"key"} or not isinstance(given, str):
            raise RequestError("bad_query", 'want {"key": "…"} and nothing else')
        if not self._key or not hmac.compare_digest(given.encode(), self._key.encode()):
            raise RequestError("key_refused", "that is not the key that this monitor was started with")
        until = str(int(runtime.wall_clock()) + SESSION_S)
        return _json({"signed_in": True}, self._cookie(f"{until}.{self._mac(until)}", SESSION_S))

    async def _sign_out(self, _: Request) -> Response:
        return _json({"signed_in": False}, self._cookie("", 0))

    def _has_cookie(self, request: Request) -> bool:
        for name, value in request.scope["headers"]:
            if name == b"cookie":
                until, dot, mac = _cookie_of(value.decode("latin-1")).partition(".")
                whole = bool(dot) and hmac.compare_digest(mac.encode(), self._mac(until).encode())
                if whole and int(until) > runtime.wall_clock():
                    return True
        return False

    def _mac(self, until: str) -> str:
        return hmac.new(self._key.encode(), _MAC_OF + until.encode(), hashlib.sha256).hexdigest()

    def _cookie(self, value: str, age_s: int) -> str:
        secure = "; Secure" if self._secure else ""
        return f"{COOKIE}={value}; Path=/; Max-Age={age_s}; HttpOnly; SameSite=Strict{secure}"


class KeyedRouter(Router):
    """Puts what is added to it on another router, behind a gate."""

    def __init__(self, router: Router, gate: Gate) -> None:
        super().__init__()
        self._router = router
        self._gate = gate

    def add(self, method: str, pattern: str, handler: Handler) -> None:
        """Answer as `handler` does, to who may ask."""

        async def answer(request: Request) -> Response | StreamResponse:
            self._gate.check(request)
            return await handler(request)

        self._router.add(method, pattern, answer)

    def add_websocket(self, pattern: str, maker: SessionMaker) -> None:
        """Give a session as `maker` does, to who may ask."""

        def make(request: Request) -> Session:
            self._gate.check(request)
            return maker(request)

        self._router.add_websocket(pattern, make)


def _cookie_of(header: str) -> str:
    try:
        morsel = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return ""
    return "" if morsel is None else morsel.value


def _json(answer: object, cookie: str = "") -> Response:
    headers = (("Set-Cookie", cookie),) if cookie else ()
    return Response(msgspec.json.encode(answer), headers=(*headers, ("Cache-Control", "no-store")))
