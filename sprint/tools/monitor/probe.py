"""Listens to one relay for as long as it is told to: connects, takes in what is said, and connects again.

    probe = Probe(target, taker)
    await probe.run()                       # until it is cancelled

Transitions and rows come over the relay's `/ws`; its health and sources are asked for now and then. What was
missed while it could not be reached is read from its histories. A relay that doesn't answer pings is lost.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from sprint.core.errors import SprintError
from sprint.core.monitor.board import Connection, Key, RelaySeen
from sprint.core.monitor.codec import Message, Snapshot, decode
from sprint.core.monitor.rows import BreakerRow, MetricsPoint, TransitionRow, rfc3339
from sprint.tools import runtime
from sprint.tools.monitor.relay_api import ANSWER_SIZE_MAX, USER_AGENT, WHERE, RelayApi, breaker_path

CONNECT_TIMEOUT_S = 3.0
CLOSE_TIMEOUT_S = 0.5
# One that has not said a thing is pinged, and is lost when it has not answered for as long.
PING_INTERVAL_S = 2.0
PING_TIMEOUT_S = 3.0
MESSAGES_QUEUED_MAX = 256
RECONNECT_S_MIN = 0.1
RECONNECT_S_MAX = 2.0
ATTEMPTS_COUNTED_MAX = 16
# So many breakers' histories are read after a connection came about, the worst first.
HISTORIES_READ_MAX = 200
POINTS_READ_MAX = 60_000
POINTS_OF_ONE_MAX = 720
REASON_LENGTH_MAX = 300
LOSSES = (OSError, WebSocketException, msgspec.DecodeError, SprintError, TimeoutError)

log = logging.getLogger(__name__)


class Target(msgspec.Struct, frozen=True):
    """A relay to watch: what it is called, and its admin listener."""

    name: str
    url: str


class Following(msgspec.Struct, frozen=True):
    """How relays are followed: how often health and sources are asked for, and by what TLS is spoken."""

    interval_s: float = 5.0
    tls: ssl.SSLContext | None = None


class Taker(Protocol):
    """Who is handed what a probe hears."""

    def seen(self, relay: RelaySeen) -> None:
        """Take what became of the connection, and the relay's health and sources."""

    def told(self, relay: str, message: Message) -> None:
        """Take a message. msgspec.ValidationError where it is none."""

    def row(self, key: Key) -> BreakerRow | None:
        """Return what is known of a breaker."""

    def missed(self, key: Key, transitions: Sequence[TransitionRow], points: Sequence[MetricsPoint]) -> None:
        """Take what a relay's histories have of a breaker."""


class _Transitions(msgspec.Struct, frozen=True):
    transitions: tuple[TransitionRow, ...]


class _Points(msgspec.Struct, frozen=True):
    points: tuple[MetricsPoint, ...]


class _Sources(msgspec.Struct, frozen=True):
    sources: dict[str, list[dict[str, Any]]]


