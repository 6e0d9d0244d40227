"""A relay reaches its one node through a fault proxy: whatever the line does, it has each block once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.integration.devnet_process import DevnetProcess
from tests.integration.fault_proxy_process import FaultProxyProcess
from tests.integration.real_servers import wait_until
from tests.integration.relay_process import RelayProcess
from tests.integration.subscribers import Listener, blocks_of, has_block

CHAIN = "litecoin-regtest"
# With its name, which of its counts must show that the line was as bad as asked.
SHORT: list[tuple[dict[str, Any], str]] = [
    ({"kind": "latency", "latency_ms": 60, "jitter_ms": 60}, "bytes_delayed"),
    ({"kind": "slicer", "piece_bytes": 17, "variation_bytes": 11}, "bytes_delayed"),
    ({"kind": "stall"}, "bytes_delayed"),
    ({"kind": "reset"}, "connections_reset"),
]
LONG: list[tuple[dict[str, Any], str]] = [
    *SHORT,
    ({"kind": "bandwidth", "bytes_per_s": 3_000}, "bytes_delayed"),
    ({"kind": "black_hole", "direction": "downstream"}, "bytes_dropped"),
    ({"kind": "limit_data", "bytes": 300, "direction": "downstream"}, "connections_closed"),
    ({"kind": "loss_of_connection", "mean_ms": 100}, "connections_reset"),
    ({"kind": "timeout", "after_ms": 200}, "connections_closed"),
    ({"kind": "down"}, "connections_reset"),
]


def through_each(faults: list[tuple[dict[str, Any], str]], folder: Path, seed: int) -> None:
    with (
        DevnetProcess(CHAIN, seed=str(seed)) as devnet,
        FaultProxyProcess(devnet.port, seed=str(seed)) as proxy,
        relay_of(folder, proxy) as relay,
        Listener(relay.url, types=["block"]) as listener,
    ):
        mined: list[str] = []
        for fields, count in faults:
            mined += devnet.mine(1)
            wait_for_block(listener, mined[-1])
            proxy.add(**fields)
            mined += devnet.mine(2)
            wait_until_counted(proxy, count)
            proxy.remove(fields["kind"])
        mined += devnet.mine(1)
        wait_for_block(listener, mined[-1])
        delivered = blocks_of(list(listener.events))
        assert delivered[-len(mined) :] == mined
        assert len(set(delivered)) == len(delivered)


def relay_of(folder: Path, proxy: FaultProxyProcess) -> RelayProcess:
    source = f"litecoin:regtest=p2p://127.0.0.1:{proxy.port}"
    return RelayProcess(folder, "--source", source, "--data-dir", str(folder / "data"))


def wait_for_block(listener: Listener, block_hash: str) -> None:
    listener.wait_for(lambda events: has_block(events, block_hash), f"{block_hash} comes over a good line")


def wait_until_counted(proxy: FaultProxyProcess, count: str) -> None:
    """Return when the one toxic there is has done something that shows in this count."""
    wait_until(lambda: int(proxy.view()["toxics"][0]["counts"][count]) > 0, f"a toxic shows in {count}")


def test_a_relay_has_each_block_once_and_in_order_over_a_bad_line(tmp_path: Path, seed: int) -> None:
    through_each(SHORT, tmp_path, seed)


@pytest.mark.soak
def test_a_relay_has_each_block_once_and_in_order_over_a_line_with_every_fault(
    tmp_path: Path, seed: int
) -> None:
    for number in range(5):
        through_each(LONG, tmp_path / str(number), seed + number)
