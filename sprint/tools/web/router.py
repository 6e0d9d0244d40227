"""Which handler answers a request: method and path pattern to an async function, as one ASGI application.

A pattern's `{name}` takes one path segment; of two patterns that fit, the one whose literal comes first
wins, so `/blocks/latest` goes before `/blocks/{hash}`. `Site` is what one listener serves: its guard, its
router and its connection limit. uvicorn calls it for HTTP; the WebSocket protocol asks it for the session.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote

import msgspec

from sprint.core.errors import RequestError, SprintError
from sprint.tools.web.guard import Guard, RawHeaders
from sprint.tools.web.json_object import object_of
from sprint.tools.web.outgoing import FlushWindow, Outgoing
from sprint.tools.web.problems import CONTENT_TYPE, PROBLEMS, body_of, code_of

QUERY_FIELDS_MAX = 16
BODY_TIMEOUT_S = 10.0
JSON_TYPE = "application/json"
NDJSON_TYPE = "application/x-ndjson"
NOT_MODIFIED = 304

logger = logging.getLogger("sprint.web")


class Request:
    """One request. `scope` and `receive` are ASGI's; `parameters` are the pattern's."""

    __slots__ = ("_query", "_receive", "body_read", "parameters", "scope")

    def __init__(
        self, scope: Mapping[str, Any], parameters: dict[str, str], receive: Receive | None = None
    ) -> None:
        self.scope = scope
        self.parameters = parameters
        self._receive = receive
        self._query: dict[str, str] | None = None
        self.body_read = b""  # once somebody has asked for it

    @property
    def path(self) -> str:
        return str(self.scope["path"])

    @property
    def query(self) -> dict[str, str]:
        """The query's fields; RequestError where one stands twice or there are too many."""
        if self._query is None:
            text = self.scope["query_string"].decode("latin-1")
            try:
                pairs = parse_qsl(
                    text, keep_blank_values=True, max_num_fields=QUERY_FIELDS_MAX, errors="strict"
                )
            except ValueError as error:  # too many fields, or not UTF-8
                raise RequestError("bad_query", f"query: {error}; limit {QUERY_FIELDS_MAX} fields") from error
            self._query = dict(pairs)
            if len(self._query) != len(pairs):
                raise RequestError("bad_query", "a query field stands twice; join values with commas")
        return self._query

    async def json_object(self) -> dict[str, Any]:
        """Read the body, an object or nothing at all; RequestError where it is neither or comes too slowly.

        How long it may be is held by the listener's guard.
        """
        return object_of(await self._body())

    async def _body(self) -> bytes:
        parts: list[bytes] = []
        try:
            async with asyncio.timeout(BODY_TIMEOUT_S):
                while self._receive is not None:
                    message = await self._receive()
                    if message["type"] == "http.disconnect":
                        raise RequestError("bad_request", "the connection ended before the body did")
                    parts.append(message.get("body", b""))
                    if not message.get("more_body", False):
                        break
        except TimeoutError as error:
            raise RequestError(
                "bad_request",
                f"the body was not there within {BODY_TIMEOUT_S:g} s",
                headers=(("Connection", "close"),),
            ) from error
        self.body_read = b"".join(parts)
        return self.body_read

    def when_ended(self, tell: Callable[[], None]) -> None:
        """Have `tell` called once the connection is lost or its listener stops; at once if it is so."""
        self.scope["extensions"]["sprint"].when_ended(tell)


class Response(msgspec.Struct, frozen=True):
    """A whole answer."""

    body: bytes
    status: int = 200
    content_type: str = JSON_TYPE
    headers: tuple[tuple[str, str], ...] = ()


class StreamResponse(msgspec.Struct, frozen=True):
    """An answer that goes on. `run` is given the way out and ends the answer by returning.

    What `run` offers is written to the transport as it is: chunks made by `encode_line_chunk`. On overflow
    `last_words(cursor)` is written as the final chunk, and the connection is dropped if it does not drain.
    """

    run: Callable[[Outgoing], Awaitable[None]]
    last_words: Callable[[str], bytes]
    window: FlushWindow | None = None
    content_type: str = NDJSON_TYPE
    headers: tuple[tuple[str, str], ...] = ()


Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Answer = Callable[[Request], Response]  # needs not wait for anything
Handler = Callable[[Request], Awaitable[Response | StreamResponse]]


