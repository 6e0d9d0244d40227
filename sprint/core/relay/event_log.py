"""Numbering and encoding: the one place where an event gets its position, `seq`, cursor and bytes.

The log is one ordered list over all chains. An event's *position* is its place in it, `seq` its place
among its chain's events. A cursor names the position after its event; it is opaque to users, and names
the log too, so that one of another log is refused rather than misread. The edge commits what `append`
returns, in order, before anybody is given it.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Callable

import msgspec

from sprint.core.errors import CursorForeign, CursorUnknown
from sprint.core.model import EVENT_OF_DATA, BlockData, EventData, HeaderData, HeaderWithdrawnData

LOG_ID_SIZE = 8
CURSOR_LENGTH_MAX = 128
CHAIN_ID_LENGTH_MAX = 64
_VERSION = 1
_FIXED_SIZE = 1 + LOG_ID_SIZE + 8  # version, log id, position; then the chain id and a CRC-32
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_encode = msgspec.json.Encoder().encode


class Cursor(msgspec.Struct, frozen=True):
    """A place in a log: after the event at `position`. `chain` is empty for a place in the whole log."""

    log_id: str
    position: int
    chain: str = ""

    def encode(self) -> str:
        return cursor_encoder(self.log_id)(self.position, self.chain)


def cursor_encoder(log_id: str) -> Callable[[int, str], str]:
    """Return what gives the cursor after a position and chain of one log.

    A replay wants one for each event; what they have in common is worked out once.
    """
    prefix = bytes((_VERSION,)) + bytes.fromhex(log_id)

    def encode(position: int, chain: str) -> str:
        payload = prefix + position.to_bytes(8, "big") + chain.encode()
        checked = payload + zlib.crc32(payload).to_bytes(4, "big")
        return binascii.b2a_base64(checked, newline=False).rstrip(b"=").translate(_URL_SAFE).decode()

    return encode


def parse_cursor(text: str, log_id: str) -> Cursor:
    """Decode a cursor of the log `log_id`. CursorUnknown if malformed, CursorForeign if of another log."""
    if len(text) > CURSOR_LENGTH_MAX:
        raise CursorUnknown(f"cursor of {len(text)} characters, limit {CURSOR_LENGTH_MAX}")
    try:
        checked = base64.b64decode(
            text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True
        )
        payload, check = checked[:-4], int.from_bytes(checked[-4:], "big")
        if len(payload) < _FIXED_SIZE or payload[0] != _VERSION or zlib.crc32(payload) != check:
            raise CursorUnknown(f"not a cursor: {text[:24]!r}; take one from an event's `cursor`")
        found_log = payload[1 : 1 + LOG_ID_SIZE].hex()
        chain = payload[_FIXED_SIZE:].decode("ascii")
    except (UnicodeError, binascii.Error, ValueError) as error:
        raise CursorUnknown(f"not a cursor: {text[:24]!r}; take one from an event's `cursor`") from error
    cursor = Cursor(found_log, int.from_bytes(payload[1 + LOG_ID_SIZE : _FIXED_SIZE], "big"), chain)
    # Base64 writes the same bytes in several ways (spare bits at the end, "/" for "_"); here in one.
    if cursor.encode() != text:
        raise CursorUnknown(f"not a cursor: {text[:24]!r}; take one from an event's `cursor`")
    if found_log != log_id:
        raise CursorForeign(f'cursor of log {found_log}, this log is {log_id}; start from "earliest"')
    return cursor


class LoggedEvent(msgspec.Struct, frozen=True):
    """An event as it is committed and handed over. `hash` (display hex) is set where it tells of a block."""

    position: int
    chain: str
    seq: int
    type: str
    cursor: str
    body: bytes
    hash: str | None = None
    height: int | None = None


class BlockRow(msgspec.Struct, frozen=True):
    """A block as the store keeps it, so that a restart finds the same chain tree.

    `state`: `anchored` (at or below the place where the log began; header only), `held` (valid, not
    delivered), `delivered`, `missing` (passed over by a gap), `told` (its header went out, its body is not
    here), `known` (header only), `refused`. `record` is the pipeline's own encoding of
    what a later delivery of a held block needs.
    """

    chain: str
    hash: bytes
    parent: bytes
    height: int
    work: int
    header: bytes
    state: str
    canonical: bool
    record: bytes = b""


class Commit(msgspec.Struct, frozen=True):
    """What one step of a chain changes, committed whole or not at all.

    `canonical` lists blocks that left (False) or joined (True) the best branch. `head` is the hash of the
    new head, or None where it stays. `stalled` is the reason that a `chain_status` gave, "" where it
    recovered, None where nothing was said.
    """

    chain: str
    events: tuple[LoggedEvent, ...] = ()
    blocks: tuple[BlockRow, ...] = ()
    canonical: tuple[tuple[bytes, bool], ...] = ()
    head: bytes | None = None
    stalled: str | None = None


class EventLog:
    """Gives out positions and sequence numbers. One owner; nothing here is shared between threads."""

    def __init__(self, log_id: str, position: int, seq_by_chain: dict[str, int]) -> None:
        self.log_id = log_id
        self.position = position
        self._seq_by_chain = dict(seq_by_chain)
        self._cursor = cursor_encoder(log_id)

    def __repr__(self) -> str:
        return f"EventLog({self.log_id}, position={self.position})"

    def append(self, chain: str, data: EventData) -> LoggedEvent:
        """Number and encode one event: the only encoding it ever has."""
        self.position += 1
        seq = self._seq_by_chain.get(chain, 0) + 1
        self._seq_by_chain[chain] = seq
        cursor = self._cursor(self.position, chain)
        kind = EVENT_OF_DATA[type(data)]
        block = data if isinstance(data, BlockData | HeaderData | HeaderWithdrawnData) else None
        return LoggedEvent(
            position=self.position,
            chain=chain,
            seq=seq,
            type=str(kind.__struct_config__.tag),
            cursor=cursor,
            body=_encode(kind(chain=chain, seq=seq, cursor=cursor, data=data)),
            hash=block.hash if block else None,
            height=block.height if block else None,
        )
