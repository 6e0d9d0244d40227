"""Builds blocks by hand, valid or wrong in one place, at regtest difficulty."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from sprint.core.chains import Block, Header, Rejected, bitcoin
from sprint.core.chains.bitcoin_family.ancestry import Ancestry
from sprint.core.chains.bitcoin_family.header import BlockHeader
from sprint.core.chains.bitcoin_family.transaction import (
    NULL_INDEX,
    Transaction,
    TransactionInput,
    TransactionOutput,
)
from sprint.core.chains.bitcoin_family.witness import COMMITMENT_PREFIX
from sprint.core.kernels import merkle_root, sha256d
from sprint.core.wire import compact_size

REGTEST = bitcoin.CHAIN.processor("regtest")
RESERVED = bytes(range(32))


def at(height: int) -> Ancestry:
    """Return the ancestry that a block at `height` stands on, of which no more than that is known."""
    return Ancestry(height - 1)


def claiming(block: Block, height: int | None) -> Block:
    """Return a block that states another height."""
    facts = msgspec.structs.replace(block.facts, height_claimed=height)
    return msgspec.structs.replace(block, facts=facts)


COINBASE_INPUT = TransactionInput(bytes(32), NULL_INDEX, b"\x51\x00", 0xFFFF_FFFF)


def payment(number: int, *, witness: bool = False) -> Transaction:
    """Make an ordinary transaction; another `number` gives another one."""
    source = TransactionInput(sha256d(number.to_bytes(4, "little")), 1, b"", 0xFFFF_FFFF)
    stacks = ((b"signature", b"key"),) if witness else ()
    return Transaction(2, (source,), (TransactionOutput(number, b"\x51"),), stacks, 0)


def coinbase(
    *commitments: bytes, stack: tuple[bytes, ...] | None = None, script: bytes = COINBASE_INPUT.script
) -> Transaction:
    """Make a coinbase with these extra output scripts and this witness stack."""
    source = TransactionInput(bytes(32), NULL_INDEX, script, 0xFFFF_FFFF)
    outputs = (TransactionOutput(50, b"\x51"), *(TransactionOutput(0, c) for c in commitments))
    return Transaction(1, (source,), outputs, () if stack is None else (stack,), 0)


def commitment(others: Sequence[Transaction], reserved: bytes = RESERVED) -> bytes:
    """Make the output script that commits to the witness data of `others` (all but the coinbase)."""
    root, _ = merkle_root([bytes(32), *(t.wtxid for t in others)])
    return COMMITMENT_PREFIX + sha256d(root + reserved)


def block(transactions: Sequence[Transaction], *, root: bytes | None = None, witness: bool = True) -> bytes:
    """Build a block with valid proof of work; its header commits to `transactions`, or to `root`."""
    found_root = merkle_root([t.txid for t in transactions])[0] if root is None else root
    body = b"".join(t.encode(witness=witness) for t in transactions)
    return mined(found_root) + compact_size(len(transactions)) + body


def mined(root: bytes, *, parent: bytes = bytes(32), bits: int = 0x207F_FFFF) -> bytes:
    """Find a header at regtest difficulty."""
    for nonce in range(1_000):
        raw = BlockHeader(0x2000_0000, parent, root, 1_700_000_000, bits, nonce).encode()
        if sha256d(raw)[31] < 0x7F:
            return raw
    raise AssertionError("no nonce found")


def accepted(raw: bytes) -> Block:
    """Judge a block that is valid."""
    verdict = REGTEST.process_block(raw)
    assert isinstance(verdict, Block), verdict
    return verdict


def refused(raw: bytes) -> Rejected:
    """Judge a block that is not."""
    verdict = REGTEST.process_block(raw)
    assert isinstance(verdict, Rejected)
    return verdict


def refused_header(raw: bytes) -> Rejected:
    verdict = REGTEST.process_header(raw)
    assert not isinstance(verdict, Header)
    return verdict
