"""Reads what a call gave: hashes, numbers, raw bytes. A result of another form is a WireError."""

from __future__ import annotations

import binascii
from typing import TypeVar

import msgspec

from sprint.core.chains.bitcoin_family.parameters import HEADER_SIZE
from sprint.core.errors import UpstreamError
from sprint.core.kernels import sha256d
from sprint.core.protocols.json_rpc.calls import Answer, Failure, malformed_answer, short
from sprint.core.protocols.json_rpc.refusals import failure_words

HEIGHT_MAX = 2**31 - 1
HASH_SIZE = 32
PUBLISHERS_MAX = 64  # that are looked at; a node has nine topics, each at an address or a few
MISMATCH_PENALTY = 100  # no honest node gives the bytes of another block than that it was asked for
Result = TypeVar("Result")


class Tip(msgspec.Struct, frozen=True):
    """The last block of a node's best branch, as it says. `hash` is in wire order."""

    hash: bytes
    height: int


class _TipFields(msgspec.Struct):
    hash: str
    height: int


class _HeaderFields(msgspec.Struct):
    height: int


class ChainInfo(msgspec.Struct):
    """What `getblockchaininfo` says and is looked at; none of it is believed of a block."""

    blocks: int
    bestblockhash: str
    chain: str = ""
    headers: int = 0
    initialblockdownload: bool = False


class SyncState(msgspec.Struct, frozen=True):
    """How far a node has got, as it says. `initial` is its `initialblockdownload`."""

    initial: bool
    height: int
    header_height: int


class Publishing(msgspec.Struct, frozen=True):
    """What a node says that it publishes over ZMQ: pairs of topic and address. `built_in`: whether it can."""

    built_in: bool
    addresses: tuple[tuple[str, str], ...] = ()


class _PublisherFields(msgspec.Struct):
    type: str = ""
    address: str = ""


class NetworkInfo(msgspec.Struct):
    """What `getnetworkinfo` says and is looked at."""

    subversion: str = ""


def given(answer: Answer, method: str) -> memoryview:
    """Return a call's result; UpstreamError, in words, where the node refuses it."""
    if isinstance(answer, Failure):
        raise UpstreamError(failure_words(answer, method))
    return answer


def read(result: memoryview, kind: type[Result], method: str) -> Result:
    """Read a result of a known form."""
    try:
        return msgspec.json.decode(result, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise malformed_answer(f"{method}: {short(str(error))}") from error


def sync_state(chain: ChainInfo) -> SyncState:
    return SyncState(chain.initialblockdownload, max(0, chain.blocks), max(0, chain.headers))


def read_height(result: memoryview, method: str) -> int:
    return _height(read(result, int, method), method)


def read_header_height(result: memoryview) -> int:
    """Read the height that a decoded header says it is at."""
    return _height(read(result, _HeaderFields, "getblockheader").height, "getblockheader")


def read_hash(result: memoryview, method: str) -> bytes:
    return wire_hash(read(result, str, method), method)


def read_tip(result: memoryview, method: str) -> Tip:
    fields = read(result, _TipFields, method)
    return Tip(wire_hash(fields.hash, method), _height(fields.height, method))


def read_publishing(result: memoryview) -> Publishing:
    """Read what `getzmqnotifications` gives, cut to what may be repeated."""
    listed = read(result, list[_PublisherFields], "getzmqnotifications")[:PUBLISHERS_MAX]
    return Publishing(built_in=True, addresses=tuple((short(p.type), short(p.address)) for p in listed))


def read_block(result: memoryview, block_hash: bytes, method: str) -> bytes:
    """Read raw bytes that start with the header of `block_hash`. WireError if they are of another block."""
    raw = _read_hex(result, method)
    if len(raw) < HEADER_SIZE:
        raise malformed_answer(f"{method}: {len(raw)} bytes, a header has {HEADER_SIZE}", kind="truncated")
    if sha256d(raw[:HEADER_SIZE]) != block_hash:
        raise malformed_answer(
            f"{method}: the bytes of another block than that asked for",
            kind="mismatched",
            penalty=MISMATCH_PENALTY,
        )
    return raw


def wire_hash(displayed: str, method: str) -> bytes:
    """Turn a hash as nodes display it into wire order."""
    try:
        value = bytes.fromhex(displayed)
    except ValueError as error:
        raise malformed_answer(f"{method}: {short(displayed)!r} is no hash") from error
    if len(value) != HASH_SIZE:
        raise malformed_answer(f"{method}: a hash of {len(value)} bytes, it has {HASH_SIZE}")
    return value[::-1]


def _read_hex(result: memoryview, method: str) -> bytes:
    """Read a string of hex without making a string of it: a block has megabytes."""
    if len(result) < 2 or result[0] != 0x22 or result[-1] != 0x22:
        raise malformed_answer(f"{method}: want a string of hex, got {short(repr(bytes(result[:20])))}")
    try:
        return binascii.unhexlify(result[1:-1])
    except binascii.Error as error:
        raise malformed_answer(f"{method}: no hex: {error}") from error


def _height(value: int, method: str) -> int:
    if not 0 <= value <= HEIGHT_MAX:
        raise malformed_answer(f"{method}: height {value}, want 0 to {HEIGHT_MAX}")
    return value
