"""The end that serves: a node of the devnet answering those who connect to it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Protocol

from sprint.core.chains.bitcoin_family.parameters import HEADER_SIZE, NetworkParameters
from sprint.core.errors import ProtocolError, WireError
from sprint.core.kernels import sha256d
from sprint.core.protocols.bitcoin_p2p.compact import (
    COMPACT_VERSION_WTXID,
    MSG_CMPCT_BLOCK,
    BlockTransactions,
    CompactBlock,
    GetBlockTransactions,
    SendCompact,
)
from sprint.core.protocols.bitcoin_p2p.compact_server import compact_form, transactions_at, versions_served
from sprint.core.protocols.bitcoin_p2p.events import SessionEvent
from sprint.core.protocols.bitcoin_p2p.framing import HEADERS_MAX, INVENTORY_MAX, Frame, encode_frame
from sprint.core.protocols.bitcoin_p2p.link import Link, SessionSettings
from sprint.core.protocols.bitcoin_p2p.messages import (
    MSG_BLOCK,
    MSG_WITNESS_FLAG,
    NODE_NETWORK,
    GetData,
    GetHeaders,
    Headers,
    Inventory,
    InventoryItem,
    NotFound,
    Version,
    decode_message,
)
from sprint.core.wire import u64


class Ledger(Protocol):
    """The chain that is served. Hashes are in wire order, headers raw."""

    def height(self) -> int:
        """Height of the best branch."""

    def headers_after(self, locator: Sequence[bytes], stop: bytes, limit: int) -> list[bytes]:
        """Headers after the first hash of `locator` on the best branch (else after genesis), up to `stop`."""

    def body(self, digest: bytes, *, witness: bool) -> bytes | None:
        """Return a block, whole or without witness data and extension block; None if it is not here."""


class ServingSession(Link):
    """The inbound side of one connection."""

    def __init__(
        self,
        parameters: NetworkParameters,
        ledger: Ledger,
        settings: SessionSettings,
        *,
        nonce: int,
        now: float,
    ) -> None:
        super().__init__(parameters, settings, nonce=nonce, now=now)
        self.announced_at: float | None = None  # for whoever measures from the node's announcement
        self.peer_compact: SendCompact | None = None  # the form in which the peer takes compact blocks
        self._ledger = ledger

    def announce(self, headers: Sequence[bytes], now: float) -> None:
        """Announce new blocks, oldest first: by headers to a peer that asked for it, else the last by inv.

        A single one is sent in compact form to a peer that asked for that.

        More than `headers_announced_max` are announced by the last one too, as Bitcoin Core does. Does
        nothing before the handshake is done.
        """
        if not self.ready or not headers:
            return
        self.announced_at = now
        compact = self._compact_unasked(headers) if len(headers) == 1 else None
        if compact is not None:
            self._send_payload(compact.command, compact.encode())
        elif self.peer_prefers_headers and len(headers) <= self.settings.headers_announced_max:
            self._send(Headers(tuple(headers)))
        else:
            self.announce_hashes([sha256d(headers[-1][:HEADER_SIZE])])

    def announce_hashes(self, hashes: Sequence[bytes]) -> None:
        """Announce blocks by inv. Does nothing before the handshake is done."""
        if not self.ready:
            return
        for start in range(0, len(hashes), INVENTORY_MAX):
            part = hashes[start : start + INVENTORY_MAX]
            self._send(Inventory(tuple(InventoryItem(MSG_BLOCK, digest) for digest in part)))

    def _accept_version(self) -> None:
        self._send_version(self.settings.services | NODE_NETWORK, self._ledger.height())
        super()._accept_version()

    def _on_verack(self, version: Version, now: float) -> list[SessionEvent]:
        events = super()._on_verack(version, now)
        for offered in versions_served(self.parameters):
            offer = SendCompact(announce=False, version=offered)
            self._send_payload(offer.command, offer.encode())
        return events

    def _on_send_compact(self, offer: SendCompact) -> None:
        """Take the peer's choice; it may change its mind on the way of announcing, not on the version."""
        known = offer.version in versions_served(self.parameters)
        if known and (self.peer_compact is None or self.peer_compact.version == offer.version):
            self.peer_compact = offer

    def _compact_unasked(self, headers: Sequence[bytes]) -> CompactBlock | None:
        """Return the compact form of the last block for a peer that wants such unasked, else None."""
        if self.peer_compact is None or not self.peer_compact.announce:
            return None
        return self._compact_of(sha256d(headers[-1][:HEADER_SIZE]), self.peer_compact.version)

    def _compact_of(self, digest: bytes, version: int) -> CompactBlock | None:
        body = self._ledger.body(digest, witness=version == COMPACT_VERSION_WTXID)
        if body is None:
            return None
        # Different for each peer and block, and the same on every replay of a seed.
        nonce = int.from_bytes(sha256d(u64(self.nonce) + digest)[:8], "little")
        try:
            return compact_form(body, self.parameters, nonce=nonce, version=version)
        except WireError:  # a ledger may serve false bodies on purpose; those go out as they are
            return None

    def _on_message(self, frame: Frame) -> list[SessionEvent]:
        if frame.command == GetBlockTransactions.command and self.peer_compact is not None:
            self._on_get_block_transactions(
                GetBlockTransactions.decode(frame.payload), self.peer_compact.version
            )
            return []
        match decode_message(frame.command, frame.payload, self.parameters):
            case GetHeaders(locator=locator, stop=stop):
                headers = self._ledger.headers_after(locator, stop, HEADERS_MAX)
                self._send(Headers(tuple(headers[:HEADERS_MAX])))
            case GetData(items=items):
                self._on_get_data(items)
            case None:
                self._count("unknown")
            case _:
                self._count("unwanted")
        return []

    def _on_get_data(self, items: tuple[InventoryItem, ...]) -> None:
        waiting, limit = self._outbox.deferred + len(items), self.settings.replies_waiting_max
        if waiting > limit:
            raise ProtocolError(f"{waiting} requested items wait, limit {limit}", penalty=100)
        for item in items:
            self._outbox.defer(partial(self._reply, item))

    def _on_get_block_transactions(self, wanted: GetBlockTransactions, version: int) -> None:
        body = self._ledger.body(wanted.block_hash, witness=version == COMPACT_VERSION_WTXID)
        if body is not None and self._compact_of(wanted.block_hash, version) is not None:
            found = transactions_at(body, wanted.indexes, self.parameters)
            self._send_payload(
                BlockTransactions.command, BlockTransactions(wanted.block_hash, found).encode()
            )

    def _reply(self, item: InventoryItem) -> bytes:
        command, payload = NotFound.command, NotFound((item,)).encode()
        witness = bool(item.kind & MSG_WITNESS_FLAG)
        compact = None
        if item.kind == MSG_CMPCT_BLOCK and self.peer_compact is not None:
            compact = self._compact_of(item.hash, self.peer_compact.version)
            witness = self.peer_compact.version == COMPACT_VERSION_WTXID
        if compact is not None:
            command, payload = compact.command, compact.encode()
        elif item.bare_kind in (MSG_BLOCK, MSG_CMPCT_BLOCK):
            body = self._ledger.body(item.hash, witness=witness)
            command, payload = (command, payload) if body is None else ("block", body)
        return encode_frame(self.parameters.magic, command, payload)
