"""One seed: a world, its nodes, links with faults, the relay with kills, and the checker's verdict."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from random import Random

import msgspec

from sprint.core.protocols.bitcoin_p2p.framing import FrameReader, encode_frame
from sprint.core.protocols.bitcoin_p2p.link import SessionSettings
from sprint.core.protocols.bitcoin_p2p.listener import ServingSession
from sprint.core.protocols.bitcoin_p2p.session import PeerSession
from sprint.core.relay.settings import ChainSettings
from sprint.tools.plugins import ChainCatalog, ChainNetwork
from tests.simulator.checker import Checker
from tests.simulator.clock import VirtualClock
from tests.simulator.relay import Disk, SimulatedRelay
from tests.simulator.world import NodeView, World

FAULTY_S = 90.0
QUIET_S = 400.0
RECONNECT_S = 1.0
SERVING_SETTINGS = SessionSettings()
CATALOG = ChainCatalog.installed()


class Weather(msgspec.Struct, frozen=True):
    """How bad things are, drawn from the seed."""

    loss: float
    duplicate: float
    delay_s: float
    lie: float
    cut: float
    kills: int
    gossip_s: float
    withhold: float
    gap_after_s: float

    @classmethod
    def draw(cls, rng: Random) -> Weather:
        return cls(
            loss=rng.choice((0.0, 0.0, 0.02, 0.1)),
            duplicate=rng.choice((0.0, 0.05, 0.3)),
            delay_s=rng.choice((0.001, 0.05, 0.5)),
            lie=rng.choice((0.0, 0.0, 0.1, 0.3)),
            cut=rng.choice((0.0, 0.0, 0.01)),
            kills=rng.choice((0, 0, 1, 2)),
            gossip_s=rng.choice((0.1, 3.0, 15.0)),
            withhold=rng.choice((0.0, 0.0, 0.0, 0.2)),
            gap_after_s=rng.choice((5.0, 60.0)),
        )


class Verdict(msgspec.Struct, frozen=True):
    """What a run ended with; `digest` is over every event's bytes and every frame's time and size."""

    seed: int
    digest: str
    blocks: int
    delivered: int
    reorgs: int
    gaps: int
    lies: int
    weather: Weather


class Simulation:
    """Everything of one seed. All randomness comes from `rng`, all time from `clock`."""

    def __init__(self, seed: int, network: ChainNetwork | None = None) -> None:
        self.seed = seed
        self.rng = Random(seed)
        self.clock = VirtualClock()
        self.weather = Weather.draw(self.rng)
        self.world = World(network or CATALOG.find("bitcoin", "regtest"), self.rng)
        self.nodes = {
            f"node-{i}": NodeView(
                self.world, self.rng, lie_probability=self.weather.lie, withhold=self.weather.withhold
            )
            for i in range(self.rng.randint(1, 4))
        }
        self.settings = ChainSettings(gap_after_s=self.weather.gap_after_s)
        self.disk = Disk()
        self.serving: dict[str, ServingSession] = {}
        self.relay = self._new_relay()
        self.calm = False
        self._transcript = hashlib.sha256()

    def run(self) -> Verdict:
        """Run the seed to its end. Raises Violation where a promise is broken."""
        tip = self.world.genesis
        for _ in range(self.rng.randint(0, 4)):
            tip = self.world.mine(tip, 0.0, 0)
            for node in self.nodes.values():
                node.learn(tip)
        for name in self.nodes:
            self._connect(name)
        self._schedule_faults()
        self.clock.run_until(FAULTY_S)
        self._calm_down()
        self.clock.run_until(FAULTY_S + QUIET_S)
        return self._verdict()

    def _schedule_faults(self) -> None:
        for _ in range(self.rng.randint(8, 24)):
            self.clock.call_at(self.rng.random() * FAULTY_S, self._mine_somewhere)
        for _ in range(self.weather.kills):
            self.clock.call_at(self.rng.random() * FAULTY_S, self._kill)

    def _calm_down(self) -> None:
        """No more faults; every node learns everything; one more block settles who is best."""
        self.calm = True
        for node in self.nodes.values():
            node.calm_down()
            for block_hash in self.world.parent:
                if block_hash not in node.known:
                    node.learn(block_hash)
        best = max(self.nodes.values(), key=lambda n: self.world.height[n.tip])
        last = self.world.mine(best.tip, self.clock.now, 0)
        for name in self.nodes:
            self._learn(name, last)

    def _mine_somewhere(self) -> None:
        """A node mines 1 to 3 blocks, on its tip or, seldom, on a block below it; the others hear later."""
        name = self.rng.choice(list(self.nodes))
        node = self.nodes[name]
        parent = node.tip
        if self.rng.random() < 0.15:
            for _ in range(self.rng.randint(1, 3)):
                parent = self.world.parent.get(parent, self.world.genesis)
        for _ in range(self.rng.choice((1, 1, 1, 2, 3, 5))):
            parent = self.world.mine(parent, self.clock.now, self.rng.choice((0, 0, 1, 3)))
            self._learn(name, parent)
            for other in self.nodes:
                if other != name:
                    self._gossip(other, parent)

    def _gossip(self, name: str, block_hash: bytes) -> None:
        self.clock.call_later(
            self.rng.random() * self.weather.gossip_s, lambda: self._learn(name, block_hash)
        )

    def _learn(self, name: str, block_hash: bytes) -> None:
        node = self.nodes[name]
        old_tip = node.tip
        if block_hash not in node.known:
            node.learn(block_hash)
        session = self.serving.get(name)
        if node.tip != old_tip and session is not None:
            session.announce(node.connected_since(old_tip), self.clock.now)
            self._flush_node(name)

    def _new_relay(self) -> SimulatedRelay:
        relay = SimulatedRelay(self.world, self.clock, self.rng, self.disk, self.settings)
        relay.flush = self._flush_relay
        return relay

    def _kill(self) -> None:
        """Kill the relay between any two steps, and start it again from its disk."""
        self.relay.alive = False
        for name in list(self.relay.sessions):
            self.serving.pop(name, None)
        self.relay = self._new_relay()
        for name in self.nodes:
            self._connect(name)

    # Links: a pair of sessions; each frame has its own fate.

    def _connect(self, name: str) -> None:
        nonce = self.rng.getrandbits(64)
        node, relay = self.nodes[name], self.relay
        relay.sessions[name] = PeerSession(
            self.world.parameters, SessionSettings(), nonce=nonce, now=self.clock.now
        )
        self.serving[name] = ServingSession(
            self.world.parameters, node, SERVING_SETTINGS, nonce=nonce ^ 1, now=self.clock.now
        )
        self._flush_relay(name)
        self._arm(relay, name)

    def _cut(self, relay: SimulatedRelay, name: str, reason: str) -> None:
        if relay is not self.relay or name not in relay.sessions:
            return
        self.serving.pop(name, None)
        relay.session_lost(name, reason)
        self.clock.call_later(RECONNECT_S, lambda: self._reconnect(relay, name))

    def _reconnect(self, relay: SimulatedRelay, name: str) -> None:
        if relay is self.relay and name not in relay.sessions:
            self._connect(name)

    def _arm(self, relay: SimulatedRelay, name: str) -> None:
        """Keep both ends' timers running, looked at each second."""
        session, serving = relay.sessions.get(name), self.serving.get(name)
        if relay is not self.relay or session is None or serving is None:
            return

        def tick() -> None:
            if relay is not self.relay or relay.sessions.get(name) is not session:
                return
            for end in (session, serving):
                due = end.next_timer()
                if due is not None and due <= self.clock.now:
                    end.handle_timer(self.clock.now)
            self._flush_relay(name)
            self._flush_node(name)
            self._arm(relay, name)

        due = min((t for t in (session.next_timer(), serving.next_timer()) if t is not None), default=None)
        self.clock.call_at(max(due or 0.0, self.clock.now + 5.0), tick)

    def _flush_relay(self, name: str) -> None:
        relay = self.relay
        session = relay.sessions.get(name)
        if session is None:
            return
        if session.closed is not None:
            self._cut(relay, name, session.closed)
            return
        serving = self.serving.get(name)
        self._carry(session.data_to_send, lambda data: self._into_node(relay, name, serving, data))

    def _flush_node(self, name: str) -> None:
        relay, serving = self.relay, self.serving.get(name)
        session = relay.sessions.get(name)
        if serving is None or session is None:
            return
        if serving.closed is not None:
            self._cut(relay, name, serving.closed)
            return
        self._carry(serving.data_to_send, lambda data: self._into_relay(relay, name, session, data))

    def _into_node(
        self, relay: SimulatedRelay, name: str, serving: ServingSession | None, data: bytes
    ) -> None:
        if relay is self.relay and serving is not None and self.serving.get(name) is serving:
            serving.receive_data(data, self.clock.now)
            self._flush_node(name)

    def _into_relay(self, relay: SimulatedRelay, name: str, session: PeerSession, data: bytes) -> None:
        if relay is self.relay and relay.sessions.get(name) is session:
            relay.take(name, session.receive_data(data, self.clock.now))
            self._flush_relay(name)

    def _carry(self, source: Callable[[], bytes], into: Callable[[bytes], None]) -> None:
        """Give each frame its own fate: lost, doubled, late, out of order."""
        magic = self.world.parameters.magic
        frames = FrameReader(magic)
        while data := source():
            for frame in frames.feed(data):
                raw = encode_frame(magic, frame.command, frame.payload)
                self._transcript.update(f"{self.clock.now:.6f} {frame.command} {len(raw)};".encode())
                self._fate(frame.command, raw, into)

    def _fate(self, command: str, raw: bytes, into: Callable[[bytes], None]) -> None:
        if self.calm or command in ("version", "verack", "sendheaders"):
            self.clock.call_later(0.001, lambda: into(raw))
            return
        if self.rng.random() < self.weather.loss:
            return
        copies = 2 if self.rng.random() < self.weather.duplicate else 1
        for _ in range(copies):
            self.clock.call_later(0.001 + self.rng.random() * self.weather.delay_s, lambda: into(raw))
        if self.rng.random() < self.weather.cut:
            name = self.rng.choice(list(self.nodes))
            relay = self.relay
            self.clock.call_later(self.rng.random(), lambda: self._cut(relay, name, "the link was cut"))

    def _verdict(self) -> Verdict:
        checker = Checker(self.world)
        for event in self.disk.events:
            self._transcript.update(event.body)
            checker.take(event)
        checker.finish([node.tip for node in self.nodes.values()])
        return Verdict(
            seed=self.seed,
            digest=self._transcript.hexdigest(),
            blocks=len(self.world.parent),
            delivered=len(checker.delivered),
            reorgs=checker.reorgs,
            gaps=checker.gaps,
            lies=sum(node.lies for node in self.nodes.values()),
            weather=self.weather,
        )
