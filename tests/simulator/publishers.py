"""Publishers beside some of the nodes, as a node's ZMQ is: they only announce, and lose messages.

The real session listens to the real numbering. Messages of a publisher come in their order, as over TCP;
those that are lost are gone without a word, until a later number shows it.
"""

from __future__ import annotations

from random import Random

from sprint.core.protocols.zmq.frames import RAWBLOCK
from sprint.core.protocols.zmq.publisher import NumberedPublisher, Parts
from sprint.core.protocols.zmq.session import ZmqSession
from tests.simulator.clock import VirtualClock
from tests.simulator.links import RECONNECT_S, Transcript
from tests.simulator.relay import SimulatedRelay
from tests.simulator.weather import Weather
from tests.simulator.world import NodeView

LOST_AT_ONCE_MAX = 6


class Publishers:
    """One publisher for each of the first nodes, as many as the weather has."""

    def __init__(
        self,
        clock: VirtualClock,
        rng: Random,
        weather: Weather,
        nodes: dict[str, NodeView],
        transcript: Transcript,
    ) -> None:
        self._clock = clock
        self._rng = rng
        self._weather = weather
        self._nodes = nodes
        self._transcript = transcript
        self._relay: SimulatedRelay | None = None
        names = list(nodes)[: weather.publishers]
        self._numbered = {name: NumberedPublisher() for name in names}
        self._arrives_at = dict.fromkeys(names, 0.0)
        self.calm = False
        self.lost = 0  # messages, as the relay has counted them

    def attach(self, relay: SimulatedRelay) -> None:
        """Let a relay that has started subscribe."""
        self._relay = relay
        for node in self._numbered:
            self._subscribe(relay, node, ZmqSession(_name_of(node)))

    def detach(self) -> None:
        self._relay = None

    def moved(self, node: str, old_tip: bytes) -> None:
        """Let a node whose tip has moved publish it."""
        if node not in self._numbered:
            return
        if not self.calm and self._rng.random() < self._weather.lost_messages:
            self._numbered[node].lose(self._rng.randint(1, LOST_AT_ONCE_MAX))
        for parts in self._messages(node, old_tip):
            self._carry(node, parts)

    def _messages(self, node: str, old_tip: bytes) -> list[Parts]:
        """What a node publishes of a change; of a block without a body there is no raw one."""
        view = self._nodes[node]
        new, old = view.world.branch(view.tip), view.world.branch(old_tip)
        shared, before = set(new), set(old)
        added = [block for block in new if block not in before]
        removed = [block for block in reversed(old) if block not in shared]
        raw_tip = (view.body(view.tip, witness=True) if added else None) or b""
        messages = self._numbered[node].tip_moved(removed, added, raw_tip)
        return [parts for parts in messages if parts[1] or parts[0] != RAWBLOCK.encode()]

    def _carry(self, node: str, parts: Parts) -> None:
        relay = self._relay
        session = relay.publishers.get(_name_of(node)) if relay is not None else None
        if relay is None or session is None:
            return
        self._transcript.update(f"{self._clock.now:.6f} {node} {parts[0]!r} {len(parts[1])};".encode())
        late_s = 0.0 if self.calm else self._rng.random() * self._weather.delay_s
        arrives_at = max(self._arrives_at[node], self._clock.now + late_s)
        self._arrives_at[node] = arrives_at
        self._clock.call_at(arrives_at, lambda: self._arrive(relay, node, session, parts))
        if not self.calm and self._rng.random() < self._weather.cut:
            self._clock.call_later(self._rng.random(), lambda: self._cut(relay, node, session))

    def _arrive(self, relay: SimulatedRelay, node: str, session: ZmqSession, parts: Parts) -> None:
        if relay is not self._relay or relay.publishers.get(_name_of(node)) is not session:
            return
        before = session.lost
        relay.take_published(session, parts)
        self.lost += session.lost - before
        if session.closed is not None:
            self._cut(relay, node, session)

    def _cut(self, relay: SimulatedRelay, node: str, session: ZmqSession) -> None:
        """End a connection; the session outlives it."""
        if relay is not self._relay or relay.publishers.get(_name_of(node)) is not session:
            return
        relay.publisher_lost(session)
        self._clock.call_later(RECONNECT_S, lambda: self._subscribe(relay, node, session))

    def _subscribe(self, relay: SimulatedRelay, node: str, session: ZmqSession) -> None:
        if relay is self._relay and _name_of(node) not in relay.publishers:
            session.connected()
            relay.publisher_ready(session)


def _name_of(node: str) -> str:
    return f"zmq-of-{node}"
