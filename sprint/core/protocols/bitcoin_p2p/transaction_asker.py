"""What one connection asks for of the transactions that its peer announces; the pool keeps what comes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from sprint.core.protocols.bitcoin_p2p.messages import (
    MSG_TX,
    MSG_WITNESS_FLAG,
    MSG_WTX,
    InventoryItem,
)
from sprint.core.protocols.bitcoin_p2p.rebuild import TransactionPool

IN_FLIGHT_MAX = 5_000  # of one peer, as Bitcoin Core's MAX_PEER_TX_ANNOUNCEMENTS
TRANSACTION_KINDS = (MSG_TX, MSG_WTX)


class TransactionAsker:
    """Asks for each announced transaction that no session of the chain has asked for of late."""

    def __init__(self, pool: TransactionPool, *, witness: bool) -> None:
        self._pool = pool
        self._by_txid = MSG_TX | (MSG_WITNESS_FLAG if witness else 0)
        self._in_flight: OrderedDict[bytes, None] = OrderedDict()  # oldest first

    def __repr__(self) -> str:
        return f"TransactionAsker({len(self._in_flight)} in flight)"

    def announced(self, items: Sequence[InventoryItem], now: float) -> tuple[InventoryItem, ...]:
        """Return what to ask for of a list of announced transactions."""
        told = {item.hash: item for item in items if item.hash not in self._in_flight}
        wanted = []
        for digest in self._pool.wanted(list(told), now):
            kind = MSG_WTX if told[digest].bare_kind == MSG_WTX else self._by_txid
            wanted.append(InventoryItem(kind, digest))
            self._in_flight[digest] = None
            if len(self._in_flight) > IN_FLIGHT_MAX:
                # The answer to the oldest would be unwanted by now; the pool asks others for it.
                self._in_flight.popitem(last=False)
        return tuple(wanted)

    def arrived(self, raw: bytes) -> bool:
        """Keep a transaction; tell whether it was asked for. WireError where it does not parse."""
        asked_for = [self.forget(each) for each in self._pool.add(raw)]
        return any(asked_for)

    def forget(self, digest: bytes) -> bool:
        """Wait no more for a transaction; tell whether it was waited for."""
        return self._in_flight.pop(digest, False) is None
