"""The relay as a process against a real litecoind: what the node mines arrives once, in order, no more.

The node's own list of blocks is the truth; subscribers read over WebSocket and NDJSON.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sprint.core.model import BlockEvent, Event, ReorgEvent, SourceStatusEvent
from tests.integration.many_transactions import fill_mempool
from tests.integration.real_servers import Litecoind, free_ports, wait_until
from tests.integration.relay_metrics import fetch
from tests.integration.relay_process import COMMAND, PLAIN_KERNELS, RelayProcess
from tests.integration.subscribers import LineReader, Listener, blocks_of, kinds_of, wait_until_delivered

pytestmark = pytest.mark.real("litecoind")

BLOCKS = 100
BURST_MAX = 20
CHAIN = "litecoin-regtest"
MISSED_BLOCKS = 20
CHECK_TIMEOUT_S = 30.0
LITECOIN_GENESIS = "530827f38f93b43ed12af0b3ad25a288dc02ed74d6d7857862df51fc56c416f9"


@contextmanager
def relay_on(folder: Path, *nodes: Litecoind, port: int = 0) -> Iterator[RelayProcess]:
    """A relay that has delivered the tip of its nodes, with its data in `folder`."""
    sources = [part for node in nodes for part in ("--source", node.source_url)]
    with RelayProcess(folder, *sources, "--data-dir", str(folder / "data"), port=port) as relay:
        if nodes[0].height:
            wait_until_delivered(relay.url, CHAIN, nodes[0].tip)
        yield relay


def branch_of(node: Litecoind, first_height: int) -> list[str]:
    """Hashes of the node's best branch from a height up."""
    return [str(node.rpc("getblockhash", height)) for height in range(first_height, node.height + 1)]


def test_100_blocks_in_bursts_arrive_once_in_order_by_websocket_and_ndjson(
    litecoind: Litecoind, tmp_path: Path, seed: int
) -> None:
    rng = random.Random(seed)
    bursts: list[int] = []
    with (
        relay_on(tmp_path, litecoind) as relay,
        Listener(relay.url) as listener,
        LineReader(relay.url) as lines,
    ):
        listener.wait_for_block(litecoind.tip)
        while sum(bursts) < BLOCKS:
            bursts.append(min(rng.randint(1, BURST_MAX), BLOCKS - sum(bursts)))
            litecoind.mine(bursts[-1])
        listener.wait_for_block(litecoind.tip)
        lines.wait_for_block(litecoind.tip)
        expected = [f"block {block_hash}" for block_hash in branch_of(litecoind, 1)]
        print(f"bursts {bursts}")
        assert kinds_of(listener.events) == expected
        assert kinds_of(lines.events) == expected
        assert [event.seq for event in listener.events] == list(range(1, len(listener.events) + 1))


def test_an_invalidated_branch_of_3_gives_one_reorg_then_the_new_blocks_once(
    litecoind: Litecoind, tmp_path: Path
) -> None:
    with relay_on(tmp_path, litecoind) as relay, Listener(relay.url) as listener:
        old = litecoind.mine(5)
        listener.wait_for_block(old[-1])
        seen = len(listener.events)
        litecoind.rpc("invalidateblock", old[2])
        new = litecoind.mine(4)
        listener.wait_for_block(new[-1])
        assert kinds_of(listener.events[seen:]) == ["reorg", *(f"block {block}" for block in new)]
        (reorg,) = (event for event in listener.events if isinstance(event, ReorgEvent))
        assert reorg.data.fork_height == 3
        assert reorg.data.depth == 3
        assert reorg.data.removed == tuple(reversed(old[2:]))
        assert reorg.data.added == tuple(new)


