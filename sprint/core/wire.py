"""Bounded reading and writing of the little-endian wire formats of the Bitcoin family.

A `Reader` walks over bytes that came from a stranger: each read checks what is left, each count is held
against a limit before anything is allocated, and what does not fit is a `WireError` that names the
actual value and the limit. Other code never indexes into a stranger's bytes by itself, save the block
scanner, which has its own bounds for speed.
"""

from __future__ import annotations

import struct

from sprint.core.errors import WireError

_U16 = struct.Struct("<H")
_U32 = struct.Struct("<I")
_I32 = struct.Struct("<i")
_U64 = struct.Struct("<Q")
_I64 = struct.Struct("<q")


class Reader:
    """Reads values from `data`, starting at `position`; never past the end."""

    __slots__ = ("data", "position")

    def __init__(self, data: bytes, position: int = 0) -> None:
        self.data = data
        self.position = position

    def __repr__(self) -> str:
        return f"Reader({self.position} of {len(self.data)} bytes)"

    @property
    def remaining(self) -> int:
        return len(self.data) - self.position

    def take(self, size: int) -> bytes:
        """Return the next `size` bytes."""
        start = self.position
        end = start + size
        if end > len(self.data):
            raise WireError(f"{size} bytes wanted at {start}, {self.remaining} left", kind="truncated")
        self.position = end
        return self.data[start:end]

    def u8(self) -> int:
        return self.take(1)[0]

    def u16(self) -> int:
        return int(_U16.unpack(self.take(2))[0])

    def u32(self) -> int:
        return int(_U32.unpack(self.take(4))[0])

    def i32(self) -> int:
        return int(_I32.unpack(self.take(4))[0])

    def u64(self) -> int:
        return int(_U64.unpack(self.take(8))[0])

    def i64(self) -> int:
        return int(_I64.unpack(self.take(8))[0])

    def hash(self) -> bytes:
        return self.take(32)

    def compact_size(self, limit: int, what: str = "count") -> int:
        """Bitcoin's variable-length integer, in its shortest form only, at most `limit`."""
        first = self.u8()
        if first < 0xFD:
            value = first
        elif first == 0xFD:
            value = self._shortest(self.u16(), 0xFD)
        elif first == 0xFE:
            value = self._shortest(self.u32(), 0x1_0000)
        else:
            value = self._shortest(self.u64(), 0x1_0000_0000)
        if value > limit:
            raise WireError(f"{what} {value}, limit {limit}", kind="oversized")
        return value

    def var_bytes(self, limit: int, what: str = "length") -> bytes:
        return self.take(self.compact_size(limit, what))

    def finish(self) -> None:
        """Check that nothing is left."""
        if self.remaining:
            raise WireError(f"{self.remaining} bytes after the end of the message", kind="trailing")

    @staticmethod
    def _shortest(value: int, least: int) -> int:
        if value < least:
            raise WireError(f"compact size {value} not in its shortest form", kind="malformed")
        return value


def compact_size(value: int) -> bytes:
    """Encode Bitcoin's variable-length integer."""
    if value < 0xFD:
        return bytes((value,))
    if value <= 0xFFFF:
        return b"\xfd" + _U16.pack(value)
    if value <= 0xFFFF_FFFF:
        return b"\xfe" + _U32.pack(value)
    return b"\xff" + _U64.pack(value)


def u32(value: int) -> bytes:
    return _U32.pack(value)


def i32(value: int) -> bytes:
    return _I32.pack(value)


def u64(value: int) -> bytes:
    return _U64.pack(value)


def i64(value: int) -> bytes:
    return _I64.pack(value)


def var_bytes(data: bytes) -> bytes:
    return compact_size(len(data)) + data
