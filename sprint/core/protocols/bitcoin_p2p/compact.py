"""The messages of compact blocks (BIP 152): a block as its header and six bytes for each transaction.

Version 1 shortens txids, version 2 wtxids; version 3, which Litecoin Core alone has, is version 2 with the
extension block behind it. What does not parse is a WireError; whether the transactions
that were found make up the block is `rebuild`'s to say.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import ClassVar

import msgspec

from sprint.core.chains.bitcoin_family.auxpow import header_size
from sprint.core.chains.bitcoin_family.parameters import NetworkParameters
from sprint.core.chains.bitcoin_family.scan import scan_transaction
from sprint.core.errors import WireError
from sprint.core.kernels.siphash import SHORT_ID_SIZE, short_ids
from sprint.core.wire import Reader, compact_size, u64

COMPACT_VERSION_TXID = 1
COMPACT_VERSION_WTXID = 2
COMPACT_VERSION_EXTENSION = 3
MSG_CMPCT_BLOCK = 4
TRANSACTIONS_MAX = 0xFFFF  # an index has 16 bits, as in Bitcoin Core
_ONE_BYTE_MAX = 0xFD  # a compact size below it is one byte
EXTENSION_ABSENT = b"\x00"  # Litecoin Core's mark behind the prefilled ones where there is no extension block


class SendCompact(msgspec.Struct, frozen=True):
    """Offers compact blocks of a version; `announce` asks for new blocks in this form unasked."""

    command: ClassVar[str] = "sendcmpct"
    announce: bool
    version: int

    def encode(self) -> bytes:
        return bytes((self.announce,)) + u64(self.version)

    @classmethod
    def decode(cls, payload: bytes) -> SendCompact:
        reader = Reader(payload)
        message = cls(reader.u8() == 1, reader.u64())
        reader.finish()
        return message


class CompactBlock(msgspec.Struct, frozen=True):
    """A block's header, short ids, and the transactions that the sender gave whole, by index in the block.

    `header` has its AuxPoW with it. `extension` is what Litecoin Core sends behind them, raw.
    """

    command: ClassVar[str] = "cmpctblock"
    header: bytes
    nonce: int
    short_ids: tuple[int, ...]
    prefilled: tuple[tuple[int, bytes], ...]
    extension: bytes = b""

    def encode(self) -> bytes:
        parts = [self.header, u64(self.nonce), compact_size(len(self.short_ids))]
        parts += [each.to_bytes(SHORT_ID_SIZE, "little") for each in self.short_ids]
        parts.append(compact_size(len(self.prefilled)))
        gaps = _gaps([index for index, _ in self.prefilled])
        for gap, (_, raw) in zip(gaps, self.prefilled, strict=True):
            parts += [compact_size(gap), raw]
        parts.append(self.extension)
        return b"".join(parts)

    @classmethod
    def decode(cls, payload: bytes, parameters: NetworkParameters) -> CompactBlock:
        reader = Reader(payload)
        header = reader.take(header_size(payload, 0, parameters))
        nonce = reader.u64()
        count = reader.compact_size(TRANSACTIONS_MAX, "short ids")
        packed = reader.take(count * SHORT_ID_SIZE)
        ids = tuple(
            int.from_bytes(packed[at : at + SHORT_ID_SIZE], "little")
            for at in range(0, len(packed), SHORT_ID_SIZE)
        )
        given = reader.compact_size(TRANSACTIONS_MAX - count, "prefilled transactions")
        prefilled = _decode_prefilled(reader, given, count + given, parameters)
        extension = b"" if parameters.mweb_height is None else reader.take(reader.remaining)
        reader.finish()
        return cls(header, nonce, ids, prefilled, extension)

    @property
    def tx_count(self) -> int:
        return len(self.short_ids) + len(self.prefilled)

    def shorten(self, ids: Sequence[bytes]) -> list[int]:
        """Return the short form of ids under this message's key (BIP 152, "Short transaction IDs")."""
        digest = hashlib.sha256(self.header + u64(self.nonce)).digest()
        key_0, key_1 = (int.from_bytes(digest[at : at + 8], "little") for at in (0, 8))
        return short_ids(key_0, key_1, ids)


class GetBlockTransactions(msgspec.Struct, frozen=True):
    """Asks for the transactions of a block at some indexes, which rise."""

    command: ClassVar[str] = "getblocktxn"
    block_hash: bytes
    indexes: tuple[int, ...]

    def encode(self) -> bytes:
        gaps = _gaps(self.indexes)
        short = max(gaps, default=0) < _ONE_BYTE_MAX
        encoded = bytes(gaps) if short else b"".join(map(compact_size, gaps))
        return self.block_hash + compact_size(len(self.indexes)) + encoded

    @classmethod
    def decode(cls, payload: bytes) -> GetBlockTransactions:
        reader = Reader(payload)
        block_hash = reader.hash()
        count = reader.compact_size(TRANSACTIONS_MAX, "transactions asked for")
        indexes: list[int] = []
        for _ in range(count):
            indexes.append(_next_index(reader, indexes[-1] if indexes else -1, TRANSACTIONS_MAX))
        reader.finish()
        return cls(block_hash, tuple(indexes))


class BlockTransactions(msgspec.Struct, frozen=True):
    """Gives the transactions that were asked for, in the order of asking."""

    command: ClassVar[str] = "blocktxn"
    block_hash: bytes
    transactions: tuple[bytes, ...]

    def encode(self) -> bytes:
        return self.block_hash + compact_size(len(self.transactions)) + b"".join(self.transactions)

    @classmethod
    def decode(cls, payload: bytes, parameters: NetworkParameters) -> BlockTransactions:
        reader = Reader(payload)
        block_hash = reader.hash()
        count = reader.compact_size(TRANSACTIONS_MAX, "transactions")
        transactions = tuple(_take_transaction(reader, parameters) for _ in range(count))
        reader.finish()
        return cls(block_hash, transactions)


def _decode_prefilled(
    reader: Reader, count: int, tx_count: int, parameters: NetworkParameters
) -> tuple[tuple[int, bytes], ...]:
    prefilled: list[tuple[int, bytes]] = []
    for _ in range(count):
        index = _next_index(reader, prefilled[-1][0] if prefilled else -1, tx_count)
        prefilled.append((index, _take_transaction(reader, parameters)))
    return tuple(prefilled)


def _take_transaction(reader: Reader, parameters: NetworkParameters) -> bytes:
    start, mweb = reader.position, parameters.mweb_height is not None
    stop = scan_transaction(reader.data, start, parameters.money_max, mweb=mweb).stop
    return reader.take(stop - start)


def _next_index(reader: Reader, last: int, end: int) -> int:
    index = last + 1 + reader.compact_size(TRANSACTIONS_MAX, "distance to the next index")
    if index >= end:
        raise WireError(f"index {index} in a block, it ends at {end}", kind="malformed")
    return index


def _gaps(indexes: Sequence[int]) -> list[int]:
    """Return how many indexes each one skips after the one before it."""
    return [index - last - 1 for last, index in zip((-1, *indexes), indexes, strict=False)]
