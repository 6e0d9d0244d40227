"""What a subscriber does next: the event stream's state machine, without sockets, clock or randomness.

`Resume` is shared by the asyncio and the blocking stream. A face connects, sends what `outgoing` gives,
feeds each message to `receive` and hands on the events that come out. When the connection is lost it
tells `lost`, which answers how long to wait before the next try, or raises where trying again is no use.

Where it resumes from: the cursor of the last event that was handed out; before the first one, the cursor
of the relay's `subscribed` answer. So nothing is missed in between, and nothing repeats: within one log
`seq` rises per chain, and an event whose `seq` is not above the last one of its chain is dropped. Filters
leave holes in `seq`, so a hole means nothing; a loss is told by a `gap` event.
A list of cursors, one a chain, is kept as a list, since one chain's cursor says nothing of another's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import msgspec

from sprint.core.errors import ClientError, ConfigError, CursorExpired, CursorForeign, CursorUnknown
from sprint.core.model import EVENT_TYPES, Event, GapEvent, decode_event
from sprint.core.relay.event_log import parse_cursor

SUBSCRIPTION_ID = 1
CHAINS_MAX = 1024
EXPIRED_GAP_REASON = "cursor_expired"
BACKOFF_DOUBLINGS_MAX = 32

# Close codes after which another try would be refused for the same reason.
FATAL_CLOSE_CODES = {1003: "unsupported", 1008: "policy", 1009: "too_big", 4001: "bad_key"}
RATE_CLOSE_CODE = 4029
# Refusals that pass: the relay is busy, or not ready yet.
PASSING_CODES = frozenset({"too_many_connections", "not_ready", "slow", "internal"})
PASSING_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})


class ClientSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of a client and of each of its event streams.

    `connect_attempts_max` counts tries in a row without an event; a connection that was subscribed for
    `settled_after_s` starts the count anew. Half of each wait is random, so that the subscribers of a
    relay that restarts don't all return at one moment.
    """

    connect_attempts_max: int = 60
    backoff_first_s: float = 0.1
    backoff_longest_s: float = 10.0
    retry_after_longest_s: float = 60.0
    settled_after_s: float = 5.0
    malformed_messages_max: int = 3
    request_timeout_s: float = 10.0
    connect_timeout_s: float = 10.0
    subscribe_timeout_s: float = 10.0
    close_timeout_s: float = 1.0
    ping_interval_s: float = 10.0
    ping_timeout_s: float = 10.0
    message_size_max: int = 4 * 1024 * 1024


class Subscription(msgspec.Struct, frozen=True):
    """What the consumer asked for. None in `chains` or `types` means all."""

    chains: tuple[str, ...] | None = None
    types: tuple[str, ...] | None = None
    start: str | tuple[str, ...] = "latest"
    on_expired: Literal["skip"] | None = None
    on_foreign: Literal["earliest"] | None = None


class Loss(msgspec.Struct, frozen=True):
    """Why a connection ended or was not made: a close code, an HTTP refusal, or neither.

    `malformed`: the relay sent what is no message. `fatal`: another try would end the same way.
    """

    reason: str
    close_code: int | None = None
    status: int | None = None
    code: str | None = None
    retry_after_s: float = 0.0
    malformed: bool = False
    fatal: bool = False


class _Reply(msgspec.Struct):
    """A message of the relay that is not an event: `op` says which."""

    op: str
    log: str = ""
    cursor: str = ""
    code: str = "error"
    message: str = ""
    earliest: str = ""


class _Envelope(msgspec.Struct):
    """What every event has, also of a type that this version does not know."""

    type: str
    chain: str = ""
    seq: int = 0
    cursor: str = ""


_decode_reply = msgspec.json.Decoder(_Reply).decode
_decode_envelope = msgspec.json.Decoder(_Envelope).decode
_encode = msgspec.json.Encoder().encode


