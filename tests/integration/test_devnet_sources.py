"""All kinds of sources race for one devnet node, and what goes wrong with one is made good by the others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sprint.core.model import ReorgEvent
from tests.integration.devnet_process import DevnetProcess
from tests.integration.real_servers import wait_until
from tests.integration.relay_metrics import fetch
from tests.integration.relay_process import RelayProcess
from tests.integration.subscribers import Listener, blocks_of, wait_until_delivered

CHAINS = ("bitcoin-regtest", "litecoin-regtest", "dogecoin-regtest")
SOURCES = ("p2p", "rpc", "zmq")


@contextmanager
def relay_on(folder: Path, devnet: DevnetProcess) -> Iterator[RelayProcess]:
    """A relay on all listeners of a node, all of them ready."""
    ports = {"p2p": "port", "rpc": "rpc_port", "zmq": "zmq_port"}
    urls = [f"{scheme}@{devnet.url_of(scheme, ports[scheme])}" for scheme in SOURCES]
    arguments = [part for url in urls for part in ("--source", url)]
    with RelayProcess(folder, *arguments, "--data-dir", str(folder / "data")) as relay:
        wait_until_delivered(relay.url, devnet.chain, devnet.tip)
        wait_until(
            lambda: {each["state"] for each in sources(relay, devnet).values()} == {"ready"}, "all are ready"
        )
        yield relay


def sources(relay: RelayProcess, devnet: DevnetProcess) -> dict[str, dict[str, Any]]:
    status = json.loads(fetch(f"{relay.url}/api/v1/chains/{devnet.chain}/status"))
    return {source["name"]: source for source in status["sources"]}


def wait_until_dropped(devnet: DevnetProcess, false: str) -> None:
    wait_until(lambda: devnet.tip != false, f"the false block {false} is dropped")


@pytest.mark.parametrize("chain", CHAINS)
def test_three_kinds_of_sources_give_each_block_once_through_bursts_losses_and_a_reorg(
    chain: str, tmp_path: Path
) -> None:
    with (
        DevnetProcess(chain, beside=True) as devnet,
        relay_on(tmp_path, devnet) as relay,
        Listener(relay.url) as listener,
    ):
        mined = [block for count in (1, 5, 1, 12) for block in devnet.mine(count)]
        listener.wait_for_block(mined[-1])
        assert blocks_of(listener.events)[-len(mined) :] == mined
        devnet.ask("fault lose 3")
        after = [*devnet.mine(1), *devnet.mine(1)]
        listener.wait_for_block(after[-1])
        wait_until(
            lambda: sources(relay, devnet)["zmq"]["faults"].get("sequence_lost", 0) == 3,
            "three losses are seen",
        )
        branch = devnet.reorg(2)
        listener.wait_for_block(branch[-1])
        assert blocks_of(listener.events)[-len(branch) - len(after) :] == [*after, *branch]
        assert sum(isinstance(event, ReorgEvent) for event in listener.events) == 1
        found = sources(relay, devnet)
        assert sorted(found) == sorted(SOURCES)
        assert all(found[name]["state"] == "ready" for name in SOURCES)
        assert found["p2p"]["faults"] == found["rpc"]["faults"] == {}


def test_a_relay_keeps_up_with_a_node_through_every_kind_of_fault(tmp_path: Path) -> None:
    """Lies last: they shut the sources that tell them out for a time."""
    told = ("duplicate 2", "replay 4", "reorder 3", "fork 2", "short_fork 3", "wrong_parent")
    carried = ("delay 50", "drip 20000", "disconnect", "lose 2")
    with (
        DevnetProcess("bitcoin-regtest", beside=True, blocks_at_start=8) as devnet,
        relay_on(tmp_path, devnet) as relay,
        Listener(relay.url) as listener,
    ):
        for fault in (*told, *carried):
            devnet.ask(f"fault {fault}")
            (mined,) = devnet.mine(1)
            listener.wait_for_block(mined)
        devnet.ask("fault lying_json 2")
        (mined,) = devnet.mine(1)
        listener.wait_for_block(mined)
        wait_until(
            lambda: sources(relay, devnet)["rpc"]["state"] == "blocked", "false JSON shuts its source out"
        )
        wait_until(lambda: sources(relay, devnet)["p2p"]["state"] == "ready", "the cut source is back")
        for lie in ("bad_merkle", "bad_proof"):
            (false,) = devnet.ask(f"fault {lie}")["hashes"]
            wait_until_dropped(devnet, false)
            (mined,) = devnet.mine(1)
            listener.wait_for_block(mined)
            assert false not in blocks_of(listener.events)
