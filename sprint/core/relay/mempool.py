"""The transactions of one chain that were relayed and are in no block yet: what compact blocks are made of.

Bounded in count and bytes; beyond either the oldest go. Nothing of a transaction is proved, as that takes
the outputs it spends: it is only kept so that its bytes need not be sent again with the block.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from sprint.core.chains.bitcoin_family.parameters import NetworkParameters
from sprint.core.chains.bitcoin_family.scan import scan_transaction
from sprint.core.errors import WireError
from sprint.core.protocols.bitcoin_p2p.rebuild import KnownTransaction

TRANSACTION_SIZE_MAX = 400_000  # bytes: the weight that Bitcoin Core relays at most, if all were witness data
ASKED_AGAIN_AFTER_S = 60.0  # as Bitcoin Core's GETDATA_TX_INTERVAL


class MempoolSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Limits. `asked_max` is how many transactions are remembered as asked for and not come yet."""

    transactions_max: int = 20_000
    bytes_max: int = 32_000_000
    asked_max: int = 10_000


class Mempool:
    """Keeps transactions by wtxid; `wants` shares the asking out among sources."""

    def __init__(self, parameters: NetworkParameters, settings: MempoolSettings | None = None) -> None:
        self.size_bytes = 0
        self.evicted = 0
        self._settings = settings or MempoolSettings()
        self._parameters = parameters
        self._by_wtxid: dict[bytes, KnownTransaction] = {}  # oldest first
        self._wtxids: dict[bytes, bytes] = {}  # by txid
        self._asked: dict[bytes, float] = {}  # id → when; oldest first

    def __repr__(self) -> str:
        return f"Mempool({len(self)} transactions, {self.size_bytes} bytes)"

    def __len__(self) -> int:
        return len(self._by_wtxid)

    def __contains__(self, digest: object) -> bool:
        """Tell whether a transaction is known by this txid or wtxid."""
        return digest in self._by_wtxid or digest in self._wtxids

    def transactions(self) -> Iterable[KnownTransaction]:
        return self._by_wtxid.values()

    def wants(self, digest: bytes, now: float) -> bool:
        """Tell whether to ask for it: it is unknown and nobody was asked of late. Then it counts as asked."""
        if digest in self:
            return False
        asked_at = self._asked.pop(digest, None)
        if asked_at is not None and now < asked_at + ASKED_AGAIN_AFTER_S:
            self._asked[digest] = asked_at
            return False
        self._asked[digest] = now
        while len(self._asked) > self._settings.asked_max:
            del self._asked[next(iter(self._asked))]
        return True

    def add(self, raw: bytes) -> tuple[bytes, bytes]:
        """Keep a transaction unless it is known, too large, or breaks a rule by itself; return its ids.

        WireError where the bytes do not parse as exactly one transaction.
        """
        parameters = self._parameters
        scanned = scan_transaction(raw, 0, parameters.money_max, mweb=parameters.mweb_height is not None)
        if scanned.stop != len(raw):
            raise WireError(f"{len(raw) - scanned.stop} bytes after the transaction", kind="trailing")
        self._asked.pop(scanned.txid, None)
        self._asked.pop(scanned.wtxid, None)
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
