"""Proofs run inline where cheap, else in a thread; a fault of ours frees the hash."""

from __future__ import annotations

import asyncio
import logging
import threading

import pytest

from sprint.core.chains import Block, Rejected
from sprint.core.chains.bitcoin import CHAIN
from sprint.core.chains.bitcoin_family.family import BitcoinFamilyProcessor
from sprint.core.protocols.announcements import BlockArrived
from sprint.core.relay.prove import BlockProof, BlockResult, ProofResult
from sprint.tools.devnet.genesis import genesis_body
from sprint.tools.relay.proving import Prover

PARAMETERS = CHAIN.networks["regtest"]


class Watched(BitcoinFamilyProcessor):
    """Notes the thread it runs in, costs what it is told, and may have a bug."""

    def __init__(self, cost_ms: float, *, bug: bool = False) -> None:
        super().__init__(PARAMETERS)
        self.cost_ms = cost_ms
        self.bug = bug
        self.thread: int | None = None

    def proof_cost_ms(self, headers: int, body_bytes: int) -> float:
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
