"""Runs proofs: inline where they are cheap, else in a thread, so that the event loop is never late."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain

from sprint.core.chains import Rejected
from sprint.core.relay.prove import (
    INLINE_COST_MS_MAX,
    BlockProof,
    BlockResult,
    HeadersProof,
    HeadersResult,
    Proof,
    ProofResult,
)

PROVING_THREADS = 2
SPLIT_COST_MS_MIN = 20.0  # a run of headers that costs more is spread over the threads
FAULT = "a proof failed by a fault of this program"
log = logging.getLogger(__name__)


class Prover:
    """Runs proofs and hands each result back on the loop's thread."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._threads = ThreadPoolExecutor(PROVING_THREADS, thread_name_prefix="sprint-prove")
        # Apart, so that no body waits behind a first sync's thousands of headers, of whichever chain.
        self._body_threads = ThreadPoolExecutor(PROVING_THREADS, thread_name_prefix="sprint-prove-body")
        self._splits: set[asyncio.Task[None]] = set()

    def prove(self, proof: Proof, done: Callable[[ProofResult], None]) -> None:
        if proof.cost_ms <= INLINE_COST_MS_MAX:
            done(_run(proof))
            return
        if isinstance(proof, HeadersProof) and proof.cost_ms >= SPLIT_COST_MS_MIN:
            task = self._loop.create_task(self._prove_split(proof, done))
            self._splits.add(task)
            task.add_done_callback(self._splits.discard)
            return
        threads = self._body_threads if isinstance(proof, BlockProof) else self._threads
        threads.submit(_run, proof).add_done_callback(
            lambda future: self._loop.call_soon_threadsafe(self._hand_back, future, done)
        )

    async def _prove_split(self, proof: HeadersProof, done: Callable[[ProofResult], None]) -> None:
        """Run the parts of a proof side by side, then what needs them in order; nothing of it on the loop."""
        run = self._loop.run_in_executor
        try:
            parts = await asyncio.gather(*(run(self._threads, p) for p in proof.split(PROVING_THREADS)))
            result = await run(self._threads, proof.conclude, chain.from_iterable(parts))
        except Exception as error:
            log.exception(FAULT, extra={"fields": {"proof": repr(proof)}})
            done(_fault(proof, error))
        else:
            done(result)

    def cancel(self) -> None:
        """Stop what is split over threads; on the loop's thread, before `close`."""
        for task in self._splits:
            task.cancel()

    def close(self) -> None:
        """Let running proofs end; their results are dropped."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._body_threads.shutdown(wait=True, cancel_futures=True)

    @staticmethod
    def _hand_back(future: Future[ProofResult], done: Callable[[ProofResult], None]) -> None:
        if not future.cancelled():
            done(future.result())


def _run(proof: Proof) -> ProofResult:
    """Run a proof; a fault of ours in it frees the hash for the next source instead of losing it."""
    try:
        return proof.run()
    except Exception as error:
        log.exception(FAULT, extra={"fields": {"proof": repr(proof)}})
        return _fault(proof, error)


def _fault(proof: Proof, error: Exception) -> BlockResult | HeadersResult:
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
