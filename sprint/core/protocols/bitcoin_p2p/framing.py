"""Frames of the P2P protocol: cutting a stream of bytes into them, and making them.

A frame is a header of 24 bytes (network magic 4, command 12, payload length 4, checksum 4) and a payload.
Whatever a header claims is held against a limit before a byte of its payload is waited for.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping

import msgspec

from sprint.core.chains.bitcoin_family.mweb_format import EXTENSION_SIZE_MAX
from sprint.core.chains.bitcoin_family.parameters import NetworkParameters
from sprint.core.errors import WireError
from sprint.core.kernels import sha256d

FRAME_HEADER_SIZE = 24
COMMAND_SIZE = 12
CHECKSUM_SIZE = 4
HEADERS_MAX = 2_000  # in one `headers` message
INVENTORY_MAX = 50_000  # items in one inv, getdata or notfound
LOCATOR_MAX = 101  # hashes in one getheaders

PAYLOAD_SIZE_MAX = 4_000_000  # of any frame, as Bitcoin Core has it, but for extension blocks
PAYLOAD_SIZE_DEFAULT_MAX = 1_000_000  # of a command that has no row below
_SMALL = 1_024
_COUNT_SIZE = 9
_LOCATOR_SIZE = 4 + _COUNT_SIZE + 32 * (LOCATOR_MAX + 1)
_INVENTORY_SIZE = _COUNT_SIZE + 36 * INVENTORY_MAX
PAYLOAD_SIZE_MAX_BY_COMMAND = {
    "version": _SMALL,
    "verack": _SMALL,
    "ping": _SMALL,
    "pong": _SMALL,
    "sendheaders": _SMALL,
    "sendcmpct": _SMALL,
    "sendaddrv2": _SMALL,
    "wtxidrelay": _SMALL,
    "feefilter": _SMALL,
    "getaddr": _SMALL,
    "mempool": _SMALL,
    "addr": _COUNT_SIZE + 30 * 1_000,
    "addrv2": _COUNT_SIZE + (4 + 9 + 1 + 3 + 512 + 2) * 1_000,
    "tx": 400_000,  # what is larger is not relayed
    "getheaders": _LOCATOR_SIZE,
    "getblocks": _LOCATOR_SIZE,
    "headers": _COUNT_SIZE + 81 * HEADERS_MAX,
    "inv": _INVENTORY_SIZE,
    "getdata": _INVENTORY_SIZE,
    "notfound": _INVENTORY_SIZE,
    "block": PAYLOAD_SIZE_MAX,
    "blocktxn": PAYLOAD_SIZE_MAX,
    "cmpctblock": PAYLOAD_SIZE_MAX,
    "getblocktxn": 32 + _COUNT_SIZE + 3 * 0xFFFF,
}
# Merge-mined headers have no fixed size. Dogecoin Core sends as many of them and cuts by nothing else.
PAYLOAD_SIZE_MAX_WITH_AUXPOW = {**PAYLOAD_SIZE_MAX_BY_COMMAND, "headers": PAYLOAD_SIZE_MAX}
# An extension block stands behind a block that may be full. Litecoin Core takes frames of 32 MB for it.
PAYLOAD_SIZE_MAX_WITH_EXTENSION = {
    **PAYLOAD_SIZE_MAX_BY_COMMAND,
    "block": PAYLOAD_SIZE_MAX + EXTENSION_SIZE_MAX,
    "cmpctblock": PAYLOAD_SIZE_MAX + EXTENSION_SIZE_MAX,
}

# Bitcoin Core passes over a frame whose checksum is wrong. A few are forgiven here; the stream stays in
# step, as the length was right.
CHECKSUM_PENALTY = 25

_LAYOUT = struct.Struct("<4s12sI4s")


def payload_sizes_max(parameters: NetworkParameters) -> Mapping[str, int]:
    """Return how many bytes the payload of each command may have on a network."""
    if parameters.auxpow is not None:
        return PAYLOAD_SIZE_MAX_WITH_AUXPOW
    return PAYLOAD_SIZE_MAX_BY_COMMAND if parameters.mweb_height is None else PAYLOAD_SIZE_MAX_WITH_EXTENSION


class Frame(msgspec.Struct, frozen=True):
    """One message as it stood on the wire; its checksum was right."""

    command: str
    payload: bytes


class FrameReader:
    """Cuts a stream into frames, whatever chunks it arrives in.

    Every error is a WireError. One with a penalty below 100 has passed over its frame, and reading can go
    on; after any other the stream is out of step for good.
    """

    def __init__(
        self, magic: bytes, payload_size_max: Mapping[str, int] = PAYLOAD_SIZE_MAX_BY_COMMAND
    ) -> None:
        self._magic = magic
        self._payload_size_max = payload_size_max
        self._buffer = bytearray()
        self._header: tuple[str, int, bytes] | None = None

    def __repr__(self) -> str:
        return f"FrameReader({self._magic.hex()}, {len(self._buffer)} bytes waiting)"

    @property
    def mid_frame(self) -> bool:
        """Whether a part of a frame waits for its rest."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Take in bytes, and return an iterator over the frames that are whole.

        Frames are cut as they are asked for, so those before a bad one are delivered, and after an error
        that can be forgiven the iterator goes on.
        """
        self._buffer += data
        return iter(self.next_frame, None)

    def next_frame(self) -> Frame | None:
        """Cut the next whole frame; None until more bytes are fed."""
        if self._header is None:
            if len(self._buffer) < FRAME_HEADER_SIZE:
                return None
            self._header = parse_frame_header(
                bytes(self._buffer[:FRAME_HEADER_SIZE]), self._magic, self._payload_size_max
            )
        command, size, checksum = self._header
        end = FRAME_HEADER_SIZE + size
        if len(self._buffer) < end:
            return None
        with memoryview(self._buffer) as view:
            payload = bytes(view[FRAME_HEADER_SIZE:end])
        del self._buffer[:end]
        self._header = None
        if sha256d(payload)[:CHECKSUM_SIZE] != checksum:
            raise WireError(
                f"{command}: checksum of {size} bytes is not {checksum.hex()}",
                kind="checksum",
                penalty=CHECKSUM_PENALTY,
            )
        return Frame(command, payload)


def parse_frame_header(
    raw: bytes, magic: bytes, payload_size_max: Mapping[str, int] = PAYLOAD_SIZE_MAX_BY_COMMAND
) -> tuple[str, int, bytes]:
    """Return (command, payload size, checksum) of a header, with all that it claims checked."""
    found_magic, padded, size, checksum = _LAYOUT.unpack(raw)
    if found_magic != magic:
        raise WireError(f"magic {found_magic.hex()}, this network has {magic.hex()}", kind="magic")
    command = _parse_command(padded)
    limit = payload_size_max.get(command, PAYLOAD_SIZE_DEFAULT_MAX)
    if size > limit:
        raise WireError(f"{command} of {size} bytes, limit {limit}", kind="oversized")
    return command, size, checksum


def _parse_command(padded: bytes) -> str:
    name = padded.rstrip(b"\0")
    if not name or any(not 0x20 <= byte <= 0x7E for byte in name):
        raise WireError(f"command {padded.hex()} is not printable ASCII padded with zeros", kind="command")
    return name.decode("ascii")


def encode_frame(magic: bytes, command: str, payload: bytes = b"") -> bytes:
    """Make a frame."""
    padded = command.encode("ascii").ljust(COMMAND_SIZE, b"\0")
    return _LAYOUT.pack(magic, padded, len(payload), sha256d(payload)[:CHECKSUM_SIZE]) + payload
