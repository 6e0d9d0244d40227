"""The 80-byte block header: version, parent, merkle root, time, compact target, nonce."""

from __future__ import annotations

import struct

import msgspec

from sprint.core.chains.bitcoin_family.parameters import HEADER_SIZE
from sprint.core.errors import WireError

_LAYOUT = struct.Struct("<i32s32sIII")


class BlockHeader(msgspec.Struct, frozen=True):
    """The fields of a header. Hashes are in wire order, `timestamp` in Unix seconds."""

    version: int
    parent: bytes
    merkle_root: bytes
    timestamp: int
    bits: int
    nonce: int

    def encode(self) -> bytes:
        return _LAYOUT.pack(
            self.version, self.parent, self.merkle_root, self.timestamp, self.bits, self.nonce
        )


def parse_header(raw: bytes) -> BlockHeader:
    """Parse exactly 80 bytes."""
    if len(raw) != HEADER_SIZE:
        raise WireError(f"header of {len(raw)} bytes, it has {HEADER_SIZE}", kind="truncated")
    return BlockHeader(*_LAYOUT.unpack(raw))
