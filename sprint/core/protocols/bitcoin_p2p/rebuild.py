"""A block put together again from its compact form and the transactions that are known already.

The bytes that come out are a block like any other and are judged like one. What is checked here is only
whether they are the block that was meant: a short id of six bytes may name another transaction, which is
nobody's fault, and then the whole block is asked for instead (BIP 152, "Random collisions").
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec

from sprint.core.chains.bitcoin_family.block import check_body
from sprint.core.chains.bitcoin_family.header import parse_header
from sprint.core.chains.bitcoin_family.parameters import HEADER_SIZE, NetworkParameters
from sprint.core.chains.bitcoin_family.scan import scan_transaction
from sprint.core.chains.bitcoin_family.transaction import parse_transaction
from sprint.core.errors import RuleError, WireError
from sprint.core.kernels import merkle_root, sha256d
from sprint.core.protocols.bitcoin_p2p.compact import (
    COMPACT_VERSION_TXID,
    EXTENSION_ABSENT,
    CompactBlock,
)
from sprint.core.wire import Reader, compact_size

_HOGADDR_PREFIX = b"\x58\x20"  # version 8 and 32 bytes: the output of a transaction that integrates (LIP 2)


class KnownTransaction(msgspec.Struct, frozen=True, gc=False):
    """A transaction that was relayed before its block: ids in wire order, bytes with witness data."""

    txid: bytes
    wtxid: bytes
    raw: bytes


class TransactionPool(Protocol):
    """The transactions that are known; shared by all sessions of a chain."""

    def __len__(self) -> int: ...

    def wanted(self, digests: Sequence[bytes], now: float) -> list[bytes]:
        """Return which to ask for of some txids and wtxids, and note that these were asked for."""

    def add(self, raw: bytes) -> tuple[bytes, bytes]:
        """Keep a transaction; return its txid and wtxid. WireError where it does not parse."""

    def transactions(self) -> Iterable[KnownTransaction]:
        """All that are known, in any order."""

    def remove(self, txids: Iterable[bytes]) -> None:
        """Forget transactions that are in a block."""


class RebuildFailed(Exception):
    """The block cannot be had from this compact form; the reason says why. Nobody is to blame."""

    def __init__(self, block_hash: bytes, reason: str) -> None:
        super().__init__(reason)
        self.block_hash = block_hash


class PartialBlock:
    """One compact block on its way to be whole. `received_at` is when its last byte was read."""

    def __init__(
        self,
        message: CompactBlock,
        parameters: NetworkParameters,
        *,
        version: int,
        size_bytes: int,
        received_at: float,
    ) -> None:
        self.hash = sha256d(message.header[:HEADER_SIZE])
        self.received_at = received_at
        self.size_bytes = size_bytes  # of all messages that it took
        self.missing: tuple[int, ...] = ()
        self.begun = False
        self.txids: tuple[bytes, ...] = ()  # of the whole block, once it is finished
        self._message = message
        self._parameters = parameters
        self._version = version
        self._found: list[KnownTransaction | bytes | None] = [None] * message.tx_count
        for index, raw in message.prefilled:
            self._found[index] = raw

    def __repr__(self) -> str:
        return f"PartialBlock({self.hash[::-1].hex()[:16]}…, {len(self.missing)} missing)"

    def match(self, pool: TransactionPool) -> tuple[int, ...]:
        """Find in the pool what the short ids name; return the indexes that are missing.

        A short id that two known transactions have names neither. RebuildFailed where the block itself has
        one twice.
        """
        self.begun = True
        message = self._message
        holes = [index for index, found in enumerate(self._found) if found is None]
        if not len(pool):
            self.missing = tuple(holes)
            return self.missing
        places = dict(zip(message.short_ids, holes, strict=True))
        if len(places) < len(holes):
            raise RebuildFailed(self.hash, "two of its transactions have one short id")
        known = list(pool.transactions())
        ids = [each.txid if self._version == COMPACT_VERSION_TXID else each.wtxid for each in known]
        shortened = message.shorten(ids)
        seen = Counter(each for each in shortened if each in places)
        for short_id, transaction in zip(shortened, known, strict=True):
            if seen[short_id] == 1:
                self._found[places[short_id]] = transaction
        self.missing = tuple(index for index in holes if self._found[index] is None)
        return self.missing

    def fill(self, transactions: Sequence[bytes]) -> None:
        """Put in what was missing, in the order of `missing`. WireError where the number is another."""
        if len(transactions) != len(self.missing):
            raise WireError(
                f"{len(transactions)} transactions, {len(self.missing)} were asked for", kind="malformed"
            )
        for index, raw in zip(self.missing, transactions, strict=True):
            self._found[index] = raw
        self.missing = ()

    @property
    def lacks_the_rest(self) -> bool:
        """Whether what is missing is all that stands behind the ones given whole, as where no pool is kept.

        What is asked for then is the block's own bytes from there on. Version 1 leaves witness data out.
        """
        given = len(self._message.prefilled)
        stripped = self._version == COMPACT_VERSION_TXID and self._parameters.witness_height is not None
        in_front = all(index == place for place, (index, _) in enumerate(self._message.prefilled))
        return not stripped and in_front and len(self.missing) == len(self._found) - given

    def finish_with(self, rest: bytes) -> bytes:
        """Return the block whose missing transactions are `rest`, as bytes that nobody has read.

        Nothing of it was guessed from short ids, so what does not fit the header is the sender's fault and
        for the checks of the block to find, which run beside the event loop.
        """
        message = self._message
        count = compact_size(len(self._found))
        extension = b"" if message.extension == EXTENSION_ABSENT else message.extension
        return b"".join((message.header, count, *(raw for _, raw in message.prefilled), rest, extension))

    def finish(self) -> bytes:
        """Return the whole block. RebuildFailed where its transactions are not those of its header."""
        txids, raws, last = [], [], b""
        for found in self._found:
            if isinstance(found, KnownTransaction):
                txids.append(found.txid)
                last = found.raw
            elif found is not None:
                txids.append(self._txid(found))
                last = found
            raws.append(last)
        root, _ = merkle_root(txids)
        if root != parse_header(self._message.header[:HEADER_SIZE]).merkle_root:
            raise RebuildFailed(self.hash, "its transactions are not those that the header commits to")
        self.txids = tuple(txids)
        count = compact_size(len(raws))
        raw = b"".join((self._message.header, count, *raws, self._extension(last)))
        if self._version == COMPACT_VERSION_TXID:
            self._check_witness(raw)
        return raw

    def _txid(self, raw: bytes) -> bytes:
        mweb = self._parameters.mweb_height is not None
        return scan_transaction(raw, 0, self._parameters.money_max, mweb=mweb).txid

    def _extension(self, last: bytes) -> bytes:
        """Return the extension block; it stands behind the transaction that integrates it and nowhere else.

        Litecoin Core takes both the mark and the extension block off where version 3 was not agreed on.
        """
        if self._parameters.mweb_height is None:
            return b""
        transaction = parse_transaction(Reader(last), mweb=True)
        if not transaction.integrates and not transaction.outputs[0].script.startswith(_HOGADDR_PREFIX):
            return b""
        if not transaction.integrates or self._message.extension in (b"", EXTENSION_ABSENT):
            raise RebuildFailed(self.hash, "its extension block is not in the compact form")
        return self._message.extension

    def _check_witness(self, raw: bytes) -> None:
        """Version 1 names transactions without their witness data and gives the rest without it."""
        try:
            check_body(raw, len(self._message.header), self._parameters)
        except (RuleError, WireError) as error:
            raise RebuildFailed(self.hash, f"without its witness data: {error}") from error
