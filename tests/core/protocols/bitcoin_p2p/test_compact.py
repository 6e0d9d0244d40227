"""The messages of compact blocks: what is encoded is read again, and what is false is refused."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.chains import litecoin
from sprint.core.errors import WireError
from sprint.core.kernels.siphash import siphash_2_4
from sprint.core.protocols.bitcoin_p2p.compact import (
    BlockTransactions,
    CompactBlock,
    GetBlockTransactions,
    SendCompact,
)
from sprint.core.wire import compact_size, u64
from tests.core.protocols.bitcoin_p2p.compact_blocks import PARAMETERS, coinbase, compact_of, spend

HASH = bytes(range(32))


@given(st.sets(st.integers(0, 0xFFFE), max_size=50))
def test_indexes_asked_for_are_read_again(indexes: set[int]) -> None:
    message = GetBlockTransactions(HASH, tuple(sorted(indexes)))
    assert GetBlockTransactions.decode(message.encode()) == message


@given(st.integers(1, 30), st.data())
def test_a_compact_block_is_read_again_whatever_is_prefilled(count: int, data: st.DataObject) -> None:
    prefilled = data.draw(st.sets(st.integers(0, count)))
    message = compact_of([coinbase(), *map(spend, range(count))], prefilled=prefilled)
    assert CompactBlock.decode(message.encode(), PARAMETERS) == message


def test_transactions_that_were_missing_are_read_again() -> None:
    message = BlockTransactions(HASH, (spend(1).encode(), spend(2, witness=b"").encode()))
    assert BlockTransactions.decode(message.encode(), PARAMETERS) == message


@pytest.mark.parametrize(
    "offer", [SendCompact(announce=True, version=2), SendCompact(announce=False, version=1)]
)
def test_an_offer_is_read_again(offer: SendCompact) -> None:
    assert SendCompact.decode(offer.encode()) == offer


def test_the_key_of_short_ids_is_the_hash_of_header_and_nonce() -> None:
    """By hand, from the text of BIP 152."""
    message = compact_of([coinbase(), spend(1)], nonce=0x0123456789ABCDEF)
    key = hashlib.sha256(message.header + bytes.fromhex("efcdab8967452301")).digest()
    k0, k1 = int.from_bytes(key[:8], "little"), int.from_bytes(key[8:16], "little")
    assert message.short_ids[0] == siphash_2_4(k0, k1, spend(1).wtxid) % 2**48


def test_every_cut_of_a_compact_block_is_refused() -> None:
    payload = compact_of([coinbase(), spend(1), spend(2)]).encode()
    for end in range(len(payload)):
        with pytest.raises(WireError):
            CompactBlock.decode(payload[:end], PARAMETERS)


def test_an_index_past_the_blocks_end_is_refused() -> None:
    payload = bytes(80) + u64(0) + compact_size(1) + bytes(6) + compact_size(1) + compact_size(2)
    with pytest.raises(WireError, match="index 2 in a block, it ends at 2"):
        CompactBlock.decode(payload + coinbase().encode(), PARAMETERS)


def test_more_transactions_than_an_index_can_name_are_refused() -> None:
    with pytest.raises(WireError, match="limit 65535"):
        CompactBlock.decode(bytes(80) + u64(0) + compact_size(0x10000), PARAMETERS)
    with pytest.raises(WireError, match="limit 65535"):
        GetBlockTransactions.decode(HASH + compact_size(0x10000))


def test_what_stands_behind_is_kept_only_where_there_are_extension_blocks() -> None:
    payload = compact_of([coinbase()]).encode() + b"\x00"
    with pytest.raises(WireError, match="1 bytes after the end"):
        CompactBlock.decode(payload, PARAMETERS)
    assert CompactBlock.decode(payload, litecoin.REGTEST).extension == b"\x00"
