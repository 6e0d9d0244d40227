"""What both ends of a P2P connection share: handshake, keep-alive, timers, the score, what waits to go out.

`PeerSession` and `ServingSession` stand on this and add what only their end does. Nothing here raises for
what a peer sent: each fault costs it points and is counted by kind, and at the limit `closed` is set.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import StrEnum
from itertools import count

import msgspec

from sprint.core.chains.bitcoin_family.parameters import NetworkParameters
from sprint.core.errors import ProtocolError, WireError
from sprint.core.kernels import sha256d
from sprint.core.protocols.bitcoin_p2p.compact import SendCompact
from sprint.core.protocols.bitcoin_p2p.events import Ready, SessionEvent
from sprint.core.protocols.bitcoin_p2p.framing import Frame, FrameReader, encode_frame, payload_sizes_max
from sprint.core.protocols.bitcoin_p2p.messages import (
    NODE_MWEB,
    NODE_WITNESS,
    FeeFilter,
    Message,
    Ping,
    Pong,
    Version,
)
from sprint.core.protocols.bitcoin_p2p.outbox import Outbox
from sprint.core.wire import u64

# Bitcoin Core's price for a message at the wrong point of the handshake.
MISORDERED_PENALTY = 1
# What a peer may offer between version and verack, and may not later.
_OFFERS_BEFORE_VERACK = ("wtxidrelay", "sendaddrv2", "sendtxrcncl")


class SessionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a session says of itself, what it demands of the peer, and its limits.

    `services` are offered and `services_required` demanded of a node to be a source, witness data and
    extension blocks only where the network has any. `output_bytes_max` is what may wait for a peer that asks
    and does not read; `output_chunk_bytes` about what one `data_to_send` gives. `blocks_in_flight_max` is how
    many requested blocks are remembered, `replies_waiting_max` how many requested items a peer may have
    waiting, `headers_announced_max` how many blocks at once are announced by their headers.
    `addresses_wanted`: the peer is asked for other nodes, and what it tells of them is told on.
    `unix_time_offset_s` turns `now` into Unix time, which the version message carries; 0 where `now` is Unix
    time.
    """

    user_agent: str = "/sprint/"
    protocol_version: int = 70_016
    protocol_version_min: int = 70_012  # the first that knows sendheaders
    services: int = NODE_WITNESS
    services_required: int = NODE_WITNESS
    unix_time_offset_s: float = 0.0
    handshake_timeout_s: float = 60.0
    ping_interval_s: float = 120.0
    ping_timeout_s: float = 1_200.0
    headers_timeout_s: float = 120.0
    score_max: int = 100
    output_bytes_max: int = 8_000_000
    output_chunk_bytes: int = 1_000_000
    blocks_in_flight_max: int = 1_024
    replies_waiting_max: int = 50_000
    headers_announced_max: int = 8
    addresses_wanted: bool = False


class Timer(StrEnum):
    """The deadlines that a link may have running, each at most once."""

    HANDSHAKE = "handshake"
    PING = "ping"
    PONG = "pong"
    HEADERS = "headers"


