"""The links between the nodes and the relay: a pair of real sessions each; every frame has its own fate."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Protocol

from sprint.core.protocols.bitcoin_p2p.framing import FrameReader, encode_frame
from sprint.core.protocols.bitcoin_p2p.link import SessionSettings
from sprint.core.protocols.bitcoin_p2p.listener import ServingSession
from sprint.core.protocols.bitcoin_p2p.session import PeerSession
from tests.simulator.clock import VirtualClock
from tests.simulator.relay import SimulatedRelay
from tests.simulator.weather import Weather
from tests.simulator.world import NodeView, World

RECONNECT_S = 1.0
TIMERS_LOOKED_AT_S = 5.0
LATENCY_S = 0.001
HANDSHAKE = ("version", "verack", "sendheaders")  # spared, so that a link comes up at all
SESSION_SETTINGS = SessionSettings()


class Transcript(Protocol):
    """What a digest is made over; a hash object is one."""

    def update(self, data: bytes, /) -> None: ...


class Links:
    """Connects each node with the relay's present life. Frames to or from an earlier one are lost."""

    def __init__(
        self,
        world: World,
        clock: VirtualClock,
        rng: Random,
        weather: Weather,
        nodes: dict[str, NodeView],
        transcript: Transcript,
    ) -> None:
        self._world = world
        self._clock = clock
        self._rng = rng
        self._weather = weather
        self._nodes = nodes
        self._transcript = transcript
        self._relay: SimulatedRelay | None = None
        self._serving: dict[str, ServingSession] = {}
        self._stalled_until = dict.fromkeys(nodes, 0.0)
        self.calm = False

    def attach(self, relay: SimulatedRelay) -> None:
        """Connect every node with a relay that has started."""
        self._relay = relay
        relay.flush = self._flush_relay
        for name in self._nodes:
            self._connect(name)

    def detach(self) -> None:
        """Forget a relay that was killed."""
        self._relay = None
        self._serving.clear()

    def stall(self, name: str, until: float) -> None:
        """Let a node take nothing in and say nothing for a while; its connection stays."""
        self._stalled_until[name] = until

    def announce(self, name: str, old_tip: bytes) -> None:
        """Let a node whose tip has moved tell its peer."""
        session = self._serving.get(name)
        if session is not None:
            session.announce(self._nodes[name].connected_since(old_tip), self._clock.now)
            self._flush_node(name)

    def _connect(self, name: str) -> None:
        relay = self._relay
        if relay is None or name in relay.sessions:
            return
        nonce, now = self._rng.getrandbits(64), self._clock.now
        parameters = self._world.parameters
        relay.sessions[name] = PeerSession(parameters, SESSION_SETTINGS, nonce=nonce, now=now)
        self._serving[name] = ServingSession(
            parameters, self._nodes[name], SESSION_SETTINGS, nonce=nonce ^ 1, now=now
        )
        self._flush_relay(name)
        self._arm(relay, name)

    def _cut(self, relay: SimulatedRelay, name: str, reason: str) -> None:
        if relay is not self._relay or name not in relay.sessions:
            return
        self._serving.pop(name, None)
        relay.session_lost(name, reason)
        self._clock.call_later(RECONNECT_S, lambda: self._reconnect(relay, name))

    def _reconnect(self, relay: SimulatedRelay, name: str) -> None:
        if relay is self._relay:
            self._connect(name)

    def _arm(self, relay: SimulatedRelay, name: str) -> None:
        """Keep both ends' timers running, looked at every few seconds."""
        session, serving = relay.sessions.get(name), self._serving.get(name)
        if relay is not self._relay or session is None or serving is None:
            return

        def tick() -> None:
            if relay is not self._relay or relay.sessions.get(name) is not session:
                return
            for end in (session, serving):
                due = end.next_timer()
                if due is not None and due <= self._clock.now:
                    end.handle_timer(self._clock.now)
            self._flush_relay(name)
            self._flush_node(name)
            self._arm(relay, name)

        due = min((t for t in (session.next_timer(), serving.next_timer()) if t is not None), default=0.0)
        self._clock.call_at(max(due, self._clock.now + TIMERS_LOOKED_AT_S), tick)

    def _flush_relay(self, name: str) -> None:
        relay = self._relay
        session = relay.sessions.get(name) if relay is not None else None
        if relay is None or session is None:
            return
        if session.closed is not None:
            self._cut(relay, name, session.closed)
            return
        serving = self._serving.get(name)
        self._carry(name, session.data_to_send, lambda data: self._into_node(relay, name, serving, data))

    def _flush_node(self, name: str) -> None:
        relay, serving = self._relay, self._serving.get(name)
        session = relay.sessions.get(name) if relay is not None else None
        if relay is None or serving is None or session is None:
            return
        if serving.closed is not None:
            self._cut(relay, name, serving.closed)
            return
        self._carry(name, serving.data_to_send, lambda data: self._into_relay(relay, name, session, data))

    def _into_node(
        self, relay: SimulatedRelay, name: str, serving: ServingSession | None, data: bytes
    ) -> None:
        if relay is self._relay and serving is not None and self._serving.get(name) is serving:
            serving.receive_data(data, self._clock.now)
            self._flush_node(name)

    def _into_relay(self, relay: SimulatedRelay, name: str, session: PeerSession, data: bytes) -> None:
        if relay is self._relay and relay.sessions.get(name) is session:
            relay.take(name, session.receive_data(data, self._clock.now))
            self._flush_relay(name)

    def _carry(self, name: str, source: Callable[[], bytes], into: Callable[[bytes], None]) -> None:
        magic = self._world.parameters.magic
        frames = FrameReader(magic)
        while data := source():
            for frame in frames.feed(data):
                raw = encode_frame(magic, frame.command, frame.payload)
                self._transcript.update(f"{self._clock.now:.6f} {name} {frame.command} {len(raw)};".encode())
                self._fate(name, frame.command, raw, into)

    def _fate(self, name: str, command: str, raw: bytes, into: Callable[[bytes], None]) -> None:
        """Carry a frame, lose it, double it, delay it past later ones, or cut the link after it."""
        start = max(self._clock.now, self._stalled_until[name]) + LATENCY_S
        if self.calm or command in HANDSHAKE:
            self._clock.call_at(start, lambda: into(raw))
            return
        if self._rng.random() < self._weather.loss:
            return
        copies = 2 if self._rng.random() < self._weather.duplicate else 1
        for _ in range(copies):
            late_s = self._rng.random() * self._weather.delay_s
            self._clock.call_at(start + late_s, lambda: into(raw))
        if self._rng.random() < self._weather.cut and self._relay is not None:
            relay = self._relay
            self._clock.call_later(self._rng.random(), lambda: self._cut(relay, name, "the link was cut"))
