"""Where a new log begins, and targets that move: a whole relay on networks that no package brings.

The relay runs in this process, over real sockets; the nodes serve one world whose targets change every few
blocks. Looked at from outside only.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from operator import methodcaller
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import msgspec
import pytest

from sprint.core.chains import Checkpoint, display_hash
from sprint.core.chains.bitcoin_family.family import BitcoinFamilyChain
from sprint.core.model import BlockEvent, HeaderEvent, SourceStatusEvent
from sprint.core.relay.source_url import parse_source
from sprint.tools.plugins import ChainCatalog, ChainNetwork
from sprint.tools.relay.service import Serving
from tests.integration.lying_node import LyingNodes, world_time
from tests.integration.real_servers import wait_until
from tests.integration.relay_metrics import fetch
from tests.integration.subscribers import Listener
from tests.simulator.networks import PERIOD_BLOCKS, RETARGETING, network_of
from tests.simulator.world import World
from tests.tools.relay.test_service import options, with_a_relay

EASY_PACE_S = 4  # slower than the rule wants, so that the target stays the easiest
CHECKPOINT_HEIGHT = 40
LONG_CHAIN = 2_200  # more than two answers of 2,000 headers hold


class Scene(NamedTuple):
    """A relay that serves, its nodes, and a subscriber from the first event on."""

    serving: Serving
    nodes: LyingNodes
    listener: Listener

    def status(self) -> dict[str, Any]:
        url = f"{self.serving.listeners[0].url}/api/v1/chains/{RETARGETING}/status"
        found: dict[str, Any] = json.loads(fetch(url))
        return found

    def refused(self) -> dict[str, int]:
        found: dict[str, int] = self.status()["validated"]["refused"]
        return found

    def wait_until_blocked(self, source: str) -> str:
        """Wait until a source is shut out; return why."""

        def reasons() -> list[str]:
            told = [e.data for e in self.listener.events if isinstance(e, SourceStatusEvent)]
            return [d.reason for d in told if (d.source, d.status) == (source, "blocked")]

        self.listener.wait_for(lambda _: bool(reasons()), f"{source} is blocked")
        return reasons()[0]


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """Plays a scene: nodes by name over a world, a relay on them, and what is to happen."""

    def run(
        network: ChainNetwork, world: World, tips: dict[str, bytes], act: Callable[[Scene], None]
    ) -> None:
        monkeypatch.setattr(ChainCatalog, "installed", lambda: ChainCatalog({"bitcoin": network.chain}))
        with LyingNodes(network, tuple(tips), world=world) as nodes:
            for name, tip in tips.items():
                nodes.on_view(name, methodcaller("take_for_best", tip))
            sources = tuple(parse_source(nodes.source_url(name)) for name in tips)

            async def scene(serving: Serving) -> None:
                await asyncio.to_thread(acted, serving)

            def acted(serving: Serving) -> None:
                with Listener(serving.listeners[0].url) as listener:
                    act(Scene(serving, nodes, listener))

            with_a_relay(options(sources=sources, data_dir=tmp_path), scene)

    return run


def mine_at_ease(world: World, parent: bytes, count: int) -> list[bytes]:
    """Mine so slowly that the target stays the easiest, up to about now."""
    begin = world_time() - count * EASY_PACE_S
    found = []
    for number in range(count):
        parent = world.mine(parent, begin + number * EASY_PACE_S, 0)
        found.append(parent)
    return found


def mine_in_haste(world: World, count: int) -> bytes:
    """Mine so fast that the target gets harder with each period."""
    tip, begin = world.genesis, world_time() - count
    for number in range(count):
        tip = world.mine(tip, begin + number, 0)
    return tip


def anchored_at(world: World, checkpoint: bytes, pinned: dict[int, bytes] | None = None) -> ChainNetwork:
    """The retargeting network with a packaged checkpoint."""
    parameters = msgspec.structs.replace(
        network_of(RETARGETING).parameters,
        checkpoint=Checkpoint(world.height[checkpoint], world.header(checkpoint)),
        pinned=pinned or {},
    )
    chain = BitcoinFamilyChain(name="bitcoin", aliases=(), networks={"retargeting": parameters})
    return ChainNetwork(chain, "retargeting")


@pytest.mark.parametrize(
    ("lie", "blocks", "ahead_s", "check"),
    [
        ("easier bits", PERIOD_BLOCKS * 4 + 1, 0, "difficulty"),
        ("easier bits at the border", PERIOD_BLOCKS * 4 - 1, 0, "difficulty"),
        ("harder bits", PERIOD_BLOCKS * 4 + 1, 0, "difficulty"),
        ("warped time", PERIOD_BLOCKS * 4 - 1, 1_500, "time_warp"),
    ],
)
def test_a_false_target_or_a_warped_time_is_refused_where_targets_move(
    play: Callable[..., None], lie: str, blocks: int, ahead_s: int, check: str
) -> None:
    world = World(network_of(RETARGETING), Random(1))
    tip = mine_in_haste(world, blocks - 1)
    tip = world.mine(tip, world_time(), 0, ahead_s=ahead_s)
    shown = display_hash(tip)

    def act(scene: Scene) -> None:
        scene.listener.wait_for_block(shown)
        false = scene.nodes.tell("liar", lie)
        assert scene.wait_until_blocked("liar").startswith(f"{check}: ")
        scene.nodes.repent("liar")
        assert scene.refused() == {check: 1}
        assert false not in [e.data.hash for e in scene.listener.events if isinstance(e, HeaderEvent)]
        assert scene.status()["head"]["hash"] == shown
        scene.listener.wait_for_block(scene.nodes.mine("honest"))

    play(network_of(RETARGETING), world, {"liar": tip, "honest": tip}, act)


def test_a_relay_that_was_restarted_knows_the_target_that_the_rule_asks_for(
    play: Callable[..., None],
) -> None:
    world = World(network_of(RETARGETING), Random(1))
    tip = mine_in_haste(world, PERIOD_BLOCKS * 5 - 1)
    network = anchored_at(world, world.below(tip, PERIOD_BLOCKS))
    play(network, world, {"honest": tip}, lambda scene: scene.listener.wait_for_block(display_hash(tip)))

    def act(scene: Scene) -> None:
        wait_until(lambda: scene.status()["sources_ready"] == 2, "both are ready")
        scene.nodes.tell("liar", "easier bits at the border")
        assert scene.wait_until_blocked("liar").startswith("difficulty: ")
        scene.nodes.repent("liar")
        scene.listener.wait_for_block(scene.nodes.mine("honest"))

    play(network, world, {"liar": tip, "honest": tip}, act)


def test_a_new_log_begins_above_the_checkpoint_and_asks_for_no_header_below_it(
    play: Callable[..., None],
) -> None:
    world = World(network_of(RETARGETING), Random(1))
    chain = mine_at_ease(world, world.genesis, CHECKPOINT_HEIGHT + LONG_CHAIN)
    network = anchored_at(world, chain[CHECKPOINT_HEIGHT - 1])

    def act(scene: Scene) -> None:
        scene.listener.wait_for_block(display_hash(chain[-1]))
        status = scene.status()
        assert status["anchor"] == "checkpoint"
        assert status["validated"]["headers"] == LONG_CHAIN
        told = scene.nodes.on_view("honest", lambda view: (view.lowest_told, view.answers))
        assert told[0] == CHECKPOINT_HEIGHT + 1
        assert told[1][:2] == [2_000, LONG_CHAIN - 2_000]
        (first,) = [event for event in scene.listener.events if isinstance(event, BlockEvent)]
        assert first.data.height == CHECKPOINT_HEIGHT + LONG_CHAIN
        assert {"difficulty", "median_time", "version"} <= set(first.data.proof.checks)

    play(network, world, {"honest": chain[-1]}, act)


def test_a_chain_without_the_checkpoint_is_told_as_far_behind_and_moves_nothing(
    play: Callable[..., None],
) -> None:
    world = World(network_of(RETARGETING), Random(1))
    chain = mine_at_ease(world, world.genesis, CHECKPOINT_HEIGHT + 10)
    other = mine_at_ease(world, world.genesis, CHECKPOINT_HEIGHT + 30)
    network = anchored_at(world, chain[CHECKPOINT_HEIGHT - 1])

    def act(scene: Scene) -> None:
        scene.listener.wait_for_block(display_hash(chain[-1]))
        wait_until(lambda: scene.status()["sources_far_behind"] == ["stranger"], "the stranger is known")
        more = [scene.nodes.mine("stranger") for _ in range(2)]
        scene.listener.wait_for_block(scene.nodes.mine("honest"))
        told = {e.data.hash for e in scene.listener.events if isinstance(e, BlockEvent | HeaderEvent)}
        assert not told & {*more, *map(display_hash, other)}

    play(network, world, {"honest": chain[-1], "stranger": other[-1]}, act)


def test_another_block_at_a_pinned_height_is_refused_at_the_first_sync(play: Callable[..., None]) -> None:
    world = World(network_of(RETARGETING), Random(1))
    chain = mine_at_ease(world, world.genesis, CHECKPOINT_HEIGHT + 20)
    fork = chain[CHECKPOINT_HEIGHT + 4]
    other = mine_at_ease(world, fork, 40)
    pinned = chain[CHECKPOINT_HEIGHT + 9]
    network = anchored_at(world, chain[CHECKPOINT_HEIGHT - 1], {world.height[pinned]: pinned})

    def act(scene: Scene) -> None:
        assert scene.wait_until_blocked("forker").startswith("checkpoint: ")
        scene.listener.wait_for_block(display_hash(chain[-1]))
        assert scene.status()["head"]["hash"] == display_hash(chain[-1])

    play(network, world, {"honest": chain[-1], "forker": other[-1]}, act)


def test_easier_bits_below_the_tip_are_refused_at_the_first_sync(play: Callable[..., None]) -> None:
    world = World(network_of(RETARGETING), Random(1))
    tip = mine_in_haste(world, PERIOD_BLOCKS * 4 + 1)
    false = world.forge("easier bits", tip, world_time())
    above = false
    for _ in range(20):
        above = world.mine(above, world_time(), 0)
    honest = world.mine(tip, world_time(), 0)

    def act(scene: Scene) -> None:
        assert scene.wait_until_blocked("liar").startswith("difficulty: ")
        scene.listener.wait_for_block(display_hash(honest))
        blocks = [event.data.hash for event in scene.listener.events if isinstance(event, BlockEvent)]
        assert blocks == [display_hash(honest)]

    play(network_of(RETARGETING), world, {"liar": above, "honest": honest}, act)
