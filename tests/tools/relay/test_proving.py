"""Proofs run inline where cheap, else in a thread; a fault of ours frees the hash."""

from __future__ import annotations

import asyncio
import logging
import threading

import pytest

from sprint.core.chains import Block, Header, Rejected
from sprint.core.chains.bitcoin import CHAIN
from sprint.core.chains.bitcoin_family.family import BitcoinFamilyProcessor
from sprint.core.kernels import sha256d
from sprint.core.protocols.announcements import BlockArrived, HeadersAnnounced
from sprint.core.relay.prove import (
    BlockProof,
    BlockResult,
    Ground,
    HeadersProof,
    HeadersResult,
    HeadersRun,
    ProofResult,
)
from sprint.tools.devnet.genesis import genesis_body
from sprint.tools.devnet.ledger import RegtestLedger
from sprint.tools.devnet.seeded_bits import SeededBits
from sprint.tools.relay.proving import PROVING_THREADS, SPLIT_COST_MS_MIN, Prover

PARAMETERS = CHAIN.networks["regtest"]
UNIX_TIME = 1_700_000_000.0


GENESIS = CHAIN.processor("regtest").read_header(PARAMETERS.genesis)


class Watched(BitcoinFamilyProcessor):
    """Notes the thread it runs in, costs what it is told, and may have a bug."""

    def __init__(self, cost_ms: float, *, bug: bool = False) -> None:
        super().__init__(PARAMETERS)
        self.cost_ms = cost_ms
        self.bug = bug
        self.thread: int | None = None

    def proof_cost_ms(self, headers: int, header_bytes: int, body_bytes: int) -> float:
        return self.cost_ms

    def process_block(self, raw: bytes, header: object = None) -> Block | Rejected:
        self.thread = threading.get_ident()
        if self.bug:
            raise ZeroDivisionError("a bug in a processor")
        return super().process_block(raw)


def prove(processor: Watched) -> tuple[BlockResult, int]:
    """Prove the genesis block; return the result and the thread it was handed back on."""
    raw = genesis_body(PARAMETERS)

    async def main() -> tuple[BlockResult, int]:
        done: asyncio.Future[tuple[ProofResult, int]] = asyncio.get_running_loop().create_future()
        prover = Prover()
        proof = BlockProof(processor, BlockArrived("n", raw, 1.0), PARAMETERS.genesis_hash, None)
        prover.prove(proof, lambda result: done.set_result((result, threading.get_ident())))
        result, thread = await done
        prover.close()
        assert isinstance(result, BlockResult)
        return result, thread

    return asyncio.run(main())


@pytest.mark.parametrize(("cost_ms", "inline"), [(0.5, True), (0.51, False)])
def test_a_proof_over_the_bound_runs_in_a_thread_and_comes_back_on_the_loop(
    cost_ms: float, *, inline: bool
) -> None:
    processor = Watched(cost_ms)
    result, handed_back_on = prove(processor)
    assert isinstance(result.verdict, Block)
    assert handed_back_on == threading.get_ident()
    assert (processor.thread == threading.get_ident()) is inline


@pytest.mark.parametrize("cost_ms", [0.0, 1.0])
def test_a_bug_in_a_processor_frees_the_hash_and_is_logged(
    cost_ms: float, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, logger="sprint"):
        result, _ = prove(Watched(cost_ms, bug=True))
    assert isinstance(result.verdict, Rejected)
    assert result.verdict.mutated, "another source's copy must be tried"
    assert "fault of this program" in caplog.text


class WatchedHeaders(BitcoinFamilyProcessor):
    """Costs too much for one thread and notes where it runs; the second of its threads may have a bug."""

    def __init__(self, *, bug: bool = False) -> None:
        super().__init__(PARAMETERS)
        self.bug = bug
        self.threads: set[int] = set()
        self.both = threading.Barrier(PROVING_THREADS)

    def proof_cost_ms(self, headers: int, header_bytes: int, body_bytes: int) -> float:
        return SPLIT_COST_MS_MIN

    def process_header(self, raw: bytes) -> Header | Rejected:
        if threading.get_ident() not in self.threads:
            self.threads.add(threading.get_ident())
            self.both.wait()  # no thread goes on before the other has begun
            if self.bug:
                raise ZeroDivisionError("a bug in a processor")
        return super().process_header(raw)


