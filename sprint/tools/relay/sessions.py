"""What is said on a WebSocket: subscribe, unsubscribe, ping, ack, and the events in between.

A connection has one subscription. A second `subscribe` ends the first at once, also where it is then
refused. A connection whose URL said what it wants is closed where that cannot be had, since nobody would
ask again on it.
"""

from __future__ import annotations

import asyncio
import logging

import msgspec

from sprint.core.errors import CursorExpired, RequestError, SprintError
from sprint.core.relay.event_log import parse_cursor
from sprint.core.relay.fanout import Subscription
from sprint.tools.relay.feed import Feed, OutgoingSubscriber, Wish
from sprint.tools.relay.place import Place, Start, StartAsked
from sprint.tools.web.outgoing import FlushWindow
from sprint.tools.web.problems import code_of
from sprint.tools.web.websocket import POLICY, WebSocketConnection, encode_text_frame

INTERNAL = 1011
ID_LENGTH_MAX = 128

MessageId = int | str | None

logger = logging.getLogger("sprint.relay")


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Any message of a client; `op` says which fields count. A misspelt one is refused, not passed over."""

    op: str
    id: MessageId = None
    chains: tuple[str, ...] | None = None
    types: tuple[str, ...] | None = None
    start: Start = msgspec.field(name="from", default="latest")
    on_expired: str | None = None
    cursor: str = ""


class _Identified(msgspec.Struct, frozen=True):
    id: MessageId = None


_decode = msgspec.json.Decoder(Message).decode
_decode_id = msgspec.json.Decoder(_Identified).decode
_encode = msgspec.json.Encoder().encode


class EventSession:
    """One connection to `/ws/v1/events` or `/ws/{chain}/blocks`.

    `wish` is what the URL asked for, or None where the client will say. `quiet`: no `subscribed` for it.
    """

    def __init__(self, feed: Feed, wish: Wish | None = None, *, quiet: bool = False) -> None:
        self._feed = feed
        self._quiet = quiet
        # Names are checked before the handshake is answered, so that they are refused by status.
        self._first: tuple[Subscription, StartAsked] | None = None
        if wish is not None:
            subscription = feed.subscription(wish)
            self._first = (subscription, feed.start(wish, subscription))
        self._connection: WebSocketConnection | None = None
        self._subscriber: OutgoingSubscriber | None = None
        self._following: asyncio.Task[None] | None = None

    @property
    def window(self) -> FlushWindow | None:
        return self._feed.window

    def opened(self, connection: WebSocketConnection) -> None:
        self._connection = connection
        if self._first is not None:
            self._subscribe(None, *self._first, from_url=True)

    def message(self, text: str) -> None:
        try:
            message = _decode(text)
        except msgspec.ValidationError as error:
            self._refuse(_id_of(text), "bad_op", str(error))
        except (msgspec.DecodeError, RecursionError) as error:
            self._refuse(None, "bad_json", str(error))
        else:
            self._take(message)

    def malformed(self) -> None:
        self._refuse(None, "bad_json", "a binary message; send text")

    def closed(self) -> None:
        self._leave()
        self._connection = None

    def _take(self, message: Message) -> None:
        try:
            if isinstance(message.id, str) and len(message.id) > ID_LENGTH_MAX:
                raise RequestError("bad_op", f"id of {len(message.id)} characters, limit {ID_LENGTH_MAX}")
            match message.op:
                case "subscribe":
                    self._take_subscribe(message)
                case "unsubscribe":
                    self._leave()
                    self._send(op="unsubscribed", id=message.id)
                case "ping":
                    self._send(op="pong", id=message.id)
                case "ack":
                    parse_cursor(message.cursor, self._feed.delivery.log_id)
                    self._send(op="acked", id=message.id)
                case other:
                    raise RequestError(
                        "bad_op", f"op {other[:64]!a}: there are subscribe, unsubscribe, ping, ack"
                    )
        except SprintError as error:
            self._refuse(_shortened(message.id), code_of(error), str(error))

    def _take_subscribe(self, message: Message) -> None:
        if message.on_expired not in (None, "skip"):
            raise RequestError("bad_op", 'on_expired: there is "skip"')
        wish = Wish(message.chains, message.types, message.start, message.on_expired)
        subscription = self._feed.subscription(wish)
        self._subscribe(message.id, subscription, self._feed.start(wish, subscription))

    def _subscribe(
        self, message_id: MessageId, subscription: Subscription, start: StartAsked, *, from_url: bool = False
    ) -> None:
        self._leave()
        self._following = asyncio.create_task(
            self._follow(message_id, subscription, start, from_url=from_url), name="follow"
        )

    async def _follow(
        self, message_id: MessageId, subscription: Subscription, start: StartAsked, *, from_url: bool
    ) -> None:
        connection = self._connection
        if connection is None:
            return
        try:
            place = await self._feed.delivery.locate(start)
            if not (from_url and self._quiet):
                self._send_subscribed(message_id, place)
            subscriber = OutgoingSubscriber(connection.outgoing, encode_text_frame)
            self._subscriber = subscriber
            await self._feed.delivery.follow(subscriber, subscription, place)
        except SprintError as error:
            earliest = error.earliest if isinstance(error, CursorExpired) else None
            self._refuse(message_id, code_of(error), str(error), earliest)
            if from_url:
                connection.close(POLICY, code_of(error))
        except Exception:
            logger.exception("a subscription failed")
            connection.close(INTERNAL, "internal")

    def _leave(self) -> None:
        """End the subscription there is, live or following."""
        following, self._following = self._following, None
        if following is not None:
            following.cancel()
        subscriber, self._subscriber = self._subscriber, None
        if subscriber is not None:
            self._feed.delivery.unsubscribe(subscriber)

    def _send_subscribed(self, message_id: MessageId, place: Place) -> None:
        self._send(op="subscribed", id=message_id, log=self._feed.delivery.log_id, cursor=place.cursor)

    def _refuse(self, message_id: MessageId, code: str, message: str, earliest: str | None = None) -> None:
        extra = {} if earliest is None else {"earliest": earliest}
        self._send(op="error", id=message_id, code=code, message=message, **extra)
        if self._connection is not None:
            self._connection.count_malformed()

    def _send(self, **members: MessageId) -> None:
        if self._connection is not None:
            self._connection.send(_encode(members))


def _id_of(text: str) -> MessageId:
    """Return the id of a message that is otherwise no use, so that its sender knows which was refused."""
    try:
        return _shortened(_decode_id(text).id)
    except (msgspec.DecodeError, RecursionError):
        return None


def _shortened(message_id: MessageId) -> MessageId:
    return message_id[:ID_LENGTH_MAX] if isinstance(message_id, str) else message_id