class Link(ABC):
    """One connection. The public face is that of both sessions; the `_on_…` methods are theirs to fill."""

    def __init__(
        self, parameters: NetworkParameters, settings: SessionSettings, *, nonce: int, now: float
    ) -> None:
        self.parameters = parameters
        self.settings = settings
        self.nonce = nonce
        self.closed: str | None = None
        self.ready = False
        self.more_waits = False  # whether there may be messages that were read and not looked at
        self.peer_version: Version | None = None
        self.read_at = now  # when what is being acted on was read
        self.peer_prefers_headers = False
        self.peer_fee_filter = 0  # the least fee of the transactions it takes, per 1,000 bytes (BIP 133)
        self.score = 0
        self.counts: dict[str, int] = {}
        self.ping_latency_ms: float | None = None
        self.pongs = 0
        self._unix_time = int(now + settings.unix_time_offset_s)
        self._reader = FrameReader(parameters.magic, payload_sizes_max(parameters))
        self._outbox = Outbox()
        self._deadlines: dict[Timer, float] = {Timer.HANDSHAKE: now + settings.handshake_timeout_s}
        self._pings_sent = 0
        self._ping_sent_at = now

    def __repr__(self) -> str:
        state = self.closed or ("ready" if self.ready else "handshake")
        return f"{type(self).__name__}({self.parameters.chain_id}, {state}, score={self.score})"

    def receive_data(self, data: bytes, now: float, *, frames_max: int | None = None) -> list[SessionEvent]:
        """Take in what was read from the socket; return what it told.

        `frames_max` leaves what is behind so many messages for the next call, which may bring no data.
        """
        self.read_at = now
        events: list[SessionEvent] = []
        frames = self._reader.feed(data)
        self.more_waits = False
        for number in count():
            if self.closed is not None:
                break
            if number == frames_max:
                self.more_waits = True
                break
            try:
                frame = next(frames, None)
                if frame is None:
                    break
                events += self._on_frame(frame, now)
            except ProtocolError as error:
                self._count(error.kind if isinstance(error, WireError) else error.code)
                self.penalise(error.penalty, str(error))
        return events

    def data_to_send(self) -> bytes:
        """Take what is to be written now. Call again when it is written, until there is nothing."""
        return b"" if self.closed else self._outbox.take(self.settings.output_chunk_bytes)

    def next_timer(self) -> float | None:
        """Return when `handle_timer` is due; None if never."""
        return None if self.closed else min(self._deadlines.values(), default=None)

    def handle_timer(self, now: float) -> list[SessionEvent]:
        """Act on the deadlines that have come."""
        for timer in [timer for timer, at in self._deadlines.items() if at <= now]:
            del self._deadlines[timer]
            self._on_deadline(timer, now)
        return []

    @property
    def mid_message(self) -> bool:
        """Whether a part of a message has come and the rest has not."""
        return self._reader.mid_frame

    def owed(self) -> dict[str, float]:
        """Return the messages that the peer owes an answer to, each with since when."""
        settings = self.settings
        timeouts_s = {
            Timer.HANDSHAKE: ("version", settings.handshake_timeout_s),
            Timer.HEADERS: ("getheaders", settings.headers_timeout_s),
            Timer.PONG: ("ping", settings.ping_timeout_s),
        }
        running = ((*timeouts_s[timer], at) for timer, at in self._deadlines.items() if timer in timeouts_s)
        return {what: at - timeout_s for what, timeout_s, at in running}

    def stood_still(self, seconds: float) -> None:
        """Move the deadlines by a time in which nothing was read from the peer."""
        self._deadlines = {timer: at + seconds for timer, at in self._deadlines.items()}

    def penalise(self, points: int, reason: str) -> None:
        """Take points from the peer's score; at the limit the link is closed."""
        self.score += points
        if self.score >= self.settings.score_max:
            self.close(f"{reason} (score {self.score}, limit {self.settings.score_max})")

    def close(self, reason: str) -> None:
        """Set `closed`, the first reason staying. The edge closes the socket."""
        if self.closed is None:
            self.closed = reason
            self._outbox.clear()
            self._deadlines.clear()

    # What the two ends fill in.

    def _refusal(self, version: Version) -> str | None:
        """Why this peer is of no use; None if it is."""
        if version.nonce == self.nonce:
            return "connected to itself: the peer's version carries this end's own nonce"
        found, least = version.protocol_version, self.settings.protocol_version_min
        if found < least:
            return f"{version.user_agent} speaks protocol version {found}, at least {least} is needed"
        return None

    def _accept_version(self) -> None:
        """Answer a version that is not refused."""
        self._send_payload("verack")

    @abstractmethod
    def _on_send_compact(self, offer: SendCompact) -> None:
        """Act on an offer of compact blocks, which may come at any time."""

    @abstractmethod
    def _on_message(self, frame: Frame) -> list[SessionEvent]:
        """Act on a message that is neither handshake nor keep-alive."""

    # Frames and the handshake.

    def _on_frame(self, frame: Frame, now: float) -> list[SessionEvent]:
        if frame.command == Version.command:
            self._on_version(Version.decode(frame.payload))
        elif self.peer_version is None:
            raise _misordered(f"{frame.command} before version")
        elif frame.command == "verack":
            return self._on_verack(self.peer_version, now)
        elif frame.command in _OFFERS_BEFORE_VERACK:
            if self.ready:
                raise ProtocolError(f"{frame.command} after verack", penalty=100)
        elif frame.command == "sendheaders":
            self.peer_prefers_headers = True
        elif frame.command == SendCompact.command:
            self._on_send_compact(SendCompact.decode(frame.payload))
        elif frame.command == FeeFilter.command:
            self.peer_fee_filter = FeeFilter.decode(frame.payload).fee_rate_min
        elif not self.ready:
            raise _misordered(f"{frame.command} before verack")
        elif frame.command == Ping.command:
            self._send(Pong(Ping.decode(frame.payload).nonce))
        elif frame.command == Pong.command:
            return self._on_pong(Pong.decode(frame.payload), now)
        else:
            return self._on_message(frame)
        return []

    def _on_version(self, version: Version) -> None:
        if self.peer_version is not None:
            raise _misordered("a second version")
        self.peer_version = version
        refusal = self._refusal(version)
        if refusal is None:
            self._accept_version()
        else:
            self.close(refusal)

    def _on_verack(self, version: Version, now: float) -> list[SessionEvent]:
        if self.ready:
            raise _misordered("a second verack")
        self.ready = True
        self._deadlines.pop(Timer.HANDSHAKE, None)
        self._send_ping(now)
        return [Ready(version.protocol_version, version.services, version.user_agent, version.start_height)]

    def _known_to_network(self, services: int) -> int:
        """Take off the bits that mean nothing on this network."""
        if self.parameters.witness_height is None:
            services &= ~NODE_WITNESS
        return services if self.parameters.mweb_height is not None else services & ~NODE_MWEB

    def _send_version(self, services: int, start_height: int, *, transactions: bool = False) -> None:
        self._send(
            Version(
                protocol_version=self.settings.protocol_version,
                services=self._known_to_network(services),
                timestamp=self._unix_time,
                nonce=self.nonce,
                user_agent=self.settings.user_agent,
                start_height=start_height,
                relay=transactions,
            )
        )

    # Keep-alive and deadlines.

    def _on_deadline(self, timer: Timer, now: float) -> None:
        settings = self.settings
        match timer:
            case Timer.HANDSHAKE:
                self.close(f"no handshake within {settings.handshake_timeout_s:g} s")
            case Timer.PING:
                self._send_ping(now)
            case Timer.PONG:
                self.close(f"no pong within {settings.ping_timeout_s:g} s")
            case Timer.HEADERS:
                self.close(f"no answer to getheaders within {settings.headers_timeout_s:g} s")

    def _send_ping(self, now: float) -> None:
        self._pings_sent += 1
        self._ping_sent_at = now
        self._deadlines.pop(Timer.PING, None)
        self._send(Ping(self._ping_nonce()))
        self._deadlines[Timer.PONG] = now + self.settings.ping_timeout_s

    def _on_pong(self, pong: Pong, now: float) -> list[SessionEvent]:
        if Timer.PONG not in self._deadlines or pong.nonce != self._ping_nonce():
            self._count("unwanted")
            return []
        del self._deadlines[Timer.PONG]
        self.ping_latency_ms = (now - self._ping_sent_at) * 1_000
        self.pongs += 1
        self._deadlines[Timer.PING] = now + self.settings.ping_interval_s
        return self._answered_ping(now)

    def _answered_ping(self, now: float) -> list[SessionEvent]:
        """Act on the peer having read all that was sent before its newest ping."""
        del now  # this end asks nothing that is told by it
        return []

    def _ping_nonce(self) -> int:
        # Not to be guessed from an earlier one without work, and the same on every replay of a seed.
        return int.from_bytes(sha256d(u64(self.nonce) + u64(self._pings_sent))[:8], "little")

    # Sending and counting.

    def _send(self, message: Message) -> None:
        self._send_payload(message.command, message.encode())

    def _send_payload(self, command: str, payload: bytes = b"") -> None:
        if self.closed is not None:
            return
        self._outbox.add(encode_frame(self.parameters.magic, command, payload))
        waiting, limit = self._outbox.size_bytes, self.settings.output_bytes_max
        if waiting > limit:
            self.close(f"{waiting} bytes wait for a peer that does not read them, limit {limit}")

    def _count(self, kind: str) -> None:
        self.counts[kind] = self.counts.get(kind, 0) + 1


def _misordered(message: str) -> ProtocolError:
    return ProtocolError(message, penalty=MISORDERED_PENALTY)
