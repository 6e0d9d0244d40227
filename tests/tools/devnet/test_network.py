"""Nodes of one chain: what one mines all have, what is false stays with the one that told it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from statistics import median
from typing import Any

import httpx
import pytest

from sprint.core.errors import ConfigError
from sprint.tools.devnet.edge import DevnetOptions
from sprint.tools.devnet.faults import Fault
from sprint.tools.devnet.network import NODES_MAX, DevnetNetwork
from sprint.tools.devnet.seeded_bits import SeededBits
from tests.tools.relay.serving import until

CHAIN = "litecoin-regtest"
STARTED_AT = 1_700_000_000


def network_of(count: int, *, interval_s: float = 0.0, blocks_at_start: int = 3) -> DevnetNetwork:
    return DevnetNetwork(
        CHAIN,
        [DevnetOptions(blocks_at_start=blocks_at_start) for _ in range(count)],
        interval_s=interval_s,
        rng_of=lambda index, name: SeededBits(f"{index}/{name}"),
        wall_clock=lambda: STARTED_AT,
    )


@asynccontextmanager
async def running(
    count: int = 3, *, interval_s: float = 0.0, blocks_at_start: int = 3
) -> AsyncIterator[DevnetNetwork]:
    network = network_of(count, interval_s=interval_s, blocks_at_start=blocks_at_start)
    try:
        await network.start()
        yield network
    finally:
        await network.stop()


def tips(network: DevnetNetwork) -> list[bytes]:
    return [node.ledger(CHAIN).tip for node in network.nodes]


def test_what_one_node_mines_or_replaces_all_have_at_once() -> None:
    async def story() -> None:
        async with running() as network:
            assert len(set(tips(network))) == 1
            assert network.nodes[0].ledger(CHAIN).height() == 3
            for miner in network.nodes:
                (block,) = miner.mine(CHAIN)
                assert tips(network) == [block] * 3
            branch = network.nodes[2].show(CHAIN, Fault.FORK, 2)
            assert tips(network) == [branch[-1]] * 3
            for node in network.nodes:
                assert node.ledger(CHAIN).body(branch[-1], witness=True) is not None

    asyncio.run(story())


@pytest.mark.parametrize("lie", [Fault.BAD_MERKLE, Fault.BAD_PROOF])
def test_a_false_block_and_what_stands_on_it_stay_with_the_one_that_told_it(lie: Fault) -> None:
    async def story() -> None:
        async with running() as network:
            liar, other, third = network.nodes
            before = tips(network)[0]
            (false_block,) = liar.show(CHAIN, lie)
            (on_top,) = liar.mine(CHAIN)
            assert tips(network) == [on_top, before, before]
            (true_block,) = other.mine(CHAIN)
            assert tips(network) == [on_top, true_block, true_block]
            liar.invalidate(CHAIN, false_block)
            assert tips(network) == [true_block] * 3
            (block,) = liar.mine(CHAIN)
            assert tips(network) == [block] * 3
            assert third.ledger(CHAIN).height_of(false_block) is None

    asyncio.run(story())


def test_a_block_too_far_ahead_of_the_clock_is_taken_in_by_nobody_and_overtaken() -> None:
    async def story() -> None:
        async with running() as network:
            skewed, other, _ = network.nodes
            before = tips(network)[0]
            skewed.show(CHAIN, Fault.CLOCK_AHEAD, 7_201)
            (ahead,) = skewed.mine(CHAIN)
            assert tips(network) == [ahead, before, before]
            newest = other.mine(CHAIN, 2)[-1]
            assert tips(network) == [newest] * 3

    asyncio.run(story())


@pytest.mark.parametrize(("fault", "skew_s"), [(Fault.CLOCK_AHEAD, 7_200), (Fault.CLOCK_BEHIND, -600)])
def test_a_clock_that_is_wrong_is_seen_in_its_blocks_times_alone(fault: Fault, skew_s: int) -> None:
    async def story() -> None:
        async with running(blocks_at_start=0) as network:
            skewed = network.nodes[1]
            skewed.show(CHAIN, fault, abs(skew_s))
            (shown,) = skewed.state(CHAIN).faults
            assert (shown.fault, shown.amount) == (fault, abs(skew_s))
            (block,) = skewed.mine(CHAIN)
            assert tips(network) == [block] * 3
            header = skewed.ledger(CHAIN).header(block) or b""
            stamped = int.from_bytes(header[68:72], "little")
            assert stamped == STARTED_AT + skew_s

    asyncio.run(story())


def test_nodes_mine_in_turn_at_the_pace_of_one() -> None:
    async def story() -> None:
        came: list[float] = []
        async with running(interval_s=0.05) as network:
            now = asyncio.get_running_loop().time
            network.nodes[0].watch_tip(CHAIN, lambda *_: came.append(now()))
            await until(lambda: len(came) >= 12)
            assert len(set(tips(network))) == 1
            assert median(later - sooner for sooner, later in pairwise(came)) > 0.02, "not all at once"
            assert {round(node.state(CHAIN).block_interval_ms) for node in network.nodes} == {150}

    asyncio.run(story())


@pytest.mark.parametrize("count", [0, NODES_MAX + 1])
def test_no_nodes_and_one_too_many_are_refused(count: int) -> None:
    with pytest.raises(ConfigError, match=f"{count} devnet nodes of one chain, want 1 to {NODES_MAX}"):
        network_of(count)


def test_a_process_lists_its_nodes_each_with_a_control_of_its_own() -> None:
    command = [sys.executable, "-m", "sprint.tools.devnet", "--chain", CHAIN, "--nodes", "3"]
    process = subprocess.Popen(
        [*command, "--control-port", "0", "--rpc-port", "0"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        nodes = told["nodes"]
        ports = [port for node in nodes for port in node.values()]
        assert len(set(ports)) == 9
        assert told["port"] == nodes[0]["port"]
        ask(nodes[1], "fault", {"fault": "stall", "amount": 30})
        assert [len(ask(node)["faults"]) for node in nodes] == [0, 1, 0]
        mined = ask(nodes[2], "mine", {"count": 2})["hashes"]
        assert {ask(node)["tip"] for node in nodes} == {mined[-1]}
        answers, _ = process.communicate("node 1 mine 1\ntip\nnode 3 tip\nquit\n", timeout=20)
        (mined_by_1, tip_of_0, refused) = [json.loads(line) for line in answers.splitlines()]
        assert mined_by_1["hashes"] == [tip_of_0["tip"]]
        assert refused["error"] == "no node 3; there is 0 to 2"
        assert process.returncode == 0
    finally:
        process.kill()
        process.communicate(timeout=10)


def ask(node: dict[str, int], what: str = "", fields: dict[str, Any] | None = None) -> dict[str, Any]:
    path = f"http://127.0.0.1:{node['control_port']}/api/devnet/{CHAIN}" + (f"/{what}" if what else "")
    answer = httpx.post(path, json=fields) if fields is not None else httpx.get(path)
    assert answer.is_success, answer.text
    return dict(answer.json())