def make_subscription(
    chains: Sequence[str] | str | None,
    types: Sequence[str] | str | None,
    start: str | Sequence[str],
    on_expired: Literal["skip"] | None,
    on_foreign: Literal["earliest"] | None,
) -> Subscription:
    """Check and freeze what the consumer asked for. ConfigError names what cannot be."""
    chain_names = _names(chains)
    type_names = _names(types)
    if type_names and (unknown := [name for name in type_names if name not in EVENT_TYPES]):
        raise ConfigError(f"event type {unknown[0]!r}: there are {', '.join(EVENT_TYPES)}")
    place = start if isinstance(start, str) else tuple(start)
    if not place:
        raise ConfigError('start is empty: give "latest", "earliest", a cursor or a list of cursors')
    if isinstance(place, tuple):
        # A chain that the list does not name would start at "latest" again after every reconnect.
        if chain_names is None or len(set(chain_names)) != len(place):
            count = 0 if chain_names is None else len(set(chain_names))
            raise ConfigError(f"{len(place)} cursors for {count} chains: name in `chains` one chain for each")
        if len(place) == 1:
            place = place[0]
    if on_expired not in (None, "skip"):
        raise ConfigError(f'on_expired {on_expired!r}: there are None and "skip"')
    if on_foreign not in (None, "earliest"):
        raise ConfigError(f'on_foreign {on_foreign!r}: there are None and "earliest"')
    return Subscription(chain_names, type_names, place, on_expired, on_foreign)


def _names(names: Sequence[str] | str | None) -> tuple[str, ...] | None:
    if names is None:
        return None
    return (names,) if isinstance(names, str) else tuple(names)