class Probe:
    """Follows one relay. `draw` gives the jitter of its attempts."""

    def __init__(
        self,
        target: Target,
        taker: Taker,
        following: Following,
        *,
        draw: Callable[[], float] = runtime.jitter,
    ) -> None:
        self.target = target
        self.api = RelayApi(target.url, tls=following.tls)
        self.connections = 0
        self.messages = 0
        self._taker = taker
        self._interval_s = following.interval_s
        self._draw = draw
        self._seen = RelaySeen(
            name=target.name, url=target.url, connection="connecting", since=rfc3339(runtime.wall_clock())
        )
        taker.seen(self._seen)

    def __repr__(self) -> str:
        return f"Probe({self.target.name}, {self._seen.connection})"

    async def run(self) -> None:
        """Follow the relay until cancelled."""
        attempt = 0
        try:
            while True:
                connections = self.connections
                try:
                    await self._follow()
                except LOSSES as error:
                    self._mark("lost", _reason_of(error, self.target.url))
                attempt = 0 if self.connections > connections else min(attempt + 1, ATTEMPTS_COUNTED_MAX)
                await asyncio.sleep(reconnect_delay_s(attempt, self._draw()))
        finally:
            await self.api.close()

    async def _follow(self) -> None:
        """Take in what the relay says until the connection ends."""
        url = f"ws{self.target.url.removeprefix('http')}/ws"
        async with connect(
            url,
            ssl=self.api.tls,
            proxy=None,
            compression=None,
            user_agent_header=USER_AGENT,
            open_timeout=CONNECT_TIMEOUT_S,
            close_timeout=CLOSE_TIMEOUT_S,
            ping_interval=PING_INTERVAL_S,
            ping_timeout=PING_TIMEOUT_S,
            max_size=ANSWER_SIZE_MAX,
            max_queue=MESSAGES_QUEUED_MAX,
        ) as connection:
            await self._read(connection)

    async def _read(self, connection: ClientConnection) -> None:
        # wait_for of Python 3.11 may take a cancellation for itself, and the probe would go on for ever.
        async with asyncio.timeout(CONNECT_TIMEOUT_S + PING_TIMEOUT_S):
            first = decode(await connection.recv())
        if not isinstance(first, Snapshot):
            raise SprintError("its first message is no snapshot")
        changed = self._changed(first)
        self._taker.told(self.target.name, first)
        self.connections += 1
        self._mark("live", "")
        async with runtime.background(self._ask_now_and_then()), runtime.background(self._catch_up(changed)):
            seq = first.seq
            async for payload in connection:
                message = decode(payload)
                if message.seq != seq + 1:
                    raise SprintError(f"message {seq + 1} is missing: {message.seq} came")
                seq = message.seq
                self.messages += 1
                self._taker.told(self.target.name, message)
        raise SprintError("the relay closed the connection")

    # -- what was missed

    def _changed(self, snapshot: Snapshot) -> list[tuple[BreakerRow, bool]]:
        """Return the rows, the worst first, and of each whether it made transitions that are not known."""
        found = []
        for row in snapshot.breakers:
            known = self._taker.row(Key(self.target.name, row.name))
            made = row.transitions > 0 if known is None else row.since != known.since
            found.append((row, made or (known is not None and row.transitions != known.transitions)))
        return sorted(found, key=lambda each: (each[0].state == "closed", not each[1], each[0].name))

    async def _catch_up(self, rows: list[tuple[BreakerRow, bool]]) -> None:
        """Read the histories of what was missed, one by one, so that the relay has time for others."""
        rows = rows[:HISTORIES_READ_MAX]
        limit = max(1, min(POINTS_OF_ONE_MAX, POINTS_READ_MAX // max(1, len(rows))))
        for row, made in rows:
            try:
                await self._catch_up_with(row.name, limit, made=made)
            except SprintError as error:  # gone meanwhile, or lost: the connection's end tells of that
                log.debug("no history of breaker %s of %s: %s", row.name, self.target.name, error)

    async def _catch_up_with(self, name: str, limit: int, *, made: bool) -> None:
        transitions: tuple[TransitionRow, ...] = ()
        if made:
            transitions = (await self.api.get(breaker_path(name, "/history"), _Transitions)).transitions
        path = breaker_path(name, f"/metrics?limit={limit}")
        points = (await self.api.get(path, _Points)).points
        self._taker.missed(Key(self.target.name, name), transitions, points)

    # -- health and sources

    async def _ask_now_and_then(self) -> None:
        while True:
            try:
                health = await self.api.get("/api/health", dict[str, Any])
                sources = (await self.api.get("/api/sources", _Sources)).sources
            except SprintError as error:  # the pings tell whether it is lost
                log.debug("no health of %s: %s", self.target.name, error)
            else:
                self._tell(msgspec.structs.replace(self._seen, health=health, sources=sources))
            await asyncio.sleep(self._interval_s)

    # -- the connection

    def _mark(self, connection: Connection, reason: str) -> None:
        known = self._seen
        since = known.since if known.connection == connection else rfc3339(runtime.wall_clock())
        self._tell(msgspec.structs.replace(known, connection=connection, since=since, reason=reason))

    def _tell(self, seen: RelaySeen) -> None:
        self._seen = seen
        self._taker.seen(seen)


def reconnect_delay_s(attempt: int, draw: float) -> float:
    """Return how long to wait before the attempt of this number, 0 after a connection that came about.

    `draw` is uniform in 0 <= x < 1; half of the delay is drawn, so that monitors don't come at once.
    """
    longest_s = min(RECONNECT_S_MAX, RECONNECT_S_MIN * 2.0**attempt)
    return longest_s * (0.5 + 0.5 * draw)


def _reason_of(error: Exception, url: str) -> str:
    """Say in a sentence why a relay is not heard."""
    if isinstance(error, InvalidStatus):
        said = f"it answers {error.response.status_code} where a relay has /ws; {WHERE}"
    elif isinstance(error, ConnectionClosed):
        close = error.rcvd or error.sent
        said = (
            "the connection was cut" if close is None else f"closed with {close.code} {close.reason}".strip()
        )
    elif isinstance(error, msgspec.DecodeError):
        said = f"it says what is no message of a relay: {error}; {WHERE}"
    elif isinstance(error, TimeoutError):
        said = f"no answer in {CONNECT_TIMEOUT_S:g} s"
    elif isinstance(error, OSError):
        said = f"nobody answers at {url}: {error.strerror or error}"
    else:
        said = str(error) or type(error).__name__
    return said[:REASON_LENGTH_MAX]