def test_switching_back_delivers_no_block_twice(litecoind: Litecoind, tmp_path: Path) -> None:
    with relay_on(tmp_path, litecoind) as relay, Listener(relay.url) as listener:
        old = litecoind.mine(3)
        listener.wait_for_block(old[-1])
        litecoind.rpc("invalidateblock", old[0])
        new = litecoind.mine(4)
        listener.wait_for_block(new[-1])
        litecoind.rpc("reconsiderblock", old[0])
        litecoind.rpc("invalidateblock", new[0])
        extension = litecoind.mine(3)
        listener.wait_for_block(extension[-1])
        seen = kinds_of(listener.events)
        back = seen.index("reorg", seen.index("reorg") + 1)
        assert seen[back:] == ["reorg", *(f"block {block}" for block in extension)]
        assert blocks_of(listener.events) == [branch_of(litecoind, 1)[0], *old, *new, *extension]
        reorgs = [event.data for event in listener.events if isinstance(event, ReorgEvent)]
        assert [(r.fork_height, r.removed) for r in reorgs] == [(1, tuple(old[::-1])), (1, tuple(new[::-1]))]
        # With one block more the old branch is only level, and the first seen stays; the second decides.
        # By then the third may be known too; then it is of the reorg, and not a block after it.
        assert reorgs[1].added in ((*old, *extension[:2]), (*old, *extension))


def test_a_killed_relay_delivers_the_20_blocks_it_missed_to_a_subscriber_that_resumes(
    litecoind: Litecoind, tmp_path: Path
) -> None:
    (port,) = free_ports(1)
    with relay_on(tmp_path, litecoind, port=port) as first, Listener(first.url) as listener:
        listener.wait_for_block(litecoind.mine(3)[-1])
        first.kill()
        missed = litecoind.mine(MISSED_BLOCKS)
        with relay_on(tmp_path, litecoind, port=port) as second:
            assert second.log_id == first.log_id
            listener.wait_for_block(missed[-1])
            listener.wait_for_block(litecoind.mine(1)[-1])
            assert kinds_of(listener.events) == [f"block {block}" for block in branch_of(litecoind, 1)]


def test_a_block_of_a_thousand_transactions_is_validated_in_full(
    litecoind: Litecoind, tmp_path: Path
) -> None:
    with relay_on(tmp_path, litecoind) as relay, Listener(relay.url) as listener:
        fill_mempool(litecoind, 1_000)
        (block_hash,) = litecoind.mine(1)
        listener.wait_for_block(block_hash)
        told = next(
            e.data for e in listener.events if isinstance(e, BlockEvent) and e.data.hash == block_hash
        )
        node = litecoind.rpc("getblock", block_hash)
        assert told.tx_count == node["nTx"] == 1_001
        assert (told.size, told.height, told.validation) == (node["size"], node["height"], "full")
        print(f"{told.tx_count} transactions, {told.size} bytes: {told.relay_time_ms} ms")


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_node_that_restarts_loses_nothing(litecoind: Litecoind, tmp_path: Path, how: str) -> None:
    with relay_on(tmp_path, litecoind) as relay, Listener(relay.url) as listener:
        listener.wait_for_block(litecoind.mine(2)[-1])
        (litecoind.stop if how == "stop" else litecoind.kill)()
        litecoind.start()
        mined = litecoind.mine(5)
        listener.wait_for_block(mined[-1])
        branch = branch_of(litecoind, 1)
        delivered = blocks_of(listener.events)
        # A node that is killed may come back without its newest blocks; what it has is delivered once.
        assert [block for block in delivered if block in branch] == branch
        assert len(set(delivered)) == len(delivered)


def test_a_frozen_node_goes_on_when_it_is_thawed(litecoind: Litecoind, tmp_path: Path) -> None:
    with relay_on(tmp_path, litecoind) as relay, Listener(relay.url) as listener:
        listener.wait_for_block(litecoind.mine(2)[-1])
        litecoind.freeze()
        assert relay.running
        assert listener.client.latest("litecoin").height == 3
        litecoind.thaw()
        litecoind.mine(7)
        listener.wait_for_block(litecoind.tip)
        assert kinds_of(listener.events) == [f"block {block}" for block in branch_of(litecoind, 1)]


def test_two_nodes_agree_and_one_of_them_may_die(
    litecoind_factory: Callable[[], Litecoind], tmp_path: Path
) -> None:
    first, second = litecoind_factory(), litecoind_factory()
    first.mine(1)
    second.connect_to(first)
    second.wait_for_tip(first.tip)
    with relay_on(tmp_path, first, second) as relay, Listener(relay.url) as listener:
        listener.wait_for_block(first.tip)
        for _ in range(20):
            listener.wait_for_block(first.mine(1)[0])
        second.wait_for_tip(first.tip)
        told = [event.data for event in listener.events if isinstance(event, BlockEvent)]
        assert all(data.agreed_by == data.sources_seen == len(data.proof.sources) for data in told)
        print(f"agreed by {[data.agreed_by for data in told]}")
        # An event mostly goes out before the second node has the block; who came later is kept beside it.
        address = f"{relay.url}/api/v1/blocks/{first.tip}"
        wait_until(lambda: len(json.loads(fetch(address))["arrivals"]) == 2, "both are known to have it")
        first.kill()
        second.mine(5)
        listener.wait_for_block(second.tip)
        assert kinds_of(listener.events) == [f"block {block}" for block in branch_of(second, 2)]