class Session(Protocol):
    """What a WebSocket path gives for a connection: told of all that happens on it, on the event loop."""

    @property
    def window(self) -> FlushWindow | None:
        """Coalescing window of what is sent to it."""

    def opened(self, connection: Any) -> None:
        """Take the connection: the handshake is done."""

    def message(self, text: str) -> None:
        """Take one text message."""

    def malformed(self) -> None:
        """Take note of a message that is not text."""

    def closed(self) -> None:
        """Let go: the connection is closing or lost. Called once."""


SessionMaker = Callable[[Request], Session]


class Router:
    """Patterns of HTTP and WebSocket paths."""

    def __init__(self) -> None:
        self._exact: dict[str, dict[str, Handler]] = {}
        self._patterns: dict[int, list[tuple[tuple[str, ...], dict[str, Handler]]]] = {}
        self._sessions: list[tuple[tuple[str, ...], SessionMaker]] = []
        self._answers: dict[Handler, Answer] = {}

    def add_answer(self, pattern: str, answer: Answer) -> None:
        """Answer GET and HEAD on `pattern` with a plain function, which needs no task of its own."""

        async def handler(request: Request) -> Response:
            return answer(request)

        self._answers[handler] = answer
        self.add("GET", pattern, handler)

    def add(self, method: str, pattern: str, handler: Handler) -> None:
        """Answer `method` on `pattern` with `handler`. HEAD comes with GET."""
        if "{" not in pattern:
            self._exact.setdefault(pattern, {})[method] = handler
            return
        segments = tuple(pattern.split("/"))
        patterns = self._patterns.setdefault(len(segments), [])
        for known, handlers in patterns:
            if known == segments:
                handlers[method] = handler
                return
        patterns.append((segments, {method: handler}))
        patterns.sort(key=lambda entry: [segment.startswith("{") for segment in entry[0]])

    def add_websocket(self, pattern: str, maker: SessionMaker) -> None:
        """Give connections to `pattern` the session that `maker` returns; RequestError refuses them."""
        self._sessions.append((tuple(pattern.split("/")), maker))

    def find(self, method: str, path: str, raw_path: bytes = b"") -> tuple[Handler, dict[str, str]]:
        """Return handler and parameters; RequestError not_found, method_not_allowed or upgrade_required.

        `raw_path` is the path as it was sent, percent-encoded: a segment may hold an encoded slash.
        """
        handlers = self._exact.get(path)
        parameters: dict[str, str] = {}
        if handlers is None:
            handlers, parameters = self._match(path, _segments(path, raw_path))
        handler = handlers.get("GET" if method == "HEAD" else method)
        if handler is None:
            allowed = ", ".join(sorted({*handlers, *(("HEAD",) if "GET" in handlers else ())}))
            raise RequestError(
                "method_not_allowed",
                f"{method[:16]} on {path}: there is {allowed}",
                headers=(("Allow", allowed),),
            )
        return handler, parameters

    def answer_of(self, handler: Handler) -> Answer | None:
        """Return the plain function behind a handler, None where it may have to wait."""
        return self._answers.get(handler)

    def session(self, path: str) -> tuple[SessionMaker, dict[str, str]]:
        """Return the session maker of a WebSocket path; RequestError not_found."""
        segments = path.split("/")
        for pattern, maker in self._sessions:
            parameters = _parameters(pattern, segments)
            if parameters is not None:
                return maker, parameters
        raise RequestError("not_found", f"no WebSocket at {path[:128]!a}")

    def _match(self, path: str, segments: list[str]) -> tuple[dict[str, Handler], dict[str, str]]:
        for pattern, handlers in self._patterns.get(len(segments), ()):
            parameters = _parameters(pattern, segments)
            if parameters is not None:
                return handlers, parameters
        if any(_parameters(pattern, segments) is not None for pattern, _ in self._sessions):
            raise RequestError(
                "upgrade_required", f"{path} speaks WebSocket", headers=(("Upgrade", "websocket"),)
            )
        raise RequestError("not_found", f"no such path: {path[:128]!a}")


def _segments(path: str, raw_path: bytes) -> list[str]:
    """Return a path's segments, decoded after they were told apart."""
    if b"%" not in raw_path:
        return path.split("/")
    return [unquote(segment) for segment in raw_path.decode("latin-1").split("/")]


def _parameters(pattern: Sequence[str], segments: Sequence[str]) -> dict[str, str] | None:
    """Return what a pattern takes from a path, or None where it does not fit."""
    if len(pattern) != len(segments):
        return None
    parameters: dict[str, str] = {}
    for expected, found in zip(pattern, segments, strict=True):
        if expected.startswith("{"):
            if not found:
                return None
            parameters[expected[1:-1]] = found
        elif expected != found:
            return None
    return parameters


