"""Proofs: the stateless part of judging, which may run in any thread.

`admit` makes one, the edge calls `run` (inline while `cost_ms` is small), and `settle` takes the result.
A proof sees only bytes and the chain's processor, so that it can never disagree with the tree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

import msgspec

from sprint.core.chains import Ancestry, Block, Header, Processor, Rejected
from sprint.core.protocols.announcements import BlockArrived, HeadersAnnounced

INLINE_COST_MS_MAX = 0.5  # above this a proof would make the event loop late for everybody else


class HeadersResult(msgspec.Struct, frozen=True):
    """The valid headers, oldest first, and why the next one after them was refused, if one was.

    `ancestries` has the branch up to each of them. `hashes` are those that were to be proved; `last` is the
    last one announced, which may have been known.
    """

    source: str
    hashes: tuple[bytes, ...]
    headers: tuple[Header, ...]
    ancestries: tuple[Ancestry, ...]
    rejected: Rejected | None
    read_at: float
    full: bool
    last: bytes | None


class BlockResult(msgspec.Struct, frozen=True):
    source: str
    hash: bytes
    verdict: Block | Rejected
    read_at: float


class Ground(msgspec.Struct, frozen=True):
    """What a run of headers stands on: the ancestry of its first one's parent, and the network's time."""

    ancestry: Ancestry
    unix_time: float


class HeadersRun(msgspec.Struct, frozen=True):
    """Headers that hang together, with their hashes, and what the first stands on. None to prove: empty."""

    headers: tuple[bytes, ...] = ()
    hashes: tuple[bytes, ...] = ()
    ground: Ground = Ground(None, 0.0)


class HeadersProof:
    """Proof of work and place of a run of headers."""

    __slots__ = (
        "_full",
        "_last",
        "_processor",
        "_read_at",
        "_run",
        "cost_ms",
        "source",
    )

    def __init__(
        self,
        processor: Processor,
        announcement: HeadersAnnounced,
        run: HeadersRun,
        last: tuple[bytes, ...],
    ) -> None:
        self._processor = processor
        self._run = run
        self._last = last[0] if last else None
        self._read_at = announcement.read_at
        self._full = announcement.full
        self.source = announcement.source
        self.cost_ms = processor.proof_cost_ms(len(run.headers), sum(map(len, run.headers)), 0)

    def __repr__(self) -> str:
        return f"HeadersProof({len(self._run.headers)} headers from {self.source})"

    @property
    def hashes(self) -> tuple[bytes, ...]:
        return self._run.hashes

    def run(self) -> HeadersResult:
        return self.conclude(self._processor.process_headers(self._run.headers))

    def split(self, parts: int) -> list[Callable[[], list[Header | Rejected]]]:
        """Return the work on each header by itself in so many parts, which may run side by side.

        What their results say in order goes to `conclude`. `run` does the same in one go.
        """
        size = -(-len(self._run.headers) // parts)
        return [
            partial(self._judge_each, self._run.headers[start : start + size])
            for start in range(0, len(self._run.headers), size)
        ]

    def _judge_each(self, headers: tuple[bytes, ...]) -> list[Header | Rejected]:
        verdicts: list[Header | Rejected] = []
        for verdict in self._processor.process_headers(headers):
            verdicts.append(verdict)
            if isinstance(verdicts[-1], Rejected):
                break
        return verdicts

    def conclude(self, verdicts: Iterable[Header | Rejected]) -> HeadersResult:
        """Judge by what each stands on those that are good by themselves, up to the first that is not."""
        valid: list[Header] = []
        ancestries: list[Ancestry] = []
        rejected: Rejected | None = None
        processor, ancestry = self._processor, self._run.ground.ancestry
        for verdict in verdicts:
            if isinstance(verdict, Rejected):
                rejected = verdict
                break
            rejected = processor.check_header(verdict, ancestry, self._run.ground.unix_time)
            if rejected is not None:
                break
            ancestry = processor.extend_ancestry(ancestry, verdict)
            valid.append(verdict)
            ancestries.append(ancestry)
        return HeadersResult(
            source=self.source,
            hashes=self._run.hashes,
            headers=tuple(valid),
            ancestries=tuple(ancestries),
            rejected=rejected,
            read_at=self._read_at,
            full=self._full,
            last=self._last,
        )


class BlockProof:
    """Every rule of a body that needs no other block. `header` is set where its proof was checked before."""

    __slots__ = ("_header", "_processor", "_raw", "_read_at", "cost_ms", "hash", "source")

    def __init__(
        self,
        processor: Processor,
        announcement: BlockArrived,
        block_hash: bytes,
        header: Header | None,
    ) -> None:
        self._processor = processor
        self._raw = announcement.raw
        self._header = header
        self._read_at = announcement.read_at
        self.hash = block_hash
        self.source = announcement.source
        self.cost_ms = processor.proof_cost_ms(0 if header else 1, 0, len(self._raw))

    def __repr__(self) -> str:
        return f"BlockProof({self.hash[::-1].hex()[:16]}… of {len(self._raw)} bytes from {self.source})"

    def run(self) -> BlockResult:
        verdict = self._processor.process_block(self._raw, self._header)
        return BlockResult(self.source, self.hash, verdict, self._read_at)


Proof = HeadersProof | BlockProof
ProofResult = HeadersResult | BlockResult
