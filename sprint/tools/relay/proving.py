"""Runs proofs: inline where they are cheap, else in a thread, so that the event loop is never late."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from sprint.core.chains import Rejected
from sprint.core.relay.prove import (
    INLINE_COST_MS_MAX,
    BlockProof,
    BlockResult,
    HeadersResult,
    Proof,
    ProofResult,
)

PROVING_THREADS = 2
log = logging.getLogger(__name__)


class Prover:
    """Runs proofs and hands each result back on the loop's thread."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._threads = ThreadPoolExecutor(PROVING_THREADS, thread_name_prefix="sprint-prove")

    def prove(self, proof: Proof, done: Callable[[ProofResult], None]) -> None:
        if proof.cost_ms <= INLINE_COST_MS_MAX:
            done(_run(proof))
            return
        self._threads.submit(_run, proof).add_done_callback(
            lambda future: self._loop.call_soon_threadsafe(self._hand_back, future, done)
        )

    def close(self) -> None:
        """Let running proofs end; their results are dropped."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    @staticmethod
    def _hand_back(future: Future[ProofResult], done: Callable[[ProofResult], None]) -> None:
        if not future.cancelled():
            done(future.result())


def _run(proof: Proof) -> ProofResult:
    """Run a proof; a fault of ours in it frees the hash for the next source instead of losing it."""
    try:
        return proof.run()
    except Exception as error:
        log.exception("a proof failed by a fault of this program", extra={"fields": {"proof": repr(proof)}})
        rejected = Rejected("internal", repr(error), mutated=True, internal=True)
        if isinstance(proof, BlockProof):
            return BlockResult(proof.source, proof.hash, rejected, 0.0)
        return HeadersResult(
            source=proof.source,
            hashes=proof.hashes,
            headers=(),
            ancestries=(),
            rejected=rejected,
            read_at=0.0,
            full=False,
            last=None,
        )
