"""One seed: a world, its nodes, links with faults, the relay with kills, and the checker's verdict."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from functools import partial
from random import Random

import msgspec

from sprint.core.chains import Processor, display_hash
from sprint.core.relay.event_log import LoggedEvent
from sprint.core.relay.settings import ChainSettings
from sprint.tools.plugins import ChainNetwork
from tests.simulator.checker import FINALITY_DEPTH, Checker, Violation
from tests.simulator.clock import VirtualClock
from tests.simulator.forgery import MERGED_MINING
from tests.simulator.links import Links
from tests.simulator.networks import network_of
from tests.simulator.publishers import Publishers
from tests.simulator.relay import COMMIT_DELAY_MAX_S, LOG_ID, Disk, SimulatedRelay
from tests.simulator.subscriber import Subscriber
from tests.simulator.weather import NO_CATCH_UP_LIMIT, Weather
from tests.simulator.world import AHEAD_S, NodeView, World

FAULTY_S = 90.0
QUIET_S = 400.0
DEEP_REORG_MAX = 12
DROP_MAX = 6
RIPENS_S_MAX = 60
DEFAULT_CHAIN = "bitcoin-regtest"
STALL_S_MAX = 40.0
LIGHTER_AHEAD_S = 6_000  # under the two hours that a header may be ahead
NO_BODY = "no body"
GAP_LATE_S = 60.0
BORDER_AHEAD_S = 1_500
SELDOM_POSSIBLE = MERGED_MINING | {"easier bits", "easier bits at the border", "warped time"}


class Verdict(msgspec.Struct, frozen=True):
    """What a run ended with; `digest` is over every event's bytes and every frame's time and size."""

    seed: int
    digest: str
    blocks: int
    delivered: int
    reorgs: int
    gaps: int
    lies: int
    refused: int
    kills: int
    unheard: int  # messages of publishers that were lost, as the relay has counted them
    forged: dict[str, int]
    weather: Weather


class Simulation:
    """Everything of one seed. All randomness comes from `rng`, all time from `clock`.

    A mutant is a subclass with another relay or processor.
    """

    relay_type: type[SimulatedRelay] = SimulatedRelay

    def __init__(self, seed: int, network: ChainNetwork | None = None) -> None:
        self.seed = seed
        self.rng = Random(seed)
        self.clock = VirtualClock()
        self.weather = Weather.draw(self.rng, Random(f"{seed}: publishers, quorum"))
        self.world = World(network or network_of(DEFAULT_CHAIN), self.rng)
        lie, withhold = self.weather.lie, self.weather.withhold
        self.nodes = {
            f"node-{i}": NodeView(self.world, self.rng, lie_probability=lie, withhold=withhold)
            for i in range(self.weather.nodes)
        }
        self.settings = ChainSettings(
            gap_after_s=self.weather.gap_after_s,
            catch_up_blocks_max=self.weather.catch_up_blocks_max,
            finality_depth=FINALITY_DEPTH,
            quorum=self.weather.quorum,
            quorum_wait_ms=self.weather.quorum_wait_ms,
            quorum_strict=self.weather.quorum_strict,
        )
        self.disk = Disk()
        self.subscriber = Subscriber(LOG_ID)
        self.kills = 0
        self.forged: Counter[str] = Counter()
        self._transcript = hashlib.sha256()
        self._links = Links(self.world, self.clock, self.rng, self.weather, self.nodes, self._transcript)
        self._publishers = Publishers(self.clock, self.rng, self.weather, self.nodes, self._transcript)
        self._relay: SimulatedRelay | None = None

    def processor(self) -> Processor:
        """The relay's; the nodes have their own."""
        return self.world.processor

    def run(self) -> Verdict:
        """Run the seed to its end. Raises Violation where a promise is broken."""
        tip = self.world.genesis
        for _ in range(self.rng.randint(0, 4)):
            tip = self.world.mine(tip, 0.0, 0)
            for node in self.nodes.values():
                node.learn(tip)
        self._start()
        self._schedule_faults()
        self.clock.run_until(FAULTY_S)
        self._calm_down()
        self.clock.run_until(FAULTY_S + QUIET_S)
        return self._verdict()

    def _schedule_faults(self) -> None:
        weather = self.weather
        for count, fault in (
            (self.rng.randint(8, 24), self._mine_somewhere),
            (weather.kills, self._kill),
            (weather.stalls, self._stall),
            (weather.deep_reorgs, self._reorganise),
            (weather.drops, self._drop),
            (weather.refused, self._mine_refused),
            (weather.ahead, self._mine_ahead),
            (weather.lighter, self._mine_lighter),
            (self.rng.randint(0, 3), self._leave),
        ):
            for _ in range(count):
                self.clock.call_at(self.rng.random() * FAULTY_S, fault)

    def _calm_down(self) -> None:
        """No more faults; every node learns everything; one more block settles who is best."""
        self._come_back()
        self._links.calm = self._publishers.calm = True
        for name, node in self.nodes.items():
            self._links.stall(name, 0.0)
            node.calm_down()
        best = max(self.nodes.values(), key=lambda n: self.world.work(n.tip))
        last = self.world.mine(best.tip, self.clock.now, 0)
        for name in self.nodes:
            self._learn(name, last)

    # What happens to the world.

    def _some_node(self) -> str:
        return self.rng.choice(list(self.nodes))

    def _honest_tip(self, name: str) -> bytes:
        """The node's tip, or what its refused blocks build on."""
        tip = self.nodes[name].tip
        while tip in self.world.refused:
            tip = self.world.parent[tip]
        return tip

    def _mine_somewhere(self) -> None:
        """A node mines some blocks, on its tip or, seldom, on a block below it; the others hear later."""
        name = self._some_node()
        parent = self._honest_tip(name)
        if self.rng.random() < 0.15:
            parent = self.world.below(parent, self.rng.randint(1, 3))
        self._mine(name, parent, self.rng.choice((1, 1, 1, 2, 3, 5)))

    def _mine(self, name: str, parent: bytes, count: int) -> None:
        for _ in range(count):
            parent = self.world.mine(
                parent, self.clock.now, self.rng.choice((0, 0, 1, 2)), ahead_s=self._skew_s()
            )
            self._learn(name, parent)
            for other in self.nodes:
                if other != name:
                    self._gossip(other, parent)

    def _reorganise(self) -> None:
        """A node leaves a deep branch for a longer one."""
        name = self._some_node()
        depth = self.rng.randint(1, DEEP_REORG_MAX)
        self._mine(name, self.world.below(self._honest_tip(name), depth), depth + self.rng.randint(0, 2))

    def _drop(self) -> None:
        """A node goes back to a lower tip at once, and mines a longer branch a little later."""
        name = self._some_node()
        node, depth = self.nodes[name], self.rng.randint(1, DROP_MAX)
        root = self.world.below(self._honest_tip(name), depth - 1)
        if root == self.world.genesis:
            return
        node.drop({root})
        fork = self.world.parent[root]
        self.clock.call_later(self.rng.random() * 5.0, lambda: self._mine(name, fork, depth + 1))

    def _mine_refused(self) -> None:
        """A node takes a block that breaks a rule or has no body, or a true one above it, for its tip."""
        name, now = self._some_node(), self.clock.now
        if self.rng.random() < 0.3:
            self._mine_to_the_border(name)
        parent = self._honest_tip(name)
        lies = self.world.forger.lies_at(self.world.spot(parent, now))
        seldom = [lie for lie in lies if lie in SELDOM_POSSIBLE]
        lie = self.rng.choice(seldom if seldom and self.rng.random() < 0.7 else [*lies, NO_BODY])
        self.forged[lie] += 1
        if lie == NO_BODY:
            block = self.world.mine_without_body(parent, now)
        else:
            block = self.world.forge(lie, parent, now)
        self._learn(name, block)
        if self.world.refused[block] and block not in self.world.false_headers and self._bodies_come():
            self._learn(name, self.world.mine(block, now, 0))

    def _mine_to_the_border(self, name: str) -> None:
        """Mine until the next block has a new target, the last one by a clock that is ahead."""
        while not self.world.spot(tip := self._honest_tip(name), self.clock.now).first_of_period:
            if self.world.parameters.fixed_bits is not None:
                return
            block = self.world.mine(tip, self.clock.now, 0, ahead_s=self.rng.choice((0, BORDER_AHEAD_S)))
            self._learn(name, block)
            if self.nodes[name].tip != block:
                return

    def _bodies_come(self) -> bool:
        """Whether no body can be late enough for a gap, which would pass over a false one unseen."""
        weather = self.weather
        late = weather.loss or weather.withhold or weather.stalls or weather.drops
        return not late and weather.gap_after_s >= GAP_LATE_S

    def _quorum_is_kept(self) -> bool:
        """Whether no block may go out without its quorum.

        What one had of it before a kill is not kept, and one that a gap has passed over does not wait.
        """
        weather = self.weather
        passed_over = weather.withhold or weather.gap_after_s < GAP_LATE_S
        missed = weather.catch_up_blocks_max < NO_CATCH_UP_LIMIT
        return weather.quorum_strict and not (self.kills or passed_over or missed)

    def _mine_ahead(self) -> None:
        """A node takes a block from the future; the others hear of it when its time has come."""
        name, ripens_s = self._some_node(), self.rng.randint(1, RIPENS_S_MAX)
        ahead_s = AHEAD_S + ripens_s
        block = self.world.mine(self._honest_tip(name), self.clock.now, 0, ahead_s=ahead_s)
        self.forged["ahead of its time"] += 1
        self._learn(name, block)
        for other in self.nodes:
            if other != name:
                self.clock.call_later(ripens_s + 1.0, partial(self._learn, other, block))

    def _mine_lighter(self) -> None:
        """A node takes a true chain of less work for its best: of fewer blocks, or of ever easier ones."""
        name = self._some_node()
        node, tip = self.nodes[name], self._honest_tip(name)
        parent = self.world.below(tip, self.rng.randint(1, DEEP_REORG_MAX))
        for ahead_s in range(0, LIGHTER_AHEAD_S, LIGHTER_AHEAD_S // (DEEP_REORG_MAX + 4)):
            block = self.world.mine(parent, self.clock.now, 0, ahead_s=ahead_s)
            if self.world.work(block) >= self.world.work(tip):
                break
            node.learn(block)
            parent = block
        self.forged["less work"] += 1
        if self.world.height[parent] > self.world.height[tip]:
            self.forged["less work in more blocks"] += 1
        old_tip, node.tip = node.tip, parent
        self._announce(name, old_tip)

    def _skew_s(self) -> int:
        return self.rng.randint(0, self.weather.skew_s)

    def _gossip(self, name: str, block_hash: bytes) -> None:
        self.clock.call_later(
            self.rng.random() * self.weather.gossip_s, lambda: self._learn(name, block_hash)
        )

    def _learn(self, name: str, block_hash: bytes) -> None:
        node = self.nodes[name]
        old_tip = node.tip
        if block_hash not in node.known:
            node.learn(block_hash)
        if node.tip != old_tip:
            self._announce(name, old_tip)

    def _announce(self, name: str, old_tip: bytes) -> None:
        self._links.announce(name, old_tip)
        self._publishers.moved(name, old_tip)

    # What happens to the relay, its links and its subscriber.

    def _start(self) -> None:
        """Start the relay from its disk; the subscriber comes back with its cursor."""
        self._relay = self.relay_type(
            self.world, self.processor(), self.clock, self.rng, self.disk, self.settings
        )
        self._relay.hand_over = self._hand_over
        if self.subscriber.online:
            self.subscriber.resume(self.disk.events)
        self._links.attach(self._relay)
        self._publishers.attach(self._relay)

    def _hand_over(self, events: Sequence[LoggedEvent]) -> None:
        """Give events to the subscriber, none of them of a block from the future."""
        told = {event.hash for event in events if event.type in {"block", "header"}}
        for block_hash, ripe_at in self.world.ripe_at.items():
            if self.clock.now < ripe_at and display_hash(block_hash) in told:
                raise Violation("nothing invalid", f"{display_hash(block_hash)} is told of before its time")
        self.subscriber.take(events)

    def _kill(self) -> None:
        """Kill the relay now, or where it hurts: while its next commit is on its way to the disk."""
        relay = self._relay
        if relay is None or self.rng.random() < 0.5:
            self._kill_now(relay)
        else:
            relay.on_write = lambda: self.clock.call_later(
                self.rng.random() * COMMIT_DELAY_MAX_S, lambda: self._kill_now(relay)
            )

    def _kill_now(self, relay: SimulatedRelay | None) -> None:
        """Kill one life of the relay between any two steps; the next begins after a while."""
        if self._relay is None or relay is not self._relay or self._links.calm:
            return
        self.kills += 1
        self._relay.alive = False
        self._relay = None
        self._links.detach()
        self._publishers.detach()
        down_s = self.rng.random() * self.weather.down_s_max
        self.clock.call_at(min(self.clock.now + down_s, FAULTY_S), self._start)

    def _stall(self) -> None:
        self._links.stall(self._some_node(), self.clock.now + self.rng.random() * STALL_S_MAX)

    def _leave(self) -> None:
        self.subscriber.online = False
        self.clock.call_later(self.rng.random() * 20.0, self._come_back)

    def _come_back(self) -> None:
        if not self.subscriber.online:
            self.subscriber.resume(self.disk.events)

    def _verdict(self) -> Verdict:
        self.subscriber.resume(self.disk.events)
        checker = Checker(self.world, agreed_by_min=self.weather.quorum if self._quorum_is_kept() else 1)
        for event in self.subscriber.taken:
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
            refused=len(self.world.refused),
            kills=self.kills,
            unheard=self._publishers.lost,
            forged=dict(self.forged),
            weather=self.weather,
        )