def proved_headers(processor: WatchedHeaders, raw: tuple[bytes, ...]) -> HeadersResult:
    """Prove headers on genesis as they would come in one message."""
    ground = Ground(processor.begin_ancestry(GENESIS, 0), UNIX_TIME)
    hashes = tuple(sha256d(header) for header in raw)
    proof = HeadersProof(
        processor, HeadersAnnounced("n", raw, 1.0), HeadersRun(raw, hashes, ground), hashes[-1:]
    )

    async def main() -> ProofResult:
        done: asyncio.Future[ProofResult] = asyncio.get_running_loop().create_future()
        prover = Prover()
        prover.prove(proof, done.set_result)
        result = await done
        prover.close()
        return result

    result = asyncio.run(main())
    assert isinstance(result, HeadersResult)
    return result


def mined_headers(count: int) -> tuple[bytes, ...]:
    ledger = RegtestLedger(PARAMETERS, CHAIN.processor("regtest"), SeededBits("proving"))
    found = [ledger.header(ledger.mine(int(UNIX_TIME))) for _ in range(count)]
    return tuple(header for header in found if header is not None)


def test_a_long_run_of_headers_is_spread_over_the_threads_and_judged_in_order() -> None:
    processor, raw = WatchedHeaders(), mined_headers(7)
    result = proved_headers(processor, raw)
    assert [header.raw for header in result.headers] == list(raw)
    assert [ancestry.height for ancestry in result.ancestries] == list(range(1, 8))
    assert result.rejected is None
    assert len(processor.threads) == PROVING_THREADS
    assert threading.get_ident() not in processor.threads


@pytest.mark.parametrize("false_at", range(7))
def test_a_spread_run_ends_before_its_first_false_header_wherever_that_is(false_at: int) -> None:
    raw = list(mined_headers(7))
    raw[false_at] = raw[false_at][:72] + bytes(8)  # no target is zero
    result = proved_headers(WatchedHeaders(), tuple(raw))
    assert [header.raw for header in result.headers] == raw[:false_at]
    assert result.rejected is not None
    assert result.rejected.check == "target"


def test_a_bug_in_a_spread_proof_frees_its_hashes(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, logger="sprint"):
        result = proved_headers(WatchedHeaders(bug=True), mined_headers(4))
    assert result.rejected is not None
    assert result.rejected.internal
    assert len(result.hashes) == 4
    assert "fault of this program" in caplog.text


def test_a_body_does_not_wait_behind_a_first_syncs_headers() -> None:
    """The header threads are all held by a barrier that only the body's proof lets go."""
    processor = WatchedHeaders()
    held = threading.Event()

    def hold() -> None:
        held.wait()

    processor.both = threading.Barrier(PROVING_THREADS, action=hold)
    body = Watched(1.0)
    raw = mined_headers(4)
    ground = Ground(processor.begin_ancestry(GENESIS, 0), UNIX_TIME)
    hashes = tuple(sha256d(header) for header in raw)
    run = HeadersRun(raw, hashes, ground)
    headers = HeadersProof(processor, HeadersAnnounced("n", raw, 1.0), run, hashes[-1:])
    arrived = BlockArrived("n", genesis_body(PARAMETERS), 1.0)

    async def main() -> list[ProofResult]:
        results: asyncio.Queue[ProofResult] = asyncio.Queue()
        prover = Prover()
        prover.prove(headers, results.put_nowait)
        prover.prove(BlockProof(body, arrived, PARAMETERS.genesis_hash, None), results.put_nowait)
        first = await results.get()
        held.set()
        second = await results.get()
        prover.close()
        return [first, second]

    assert [type(result) for result in asyncio.run(main())] == [BlockResult, HeadersResult]
