"""The transactions of one chain that were relayed and are in no block yet: what compact blocks are made of.

Bounded in count and bytes; beyond either the oldest go. Nothing of a transaction is proved, as that takes
the outputs it spends: it is only kept so that its bytes need not be sent again with the block.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence

import msgspec

from sprint.core.chains.bitcoin_family.parameters import NetworkParameters
from sprint.core.chains.bitcoin_family.scan import scan_transaction
from sprint.core.errors import WireError
from sprint.core.kernels import in_use
from sprint.core.kernels.dedup import DedupTable, Kind, Space, fill
from sprint.core.protocols.bitcoin_p2p.rebuild import KnownTransaction

TRANSACTION_SIZE_MAX = 400_000  # bytes: the weight that Bitcoin Core relays at most, if all were witness data
ASKED_AGAIN_AFTER_S = 60.0  # as Bitcoin Core's GETDATA_TX_INTERVAL


class MempoolSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Limits. `asked_max` is how many transactions are remembered as asked for and not come yet."""

    transactions_max: int = 20_000
    bytes_max: int = 32_000_000
    asked_max: int = 10_000


class Mempool:
    """Keeps transactions by wtxid; `wanted` shares the asking out among sources."""

    def __init__(self, parameters: NetworkParameters, settings: MempoolSettings | None = None) -> None:
        self.size_bytes = 0
        self.evicted = 0
        self._settings = settings or MempoolSettings()
        self._parameters = parameters
        # Oldest first. A plain dict would look through the places of all that went before to find the oldest.
        self._by_wtxid: OrderedDict[bytes, KnownTransaction] = OrderedDict()
        self._wtxids: dict[bytes, bytes] = {}  # by txid
        self._new_table = in_use().new_dedup_table
        self._table = self._new_table(self._settings.asked_max)
        self._asked = self._asked_in(self._table)

    def __repr__(self) -> str:
        return f"Mempool({len(self)} transactions, {self.size_bytes} bytes)"

    def __len__(self) -> int:
        return len(self._by_wtxid)

    def __contains__(self, digest: object) -> bool:
        """Tell whether a transaction is known by this txid or wtxid."""
        return digest in self._by_wtxid or digest in self._wtxids

    def transactions(self) -> Iterable[KnownTransaction]:
        return self._by_wtxid.values()

    def wanted(self, digests: Sequence[bytes], now: float) -> list[bytes]:
        """Return which to ask for: those that are unknown and of which nobody was asked of late.

        They count as asked for from then on, for ASKED_AGAIN_AFTER_S.
        """
        if in_use().new_dedup_table is not self._new_table:
            self._swap_table()
        by_wtxid, wtxids = self._by_wtxid, self._wtxids
        unknown = [digest for digest in digests if digest not in by_wtxid and digest not in wtxids]
        seen = self._asked.seen_many(b"".join(unknown), now)
        return [digest for digest, before in zip(unknown, seen, strict=True) if not before]

    def _swap_table(self) -> None:
        """Take the form of table that is in use by now, with all that the one before remembers."""
        before, self._new_table = self._table, in_use().new_dedup_table
        self._table = self._new_table(self._settings.asked_max)
        fill(self._table, before.entries(), ASKED_AGAIN_AFTER_S)
        self._asked = self._asked_in(self._table)

    def _asked_in(self, table: DedupTable) -> Space:
        return table.space(self._parameters.chain_id, Kind.TRANSACTION, ASKED_AGAIN_AFTER_S)

    def add(self, raw: bytes) -> tuple[bytes, bytes]:
        """Keep a transaction unless it is known, too large, or breaks a rule by itself; return its ids.

        WireError where the bytes do not parse as exactly one transaction.
        """
        parameters = self._parameters
        scanned = scan_transaction(raw, 0, parameters.money_max, mweb=parameters.mweb_height is not None)
        if scanned.stop != len(raw):
            raise WireError(f"{len(raw) - scanned.stop} bytes after the transaction", kind="trailing")
        self._asked.forget(scanned.txid)
        self._asked.forget(scanned.wtxid)
        ids = scanned.txid, scanned.wtxid
        if scanned.is_coinbase or not scanned.sound or len(raw) > TRANSACTION_SIZE_MAX:
            return ids
        if scanned.wtxid not in self._by_wtxid:
            self._by_wtxid[scanned.wtxid] = KnownTransaction(scanned.txid, scanned.wtxid, raw)
            self._wtxids[scanned.txid] = scanned.wtxid
            self.size_bytes += len(raw)
            self._keep_within_limits()
        return ids

    def remove(self, txids: Iterable[bytes]) -> None:
        """Forget transactions that are in a block."""
        for txid in txids:
            wtxid = self._wtxids.get(txid)
            if wtxid is not None:
                self._drop(wtxid)

    def _keep_within_limits(self) -> None:
        settings = self._settings
        while len(self) > settings.transactions_max or self.size_bytes > settings.bytes_max:
            self._drop(next(iter(self._by_wtxid)))
            self.evicted += 1

    def _drop(self, wtxid: bytes) -> None:
        transaction = self._by_wtxid.pop(wtxid)
        self.size_bytes -= len(transaction.raw)
        if self._wtxids.get(transaction.txid) == wtxid:
            del self._wtxids[transaction.txid]