class Resume:
    """The state of one event stream over all its connections. `uniform(low, high)` draws the jitter."""

    def __init__(
        self, subscription: Subscription, settings: ClientSettings, uniform: Callable[[float, float], float]
    ) -> None:
        self.subscription = subscription
        self.settings = settings
        self.log_id: str | None = None
        self.failures = 0
        self.unknown_types_skipped = 0
        self._uniform = uniform
        self._start: str | tuple[str, ...] = subscription.start
        self._placed = False  # whether `_start` is a cursor of this log that the relay has confirmed
        self._cursor_by_chain: dict[str, str] = {}  # only where the start was a list of cursors
        self._seq_by_chain: dict[str, int] = {}
        self._gap_cursor_by_chain: dict[str, str] = {}
        self._malformed = 0
        self._connected_at: float | None = None
        self._subscribed_at: float | None = None
        self._outgoing: str | None = None

    def __repr__(self) -> str:
        return f"Resume(log={self.log_id}, from={self._start!r}, failures={self.failures})"

    @property
    def cursor(self) -> str | tuple[str, ...] | None:
        """Where a new stream would go on: give it as `start`. None before the relay has answered."""
        if self._cursor_by_chain:
            return tuple(self._cursor_by_chain.values())
        return self._start if self._placed else None

    def answer_wait_s(self, now: float) -> float | None:
        """How long the answer to `subscribe` may still take; None once it is there: then pings watch."""
        if self._connected_at is None or self._subscribed_at is not None:
            return None
        return max(0.0, self._connected_at + self.settings.subscribe_timeout_s - now)

    def overdue(self) -> Loss:
        """Tell of an answer to `subscribe` that did not come in time."""
        return Loss(f"no answer to subscribe within {self.settings.subscribe_timeout_s} s")

    def connected(self, now: float) -> None:
        """A connection is open: ask for the events after the last one handed out."""
        self._connected_at = now
        self._subscribed_at = None
        self._ask()

    def outgoing(self) -> str | None:
        """Return the message to send now, if any; it is given once."""
        message, self._outgoing = self._outgoing, None
        return message

    def receive(self, message: str | bytes, now: float) -> Event | Loss | None:
        """Take one message: an event to hand out, a Loss where the connection is of no more use, or None.

        Raises CursorExpired, CursorForeign, CursorUnknown or ClientError where the relay refuses.
        """
        try:
            event: Event = decode_event(message)
        except (msgspec.DecodeError, UnicodeError):
            return self._receive_other(message, now)
        if self._subscribed_at is None:
            return _malformed("an event before the answer to subscribe")
        if isinstance(event, GapEvent) and event.data.reason == EXPIRED_GAP_REASON:
            return event if self._pass_gap(event) else None
        return event if self._advance(event.chain, event.seq, event.cursor) else None

    def lost(self, loss: Loss, now: float) -> float:
        """Return how many seconds to wait before the next try; ClientError where there is none."""
        settings = self.settings
        settled = self._subscribed_at is not None and now - self._subscribed_at >= settings.settled_after_s
        self._connected_at = self._subscribed_at = self._outgoing = None
        _raise_if_fatal(loss, settings)
        self._malformed += loss.malformed
        if self._malformed >= settings.malformed_messages_max:
            raise ClientError(
                f"{self._malformed} malformed messages in a row, limit {settings.malformed_messages_max}: "
                f"{loss.reason}; is there a Sprint relay at this address?",
                code="bad_message",
            )
        self.failures = 1 if settled else self.failures + 1
        if self.failures >= settings.connect_attempts_max:
            raise ClientError(
                f"{self.failures} connections in a row gave no event, limit {settings.connect_attempts_max}; "
                f"the last: {loss.reason}; check that the relay runs, or raise connect_attempts_max",
                code="unreachable",
            )
        return self._backoff_s(loss)

    def _ask(self) -> None:
        request: dict[str, Any] = {"op": "subscribe", "id": SUBSCRIPTION_ID}
        if self.subscription.chains is not None:
            request["chains"] = self.subscription.chains
        if self.subscription.types is not None:
            request["types"] = self.subscription.types
        if self.subscription.on_expired is not None:
            request["on_expired"] = self.subscription.on_expired
        request["from"] = tuple(self._cursor_by_chain.values()) or self._start
        self._outgoing = _encode(request).decode()

    def _advance(self, chain: str, seq: int, cursor: str) -> bool:
        """Move past an event; False if it is a repeat."""
        if not self._note_seq(chain, seq):
            return False
        if self._cursor_by_chain:
            self._cursor_by_chain[chain] = cursor
        else:
            self._start = cursor
            self._placed = True
        return True

    def _pass_gap(self, gap: GapEvent) -> bool:
        """Take a gap that stands for events no longer kept; False if nothing was lost, or it is a repeat.

        There is one a chain, and all have the same place. Going on from that place after the first of them
        would leave the others unsaid, so the cursor stays until an event follows. `seq` 0 says that
        nothing of the chain is kept: which event was lost last is not known, and the place tells repeats.
        """
        if self._gap_cursor_by_chain.get(gap.chain) == gap.cursor:
            return False
        unknown = gap.seq == 0 and gap.chain in self._seq_by_chain
        if not unknown and not self._note_seq(gap.chain, gap.seq):
            return False
        self._gap_cursor_by_chain[gap.chain] = gap.cursor
        if self._cursor_by_chain:
            self._cursor_by_chain[gap.chain] = gap.cursor
        return True

    def _note_seq(self, chain: str, seq: int) -> bool:
        """Remember a chain's last `seq`; False if it was reached before."""
        if seq <= self._seq_by_chain.get(chain, -1):
            return False
        if chain not in self._seq_by_chain and len(self._seq_by_chain) >= CHAINS_MAX:
            raise ClientError(f"events of more than {CHAINS_MAX} chains; name those wanted", code="too_many")
        self._seq_by_chain[chain] = seq
        self.failures = self._malformed = 0
        return True

    def _receive_other(self, message: str | bytes, now: float) -> Loss | None:
        """Take what is not an event of this version: an answer, a heartbeat, an event of a newer version."""
        try:
            reply = _decode_reply(message)
        except (msgspec.DecodeError, UnicodeError):
            return self._receive_unknown_type(message)
        if reply.op == "subscribed":
            return self._subscribed(reply, now)
        if reply.op == "error":
            return self._refused(reply)
        return None

    def _receive_unknown_type(self, message: str | bytes) -> Loss | None:
        try:
            envelope = _decode_envelope(message)
        except (msgspec.DecodeError, UnicodeError) as error:
            return _malformed(f"not a message of a relay ({error}): {message[:64]!r}")
        if envelope.type in EVENT_TYPES:
            return _malformed(f"a {envelope.type} event without its fields: {message[:64]!r}")
        if envelope.cursor and envelope.chain and self._subscribed_at is not None:
            self.unknown_types_skipped += self._advance(envelope.chain, envelope.seq, envelope.cursor)
        return None

    def _subscribed(self, reply: _Reply, now: float) -> Loss | None:
        if not reply.log or not reply.cursor:
            return _malformed("`subscribed` without log or cursor")
        if self.log_id is not None and reply.log != self.log_id:
            self._foreign(f"the relay now has log {reply.log}, this stream read log {self.log_id}")
            return None
        self.log_id = reply.log
        self._subscribed_at = now
        if isinstance(self._start, tuple) and not self._cursor_by_chain:
            self._cursor_by_chain = _cursors_by_chain(self._start, reply.log)
        elif not self._cursor_by_chain and not self._placed:
            self._start = reply.cursor
            self._placed = True
        return None

    def _refused(self, reply: _Reply) -> Loss | None:
        if reply.code == CursorExpired.code:
            if self.subscription.on_expired == "skip":
                # History went while it was replayed: asking again gives the gap instead.
                return Loss(reply.message, code=reply.code)
            raise CursorExpired(reply.message, earliest=reply.earliest)
        if reply.code == CursorForeign.code:
            self._foreign(reply.message)
            return None
        if reply.code == CursorUnknown.code:
            raise CursorUnknown(reply.message)
        if reply.code in PASSING_CODES:
            return Loss(f"the relay refuses for now: {reply.code}: {reply.message}", code=reply.code)
        raise ClientError(reply.message or reply.code, code=reply.code)

    def _foreign(self, message: str) -> None:
        """The relay has another log: begin it from its start where that was asked for, else raise."""
        if self.subscription.on_foreign is None or self._start == "earliest":
            raise CursorForeign(message)
        self.log_id = None
        self._start = "earliest"
        self._placed = False
        self._cursor_by_chain.clear()
        self._seq_by_chain.clear()
        self._gap_cursor_by_chain.clear()
        self._subscribed_at = None
        self._ask()

    def _backoff_s(self, loss: Loss) -> float:
        settings = self.settings
        doublings = min(self.failures - 1, BACKOFF_DOUBLINGS_MAX)
        longest = min(settings.backoff_longest_s, settings.backoff_first_s * 2**doublings)
        if loss.close_code == RATE_CLOSE_CODE:
            longest = settings.backoff_longest_s
        asked_for = min(loss.retry_after_s, settings.retry_after_longest_s)
        return max(asked_for, self._uniform(longest / 2, longest))


def _malformed(reason: str) -> Loss:
    return Loss(reason, malformed=True)


def _cursors_by_chain(cursors: Sequence[str], log_id: str) -> dict[str, str]:
    by_chain = {parse_cursor(text, log_id).chain: text for text in cursors}
    if "" in by_chain or len(by_chain) != len(cursors):
        raise CursorUnknown("a list of cursors has one of each chain; a cursor of the whole log stands alone")
    return by_chain


def _raise_if_fatal(loss: Loss, settings: ClientSettings) -> None:
    if loss.close_code in FATAL_CLOSE_CODES:
        hint = f" (message_size_max is {settings.message_size_max})" if loss.close_code == 1009 else ""
        raise ClientError(f"{loss.reason}{hint}", code=FATAL_CLOSE_CODES[loss.close_code])
    if loss.fatal:
        raise ClientError(loss.reason, code=loss.code or "unreachable")
    if loss.status is not None and loss.status not in PASSING_STATUSES:
        raise ClientError(loss.reason, code=loss.code or f"http_{loss.status}")