class Site:
    """What one listener serves, as an ASGI application. `headers` stand on every answer."""

    def __init__(
        self,
        router: Router,
        guard: Guard,
        *,
        connections_max: int,
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        self.router = router
        self.guard = guard
        self.connections_max = connections_max
        self.headers = tuple(headers)
        self._headers = _encoded(self.headers)
        # The answer given last, the headers that the server puts on all, and both as bytes.
        self.encoded_last: tuple[Response, object, bytes] | None = None
        self.connections_refused = 0
        self.subscribers_slow = 0
        self._connected: set[object] = set()
        # Those that came when there were too many. Who was there before them is served as ever.
        self._excess: set[object] = set()

    @property
    def connection_count(self) -> int:
        """Connections that are open, WebSockets and refused ones included."""
        return len(self._connected)

    def arrived(self, connection: object) -> None:
        """Take note of a connection, by its transport."""
        self._connected.add(connection)
        if self.connection_count > self.connections_max:
            self._excess.add(connection)

    def left(self, connection: object) -> None:
        """Forget a connection; again is harmless."""
        self._connected.discard(connection)
        self._excess.discard(connection)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        response = await self._answer(scope, receive)
        if isinstance(response, StreamResponse):
            await self._stream(response, scope, send)
            return
        headers = self.headers_of(response)
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": response.body})

    def headers_of(self, response: Response) -> list[tuple[bytes, bytes]]:
        """Return the headers of a whole answer."""
        # A length beside a 304 would be that of the answer it stands for (RFC 9110, section 8.6).
        length = () if response.status == NOT_MODIFIED else ((b"content-length", b"%d" % len(response.body)),)
        return [
            (b"content-type", response.content_type.encode()),
            *length,
            *self._headers,
            *_encoded(response.headers),
        ]

    def check(self, connection: object, target_length: int, headers: RawHeaders) -> None:
        """Raise RequestError where a request is refused before its path is looked at."""
        if connection in self._excess:
            if self.connection_count > self.connections_max:
                self.connections_refused += 1
                raise RequestError(
                    "too_many_connections",
                    f"{self.connection_count} connections, limit {self.connections_max}",
                    headers=(("Retry-After", "1"), ("Connection", "close")),
                )
            self._excess.discard(connection)
        self.guard.check(target_length, headers)

    def answer_at_once(self, scope: Any) -> Response | None:
        """Answer a request that needs not wait, so without a task; None where it may have to."""
        protocol = scope["extensions"]["sprint"]
        if protocol.transport in self._excess:
            return None
        try:
            self.guard.check(protocol.target_length, scope["headers"])
            handler, parameters = self.router.find(scope["method"], scope["path"], scope["raw_path"])
            answer = self.router.answer_of(handler)
            return answer(Request(scope, parameters)) if answer is not None else None
        except SprintError as error:
            return _refusal(scope, error)
        except Exception as error:  # as in `_answer`
            logger.exception("request failed: %s", scope["path"])
            return problem_response(SprintError(str(error)))

    async def _answer(self, scope: Any, receive: Any) -> Response | StreamResponse:
        try:
            protocol = scope["extensions"]["sprint"]
            self.check(protocol.transport, protocol.target_length, scope["headers"])
            handler, parameters = self.router.find(scope["method"], scope["path"], scope["raw_path"])
            return await handler(Request(scope, parameters, receive))
        except SprintError as error:
            return _refusal(scope, error)
        except Exception as error:  # a mistake of ours must not end the connection without an answer
            logger.exception("request failed: %s", scope["path"])
            return problem_response(SprintError(str(error)))

    async def _stream(self, response: StreamResponse, scope: Any, send: Any) -> None:
        headers = [
            (b"content-type", response.content_type.encode()),
            (b"transfer-encoding", b"chunked"),
            (b"cache-control", b"no-store"),
            *self._headers,
            *_encoded(response.headers),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if scope["method"] != "HEAD":
            outgoing = scope["extensions"]["sprint"].open_stream(response)
            try:
                await response.run(outgoing)
            finally:
                outgoing.end()
        await send({"type": "http.response.body", "body": b""})


def _refusal(scope: Any, error: SprintError) -> Response:
    if code_of(error) == "internal":
        logger.error("request failed: %s", scope["path"], exc_info=error)
    return problem_response(error)


def problem_response(error: SprintError) -> Response:
    """Return the answer that tells of an error."""
    headers = error.headers if isinstance(error, RequestError) else ()
    return Response(body_of(error), PROBLEMS[code_of(error)].status, CONTENT_TYPE, headers)


def _encoded(headers: Sequence[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
