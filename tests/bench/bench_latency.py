"""How far the relay is behind a real node's own announcement, beside a second real node.

    python -m tests.bench.bench_latency [--small N] [--large N] [--transactions N] [--runs N]

litecoind A mines. Who knows the block when, all on this machine's one monotonic clock: `bare`, a blocking
socket that only reads A's announcement, and the zero of every other row; `B`, a second litecoind connected
to A, by its own announcement to another bare socket and by its RPC long poll; `relay`, a WebSocket client
that reads with blocking calls and is the middle one of 100 connected to a relay in front of A. Each of them
is a process of its own. The other 99 clients read every 50 ms: on other machines they would not take the
processor from the relay either. B knows the transactions before they are mined, the relay has no mempool.
The bare socket connects to A first, then B, then the relay: a node serves its peers in this order.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NamedTuple

from tests.bench.figures import ROW_HEAD, environment, median, percentile, row_ms
from tests.bench.rows import tell
from tests.integration.many_transactions import CALLS_PER_BATCH, fill_mempool
from tests.integration.real_servers import HOST, RPC_LOGIN, Litecoind, RpcError, wait_until
from tests.integration.relay_metrics import Buckets, bucket_median, stage_buckets
from tests.integration.relay_process import RelayProcess
from tests.integration.watchers import Watcher

CHAIN = "litecoin-regtest"
SUBSCRIBERS = 100
OTHERS_PAUSE_MS = 50
WARM_UP_BLOCKS = 12
PACE_S = 0.12
PACE_LARGE_S = 0.6
# A block with its transactions costs 102 more to prepare, and MWEB begins at height 432.
LARGE_PER_RUN_MAX = 3


class Seen(NamedTuple):
    """When each watcher knew one block."""

    bare: float
    b_announced: float
    b_rpc: float | None
    header: float | None
    block: float


class Run:
    """Two nodes, a relay, and the watchers of all three."""

    def __init__(self, stack: ExitStack) -> None:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sprint-bench-")))
        self.node, self.second = (Litecoind(folder / name).start() for name in "AB")
        stack.callback(self.node.stop)
        stack.callback(self.second.stop)
        self.node.mine(1)
        self._bare = stack.enter_context(Watcher("p2p", HOST, self.node.p2p_port, CHAIN))
        self.second.connect_to(self.node)
        self.second.wait_for_tip(self.node.tip)
        self.relay = stack.enter_context(
            RelayProcess(
                folder, "--source", self.node.source_url, "--data-dir", str(folder / "data"), "--quiet"
            )
        )
        before, behind = (SUBSCRIBERS - 1) // 2, SUBSCRIBERS // 2
        stack.enter_context(Watcher("subscribers", self.relay.url, CHAIN, before, OTHERS_PAUSE_MS))
        self._client = stack.enter_context(Watcher("subscribers", self.relay.url, CHAIN, 1))
        stack.enter_context(Watcher("subscribers", self.relay.url, CHAIN, behind, OTHERS_PAUSE_MS))
        self._b_announced = stack.enter_context(Watcher("p2p", HOST, self.second.p2p_port, CHAIN))
        self._b_rpc = stack.enter_context(Watcher("rpc", HOST, self.second.rpc_port, *RPC_LOGIN))
        for _ in range(WARM_UP_BLOCKS):
            self.mine(PACE_S)
        self.take([])

    def mine(self, pace_s: float) -> str:
        (block_hash,) = self.node.mine(1)
        time.sleep(pace_s)
        return block_hash

    def take(self, hashes: list[str]) -> list[Seen]:
        """Return what everybody saw of these blocks; a block that the relay did not give is an error."""
        bare, b_announced = self._bare.take()["seen"], self._b_announced.take()["seen"]
        b_rpc, client = self._b_rpc.take()["seen"], self._client.take()
        if client["faults"]:
            raise RuntimeError(f"{client['faults']} events out of order")
        blocks, headers = client["seen"].get("block", {}), client["seen"].get("header", {})
        if late := [h for h in hashes if h not in blocks]:
            raise RuntimeError(
                f"{len(late)} of {len(hashes)} blocks did not come within {PACE_S:g} s: {late[0]}"
            )
        return [
            Seen(
                bare[h],
                b_announced[h],
                b_rpc.get(h),
                headers[h][0] if h in headers else None,
                blocks[h][0],
            )
            for h in hashes
        ]

    def stages(self) -> Buckets:
        return stage_buckets(str(self.relay.serving.metrics))


def measure_small(count: int) -> tuple[list[Seen], dict[str, float]]:
    with ExitStack() as stack:
        run = Run(stack)
        before = run.stages()
        seen = run.take([run.mine(PACE_S) for _ in range(count)])
        return seen, stage_medians(before, run.stages())


def measure_large(count: int, transactions: int) -> tuple[list[Seen], dict[str, float]]:
    """Measure blocks that each need a mempool of their own; add up the stages of these blocks alone."""
    with ExitStack() as stack:
        run = Run(stack)
        seen: list[Seen] = []
        stages: dict[str, float] = {}
        for _ in range(count):
            fill_mempool(run.node, transactions)
            copy_mempool(run.node, run.second)
            time.sleep(PACE_LARGE_S)
            run.take([])
            before = run.stages()
            block_hash = run.mine(PACE_LARGE_S)
            add_up(stages, stage_medians(before, run.stages()))
            found = run.node.rpc("getblock", block_hash)["nTx"]
            if found <= transactions:
                raise RuntimeError(f"a block of {found} transactions, wanted over {transactions}")
            seen += run.take([block_hash])
        return seen, stages


def copy_mempool(node: Litecoind, other: Litecoind) -> None:
    """Give `other` the transactions of `node`, which by themselves come a few a second."""
    txids = node.rpc("getrawmempool")
    for start in range(0, len(txids), CALLS_PER_BATCH):
        part = txids[start : start + CALLS_PER_BATCH]
        texts = node.rpc_batch([("getrawtransaction", txid) for txid in part])
        with suppress(RpcError):  # it may have come by itself meanwhile
            other.rpc_batch([("sendrawtransaction", text, 0) for text in texts])
    wait_until(lambda: len(other.rpc("getrawmempool")) >= len(txids), "the other has the mempool")


def stage_medians(before: Buckets, after: Buckets) -> dict[str, float]:
    return {stage: bucket_median(before.get(stage, []), buckets) for stage, buckets in after.items()}


def add_up(sums: dict[str, float], parts: dict[str, float]) -> None:
    for name, value in parts.items():
        sums[name] = sums.get(name, 0.0) + value


def print_table(title: str, name: str, seen: list[Seen], stages: dict[str, float]) -> None:
    print(f"\n{title}\n{ROW_HEAD}")
    relay = [s.block - s.bare for s in seen]
    print(row_ms("relay's block event - bare", relay))
    print(row_ms("relay's header event - bare", [s.header - s.bare for s in seen if s.header]))
    print(row_ms("B's announcement - bare", [s.b_announced - s.bare for s in seen]))
    print(row_ms("B's tip by RPC long poll - bare", [s.b_rpc - s.bare for s in seen if s.b_rpc]))
    first = sum(s.block < s.b_announced for s in seen)
    print(f"relay before B's announcement: {first} of {len(seen)} blocks")
    print(
        f"relay before B's RPC: {sum(s.b_rpc is not None and s.block < s.b_rpc for s in seen)} of {len(seen)}"
    )
    for share in (0.5, 0.99):
        found_ms = 1000 * percentile(relay, share)
        tell(f"{name} behind a bare socket, p{share * 100:.0f}", found_ms, ours=f"{found_ms:.2f} ms")
    second_ms = 1000 * median([s.b_announced - s.bare for s in seen])
    own_ms = 1000 * median(relay)
    ours, peer = f"{own_ms:.2f} ms", f"{second_ms:.2f} ms"
    tell(f"{name} / tip of a second litecoind, p50", own_ms / second_ms, ours=ours, peer=peer)
    if stages:
        parts = ", ".join(f"{stage} {1000 * value:.3f}" for stage, value in stages.items())
        print(f"the relay's own stages of the body, ms from the one before: {parts}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Latency beside a bare socket and a second node")
    parser.add_argument("--small", type=int, default=200)
    parser.add_argument("--large", type=int, default=15)
    parser.add_argument("--transactions", type=int, default=1000)
    options = parser.parse_args()
    print(environment())
    if options.small:
        seen, stages = measure_small(options.small)
        print_table("blocks with a coinbase only", "small block", seen, stages)
    large: list[Seen] = []
    sums: dict[str, float] = {}
    while len(large) < options.large:
        seen, stages = measure_large(min(LARGE_PER_RUN_MAX, options.large - len(large)), options.transactions)
        large += seen
        add_up(sums, stages)
    if large:
        means = {stage: value / len(large) for stage, value in sums.items()}
        print_table(f"blocks of over {options.transactions} transactions", "large block", large, means)
    print(environment())


if __name__ == "__main__":
    main()
