"""The relay as a process on the RPC of a real bcoin alone, which has no call that waits for a tip."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sprint.core.model import BlockEvent, ReorgEvent
from tests.integration.bcoin_node import API_KEY, Bcoin, running_bcoin
from tests.integration.real_servers import HOST, require
from tests.integration.relay_process import RelayProcess
from tests.integration.subscribers import Listener, kinds_of, wait_until_delivered

pytestmark = pytest.mark.real("bcoin")

CHAIN = "bitcoin-regtest"
BLOCKS = 40
BURST_MAX = 10
VARIABLES = {"NODE_USER": "x", "NODE_PASSWORD": API_KEY}


@pytest.fixture
def bcoin() -> Iterator[Bcoin]:
    """A started node with one block."""
    require("bcoin")
    with running_bcoin() as node:
        node.mine(1)
        yield node


@contextmanager
def relay_on(folder: Path, node: Bcoin) -> Iterator[RelayProcess]:
    """A relay that has delivered the node's tip."""
    source = f"bitcoin:regtest=rpc://{HOST}:{node.rpc_port}?user_env=NODE_USER&password_env=NODE_PASSWORD"
    data = str(folder / "data")
    with RelayProcess(folder, "--source", source, "--data-dir", data, environment=VARIABLES) as relay:
        wait_until_delivered(relay.url, CHAIN, str(node.rpc("getbestblockhash")))
        yield relay


def branch_of(node: Bcoin, first_height: int) -> list[str]:
    heights = range(first_height, int(node.rpc("getblockcount")) + 1)
    return [str(node.rpc("getblockhash", height)) for height in heights]


def test_blocks_in_bursts_arrive_once_in_order(bcoin: Bcoin, tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    with relay_on(tmp_path, bcoin) as relay, Listener(relay.url) as listener:
        mined = 0
        while mined < BLOCKS:
            count = min(rng.randint(1, BURST_MAX), BLOCKS - mined)
            listener.wait_for_block(bcoin.mine(count)[-1])
            mined += count
        assert kinds_of(listener.events) == [f"block {each}" for each in branch_of(bcoin, 1)]


def test_a_branch_that_is_replaced_gives_one_reorg_then_the_new_blocks_once(
    bcoin: Bcoin, tmp_path: Path
) -> None:
    with relay_on(tmp_path, bcoin) as relay, Listener(relay.url) as listener:
        old = bcoin.mine(5)
        listener.wait_for_block(old[-1])
        seen = len(listener.events)
        bcoin.rpc("invalidateblock", old[2])
        new = bcoin.mine(4)
        listener.wait_for_block(new[-1])
        assert kinds_of(listener.events[seen:]) == ["reorg", *(f"block {block}" for block in new)]
        (reorg,) = (event.data for event in listener.events if isinstance(event, ReorgEvent))
        assert (reorg.fork_height, reorg.depth, reorg.added) == (3, 3, tuple(new))


def test_a_block_of_many_transactions_comes_whole(bcoin: Bcoin, tmp_path: Path) -> None:
    spends = bcoin.prepare_spends(200)
    with relay_on(tmp_path, bcoin) as relay, Listener(relay.url) as listener:
        for each in spends:
            bcoin.rpc("sendrawtransaction", each)
        (block_hash,) = bcoin.mine(1)
        listener.wait_for_block(block_hash)
        told = next(
            e.data for e in listener.events if isinstance(e, BlockEvent) and e.data.hash == block_hash
        )
        assert (told.tx_count, told.size) == (len(spends) + 1, len(bcoin.raw_block(block_hash)))
        assert told.validation == "full"
