"""A relay for the client's tests: a small log, and a WebSocket server over it that misbehaves as told.

`RelayLog` answers a subscription as the relay's specification has it, without sockets. `FakeRelay` serves
it on 127.0.0.1 from a thread of its own, with one `Fault` for each connection in turn and none after.
"""

from __future__ import annotations

import asyncio
import http
import json
import threading
from collections.abc import Coroutine
from typing import Any, Self, TypeVar

import msgspec
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from sprint.core.errors import CursorError
from sprint.core.model import ChainStatusData, Event, EventData, GapData, ReorgData, decode_event
from sprint.core.relay.event_log import Cursor, EventLog, LoggedEvent, parse_cursor

LOG_ID = "11" * 8
CALL_TIMEOUT_S = 20.0
Result = TypeVar("Result")

DATA: tuple[EventData, ...] = (
    ChainStatusData("stalled", "test"),
    ReorgData(1, ("a",), ("b",), 1),
    GapData(1, 2, "test"),
)


class RelayLog:
    """Events of several chains in one log, and the answers to a subscription."""

    def __init__(self, log_id: str = LOG_ID, earliest: int = 0) -> None:
        self.numbering = EventLog(log_id, 0, {})
        self.events: list[LoggedEvent] = []
        self.earliest = earliest

    def append(self, chain: str = "bitcoin", kind: int = 0) -> LoggedEvent:
        logged = self.numbering.append(chain, DATA[kind])
        self.events.append(logged)
        return logged

    def cursor(self, position: int) -> str:
        return Cursor(self.numbering.log_id, position).encode()

    def decoded(self, chains: tuple[str, ...] | None = None) -> list[Event]:
        return [decode_event(e.body) for e in self.events if chains is None or e.chain in chains]

    def answer(self, request: dict[str, Any]) -> tuple[dict[str, Any], list[LoggedEvent]]:
        """Return the answer to a subscribe message and the events from its start on."""
        try:
            default, by_chain = self._starts(request["from"])
        except CursorError as error:
            return {"op": "error", "id": request["id"], "code": error.code, "message": str(error)}, []
        starts = [default, *by_chain.values()]
        if min(starts) < self.earliest:
            expired = {"op": "error", "id": request["id"], "code": "cursor_expired", "message": "too old"}
            return expired | {"earliest": self.cursor(self.earliest)}, []
        chains, types = request.get("chains"), request.get("types")
        events = [
            e
            for e in self.events
            if e.position > by_chain.get(e.chain, default)
            and (chains is None or e.chain in chains)
            and (types is None or e.type in types)
        ]
        reply = {"op": "subscribed", "id": request["id"], "log": self.numbering.log_id}
        return reply | {"cursor": self.cursor(min(starts))}, events

    def _starts(self, start: str | list[str]) -> tuple[int, dict[str, int]]:
        latest = self.numbering.position
        if start == "latest":
            return latest, {}
        if start == "earliest":
            return self.earliest, {}
        if isinstance(start, str):
            return parse_cursor(start, self.numbering.log_id).position, {}
        cursors = [parse_cursor(text, self.numbering.log_id) for text in start]
        return latest, {cursor.chain: cursor.position for cursor in cursors}


class Fault(msgspec.Struct, frozen=True):
    """What goes wrong on one connection after `events` were sent.

    `how`: a close code; "cut" (reset), "torn" (reset in the middle of a frame), "malformed" (a message
    that is none), "refused" (HTTP 503), "deaf" (never answers subscribe), "frozen" (answers no ping).
    `repeats` events before the place asked for are sent again first.
    """

    how: int | str
    events: int = 0
    repeats: int = 0


class FakeRelay:
    """Serves a `RelayLog` at `url`; each connection meets the next of `faults`."""

    def __init__(self) -> None:
        self.log = RelayLog()
        self.faults: list[Fault] = []
        self.requests: list[dict[str, Any]] = []
        self.refusal: Response | None = None
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: Server | None = None
        self._frozen: list[ServerConnection] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CALL_TIMEOUT_S)
        self._loop.close()

    def reset(self, log: RelayLog, faults: list[Fault]) -> None:
        self.log, self.faults, self.requests, self.refusal = log, faults, [], None

    def start(self) -> None:
        """Listen, on the same port as before if there was one."""
        self._call(self._start())

    def stop(self) -> None:
        """Stop listening and close every connection with 1001."""
        if self._server is not None:
            self._call(self._stop(self._server))
            self._server = None

    async def _start(self) -> None:
        self._server = await serve(
            self._serve, "127.0.0.1", self.port, process_request=self._process_request, close_timeout=1
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self, server: Server) -> None:
        for connection in self._frozen:
            connection.transport.abort()
        server.close()
        await server.wait_closed()

    def _call(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(CALL_TIMEOUT_S)

    def _process_request(self, connection: ServerConnection, _: Request) -> Response | None:
        if self.refusal is not None:
            return self.refusal
        if self.faults and self.faults[0].how == "refused":
            self.faults.pop(0)
            return connection.respond(http.HTTPStatus.SERVICE_UNAVAILABLE, "restarting\n")
        return None

    async def _serve(self, connection: ServerConnection) -> None:
        fault = self.faults.pop(0) if self.faults else None
        try:
            await self._serve_with(connection, fault)
        except ConnectionClosed:
            return

    async def _serve_with(self, connection: ServerConnection, fault: Fault | None) -> None:
        request = json.loads(await connection.recv())
        self.requests.append(request)
        if fault is not None and fault.how == "deaf":
            await connection.wait_closed()
            return
        reply, events = self.log.answer(request)
        await connection.send(json.dumps(reply))
        while reply["op"] == "error":
            reply, events = self.log.answer(json.loads(await connection.recv()))
            await connection.send(json.dumps(reply))
        if fault is not None and events:
            first = self.log.events.index(events[0])
            events = self.log.events[max(0, first - fault.repeats) : first] + events
            events = events[: fault.events + fault.repeats]
        for event in events:
            await connection.send(event.body.decode())
        if fault is not None:
            await self._fail(connection, fault.how)
        await connection.wait_closed()

    async def _fail(self, connection: ServerConnection, how: int | str) -> None:
        if isinstance(how, int):
            await connection.close(how, "as told")
        elif how == "malformed":
            await connection.send("{not a message")
        elif how == "frozen":
            self._frozen.append(connection)
            connection.transport.pause_reading()
        else:
            if how == "torn":
                connection.transport.write(b"\x81\x7e\x01")
            connection.transport.abort()


def no_wait(_: float) -> None:
    """Stand in for the blocking client's sleep."""


async def no_wait_async(_: float) -> None:
    """Stand in for the asyncio client's sleep; lets other tasks run."""
    await asyncio.sleep(0)
