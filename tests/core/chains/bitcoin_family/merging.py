"""Merge-mines a header for tests: each part of the AuxPoW can be made wrong on its own."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from sprint.core.chains import Rejected, dogecoin
from sprint.core.chains.bitcoin_family.auxpow import Auxpow
from sprint.core.chains.bitcoin_family.family import BitcoinFamilyProcessor
from sprint.core.chains.bitcoin_family.header import BlockHeader
from sprint.core.chains.bitcoin_family.parameters import ZERO_HASH
from sprint.core.chains.bitcoin_family.transaction import (
    NULL_INDEX,
    Transaction,
    TransactionInput,
    TransactionOutput,
)
from sprint.core.kernels import scrypt_1024_1_1, sha256d

PROCESSOR = dogecoin.CHAIN.processor("regtest")
NO_COMMITMENT = "the parent's coinbase does not commit to this block by the chain branch"
TAG = b"\xfa\xbe\x6d\x6d"
CHAIN_ID = 0x62
VERSION = CHAIN_ID << 16 | 0x104
PARENT_VERSION = 0x2000_0000
REGTEST_BITS = 0x207F_FFFF
TARGET = 0x7F_FFFF << 232

Script = Callable[[bytes, int, int], bytes]


def tagged(root: bytes, size: int, nonce: int) -> bytes:
    """The usual script: a height, the tag, the root as displayed, the tree's size, the nonce."""
    return b"\x03abc" + TAG + root[::-1] + size.to_bytes(4, "little") + nonce.to_bytes(4, "little")


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What a header is merge-mined with. `index` None is the slot that the rule asks for."""

    chain_branch: tuple[bytes, ...] = ()
    index: int | None = None
    nonce: int = 7
    chain_id: int = CHAIN_ID
    parent_version: int = PARENT_VERSION
    coinbase_branch: tuple[bytes, ...] = (b"\x11" * 32, b"\x22" * 32)
    size: int | None = None
    script: Script = tagged
    outputs: tuple[TransactionOutput, ...] = (TransactionOutput(1, b"\x51"),)


def slot(nonce: int, chain_id: int, height: int) -> int:
    """The expected slot, written from the published rule by itself."""
    first = (nonce * 1103515245 + 12345) % 2**32
    second = ((first + chain_id) * 1103515245 + 12345) % 2**32
    return second % (1 << height)


def climbed(leaf: bytes, branch: tuple[bytes, ...], index: int) -> bytes:
    for level, other in enumerate(branch):
        leaf = sha256d(other + leaf) if index >> level & 1 else sha256d(leaf + other)
    return leaf


def header(version: int = VERSION, parent: bytes = ZERO_HASH, nonce: int = 0) -> bytes:
    return BlockHeader(version, parent, b"\x33" * 32, 1_700_000_000, REGTEST_BITS, nonce).encode()


def merged(raw: bytes, work: Work | None = None) -> Auxpow:
    """Mine a parent that commits to the header `raw`, at the easiest difficulty."""
    work = work or Work()
    height = len(work.chain_branch)
    index = slot(work.nonce, work.chain_id, height) if work.index is None else work.index
    root = climbed(sha256d(raw), work.chain_branch, index)
    coinbase = Transaction(
        version=1,
        inputs=(
            TransactionInput(
                ZERO_HASH,
                NULL_INDEX,
                work.script(root, 1 << height if work.size is None else work.size, work.nonce),
                NULL_INDEX,
            ),
        ),
        outputs=work.outputs,
        witnesses=(),
        lock_time=0,
    )
    parent_root = climbed(coinbase.txid, work.coinbase_branch, 0)
    parent = BlockHeader(work.parent_version, b"\x44" * 32, parent_root, 1_700_000_001, REGTEST_BITS, 0)
    return Auxpow(
        coinbase=coinbase,
        parent_hash=ZERO_HASH,
        coinbase_branch=work.coinbase_branch,
        coinbase_index=0,
        chain_branch=work.chain_branch,
        chain_index=index,
        parent=worked(parent, meets=True),
    )


def worked(fields: BlockHeader, *, meets: bool) -> bytes:
    """Find a nonce with which the header meets the easiest target, or one with which it does not."""
    for nonce in range(1_000):
        raw = msgspec.structs.replace(fields, nonce=nonce).encode()
        if (int.from_bytes(scrypt_1024_1_1(raw), "little") <= TARGET) is meets:
            return raw
    raise AssertionError("no nonce of 1,000")


def refusal(raw: bytes, processor: BitcoinFamilyProcessor = PROCESSOR) -> Rejected:
    verdict = processor.process_header(raw)
    assert isinstance(verdict, Rejected), verdict
    return verdict
