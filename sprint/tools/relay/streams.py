"""Events over plain HTTP: an endless NDJSON stream, or one page of it by long poll.

The stream is bounded like a WebSocket subscriber: one that does not read is ended with an error line that
carries `slow` and the last cursor queued. A long poll answers what there is after `from`, or waits for the
first event; `Sprint-Cursor` says where the next one goes on, also where the page is empty. It ends early
where its connection does or the listener stops.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import msgspec

from sprint.core.errors import CursorExpired, RequestError, SprintError
from sprint.core.relay.event_log import Cursor, parse_cursor
from sprint.core.relay.fanout import Subscription
from sprint.tools.relay.feed import Feed, OutgoingSubscriber, wish_of_query
from sprint.tools.relay.place import Place
from sprint.tools.web.http import encode_line_chunk
from sprint.tools.web.outgoing import Outgoing
from sprint.tools.web.problems import code_of
from sprint.tools.web.router import NDJSON_TYPE, Request, Response, StreamResponse

HEARTBEAT_INTERVAL_S = 15.0
WAIT_S_MAX = 60.0
POLL_REPLAY_S_MAX = 5.0  # for looking at what there is already; what is waited for live comes after it
POLL_EVENTS_MAX = 200
POLL_SIZE_MAX = 1024 * 1024
_HEARTBEAT = encode_line_chunk(b'{"type":"heartbeat"}')


class EventStreams:
    """Answers `GET /api/v1/events` of one listener."""

    def __init__(self, feed: Feed, *, heartbeat_interval_s: float = HEARTBEAT_INTERVAL_S) -> None:
        self._feed = feed
        self._heartbeat_interval_s = heartbeat_interval_s

    async def events(self, request: Request) -> Response | StreamResponse:
        """Answer with a stream, or with a page where `wait` is given."""
        wish = wish_of_query(request.query)
        wait_s = _wait_s(request.query.get("wait"))
        subscription = self._feed.subscription(wish)
        place = await self._feed.delivery.locate(self._feed.start(wish, subscription))
        if wait_s is not None:
            page = _Page()
            request.when_ended(page.finish)
            return await self._poll(page, subscription, place, wait_s)

        async def run(outgoing: Outgoing) -> None:
            await self._stream(outgoing, subscription, place)

        return StreamResponse(run, _last_words, self._feed.window)

    async def _stream(self, outgoing: Outgoing, subscription: Subscription, place: Place) -> None:
        subscriber = OutgoingSubscriber(outgoing, encode_line_chunk)
        following = asyncio.create_task(self._follow(outgoing, subscriber, subscription, place))
        try:
            while not outgoing.ended.is_set():
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._heartbeat_interval_s):
                        await outgoing.ended.wait()
                outgoing.send(_HEARTBEAT)
        finally:
            following.cancel()
            self._feed.delivery.unsubscribe(subscriber)

    async def _follow(
        self, outgoing: Outgoing, subscriber: OutgoingSubscriber, subscription: Subscription, place: Place
    ) -> None:
        try:
            await self._feed.delivery.follow(subscriber, subscription, place)
        except SprintError as error:
            outgoing.send(_error_line(error))
            outgoing.end()

    async def _poll(self, page: _Page, subscription: Subscription, place: Place, wait_s: float) -> Response:
        following = asyncio.create_task(self._fill(page, subscription, place))
        try:
            await _within(POLL_REPLAY_S_MAX, page.replayed)
            await _within(wait_s, page.arrived)
        finally:
            following.cancel()
            self._feed.delivery.unsubscribe(page)
        if page.error is not None:
            raise page.error
        log_id = self._feed.delivery.log_id
        if page.cursor:
            reached = parse_cursor(page.cursor, log_id).position
        else:
            reached = self._feed.delivery.position if page.joined else place.position
        headers = (("Sprint-Cursor", _next_cursor(log_id, place, reached)),)
        return Response(b"".join(page.lines), content_type=NDJSON_TYPE, headers=headers)

    async def _fill(self, page: _Page, subscription: Subscription, place: Place) -> None:
        try:
            page.joined = await self._feed.delivery.follow(page, subscription, place)
            page.replayed.set()
        except SprintError as error:
            page.error = error
            page.finish()


class _Page:
    """Takes one page of events; the rest is left to the next poll, which goes on from its cursor.

    `replayed` is set when all there was has been looked at, `arrived` when the poll need not wait longer.
    """

    window = None

    def __init__(self) -> None:
        self.replayed = asyncio.Event()
        self.arrived = asyncio.Event()
        self.lines: list[bytes] = []
        self.cursor = ""
        self.joined = False
        self.error: SprintError | None = None
        self._size = 0
        self._full = False

    @staticmethod
    def encode(body: bytes) -> bytes:
        return body + b"\n"

    def offer(self, frame: bytes, cursor: str) -> bool:
        size = self._size + len(frame)
        # Full stays full: a smaller event behind one that was refused would be taken in its stead.
        self._full |= len(self.lines) >= POLL_EVENTS_MAX or (size > POLL_SIZE_MAX and bool(self.lines))
        if self._full:
            return False
        self.lines.append(frame)
        self._size = size
        self.cursor = cursor
        self.finish()
        return True

    def offer_run(self, frames: Sequence[bytes], cursors: Sequence[str], _joined: bytes) -> bool:
        return all(self.offer(frame, cursor) for frame, cursor in zip(frames, cursors, strict=True))

    async def drained(self) -> bool:
        return not self.arrived.is_set()

    def close_slow(self) -> None:
        self.finish()

    def finish(self) -> None:
        """Answer with what there is."""
        self.replayed.set()
        self.arrived.set()


async def _within(timeout_s: float, event: asyncio.Event) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            await event.wait()


def _wait_s(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        wait_s = float(text)
    except ValueError:
        wait_s = -1.0
    if not 0.0 <= wait_s <= WAIT_S_MAX:
        raise RequestError("bad_query", f"wait {text[:64]!a}: 0 to {WAIT_S_MAX:g} seconds")
    return wait_s


def _next_cursor(log_id: str, place: Place, reached: int) -> str:
    """Return what to give as `from` next: one cursor, or a list where the chains are at several places."""
    if all(floor <= reached for floor in place.floors.values()):
        return Cursor(log_id, reached).encode()
    places = ((chain, max(floor, reached)) for chain, floor in place.floors.items())
    return ",".join(Cursor(log_id, position, chain).encode() for chain, position in places)


def _last_words(cursor: str) -> bytes:
    message = "read too slowly; resume from this cursor"
    return _error_chunk(code="slow", message=message, cursor=cursor)


def _error_line(error: SprintError) -> bytes:
    earliest = {"earliest": error.earliest} if isinstance(error, CursorExpired) else {}
    return _error_chunk(code=code_of(error), message=str(error), **earliest)


def _error_chunk(**members: str) -> bytes:
    return encode_line_chunk(msgspec.json.encode({"type": "error", **members}))
