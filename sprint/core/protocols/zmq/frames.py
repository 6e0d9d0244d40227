"""One message of a node's ZMQ publisher: three parts, as Bitcoin Core's doc/zmq.md has them.

Topic, payload, and the topic's own number of four bytes, little-endian, which rises by one with each message
and wraps. Hashes stand in display order, other than on the P2P network. One layout serves Bitcoin Core,
Litecoin Core and Dogecoin Core; `sequence` is younger than Dogecoin Core's publisher, which never sends it.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import msgspec

from sprint.core.chains.bitcoin_family.parameters import HEADER_SIZE
from sprint.core.errors import WireError

HASHBLOCK = "hashblock"
RAWBLOCK = "rawblock"
SEQUENCE = "sequence"
TOPICS = (HASHBLOCK, RAWBLOCK, SEQUENCE)

PARTS = 3
HASH_SIZE = 32
NUMBER_WRAP = 1 << 32
CONNECTED = ord("C")
DISCONNECTED = ord("D")
_MEMPOOL_LABELS = b"AR"  # a transaction was added or removed; eight bytes of its own number follow
_MEMPOOL_SIZE = HASH_SIZE + 1 + 8

_NUMBER = struct.Struct("<I")


class Message(msgspec.Struct, frozen=True, gc=False):
    """A message that parses. `block_hash` in wire order, empty where it names no new block."""

    topic: str
    number: int
    block_hash: bytes = b""
    raw_block: bytes = b""


def decode_message(parts: Sequence[bytes]) -> Message:
    """Decode the parts of one message; WireError where they are none of a node's."""
    if len(parts) != PARTS:
        raise WireError(f"a message of {len(parts)} parts, want {PARTS}")
    topic, payload, number = parts
    if len(number) != _NUMBER.size:
        raise WireError(f"a number of {len(number)} bytes, want {_NUMBER.size}")
    counted = _NUMBER.unpack(number)[0]
    match bytes(topic):
        case b"hashblock":
            _check_size(HASHBLOCK, payload, HASH_SIZE)
            return Message(HASHBLOCK, counted, block_hash=payload[::-1])
        case b"rawblock":
            if len(payload) <= HEADER_SIZE:
                raise WireError(f"{RAWBLOCK} of {len(payload)} bytes, a header alone has {HEADER_SIZE}")
            return Message(RAWBLOCK, counted, raw_block=payload)
        case b"sequence":
            return Message(SEQUENCE, counted, block_hash=_connected_hash(payload))
    raise WireError(f"topic {bytes(topic[:32])!r}, which was not subscribed to", kind="unwanted", penalty=10)


def encode_message(topic: str, payload: bytes, number: int) -> tuple[bytes, bytes, bytes]:
    """Encode one message; `payload` is the raw block, or what `hash_payload` and `sequence_payload` give."""
    return topic.encode(), payload, _NUMBER.pack(number % NUMBER_WRAP)


def hash_payload(block_hash: bytes) -> bytes:
    """Payload of `hashblock` for a hash in wire order."""
    return block_hash[::-1]


def sequence_payload(block_hash: bytes, label: int) -> bytes:
    """Payload of `sequence` for a block, hash in wire order, that was connected or disconnected."""
    return block_hash[::-1] + bytes((label,))


def _connected_hash(payload: bytes) -> bytes:
    """Return the hash of a block that joined the node's best branch, empty for all else that is told."""
    label = payload[HASH_SIZE] if len(payload) > HASH_SIZE else None
    if label is not None and label in _MEMPOOL_LABELS:
        _check_size(SEQUENCE, payload, _MEMPOOL_SIZE)
        return b""
    _check_size(SEQUENCE, payload, HASH_SIZE + 1)
    if label == CONNECTED:
        return payload[HASH_SIZE - 1 :: -1]
    if label == DISCONNECTED:
        return b""
    raise WireError(f"{SEQUENCE} with label {label}, want one of C, D, A, R")


def _check_size(topic: str, payload: bytes, size: int) -> None:
    if len(payload) != size:
        raise WireError(f"{topic} of {len(payload)} bytes, want {size}")
