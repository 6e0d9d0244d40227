"""The end that asks: the relay's connection to a node that it takes blocks from.

The session knows the protocol, not the chain. Which headers to ask for, which blocks to fetch, and what to
do when a block stalls are the pipeline's decisions; here they become messages, and answers become events.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from sprint.core.chains.bitcoin_family.parameters import HEADER_SIZE, ZERO_HASH, NetworkParameters
from sprint.core.errors import ProtocolError, WireError
from sprint.core.kernels import sha256d
from sprint.core.protocols.bitcoin_p2p.events import (
    BlockReceived,
    BlocksAnnounced,
    BlocksNotFound,
    HeadersReceived,
    SessionEvent,
)
from sprint.core.protocols.bitcoin_p2p.framing import INVENTORY_MAX, LOCATOR_MAX, Frame
from sprint.core.protocols.bitcoin_p2p.link import Link, SessionSettings, Timer
from sprint.core.protocols.bitcoin_p2p.messages import (
    MSG_BLOCK,
    MSG_MWEB_BLOCK,
    MSG_WITNESS_BLOCK,
    NODE_MWEB,
    NODE_NETWORK,
    NODE_NETWORK_LIMITED,
    GetData,
    GetHeaders,
    Headers,
    Inventory,
    InventoryItem,
    NotFound,
    Version,
    decode_message,
)

NON_CONTINUOUS_PENALTY = 20
UNWANTED_PENALTY = 10  # for announcing transactions although relay is off


class PeerSession(Link):
    """The outbound side of one connection."""

    def __init__(
        self, parameters: NetworkParameters, settings: SessionSettings, *, nonce: int, now: float
    ) -> None:
        super().__init__(parameters, settings, nonce=nonce, now=now)
        self._blocks_in_flight: dict[bytes, float] = {}  # hash → when it was last asked for
        self._send_version(settings.services, start_height=0)

    def request_headers(self, locator: Sequence[bytes], now: float) -> None:
        """Ask for the headers after the first hash of `locator` that the peer has on its best branch.

        Does nothing before `Ready` and after closing.
        """
        if not self.ready or self.closed:
            return
        hashes = tuple(locator[:LOCATOR_MAX])
        self._send(GetHeaders(self.settings.protocol_version, hashes, ZERO_HASH))
        self._deadlines.setdefault(Timer.HEADERS, now + self.settings.headers_timeout_s)

    def request_blocks(self, hashes: Sequence[bytes], now: float) -> None:
        """Ask for whole blocks, with all that the network has beside their transactions.

        Does nothing before `Ready` and after closing.

        Beyond `blocks_in_flight_max` the oldest requests are forgotten: their blocks would be unwanted.
        """
        if not self.ready or self.closed:
            return
        kind = self._block_kind()
        for start in range(0, len(hashes), INVENTORY_MAX):
            part = hashes[start : start + INVENTORY_MAX]
            self._send(GetData(tuple(InventoryItem(kind, digest) for digest in part)))
        for digest in hashes:
            self._blocks_in_flight.pop(digest, None)  # so that the oldest request stays first
            self._blocks_in_flight[digest] = now
        while len(self._blocks_in_flight) > self.settings.blocks_in_flight_max:
            del self._blocks_in_flight[next(iter(self._blocks_in_flight))]

    @property
    def oldest_request_at(self) -> float | None:
        """When the block was asked for that is waited for longest; None if none is."""
        return next(iter(self._blocks_in_flight.values()), None)

    def _refusal(self, version: Version) -> str | None:
        missing = self._known_to_network(self.settings.services_required) & ~version.services
        offer = f"{version.user_agent} offers services {version.services:#x}"
        if refusal := super()._refusal(version):
            return refusal
        if missing:
            return f"{offer}, {missing:#x} is missing"
        if not version.services & (NODE_NETWORK | NODE_NETWORK_LIMITED):
            return f"{offer}: it serves no blocks"
        return None

    def _block_kind(self) -> int:
        """Return the kind of inventory that gives a block whole: a plain request leaves data out."""
        parameters, peer = self.parameters, self.peer_version
        if parameters.witness_height is None:
            return MSG_BLOCK
        if parameters.mweb_height is not None and peer is not None and peer.services & NODE_MWEB:
            return MSG_MWEB_BLOCK
        return MSG_WITNESS_BLOCK

    def _on_verack(self, version: Version, now: float) -> list[SessionEvent]:
        events = super()._on_verack(version, now)
        self._send_payload("sendheaders")
        return events

    def _on_message(self, frame: Frame) -> list[SessionEvent]:
        if frame.command == "block":
            return self._on_block(frame.payload)
        match decode_message(frame.command, frame.payload, self.parameters):
            case Headers(headers=headers):
                return self._on_headers(headers)
            case Inventory(items=items):
                return self._on_inventory(items)
            case NotFound(items=items):
                return self._on_not_found(items)
            case GetHeaders():
                self._send(Headers(()))
            case GetData(items=items):
                self._send(NotFound(items))
            case None:
                self._count("unknown")
            case _:
                self._count("unwanted")
        return []

    def _on_headers(self, headers: tuple[bytes, ...]) -> list[SessionEvent]:
        self._deadlines.pop(Timer.HEADERS, None)
        for parent, child in pairwise(headers):
            if child[4:36] != sha256d(parent[:HEADER_SIZE]):
                raise ProtocolError("headers that do not follow one another", penalty=NON_CONTINUOUS_PENALTY)
        return [HeadersReceived(headers)]

    def _on_inventory(self, items: tuple[InventoryItem, ...]) -> list[SessionEvent]:
        blocks = tuple(item.hash for item in items if item.bare_kind == MSG_BLOCK)
        if len(blocks) < len(items):
            self._count("unwanted")
            self.penalise(UNWANTED_PENALTY, "announces transactions although relay is off")
        return [BlocksAnnounced(blocks)] if blocks else []

    def _on_block(self, raw: bytes) -> list[SessionEvent]:
        if len(raw) <= HEADER_SIZE:
            raise WireError(f"block of {len(raw)} bytes, a header alone has {HEADER_SIZE}", kind="truncated")
        if self._blocks_in_flight.pop(sha256d(raw[:HEADER_SIZE]), None) is None:
            # Free of charge: it may answer a request that was made twice or is forgotten.
            self._count("unwanted")
            return []
        return [BlockReceived(raw)]

    def _on_not_found(self, items: tuple[InventoryItem, ...]) -> list[SessionEvent]:
        in_flight = self._blocks_in_flight
        missing = tuple(item.hash for item in items if in_flight.pop(item.hash, None) is not None)
        return [BlocksNotFound(missing)] if missing else []
