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
from sprint.core.protocols.bitcoin_p2p.addresses import Addresses, AddressesV2
from sprint.core.protocols.bitcoin_p2p.compact import (
    MSG_CMPCT_BLOCK,
    BlockTransactions,
    CompactBlock,
    GetBlockTransactions,
    SendCompact,
)
from sprint.core.protocols.bitcoin_p2p.compact_receiver import CompactReceiver, Relaying
from sprint.core.protocols.bitcoin_p2p.events import (
    AddressesReceived,
    BlockReceived,
    BlocksAnnounced,
    BlocksNotFound,
    HeadersPassedOver,
    HeadersReceived,
    OnlyNewestBlocks,
    SessionEvent,
)
from sprint.core.protocols.bitcoin_p2p.framing import INVENTORY_MAX, LOCATOR_MAX, Frame
from sprint.core.protocols.bitcoin_p2p.initial_download import InitialDownload, initial_download_words
from sprint.core.protocols.bitcoin_p2p.link import Link, SessionSettings, Timer
from sprint.core.protocols.bitcoin_p2p.messages import (
    MSG_BLOCK,
    MSG_MWEB_BLOCK,
    MSG_WITNESS_BLOCK,
    NODE_BLOOM,
    NODE_MWEB,
    NODE_NETWORK,
    NODE_NETWORK_LIMITED,
    FeeFilter,
    GetData,
    GetHeaders,
    Headers,
    Inventory,
    InventoryItem,
    NotFound,
    Version,
    decode_message,
)
from sprint.core.protocols.bitcoin_p2p.rebuild import RebuildFailed
from sprint.core.protocols.bitcoin_p2p.transaction_asker import TRANSACTION_KINDS, TransactionAsker

FEE_FILTER_VERSION_MIN = 70_013  # the first that knows feefilter (BIP 133)
FEE_FILTER_LOW = 1  # per 1,000 bytes: all that is relayed at all; what pays nothing is in no block to come
OFFERS_VERSION_MIN = 70_016  # the first that knows wtxidrelay (BIP 339) and sendaddrv2 (BIP 155)
NEWEST_BLOCKS = 288  # that a pruned node serves; it hangs up on who asks for one further back (BIP 159)
NON_CONTINUOUS_PENALTY = 20
UNWANTED_PENALTY = 10  # for announcing transactions although relay is off


