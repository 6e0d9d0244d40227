"""Makes a valid block out of a recipe, and the same bytes again from the same recipe.

A block's body is a coinbase with its height (BIP 34), an extra nonce and a witness commitment (BIP 141),
and made-up segwit transactions that spend outputs nobody has: no one here keeps a UTXO set. On a network
without witness data it has neither commitment nor witnesses; where there are extension blocks it ends in an
empty one. All of it follows from the recipe, so a node can keep the recipe and forget the body.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum

import msgspec

from sprint.core.chains import Header, Processor
from sprint.core.chains.bitcoin_family.header import BlockHeader
from sprint.core.chains.bitcoin_family.parameters import ZERO_HASH
from sprint.core.chains.bitcoin_family.transaction import (
    NULL_INDEX,
    Transaction,
    TransactionInput,
    TransactionOutput,
    parse_transaction,
)
from sprint.core.chains.bitcoin_family.witness import COMMITMENT_PREFIX
from sprint.core.errors import ConfigError, RuleError
from sprint.core.kernels import merkle_root, sha256d
from sprint.core.wire import Reader, compact_size, u32, u64, var_bytes
from sprint.tools.devnet.extension_blocks import Integration, extension_bytes, integrating_transactions

TRANSACTIONS_MAX = 8_000  # of 437 weight units each, under the 4,000,000 that a block may weigh
NONCE_ATTEMPTS_MAX = 1_024  # at regtest difficulty every second one fits

BLOCK_VERSION = 0x2000_0000  # of a network without merged mining

_REWARD = 50 * 100_000_000
_HALVING_BLOCKS = 150  # of both regtests; with it a real node accepts our blocks without transactions
_RESERVED_VALUE = bytes(32)
_OP_1 = 0x51
_OP_16_VALUE = 16
_OP_TRUE_SCRIPT = b"\x51"

# The fixed parts of a made-up transaction, around what its digest fills in.
_VERSION_2 = u32(2)
_WITNESS_MARKER = b"\x00\x01"
_ONE_INPUT = b"\x01"
_AFTER_TXID = u32(0) + b"\x00" + u32(0xFFFF_FFFF) + b"\x01"  # index, empty script, sequence, one output
_SCRIPT_START = b"\x16\x00\x14"  # 22 bytes: version 0, push 20
_PUBLIC_KEY_START = b"\x21\x02"  # 33 bytes, a compressed key
_SIGNATURE_START = b"\x02\x47\x30\x44\x02\x20"  # two items; 71 bytes, DER-like
_SIGNATURE_BETWEEN = b"\x02\x20"
_SIGNATURE_END = b"\x01"  # sighash all
_LOCK_TIME = u32(0)


class HeaderLie(StrEnum):
    """What of a header is false, merge-mined or not: its transactions are others, it has done no work."""

    MERKLE_ROOT = "merkle_root"
    NO_WORK = "no_work"


class Recipe(msgspec.Struct, frozen=True):
    """All that a body is made from. `extra_nonce` of 64 bits keeps two blocks of one height apart.

    `integration` is None where there are no extension blocks.
    """

    height: int
    extra_nonce: int
    transactions: int
    witness: bool = True
    integration: Integration | None = None


class Body(msgspec.Struct, frozen=True):
    """The transactions of a block, with their count before them, in both formats, and their root.

    `full` is with witness data and extension block, `stripped` without either.
    """

    full: bytes
    stripped: bytes
    merkle_root: bytes


def make_body(recipe: Recipe) -> Body:
    """Make the transactions of a block."""
    if not 0 <= recipe.transactions <= TRANSACTIONS_MAX:
        raise ConfigError(f"{recipe.transactions} transactions in a block, limit {TRANSACTIONS_MAX}")
    seed = u64(recipe.extra_nonce)
    pairs = [_made_up_transaction(seed, index) for index in range(recipe.transactions)]
    integrating = _integrating(recipe)
    pairs += [(transaction.encode(mark=False),) * 2 for transaction in integrating]
    coinbase = _coinbase(recipe, pairs)
    root, _ = merkle_root([coinbase.txid, *(sha256d(stripped) for _, stripped in pairs)])
    count = compact_size(1 + len(pairs))
    stripped = count + coinbase.encode(witness=False) + b"".join(stripped for _, stripped in pairs)
    if not recipe.witness:
        return Body(stripped, stripped, root)
    full = count + coinbase.encode() + b"".join(full for full, _ in pairs[: recipe.transactions])
    full += b"".join(transaction.encode() for transaction in integrating)
    if recipe.integration is not None:
        full += extension_bytes(recipe.integration, recipe.height)
    return Body(full, stripped, root)


def spendable_of(recipe: Recipe) -> bytes:
    """Return the id of a block's coinbase, whose first output anyone may spend."""
    body = make_body(recipe)
    reader = Reader(body.stripped)
    reader.compact_size(len(body.stripped))
    return parse_transaction(reader).txid


