"""Ten devnet nodes with every fault, followed by one relay over sockets: nothing lost, twice, or false.

Each seed is a schedule in which every fault is shown at least once, on bitcoin, litecoin or dogecoin; the
relay follows the nodes by P2P, JSON-RPC and ZMQ. `python -m tests.integration.ten_nodes_process SEED` repeats
one. Six seeds by default, 1,000 under `scripts/test --soak`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from sprint.core.chains import bitcoin, display_hash
from sprint.core.model import BlockData, BlockEvent, CheckSlip, Event, ReorgData, ReorgEvent
from sprint.tools.devnet.block_maker import HeaderLie
from sprint.tools.devnet.faults import Fault
from sprint.tools.devnet.ledger import RegtestLedger
from sprint.tools.devnet.seeded_bits import SeededBits
from tests.integration.shared_truth import SharedTruth
from tests.integration.ten_nodes import Verdict
from tests.integration.ten_nodes_plan import KINDS_OF_NODES, NODES, plan_of
from tests.simulator.checker import Checker, Violation

SEEDS = 6
SEEDS_SOAK = 1_000
PROCESSES = 2
TIMEOUT_S = 7_200.0
START = 1_700_000_000


def run_seeds(first: int, count: int) -> list[Verdict]:
    """Run seeds in processes of their own, each the same number of them."""
    each = count // PROCESSES
    with ThreadPoolExecutor(PROCESSES) as pool:
        found = pool.map(run_process, range(first, first + count, each), [each] * PROCESSES)
        return [verdict for verdicts in found for verdict in verdicts]


def run_process(first: int, count: int) -> list[Verdict]:
    """Run seeds in one process; it is read all the while, since a full pipe would hold it up."""
    command = [sys.executable, "-m", "tests.integration.ten_nodes_process", str(first), str(count)]
    run = subprocess.run(command, stdout=subprocess.PIPE, timeout=TIMEOUT_S, check=False)
    return [msgspec.json.decode(line, type=Verdict) for line in run.stdout.splitlines()]


def print_table(verdicts: Sequence[Verdict]) -> Counter[str]:
    """Print what was run and how often each fault was shown; return the latter."""
    faults = sum((Counter(verdict.faults) for verdict in verdicts), Counter[str]())
    seeds = [verdict.seed for verdict in verdicts]
    chains = Counter(verdict.chain for verdict in verdicts)
    print(f"\n{len(seeds)} seeds from {min(seeds)}, {NODES} nodes each: {dict(chains)}")
    for name in ("blocks", "delivered", "refused", "reorgs", "gaps", "blocked"):
        print(f"{name:14} {sum(getattr(verdict, name) for verdict in verdicts):8}")
    took_s, real_s = sum(v.quick_s for v in verdicts), sum(v.real_s for v in verdicts)
    print(f"{took_s:.0f} s by the quick clock in {real_s:.0f} s, {real_s / len(verdicts):.2f} s a seed")
    for fault in Fault:
        print(f"  {fault:14} {faults[fault]:8}")
    return faults


def test_ten_nodes_with_every_fault_lose_the_relay_nothing_and_make_it_tell_nothing_twice_or_false(
    seed: int,
) -> None:
    count = SEEDS_SOAK if os.environ.get("SPRINT_SOAK") == "1" else SEEDS
    verdicts = run_seeds(seed, count)
    assert len(verdicts) == count
    faults = print_table([verdict for verdict in verdicts if not verdict.failure] or verdicts)
    failed = [f"seed {verdict.seed}: {verdict.failure}" for verdict in verdicts if verdict.failure]
    assert not failed, "\n".join([*failed, "repeat one: python -m tests.integration.ten_nodes_process SEED"])
    assert set(faults) == set(Fault)
    assert all(verdict.delivered and verdict.refused for verdict in verdicts)
    assert sum(verdict.blocked for verdict in verdicts) > count
    assert sum(verdict.reorgs for verdict in verdicts) > 0


def test_a_seed_repeats_its_schedule_and_another_has_another() -> None:
    assert plan_of(7) == plan_of(7)
    assert plan_of(7).acts != plan_of(8).acts
    assert {act.fault for act in plan_of(7).acts} >= set(Fault)


def test_all_kinds_of_sources_are_followed_in_every_schedule() -> None:
    assert len(KINDS_OF_NODES) == NODES
    assert {scheme for schemes in KINDS_OF_NODES for scheme in schemes} == {"p2p", "rpc", "zmq"}
    assert sorted(plan_of(3).sources) == sorted(KINDS_OF_NODES)


class Story:
    """Two nodes' ledgers: four true blocks, a branch of more work from the third on, a false block."""

    def __init__(self) -> None:
        processor = bitcoin.CHAIN.processor("regtest")
        ledgers = [RegtestLedger(bitcoin.REGTEST, processor, SeededBits(str(n))) for n in range(2)]
        self.main = [ledgers[0].mine(START) for _ in range(4)]
        ledgers[1].learn(ledgers[0], self.main[1])
        self.branch = [ledgers[1].mine(START) for _ in range(3)]
        self.false = ledgers[1].mine(START, lie=HeaderLie.MERKLE_ROOT)
        self.truth = SharedTruth(ledgers)
        for block in (*self.main, *self.branch):
            self.truth.mined(block)
        self.truth.mined(self.false, refused="merkle_root")

    def block(self, block_hash: bytes) -> BlockData:
        truth = self.truth
        return BlockData(
            hash=display_hash(block_hash),
            height=truth.height[block_hash],
            parent=display_hash(truth.parent[block_hash]),
            timestamp="2025-09-05T18:55:07Z",
            tx_count=1,
            size=len(truth.body(block_hash, witness=True) or b""),
            validation="full",
            source="p2p-0",
            sources_seen=1,
            agreed_by=1,
            relay_time_ms=0.5,
            proof=CheckSlip((), ("p2p-0",)),
            native={},
        )

    def reorg(self) -> ReorgData:
        removed = tuple(map(display_hash, self.main[:1:-1]))
        return ReorgData(2, removed, tuple(map(display_hash, self.branch)), len(removed))

    def told(self) -> list[BlockData | ReorgData]:
        """What a relay without a fault says of it."""
        return [*map(self.block, self.main), self.reorg(), *map(self.block, self.branch)]

    def judge(self, told: Sequence[BlockData | ReorgData]) -> None:
        checker = Checker(self.truth)
        for seq, data in enumerate(told, start=1):
            made = BlockEvent if isinstance(data, BlockData) else ReorgEvent
            event: Event = made("bitcoin-regtest", seq, str(seq), data)  # type: ignore[arg-type]
            checker.read(event)
        checker.finish([self.truth.tip])


def test_a_true_stream_is_found_true() -> None:
    story = Story()
    assert story.truth.tip == story.branch[-1]
    story.judge(story.told())


@pytest.mark.parametrize("index", range(8))
def test_a_stream_that_lacks_one_event_is_found_out(index: int) -> None:
    story = Story()
    told = story.told()
    del told[index]
    if index == 0:
        story.judge(told)  # the log begins with any block
        return
    with pytest.raises(Violation):
        story.judge(told)


@pytest.mark.parametrize("index", range(8))
def test_a_stream_that_says_something_twice_is_found_out(index: int) -> None:
    story = Story()
    told = story.told()
    with pytest.raises(Violation):
        story.judge([*told[: index + 1], told[index], *told[index + 1 :]])


def test_a_stream_with_a_false_block_is_found_out() -> None:
    story = Story()
    with pytest.raises(Violation, match="nothing invalid"):
        story.judge([*story.told(), story.block(story.false)])