def test_a_frozen_node_holds_up_nothing_that_the_other_has(
    litecoind_factory: Callable[[], Litecoind], tmp_path: Path
) -> None:
    first, second = litecoind_factory(), litecoind_factory()
    first.mine(1)
    second.connect_to(first)
    second.wait_for_tip(first.tip)
    with relay_on(tmp_path, first, second) as relay, Listener(relay.url) as listener:
        listener.wait_for_block(first.tip)
        begin = second.height
        first.freeze()
        listener.wait_for_block(second.mine(5)[-1])
        first.thaw()
        assert kinds_of(listener.events) == [f"block {block}" for block in branch_of(second, begin)]


def check(*sources: str) -> tuple[int, list[dict[str, Any]]]:
    """Run `sprint relay check`; return its exit code and its rows."""
    options = [part for source in sources for part in ("--source", source)]
    done = subprocess.run(
        [*COMMAND, "check", "--json", *options],
        capture_output=True,
        timeout=CHECK_TIMEOUT_S,
        check=False,
        env={**os.environ, **PLAIN_KERNELS},
    )
    return done.returncode, json.loads(done.stdout)


def test_check_finds_a_node_usable_and_a_closed_port_not(litecoind: Litecoind) -> None:
    (closed,) = free_ports(1)
    code, (good, bad) = check(litecoind.source_url, f"litecoin:regtest=p2p://127.0.0.1:{closed}")
    assert code == 1
    assert (good["usable"], good["height"], good["reason"]) == (True, 1, "ok")
    assert good["user_agent"].startswith("/LitecoinCore:0.21")
    assert bad["usable"] is False
    assert "refused" in bad["reason"]
    assert check(litecoind.source_url)[0] == 0


def as_bitcoin(node: Litecoind) -> str:
    """The node's address, said to be of the chain with the same magic."""
    return node.source_url.replace("litecoin:", "bitcoin:")


def test_check_tells_a_chain_with_the_same_magic_apart(litecoind: Litecoind) -> None:
    code, (row,) = check(as_bitcoin(litecoind))
    assert code == 1
    assert row["usable"] is False
    assert f"its chain begins at {LITECOIN_GENESIS}" in row["reason"]
    assert "bitcoin-regtest" in row["reason"]


def test_the_relay_refuses_a_chain_with_the_same_magic_and_delivers_nothing_of_it(
    litecoind: Litecoind, tmp_path: Path
) -> None:
    litecoind.mine(30)
    with (
        RelayProcess(tmp_path, "--source", as_bitcoin(litecoind), "--data-dir", str(tmp_path)) as relay,
        Listener(relay.url) as listener,
    ):
        listener.wait_for(lambda events: "blocked" in statuses_of(events), "the source is shut out")
        litecoind.mine(3)
        (source,) = listener.client.status("bitcoin")["sources"]
        assert f"its chain begins at {LITECOIN_GENESIS}" in source["reason"]
        assert source["state"] == "blocked"
        assert kinds_of(listener.events) == []


def test_a_foreign_chain_that_had_only_its_genesis_block_is_refused_at_its_first_block(
    tmp_path: Path,
) -> None:
    node = Litecoind(tmp_path / "litecoind").start()
    try:
        with (
            RelayProcess(tmp_path, "--source", as_bitcoin(node), "--data-dir", str(tmp_path)) as relay,
            Listener(relay.url) as listener,
        ):
            listener.wait_for(lambda events: "ready" in statuses_of(events), "the source is ready")
            node.mine(2)
            listener.wait_for(lambda events: "blocked" in statuses_of(events), "the source is shut out")
            assert kinds_of(listener.events) == []
    finally:
        node.stop()


def statuses_of(events: Sequence[Event]) -> list[str]:
    return [event.data.status for event in events if isinstance(event, SourceStatusEvent)]
