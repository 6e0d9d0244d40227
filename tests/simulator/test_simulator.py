"""Seeds run clean, and a seed replays byte for byte."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulator.forgery import FORGERIES, MERGED_MINING
from tests.simulator.networks import RETARGETING
from tests.simulator.run import DEFAULT_CHAIN, Simulation
from tests.simulator.sweep import Tally, run_seed, sweep

ROOT = Path(__file__).resolve().parent.parent.parent
SEEDS = 500
RETARGETING_SEEDS = 200
DOGECOIN_SEEDS = 60
LITECOIN_SEEDS = 40
SOAK_SEEDS = 10_000
SOAK_LITECOIN_SEEDS = 500
SOAK_PROCESSES = 2
REPLAYED = (1, 7, 42, 86, 162)
REPLAY_TIMEOUT_S = 60.0


def check(tally: Tally) -> None:
    """Print the figures; fail with the seeds that broke a promise, and where nothing has happened."""
    print(tally)
    assert not tally.failures, str(tally)
    assert tally.delivered > tally.seeds
    happened = (
        tally.reorgs,
        tally.gaps,
        tally.lies,
        tally.refused,
        tally.kills,
        tally.unheard,
        tally.quorums,
    )
    assert min(happened) > 0, str(tally)


def check_lies(tally: Tally, impossible: set[str]) -> None:
    """Each kind of lie was told, but for those that the chain has no room for."""
    untold = set(FORGERIES) - set(tally.forged)
    assert untold == impossible, str(tally)


def test_no_promise_is_broken_in_any_of_the_fixed_seeds() -> None:
    tally = sweep(0, SEEDS)
    check(tally)
    check_lies(tally, MERGED_MINING | {"easier bits", "easier bits at the border", "warped time"})


def test_no_promise_is_broken_where_targets_move() -> None:
    tally = sweep(0, RETARGETING_SEEDS, chain=RETARGETING)
    check(tally)
    check_lies(tally, MERGED_MINING)
    assert tally.forged["less work in more blocks"] > 0


def test_no_promise_is_broken_on_a_scrypt_chain() -> None:
    check(sweep(0, LITECOIN_SEEDS, chain="litecoin-regtest"))


def test_no_promise_is_broken_where_blocks_are_merge_mined() -> None:
    tally = sweep(0, DOGECOIN_SEEDS, chain="dogecoin-regtest")
    check(tally)
    assert set(tally.forged) >= MERGED_MINING


@pytest.mark.soak
def test_no_promise_is_broken_in_ten_thousand_seeds(seed: int) -> None:
    check(sweep(seed, SOAK_SEEDS, processes=SOAK_PROCESSES))


@pytest.mark.soak
def test_no_promise_is_broken_where_targets_move_in_ten_thousand_seeds(seed: int) -> None:
    check(sweep(seed, SOAK_SEEDS, chain=RETARGETING, processes=SOAK_PROCESSES))


@pytest.mark.soak
def test_no_promise_is_broken_where_blocks_are_merge_mined_in_many_seeds(seed: int) -> None:
    check(sweep(seed, SOAK_LITECOIN_SEEDS, chain="dogecoin-regtest", processes=SOAK_PROCESSES))


@pytest.mark.soak
def test_no_promise_is_broken_on_a_scrypt_chain_in_many_seeds(seed: int) -> None:
    check(sweep(seed, SOAK_LITECOIN_SEEDS, chain="litecoin-regtest", processes=SOAK_PROCESSES))


def test_a_seed_replays_byte_for_byte() -> None:
    for seed in REPLAYED:
        first, second = Simulation(seed), Simulation(seed)
        assert first.run() == second.run()
        assert [e.body for e in first.disk.events] == [e.body for e in second.disk.events]


def test_two_seeds_do_not_run_alike() -> None:
    assert len({Simulation(seed).run().digest for seed in REPLAYED}) == len(REPLAYED)


@pytest.mark.parametrize("hash_seed", ["0", "4242"])
def test_a_seed_replays_in_another_process_whatever_the_order_of_its_sets(hash_seed: str) -> None:
    for seed in REPLAYED:
        simulation = Simulation(seed)
        simulation.run()
        replayed = replay(seed, hash_seed)
        assert replayed.stdout == b"".join(event.body + b"\n" for event in simulation.disk.events)
    digest = sweep(0, 20).digest
    assert digest in tally_of(0, 20, hash_seed)


def test_a_replay_tells_of_a_broken_promise(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(simulation: Simulation) -> None:
        raise AssertionError(f"once: seed {simulation.seed}")

    monkeypatch.setattr(Simulation, "run", broken)
    failed = run_seed(3)
    assert str(failed).endswith(f"replay: python -m tests.simulator 3 --chain {DEFAULT_CHAIN}")
    assert "once: seed 3" in str(sweep(3, 1))


def replay(seed: int, hash_seed: str) -> subprocess.CompletedProcess[bytes]:
    return _simulator(hash_seed, str(seed))


def tally_of(first_seed: int, count: int, hash_seed: str) -> str:
    return _simulator(hash_seed, str(first_seed), str(count)).stdout.decode()


def _simulator(hash_seed: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "tests.simulator", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        timeout=REPLAY_TIMEOUT_S,
        check=True,
    )
