"""Merge-mines a header as a Litecoin miner does: a parent block whose coinbase commits to it does the work.

The parent is made up for each header. Its coinbase commits to a tree of two chains, this one and another
that there is not, so that both branches have something to lead over. On demand one part is false.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from sprint.core.chains.bitcoin_family.auxpow import (
    AUXPOW_VERSION_FLAG,
    MERGED_MINING_TAG,
    Auxpow,
    branch_root,
    slot_of,
)
from sprint.core.chains.bitcoin_family.header import BlockHeader
from sprint.core.chains.bitcoin_family.parameters import AuxpowRules, NetworkParameters
from sprint.core.chains.bitcoin_family.proof_of_work import target_of
from sprint.core.chains.bitcoin_family.transaction import (
    NULL_INDEX,
    Transaction,
    TransactionInput,
    TransactionOutput,
)
from sprint.core.errors import RuleError
from sprint.core.kernels import scrypt_1024_1_1, sha256d
from sprint.core.wire import u32, var_bytes
from sprint.tools.devnet.block_maker import BLOCK_VERSION

NONCE_ATTEMPTS_MAX = 1_024  # at regtest difficulty every second one fits

_MWEB_SIGNAL = 1 << 4  # Litecoin Core's deployment bit (BIP 9)
_LEGACY_VERSION = 2
_BASE_VERSION = 4
_CHAIN_ID_SHIFT = 16
_TREE_HEIGHT = 1
_PARENT_REWARD = 50 * 100_000_000
_OP_TRUE_SCRIPT = b"\x51"


class Lie(StrEnum):
    """What of a merge-mined block is false; all else of it is true.

    `chain_branch`, `coinbase_branch`: the branch leads elsewhere. `chain_id`: the header is another
    chain's. `own_parent`: the parent is a block of this chain. `reused`: the AuxPoW is that of the block
    below. `idle_parent`: the parent has not done the work.
    """

    CHAIN_BRANCH = "chain_branch"
    COINBASE_BRANCH = "coinbase_branch"
    CHAIN_ID = "chain_id"
    OWN_PARENT = "own_parent"
    REUSED = "reused"
    IDLE_PARENT = "idle_parent"


def block_version(parameters: NetworkParameters, height: int, lie: Lie | None = None) -> int:
    """Return the version of a block's header at a height: merge-mined from where the network allows it.

    Where there are extension blocks it signals for them: a real node counts that before it has any.
    """
    rules = parameters.auxpow
    if rules is None:
        return BLOCK_VERSION if parameters.mweb_height is None else BLOCK_VERSION | _MWEB_SIGNAL
    if height < rules.height:
        return _LEGACY_VERSION
    chain_id = rules.chain_id + (lie is Lie.CHAIN_ID)
    return chain_id << _CHAIN_ID_SHIFT | AUXPOW_VERSION_FLAG | _BASE_VERSION


def merge_mine(header: BlockHeader, rules: AuxpowRules, nonce: int, lie: Lie | None = None) -> Auxpow:
    """Mine the parent of a header, and tell `lie` of it.

    `nonce` of 32 bits is the tree's. RuleError if no nonce of the parent meets the header's target.
    """
    chain_id = rules.chain_id + (lie is Lie.CHAIN_ID)
    block_hash = sha256d(header.encode())
    other_chain, other_transaction = sha256d(b"chain" + block_hash), sha256d(b"transaction" + block_hash)
    slot = slot_of(nonce, chain_id, _TREE_HEIGHT)
    coinbase = _coinbase(branch_root(block_hash, (other_chain,), slot), nonce)
    parent = BlockHeader(
        version=rules.chain_id << _CHAIN_ID_SHIFT | _BASE_VERSION if lie is Lie.OWN_PARENT else BLOCK_VERSION,
        parent=sha256d(b"parent" + block_hash),
        merkle_root=branch_root(coinbase.txid, (other_transaction,), 0),
        timestamp=header.timestamp,
        bits=header.bits,
        nonce=0,
    )
    return Auxpow(
        coinbase=coinbase,
        parent_hash=bytes(32),
        coinbase_branch=(other_chain if lie is Lie.COINBASE_BRANCH else other_transaction,),
        coinbase_index=0,
        chain_branch=(other_transaction if lie is Lie.CHAIN_BRANCH else other_chain,),
        chain_index=slot,
        parent=_worked(parent, idle=lie is Lie.IDLE_PARENT),
    )


def _worked(parent: BlockHeader, *, idle: bool) -> bytes:
    """Find a nonce that meets the target; `idle`: one that does not."""
    target = target_of(parent.bits, (1 << 256) - 1)
    for nonce in range(NONCE_ATTEMPTS_MAX):
        raw = msgspec.structs.replace(parent, nonce=nonce).encode()
        if (int.from_bytes(scrypt_1024_1_1(raw), "little") > target) is idle:
            return raw
    raise RuleError("proof_of_work", f"none of {NONCE_ATTEMPTS_MAX} nonces of the parent fits")


def _coinbase(root: bytes, nonce: int) -> Transaction:
    committed = MERGED_MINING_TAG + root[::-1] + u32(1 << _TREE_HEIGHT) + u32(nonce)
    script = var_bytes(u32(nonce)) + var_bytes(committed)
    return Transaction(
        version=1,
        inputs=(TransactionInput(bytes(32), NULL_INDEX, script, NULL_INDEX),),
        outputs=(TransactionOutput(_PARENT_REWARD, _OP_TRUE_SCRIPT),),
        witnesses=(),
        lock_time=0,
    )