def hogex_of(recipe: Recipe) -> bytes:
    """Return the id of the transaction that integrates a block's extension block."""
    return _integrating(recipe)[-1].txid


def _integrating(recipe: Recipe) -> list[Transaction]:
    if recipe.integration is None:
        return []
    return integrating_transactions(recipe.integration, recipe.height)


def mine_header(processor: Processor, fields: BlockHeader) -> Header:
    """Find a nonce. RuleError if none of NONCE_ATTEMPTS_MAX fits or another rule refuses the header."""
    refusal = ""
    for nonce in range(NONCE_ATTEMPTS_MAX):
        raw = msgspec.structs.replace(fields, nonce=nonce).encode()
        verdict = processor.process_header(raw)
        if isinstance(verdict, Header):
            return verdict
        if verdict.check != "proof_of_work":
            raise RuleError(verdict.check, verdict.reason)
        refusal = verdict.reason
    raise RuleError("proof_of_work", f"none of {NONCE_ATTEMPTS_MAX} nonces fits: {refusal}")


def idle_header(processor: Processor, fields: BlockHeader) -> bytes:
    """Find a nonce that does not meet the target. RuleError if none of NONCE_ATTEMPTS_MAX misses it."""
    for nonce in range(NONCE_ATTEMPTS_MAX):
        raw = msgspec.structs.replace(fields, nonce=nonce).encode()
        verdict = processor.process_header(raw)
        if not isinstance(verdict, Header) and verdict.check == "proof_of_work":
            return raw
    raise RuleError("proof_of_work", f"all of {NONCE_ATTEMPTS_MAX} nonces fit")


def _coinbase(recipe: Recipe, pairs: list[tuple[bytes, bytes]]) -> Transaction:
    """Make the coinbase over the other transactions, each given with its witness and without."""
    outputs = [TransactionOutput(_REWARD >> recipe.height // _HALVING_BLOCKS, _OP_TRUE_SCRIPT)]
    if recipe.witness:
        witness_root, _ = merkle_root([ZERO_HASH, *(sha256d(full) for full, _ in pairs)])
        outputs.append(TransactionOutput(0, COMMITMENT_PREFIX + sha256d(witness_root + _RESERVED_VALUE)))
    script = _pushed_height(recipe.height) + var_bytes(u64(recipe.extra_nonce))
    return Transaction(
        version=2,
        inputs=(TransactionInput(ZERO_HASH, NULL_INDEX, script, NULL_INDEX),),
        outputs=tuple(outputs),
        witnesses=((_RESERVED_VALUE,),) if recipe.witness else (),
        lock_time=0,
    )


def _pushed_height(height: int) -> bytes:
    """Encode a height as BIP 34 wants it: the shortest push of a signed little-endian number."""
    if height == 0:
        return b"\x00"
    if height <= _OP_16_VALUE:
        return bytes((_OP_1 + height - 1,))
    return var_bytes(height.to_bytes(height.bit_length() // 8 + 1, "little"))


def _made_up_transaction(seed: bytes, index: int) -> tuple[bytes, bytes]:
    """Make one transaction, with its witness and without. Joined by hand: a block may hold thousands."""
    digest = hashlib.sha256(seed + u32(index)).digest()
    value = u64(int.from_bytes(digest[:4], "little"))
    fields = _ONE_INPUT + digest + _AFTER_TXID + value + _SCRIPT_START + digest[:20]
    signature = _SIGNATURE_START + digest + _SIGNATURE_BETWEEN + digest + _SIGNATURE_END
    witness = signature + _PUBLIC_KEY_START + digest
    return (
        _VERSION_2 + _WITNESS_MARKER + fields + witness + _LOCK_TIME,
        _VERSION_2 + fields + _LOCK_TIME,
    )
