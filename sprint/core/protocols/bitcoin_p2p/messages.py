"""The payloads of the P2P messages that Sprint speaks: one frozen record and one parser for each.

A record's `encode` gives the payload; `decode_message` undoes it by command. Commands that have no record
here are either empty (`verack`, `sendheaders`), raw (`block`), or not spoken.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import ClassVar

import msgspec

from sprint.core.chains.bitcoin_family.auxpow import header_size
from sprint.core.chains.bitcoin_family.parameters import HEADER_SIZE, NetworkParameters
from sprint.core.errors import WireError
from sprint.core.protocols.bitcoin_p2p.framing import HEADERS_MAX, INVENTORY_MAX, LOCATOR_MAX
from sprint.core.wire import Reader, compact_size, i32, i64, u32, u64, var_bytes

NODE_NETWORK = 1
NODE_BLOOM = 1 << 2  # answers `mempool` (BIP 35, BIP 111)
NODE_WITNESS = 1 << 3
NODE_NETWORK_LIMITED = 1 << 10
NODE_MWEB = 1 << 24  # Litecoin's extension blocks

MSG_TX = 1
MSG_BLOCK = 2
MSG_WTX = 5
MSG_WITNESS_FLAG = 1 << 30
MSG_MWEB_FLAG = 1 << 29
MSG_WITNESS_BLOCK = MSG_BLOCK | MSG_WITNESS_FLAG
MSG_MWEB_BLOCK = MSG_WITNESS_BLOCK | MSG_MWEB_FLAG
MSG_FLAGS = MSG_WITNESS_FLAG | MSG_MWEB_FLAG

USER_AGENT_SIZE_MAX = 256
_NO_ADDRESS = bytes(26)  # services 8, IPv6 address 16, port 2: nobody uses what stands here
_ITEM = struct.Struct("<I32s")


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """The first message of either side. `timestamp` is in Unix seconds."""

    command: ClassVar[str] = "version"
    protocol_version: int
    services: int
    timestamp: int
    nonce: int
    user_agent: str
    start_height: int
    relay: bool

    def encode(self) -> bytes:
        return b"".join(
            (
                i32(self.protocol_version),
                u64(self.services),
                i64(self.timestamp),
                _NO_ADDRESS,
                _NO_ADDRESS,
                u64(self.nonce),
                var_bytes(self.user_agent.encode("ascii")),
                i32(self.start_height),
                bytes((self.relay,)),
            )
        )

    @classmethod
    def decode(cls, payload: bytes) -> Version:
        """Read a version message. What newer versions may add at the end is passed over."""
        reader = Reader(payload)
        protocol_version, services, timestamp = reader.i32(), reader.u64(), reader.i64()
        reader.take(2 * len(_NO_ADDRESS))
        return cls(
            protocol_version=protocol_version,
            services=services,
            timestamp=timestamp,
            nonce=reader.u64(),
            user_agent=_printable(reader.var_bytes(USER_AGENT_SIZE_MAX, "user agent")),
            start_height=reader.i32(),
            relay=reader.u8() != 0 if reader.remaining else True,
        )


class Ping(msgspec.Struct, frozen=True):
    command: ClassVar[str] = "ping"
    nonce: int

    def encode(self) -> bytes:
        return u64(self.nonce)

    @classmethod
    def decode(cls, payload: bytes) -> Ping:
        return cls(_decode_nonce(payload))


class Pong(msgspec.Struct, frozen=True):
    command: ClassVar[str] = "pong"
    nonce: int

    def encode(self) -> bytes:
        return u64(self.nonce)

    @classmethod
    def decode(cls, payload: bytes) -> Pong:
        return cls(_decode_nonce(payload))


class FeeFilter(msgspec.Struct, frozen=True):
    """The least fee of transactions that the sender wants to hear of, per 1,000 bytes (BIP 133)."""

    command: ClassVar[str] = "feefilter"
    fee_rate_min: int

    def encode(self) -> bytes:
        return u64(self.fee_rate_min)

    @classmethod
    def decode(cls, payload: bytes) -> FeeFilter:
        return cls(_decode_nonce(payload))


class GetHeaders(msgspec.Struct, frozen=True):
    """Asks for what follows the first hash of `locator` that the other side knows, up to `stop`."""

    command: ClassVar[str] = "getheaders"
    protocol_version: int
    locator: tuple[bytes, ...]
    stop: bytes

    def encode(self) -> bytes:
        count = compact_size(len(self.locator))
        return u32(self.protocol_version) + count + b"".join(self.locator) + self.stop

    @classmethod
    def decode(cls, payload: bytes) -> GetHeaders:
        reader = Reader(payload)
        protocol_version = reader.u32()
        count = reader.compact_size(LOCATOR_MAX, "locator hashes")
        message = cls(protocol_version, tuple(reader.hash() for _ in range(count)), reader.hash())
        reader.finish()
        return message


class Headers(msgspec.Struct, frozen=True):
    """Raw headers, oldest first: 80 bytes each, and behind them an AuxPoW where the version says so."""

    command: ClassVar[str] = "headers"
    headers: tuple[bytes, ...]

    def encode(self) -> bytes:
        return compact_size(len(self.headers)) + b"".join(header + b"\0" for header in self.headers)

    @classmethod
    def decode(cls, payload: bytes, parameters: NetworkParameters | None = None) -> Headers:
        """Read headers of a network; without one, of a network that has no merged mining."""
        reader = Reader(payload)
        count = reader.compact_size(HEADERS_MAX, "headers")
        headers = tuple(_decode_header(reader, parameters) for _ in range(count))
        reader.finish()
        return cls(headers)


class InventoryItem(msgspec.Struct, frozen=True):
    """A block or transaction by its hash. `kind` may carry flags; `bare_kind` has them taken off."""

    kind: int
    hash: bytes

    @property
    def bare_kind(self) -> int:
        return self.kind & ~MSG_FLAGS


class Inventory(msgspec.Struct, frozen=True):
    """Announces what the sender has."""

    command: ClassVar[str] = "inv"
    items: tuple[InventoryItem, ...]

    def encode(self) -> bytes:
        return _encode_items(self.items)

    @classmethod
    def decode(cls, payload: bytes) -> Inventory:
        return cls(_decode_items(payload))


class GetData(msgspec.Struct, frozen=True):
    """Asks for what was announced."""

    command: ClassVar[str] = "getdata"
    items: tuple[InventoryItem, ...]

    def encode(self) -> bytes:
        return _encode_items(self.items)

    @classmethod
    def decode(cls, payload: bytes) -> GetData:
        return cls(_decode_items(payload))


class NotFound(msgspec.Struct, frozen=True):
    """Tells what was asked for and is not there."""

    command: ClassVar[str] = "notfound"
    items: tuple[InventoryItem, ...]

    def encode(self) -> bytes:
        return _encode_items(self.items)

    @classmethod
    def decode(cls, payload: bytes) -> NotFound:
        return cls(_decode_items(payload))


Message = Version | Ping | Pong | GetHeaders | Headers | Inventory | GetData | NotFound

_DECODERS: dict[str, Callable[[bytes], Message]] = {
    Version.command: Version.decode,
    Ping.command: Ping.decode,
    Pong.command: Pong.decode,
    GetHeaders.command: GetHeaders.decode,
    Inventory.command: Inventory.decode,
    GetData.command: GetData.decode,
    NotFound.command: NotFound.decode,
}


def decode_message(
    command: str, payload: bytes, parameters: NetworkParameters | None = None
) -> Message | None:
    """Read a payload. None for a command that has no record; WireError if the bytes do not parse.

    `parameters` are the network's, which say how its headers look; None: each has 80 bytes.
    """
    if command == Headers.command:
        return Headers.decode(payload, parameters)
    decode = _DECODERS.get(command)
    return decode(payload) if decode else None


def _decode_nonce(payload: bytes) -> int:
    reader = Reader(payload)
    nonce = reader.u64()
    reader.finish()
    return nonce


def _decode_header(reader: Reader, parameters: NetworkParameters | None) -> bytes:
    size = HEADER_SIZE if parameters is None else header_size(reader.data, reader.position, parameters)
    header = reader.take(size)
    if reader.u8():
        raise WireError("a header in a headers message claims transactions", kind="malformed")
    return header


def _encode_items(items: tuple[InventoryItem, ...]) -> bytes:
    return compact_size(len(items)) + b"".join(_ITEM.pack(item.kind, item.hash) for item in items)


def _decode_items(payload: bytes) -> tuple[InventoryItem, ...]:
    reader = Reader(payload)
    count = reader.compact_size(INVENTORY_MAX, "inventory items")
    packed = reader.take(count * _ITEM.size)
    reader.finish()
    return tuple(InventoryItem(kind, digest) for kind, digest in _ITEM.iter_unpack(packed))


def _printable(raw: bytes) -> str:
    """Text that is safe in a log: what is not printable ASCII becomes a question mark."""
    return "".join(chr(byte) if 0x20 <= byte <= 0x7E else "?" for byte in raw)