class PeerSession(Link):
    """The outbound side of one connection.

    With `relaying` it takes compact blocks, and has transactions relayed to it where that says so; without
    it does neither.
    """

    def __init__(
        self,
        parameters: NetworkParameters,
        settings: SessionSettings,
        *,
        nonce: int,
        now: float,
        relaying: Relaying | None = None,
    ) -> None:
        super().__init__(parameters, settings, nonce=nonce, now=now)
        self._blocks_in_flight: dict[bytes, float] = {}  # hash → when it was last asked for
        self._compact: CompactReceiver | None = None
        self._asker: TransactionAsker | None = None
        self._announced_last = b""  # the block that the peer told of last: it may have it in compact form
        self._initial_download = InitialDownload()
        if relaying is not None:
            self._compact = CompactReceiver(parameters, relaying)
            if relaying.transactions:
                self._asker = TransactionAsker(relaying.pool, witness=parameters.witness_height is not None)
        self._send_version(settings.services, start_height=0, transactions=self._asker is not None)

    def request_headers(self, locator: Sequence[bytes], now: float) -> None:
        """Ask for the headers after the first hash of `locator` that the peer has on its best branch.

        Does nothing before `Ready` and after closing.
        """
        if not self.ready or self.closed:
            return
        hashes = tuple(locator[:LOCATOR_MAX])
        self._send(GetHeaders(self.settings.protocol_version, hashes, ZERO_HASH))
        if Timer.HEADERS in self._deadlines:
            return
        self._deadlines[Timer.HEADERS] = now + self.settings.headers_timeout_s
        self._initial_download.asked(self._pings_sent)
        if self._initial_download.possible and Timer.PONG not in self._deadlines:
            self._send_ping(now)

    def request_blocks(self, hashes: Sequence[bytes], now: float) -> list[SessionEvent]:
        """Ask for whole blocks, with all that the network has beside their transactions.

        Returns blocks that need no asking, as they could be rebuilt. Does nothing before `Ready` and after
        closing.

        Beyond `blocks_in_flight_max` the oldest requests are forgotten: their blocks would be unwanted.
        """
        if not self.ready or self.closed:
            return []
        events: list[SessionEvent] = []
        whole: list[bytes] = []
        for digest in hashes:
            if self._compact is not None and self._compact.holds(digest):
                events += self._rebuild(self._compact, digest, now)
            else:
                whole.append(digest)
        kind = self._block_kind()
        if self._may_ask_compact(whole):
            kind = MSG_CMPCT_BLOCK
            self._announced_last = b""  # asked for again, it is asked for whole
        self._ask_for(whole, kind, now)
        return events

    def prefer_compact(self, *, high_bandwidth: bool) -> None:
        """Have the peer send new blocks in compact form unasked, or stop that (BIP 152)."""
        if self._compact is not None:
            answer = self._compact.prefer(high_bandwidth=high_bandwidth)
            if answer is not None:
                self._send_payload(answer.command, answer.encode())

    @property
    def compact_version(self) -> int | None:
        """The version of compact blocks that was agreed on; None if none is."""
        return None if self._compact is None else self._compact.version

    @property
    def oldest_request_at(self) -> float | None:
        """When the block was asked for that is waited for longest; None if none is."""
        return next(iter(self._blocks_in_flight.values()), None)

    @property
    def syncing(self) -> str:
        """Why the node gives no headers, in words, while it is in its initial block download; else empty."""
        if not self._initial_download.active or self.peer_version is None:
            return ""
        return initial_download_words(self.peer_version.start_height)

    def _answered_ping(self, now: float) -> list[SessionEvent]:
        version = self.peer_version
        if Timer.HEADERS not in self._deadlines or version is None or not self._initial_download.possible:
            return []
        if not self._initial_download.is_shown(self._pings_sent):
            self._send_ping(now)  # the one that was answered had gone out before the request
            return []
        del self._deadlines[Timer.HEADERS]
        return [HeadersPassedOver(version.start_height)]

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

    def _may_ask_compact(self, hashes: Sequence[bytes]) -> bool:
        """Tell whether to ask for the compact form: of one block that the peer has just told of."""
        compact = self._compact
        return compact is not None and compact.useful and list(hashes) == [self._announced_last]

    def _ask_for(self, hashes: Sequence[bytes], kind: int, now: float) -> None:
        for start in range(0, len(hashes), INVENTORY_MAX):
            part = hashes[start : start + INVENTORY_MAX]
            self._send(GetData(tuple(InventoryItem(kind, digest) for digest in part)))
        for digest in hashes:
            self._note_asked(digest, now)

    def _note_asked(self, digest: bytes, now: float) -> None:
        self._blocks_in_flight.pop(digest, None)  # so that the oldest request stays first
        self._blocks_in_flight[digest] = now
        while len(self._blocks_in_flight) > self.settings.blocks_in_flight_max:
            del self._blocks_in_flight[next(iter(self._blocks_in_flight))]

    def _block_kind(self) -> int:
        """Return the kind of inventory that gives a block whole: a plain request leaves data out."""
        parameters, peer = self.parameters, self.peer_version
        if parameters.witness_height is None:
            return MSG_BLOCK
        if parameters.mweb_height is not None and peer is not None and peer.services & NODE_MWEB:
            return MSG_MWEB_BLOCK
        return MSG_WITNESS_BLOCK

    def _accept_version(self) -> None:
        """Make the offers that have their place before verack; older versions would not know them."""
        version = self.peer_version
        if version is not None and version.protocol_version >= OFFERS_VERSION_MIN:
            if self._asker is not None:
                self._send_payload("wtxidrelay")
            if self.settings.addresses_wanted:
                self._send_payload("sendaddrv2")
        super()._accept_version()

    def _on_verack(self, version: Version, now: float) -> list[SessionEvent]:
        events = super()._on_verack(version, now)
        self._send_payload("sendheaders")
        if version.protocol_version >= FEE_FILTER_VERSION_MIN:
            # Without relay none is wanted: then it is what no transaction can pay, as of Core's `blocksonly`.
            least = FEE_FILTER_LOW if self._asker is not None else self.parameters.money_max
            self._send_payload(FeeFilter.command, FeeFilter(least).encode())
        if self._asker is not None and version.services & NODE_BLOOM:
            # What it holds already is told of at once (BIP 35); it would close on one who may not ask.
            self._send_payload("mempool")
        if self.settings.addresses_wanted:
            self._send_payload("getaddr")
        return [OnlyNewestBlocks(NEWEST_BLOCKS, version.start_height), *events] if self.is_pruned else events

    @property
    def is_pruned(self) -> bool:
        """Whether the peer serves its newest blocks only."""
        services = 0 if self.peer_version is None else self.peer_version.services
        return bool(services & NODE_NETWORK_LIMITED) and not services & NODE_NETWORK

    def _on_send_compact(self, offer: SendCompact) -> None:
        answer = self._compact.offered(offer) if self._compact is not None else None
        if answer is not None:
            self._send_payload(answer.command, answer.encode())

    def _on_message(self, frame: Frame) -> list[SessionEvent]:
        if frame.command == "block":
            return self._on_block(frame.payload)
        if self._compact is not None and frame.command == CompactBlock.command:
            return self._on_compact_block(self._compact, frame.payload)
        if self._compact is not None and frame.command == BlockTransactions.command:
            return self._on_block_transactions(self._compact, frame.payload)
        if self._asker is not None and frame.command == "tx":
            self._on_transaction(self._asker, frame.payload)
            return []
        if self.settings.addresses_wanted and frame.command == Addresses.command:
            return [AddressesReceived(Addresses.decode(frame.payload).addresses)]
        if self.settings.addresses_wanted and frame.command == AddressesV2.command:
            return [AddressesReceived(AddressesV2.decode(frame.payload).addresses)]
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
        self._initial_download.over()
        self._deadlines.pop(Timer.HEADERS, None)
        for parent, child in pairwise(headers):
            if child[4:36] != sha256d(parent[:HEADER_SIZE]):
                raise ProtocolError("headers that do not follow one another", penalty=NON_CONTINUOUS_PENALTY)
        if 0 < len(headers) <= self.settings.headers_announced_max:
            self._announced_last = sha256d(headers[-1][:HEADER_SIZE])
        return [HeadersReceived(headers)]

    def _on_inventory(self, items: tuple[InventoryItem, ...]) -> list[SessionEvent]:
        blocks = tuple(item.hash for item in items if item.bare_kind == MSG_BLOCK)
        if len(blocks) < len(items) and self._asker is None:
            self._count("unwanted")
            self.penalise(UNWANTED_PENALTY, "announces transactions although relay is off")
        elif self._asker is not None:
            told = [item for item in items if item.bare_kind in TRANSACTION_KINDS]
            wanted = self._asker.announced(told, self.read_at)
            if wanted:
                self._send(GetData(wanted))
        if not blocks:
            return []
        self._initial_download.over()
        self._announced_last = blocks[-1]
        return [BlocksAnnounced(blocks)]

    def _on_block(self, raw: bytes) -> list[SessionEvent]:
        if len(raw) <= HEADER_SIZE:
            raise WireError(f"block of {len(raw)} bytes, a header alone has {HEADER_SIZE}", kind="truncated")
        if self._blocks_in_flight.pop(sha256d(raw[:HEADER_SIZE]), None) is None:
            # Free of charge: it may answer a request that was made twice or is forgotten.
            self._count("unwanted")
            return []
        return [BlockReceived(raw)]

    def _on_transaction(self, asker: TransactionAsker, raw: bytes) -> None:
        try:
            if not asker.arrived(raw):
                self._count("unwanted")
        except WireError:
            if self.parameters.mweb_height is None:
                raise
            # One that moves coins of the extension block only is sent as a shell without inputs.
            self._count("unreadable")

    def _on_compact_block(self, compact: CompactReceiver, payload: bytes) -> list[SessionEvent]:
        digest, header = compact.keep(payload, self.read_at)
        self._initial_download.over()
        if compact.waits(digest):
            self._count("unwanted")  # sent again while its missing transactions are on their way
            return []
        if self._blocks_in_flight.pop(digest, None) is not None:
            return self._rebuild(compact, digest, self.read_at)
        # Its body is rebuilt when it is asked for: then the header is proved and connects.
        return [HeadersReceived((header,))]

    def _rebuild(self, compact: CompactReceiver, digest: bytes, now: float) -> list[SessionEvent]:
        """Make a block out of its compact form, or ask for what it takes."""
        try:
            found = compact.begin(digest)
        except RebuildFailed:
            self._ask_for([digest], self._block_kind(), now)
            return []
        if isinstance(found, GetBlockTransactions):
            self._send_payload(found.command, found.encode())
            self._note_asked(digest, now)
            return []
        raw, read_at = found
        return [BlockReceived(raw, read_at)]

    def _on_block_transactions(self, compact: CompactReceiver, payload: bytes) -> list[SessionEvent]:
        try:
            filled = compact.fill(payload)
        except RebuildFailed as failure:
            self._ask_for([failure.block_hash], self._block_kind(), self.read_at)
            return []
        if filled is None:
            self._count("unwanted")
            return []
        digest, raw = filled
        self._blocks_in_flight.pop(digest, None)
        return [BlockReceived(raw)]

    def _on_not_found(self, items: tuple[InventoryItem, ...]) -> list[SessionEvent]:
        if self._asker is not None:
            for item in items:
                self._asker.forget(item.hash)
        in_flight = self._blocks_in_flight
        missing = tuple(item.hash for item in items if in_flight.pop(item.hash, None) is not None)
        return [BlocksNotFound(missing)] if missing else []
