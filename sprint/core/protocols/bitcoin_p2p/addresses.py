"""Addresses of other nodes: the messages `addr` and `addrv2` (BIP 155). Only IPv4 and IPv6 are taken."""

from __future__ import annotations

import ipaddress
from typing import ClassVar

import msgspec

from sprint.core.errors import WireError
from sprint.core.wire import Reader, compact_size, u32, u64

ADDRESSES_MAX = 1_000  # in one message (BIP 155, as in Bitcoin Core)
ADDRESS_SIZE_MAX = 512  # bytes of an address of any network (BIP 155)
_SERVICES_MAX = (1 << 64) - 1
_IPV4, _IPV6 = 1, 2
_SIZE_BY_NETWORK = {_IPV4: 4, _IPV6: 16, 3: 10, 4: 32, 5: 32, 6: 16}
_IPV4_IN_IPV6 = bytes(10) + b"\xff\xff"


class NodeAddress(msgspec.Struct, frozen=True):
    """Where a node is said to be. `last_seen` is in Unix seconds, `host` an IPv4 or IPv6 address."""

    host: str
    port: int
    services: int = 0
    last_seen: int = 0


class Addresses(msgspec.Struct, frozen=True):
    """The older form: every address has 16 bytes, IPv4 as a part of IPv6."""

    command: ClassVar[str] = "addr"
    addresses: tuple[NodeAddress, ...]

    def encode(self) -> bytes:
        return compact_size(len(self.addresses)) + b"".join(map(_encode, self.addresses))

    @classmethod
    def decode(cls, payload: bytes) -> Addresses:
        reader = Reader(payload)
        count = reader.compact_size(ADDRESSES_MAX, "addresses")
        found = tuple(_decode(reader) for _ in range(count))
        reader.finish()
        return cls(found)


class AddressesV2(msgspec.Struct, frozen=True):
    """The newer form, which has room for other networks; those are passed over."""

    command: ClassVar[str] = "addrv2"
    addresses: tuple[NodeAddress, ...]

    def encode(self) -> bytes:
        return compact_size(len(self.addresses)) + b"".join(map(_encode_v2, self.addresses))

    @classmethod
    def decode(cls, payload: bytes) -> AddressesV2:
        """WireError where one is too long, or has another length than its network's addresses have."""
        reader = Reader(payload)
        count = reader.compact_size(ADDRESSES_MAX, "addresses")
        read = [_decode_v2(reader) for _ in range(count)]
        reader.finish()
        return cls(tuple(each for each in read if each is not None))


def _encode(address: NodeAddress) -> bytes:
    packed = ipaddress.ip_address(address.host).packed
    if len(packed) == _SIZE_BY_NETWORK[_IPV4]:
        packed = _IPV4_IN_IPV6 + packed
    return u32(address.last_seen) + u64(address.services) + packed + address.port.to_bytes(2, "big")


def _decode(reader: Reader) -> NodeAddress:
    last_seen, services = reader.u32(), reader.u64()
    packed, port = reader.take(16), int.from_bytes(reader.take(2), "big")
    return NodeAddress(_host_of(packed), port, services, last_seen)


def _host_of(packed: bytes) -> str:
    packed = packed.removeprefix(_IPV4_IN_IPV6)
    return str(ipaddress.ip_address(packed))


def _encode_v2(address: NodeAddress) -> bytes:
    packed = ipaddress.ip_address(address.host).packed
    network = _IPV4 if len(packed) == _SIZE_BY_NETWORK[_IPV4] else _IPV6
    parts = (
        u32(address.last_seen),
        compact_size(address.services),
        bytes((network,)),
        compact_size(len(packed)),
        packed,
        address.port.to_bytes(2, "big"),
    )
    return b"".join(parts)


def _decode_v2(reader: Reader) -> NodeAddress | None:
    """Read one entry; None where it is of another network than IP, or IPv4 dressed up as IPv6."""
    last_seen, services = reader.u32(), reader.compact_size(_SERVICES_MAX, "services")
    network = reader.u8()
    packed = reader.var_bytes(ADDRESS_SIZE_MAX, "address length")
    port = int.from_bytes(reader.take(2), "big")
    size = _SIZE_BY_NETWORK.get(network)
    if size is not None and len(packed) != size:
        raise WireError(f"address of {len(packed)} bytes on network {network}, want {size}", kind="malformed")
    if network not in (_IPV4, _IPV6) or packed.startswith(_IPV4_IN_IPV6):
        return None
    return NodeAddress(_host_of(packed), port, services, last_seen)
