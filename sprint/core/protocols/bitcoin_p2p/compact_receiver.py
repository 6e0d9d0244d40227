"""What one connection holds of compact blocks: the version agreed on, and blocks on their way to be whole.

It is told what came and says what to send; the session sends it. A compact block that came unasked is kept
until its body is wanted, so that nothing is rebuilt under a header that is not proved yet.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from sprint.core.chains.bitcoin_family.parameters import NetworkParameters
from sprint.core.errors import WireError
from sprint.core.protocols.bitcoin_p2p.compact import (
    COMPACT_VERSION_EXTENSION,
    COMPACT_VERSION_TXID,
    COMPACT_VERSION_WTXID,
    TRANSACTIONS_MAX,
    BlockTransactions,
    CompactBlock,
    GetBlockTransactions,
    SendCompact,
)
from sprint.core.protocols.bitcoin_p2p.rebuild import PartialBlock, RebuildFailed, TransactionPool
from sprint.core.wire import Reader

PARTIAL_BLOCKS_MAX = 2  # of one peer; the older ones are forgotten, and their blocks asked for whole
HASH_SIZE = 32


class Relaying(NamedTuple):
    """What a session stands on that takes compact blocks: the chain's pool, and what is counted.

    Without `transactions` it has none relayed to it: blocks that come unasked are rebuilt from what other
    sessions know, or what they lack is asked for.

    Counts: `received` compact blocks, `rebuilt` ones, of these `rebuilt_after_asking` for transactions;
    `round_trips` that was asked, `transactions_missing`, `asked_whole` after all, and `bytes_saved` against
    whole blocks.
    """

    pool: TransactionPool
    counts: Counter[str]
    transactions: bool = True


class CompactReceiver:
    """The receiving side of BIP 152 on one connection."""

    def __init__(self, parameters: NetworkParameters, relaying: Relaying) -> None:
        self.version: int | None = None
        self.high_bandwidth = False
        self._parameters = parameters
        self._pool, self._counts, transactions = relaying
        self._versions = _versions_taken(parameters, transactions=transactions)
        self._partials: dict[bytes, PartialBlock] = {}  # oldest first

    def __repr__(self) -> str:
        return f"CompactReceiver(version {self.version}, {len(self._partials)} blocks)"

    @property
    def useful(self) -> bool:
        """Whether a block may be asked for in this form: the peer speaks it, and transactions are known."""
        return self.version is not None and len(self._pool) > 0

    def offered(self, offer: SendCompact) -> SendCompact | None:
        """Return the answer to a peer's offer. It holds to the first version that both know."""
        if self.version is not None or offer.version not in self._versions:
            return None
        self.version = offer.version
        return SendCompact(self.high_bandwidth, offer.version)

    def prefer(self, *, high_bandwidth: bool) -> SendCompact | None:
        """Return what tells the peer to send new blocks in this form unasked, or to stop that."""
        if high_bandwidth == self.high_bandwidth:
            return None
        self.high_bandwidth = high_bandwidth
        return None if self.version is None else SendCompact(high_bandwidth, self.version)

    def keep(self, payload: bytes, now: float) -> tuple[bytes, bytes]:
        """Take in a compact block; return its hash and its header."""
        if self.version is None:
            raise WireError("a compact block although none was offered", kind="unwanted", penalty=1)
        message = CompactBlock.decode(payload, self._parameters)
        self._counts["received"] += 1
        partial = PartialBlock(
            message, self._parameters, version=self.version, size_bytes=len(payload), received_at=now
        )
        self._partials.setdefault(partial.hash, partial)
        while len(self._partials) > PARTIAL_BLOCKS_MAX:
            del self._partials[next(iter(self._partials))]
        return partial.hash, message.header

    def holds(self, block_hash: bytes) -> bool:
        """Tell whether there is a compact form that was not tried yet; one that waits is given up."""
        partial = self._partials.get(block_hash)
        if partial is None:
            return False
        if partial.begun:
            self.forget(block_hash)
            self._counts["asked_whole"] += 1
            return False
        return True

    def waits(self, block_hash: bytes) -> bool:
        """Tell whether transactions of this block were asked for and have not come."""
        return block_hash in self._partials and self._partials[block_hash].begun

    def begin(self, block_hash: bytes) -> GetBlockTransactions | tuple[bytes, float]:
        """Return the whole block and when it was read, or what to ask for.

        RebuildFailed: the block is to be asked for whole.
        """
        partial = self._partials[block_hash]
        try:
            missing = partial.match(self._pool)
            if not missing:
                return self._finished(partial), partial.received_at
        except RebuildFailed:
            self._fail(partial)
            raise
        question = GetBlockTransactions(block_hash, missing)
        self._counts["transactions_missing"] += len(missing)
        self._counts["round_trips"] += 1
        partial.size_bytes += len(question.encode())
        return question

    def fill(self, payload: bytes) -> tuple[bytes, bytes] | None:
        """Take in missing transactions; return hash and whole block, None where nobody asked for them.

        RebuildFailed carries the hash of a block to ask for whole; WireError where the answer is false.
        """
        partial = self._partials.get(payload[:HASH_SIZE])
        if partial is not None and partial.missing and partial.lacks_the_rest:
            return partial.hash, self._filled_with_the_rest(partial, payload)
        answer = BlockTransactions.decode(payload, self._parameters)
        if partial is None or not partial.missing:
            return None
        partial.fill(answer.transactions)
        partial.size_bytes += len(payload)
        try:
            raw = self._finished(partial)
        except RebuildFailed:
            self._fail(partial)
            raise
        self._counts["rebuilt_after_asking"] += 1
        return partial.hash, raw

    def _filled_with_the_rest(self, partial: PartialBlock, payload: bytes) -> bytes:
        reader = Reader(payload)
        reader.take(HASH_SIZE)
        count = reader.compact_size(TRANSACTIONS_MAX, "transactions")
        if count != len(partial.missing):
            raise WireError(f"{count} transactions, {len(partial.missing)} were asked for", kind="malformed")
        raw = partial.finish_with(reader.take(reader.remaining))
        self.forget(partial.hash)
        self._counts["rebuilt"] += 1
        self._counts["rebuilt_after_asking"] += 1
        return raw

    def forget(self, block_hash: bytes) -> None:
        self._partials.pop(block_hash, None)

    def _finished(self, partial: PartialBlock) -> bytes:
        raw = partial.finish()
        self._pool.remove(partial.txids)
        self.forget(partial.hash)
        self._counts["rebuilt"] += 1
        self._counts["bytes_saved"] += max(0, len(raw) - partial.size_bytes)
        return raw

    def _fail(self, partial: PartialBlock) -> None:
        self.forget(partial.hash)
        self._counts["asked_whole"] += 1


def _versions_taken(parameters: NetworkParameters, *, transactions: bool) -> tuple[int, ...]:
    """Return the versions whose form has all of a block.

    Where there are extension blocks that is one alone: each block of another form would be asked for whole
    after all, a round trip later. The same holds of the version without witness data where no transactions
    are known beforehand, since the coinbase alone has some in every block.
    """
    if parameters.mweb_height is not None:
        return (COMPACT_VERSION_EXTENSION,)
    if parameters.witness_height is not None:
        return (COMPACT_VERSION_TXID, COMPACT_VERSION_WTXID) if transactions else (COMPACT_VERSION_WTXID,)
    return (COMPACT_VERSION_TXID,)
