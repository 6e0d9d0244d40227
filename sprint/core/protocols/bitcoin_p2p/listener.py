"""The end that serves: a node of the devnet answering those who connect to it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Protocol

from sprint.core.chains.bitcoin_family.parameters import HEADER_SIZE, NetworkParameters
from sprint.core.errors import ProtocolError
from sprint.core.kernels import sha256d
from sprint.core.protocols.bitcoin_p2p.compact import SendCompact
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
    decode_message,
)


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

        More than `headers_announced_max` are announced by the last one too, as Bitcoin Core does. Does
        nothing before the handshake is done.
        """
        if not self.ready or not headers:
            return
        self.announced_at = now
        if self.peer_prefers_headers and len(headers) <= self.settings.headers_announced_max:
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

    def _on_send_compact(self, offer: SendCompact) -> None:
        if self.peer_compact is None:
            self.peer_compact = offer

    def _on_message(self, frame: Frame) -> list[SessionEvent]:
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

    def _reply(self, item: InventoryItem) -> bytes:
        body = None
        if item.bare_kind == MSG_BLOCK:
            body = self._ledger.body(item.hash, witness=bool(item.kind & MSG_WITNESS_FLAG))
        if body is None:
            return encode_frame(self.parameters.magic, NotFound.command, NotFound((item,)).encode())
        return encode_frame(self.parameters.magic, "block", body)
