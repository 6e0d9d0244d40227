"""What the P2P sources of one chain share: transactions, who sends compact blocks unasked, known nodes."""

from __future__ import annotations

from typing import Protocol
from weakref import WeakKeyDictionary

from sprint.core.chains.bitcoin_family.parameters import NetworkParameters
from sprint.core.protocols.bitcoin_p2p.high_bandwidth import HighBandwidthChoice
from sprint.core.relay.mempool import Mempool
from sprint.tools.relay.intake import Sink
from sprint.tools.relay.peer_store import PeerStore


class Prefer(Protocol):
    """Tells a source's node whether to send new blocks in compact form unasked."""

    def __call__(self, *, high_bandwidth: bool) -> None: ...


class P2pChain:
    """One for each chain; sources join under their name when they are ready."""

    def __init__(self, parameters: NetworkParameters) -> None:
        self.pool = Mempool(parameters)
        self.peers = PeerStore(parameters.chain_id, parameters.default_port)
        self._high_bandwidth = True
        self._choice = HighBandwidthChoice()
        self._members: dict[str, Prefer] = {}

    def __repr__(self) -> str:
        return f"P2pChain({self.pool!r}, {len(self._members)} sources)"

    @staticmethod
    def of(intake: Sink, parameters: NetworkParameters) -> P2pChain:
        """Return the one that belongs to a chain's intake."""
        found = _chains.get(intake)
        if found is None:
            found = _chains[intake] = P2pChain(parameters)
        return found

    def switch_high_bandwidth(self, *, on: bool) -> None:
        """Let blocks be sent unasked from here on, or have all that send them so stop it."""
        self._high_bandwidth = on
        if on:
            return
        for name, prefer in self._members.items():
            if name in self._choice:
                prefer(high_bandwidth=False)
        self._choice = HighBandwidthChoice()

    def joined(self, name: str, prefer: Prefer) -> None:
        self._members[name] = prefer

    def left(self, name: str) -> None:
        self._members.pop(name, None)
        self._choice.lost(name)

    def delivered(self, name: str, block_hash: bytes) -> None:
        """A source gave a block: the first to do so is asked to send the next ones unasked."""
        if not self._high_bandwidth:
            return
        dropped = self._choice.delivered(name, block_hash)
        if dropped is not None and dropped in self._members:
            self._members[dropped](high_bandwidth=False)
        if name in self._choice and name in self._members:
            self._members[name](high_bandwidth=True)


# By the chain's intake, which all sources of a chain are given and which ends with the relay.
_chains: WeakKeyDictionary[Sink, P2pChain] = WeakKeyDictionary()
