"""What a session tells its owner: one frozen record per thing that happened. Hashes are in wire order."""

from __future__ import annotations

import msgspec

from sprint.core.protocols.announcements import (
    Announcement,
    BlockArrived,
    BodiesNotFound,
    HashesAnnounced,
    HeadersAnnounced,
    HeadersWithheld,
    HistoryLimited,
)
from sprint.core.protocols.bitcoin_p2p.addresses import NodeAddress
from sprint.core.protocols.bitcoin_p2p.framing import HEADERS_MAX
from sprint.core.protocols.bitcoin_p2p.initial_download import initial_download_words


class Ready(msgspec.Struct, frozen=True):
    """The handshake is done; requests may be made from here on."""

    protocol_version: int
    services: int
    user_agent: str
    start_height: int


class OnlyNewestBlocks(msgspec.Struct, frozen=True):
    """The peer is pruned and serves so many of its newest blocks; told before `Ready`.

    `start_height` is that of its newest one, as it says.
    """

    count: int
    start_height: int


class HeadersReceived(msgspec.Struct, frozen=True):
    """Raw headers, each the parent of the next; an answer or an announcement. May be empty.

    Each has 80 bytes and, where its version says so, its AuxPoW behind them.
    """

    headers: tuple[bytes, ...]


class HeadersPassedOver(msgspec.Struct, frozen=True):
    """The peer has read a request for headers and gives none: it is in its initial block download."""

    start_height: int


class BlocksAnnounced(msgspec.Struct, frozen=True):
    """Blocks that the peer says it has."""

    hashes: tuple[bytes, ...]


class BlockReceived(msgspec.Struct, frozen=True):
    """A whole block that was asked for, header first; nothing in it is checked but its hash.

    `read_at` is when it was read, where that was before the call that told it.
    """

    raw: bytes
    read_at: float | None = None


class BlocksNotFound(msgspec.Struct, frozen=True):
    """Blocks that were asked for and that the peer does not have."""

    hashes: tuple[bytes, ...]


class AddressesReceived(msgspec.Struct, frozen=True):
    """Other nodes that the peer says there are; told only where they are wanted."""

    addresses: tuple[NodeAddress, ...]


SessionEvent = (
    Ready
    | OnlyNewestBlocks
    | HeadersReceived
    | HeadersPassedOver
    | BlocksAnnounced
    | BlockReceived
    | BlocksNotFound
    | AddressesReceived
)


def announcement_of(event: SessionEvent, source: str, read_at: float) -> Announcement | None:
    """Say in the form that every kind of source shares what an event announces; None if nothing."""
    match event:
        case HeadersReceived(headers=headers):
            return HeadersAnnounced(source, headers, read_at, full=len(headers) >= HEADERS_MAX)
        case HeadersPassedOver(start_height=start_height):
            return HeadersWithheld(source, initial_download_words(start_height), read_at)
        case OnlyNewestBlocks(count=count, start_height=start_height):
            return HistoryLimited(source, count, start_height, read_at)
        case BlocksAnnounced(hashes=hashes):
            return HashesAnnounced(source, hashes, read_at)
        case BlockReceived(raw=raw, read_at=before):
            return BlockArrived(source, raw, read_at if before is None else before)
        case BlocksNotFound(hashes=hashes):
            return BodiesNotFound(source, hashes, read_at)
        case Ready() | AddressesReceived():
            return None
