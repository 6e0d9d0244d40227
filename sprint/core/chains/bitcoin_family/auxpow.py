"""Merged mining: a header whose proof of work is that of another chain's block (AuxPoW).

Behind the 80 bytes stand a parent block's coinbase, the merkle branch that leads from it to the parent's
merkle root, and the parent's header. The parent's coinbase commits to the root of a tree of chains, in which
this block's hash is the leaf at the place that its chain id has there; another branch leads from the one to
the other. The rules are those of Dogecoin Core's `CAuxPow::check` and `CheckAuxPowProofOfWork`.

A block's hash covers the 80 bytes alone: what stands behind them may be changed by anybody who passes the
header on. So each refusal of an AuxPoW is `mutated`: the same header may come with a true one.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import msgspec

from sprint.core.chains.bitcoin_family.header import BlockHeader, parse_header
from sprint.core.chains.bitcoin_family.parameters import HEADER_SIZE, AuxpowRules, NetworkParameters
from sprint.core.chains.bitcoin_family.scan import scan_transaction
from sprint.core.chains.bitcoin_family.transaction import Transaction, parse_transaction
from sprint.core.errors import RuleError, WireError
from sprint.core.kernels import HASH_SIZE, sha256d
from sprint.core.wire import Reader, compact_size, i32

AUXPOW_VERSION_FLAG = 0x100
CHAIN_BRANCH_LENGTH_MAX = 30
# Of either branch, to parse. Dogecoin Core has no limit for the coinbase branch but the size of a block, in
# which it counts: a parent need be no true block, so a valid header may come with as long a one.
BRANCH_LENGTH_MAX = 1_000_000 // 32
MERGED_MINING_TAG = b"\xfa\xbemm"
# Where no tag says so, the root must start within so many bytes: there is room for one only.
UNTAGGED_ROOT_OFFSET_MAX = 20

_COINBASE_BRANCH = "hashes of the coinbase branch"
_CHAIN_BRANCH = "hashes of the chain branch"
_CHAIN_ID_SHIFT = 16
_VERSION_LAYOUT = struct.Struct("<i")
_SIZE_AND_NONCE = struct.Struct("<iI")  # leaves of the tree of chains, and the nonce of the slots
_UINT32 = 0xFFFF_FFFF


class Auxpow(msgspec.Struct, frozen=True):
    """What stands behind a merge-mined header. Hashes are in wire order.

    `coinbase` is the parent block's, `parent` that block's header of 80 bytes; `parent_hash` is what the
    miner says of it, and no rule reads it. The indexes say at each step of a branch on which side the
    branch's hash stands.
    """

    coinbase: Transaction
    parent_hash: bytes
    coinbase_branch: tuple[bytes, ...]
    coinbase_index: int
    chain_branch: tuple[bytes, ...]
    chain_index: int
    parent: bytes

    @property
    def witness_size(self) -> int:
        """How many bytes are witness data of the parent's coinbase, which nothing commits to."""
        if not self.coinbase.witnesses:
            return 0
        return len(self.coinbase.encode()) - len(self.coinbase.encode(witness=False))

    def encode(self) -> bytes:
        """Encode as it stands on the wire."""
        return b"".join(
            (
                self.coinbase.encode(),
                self.parent_hash,
                _encode_branch(self.coinbase_branch),
                i32(self.coinbase_index),
                _encode_branch(self.chain_branch),
                i32(self.chain_index),
                self.parent,
            )
        )


def header_size(raw: bytes, start: int, parameters: NetworkParameters) -> int:
    """Return the size of the header at `start` with what belongs to it on the wire. WireError if cut off.

    Messages are cut with it before anything is proved, so it builds nothing of what it passes over.
    """
    if not _has_auxpow(raw, start, parameters):
        return HEADER_SIZE
    coinbase = scan_transaction(raw, start + HEADER_SIZE, parameters.money_max, outputs_min=0)
    reader = Reader(raw, coinbase.stop)
    reader.hash()
    for what in (_COINBASE_BRANCH, _CHAIN_BRANCH):
        reader.take(HASH_SIZE * reader.compact_size(BRANCH_LENGTH_MAX, what))
        reader.i32()
    reader.take(HEADER_SIZE)
    return reader.position - start


def read_auxpow(raw: bytes, start: int, parameters: NetworkParameters) -> tuple[Auxpow | None, int]:
    """Read what stands behind the 80 bytes at `start`, if their version says that something does.

    Returns it and the size of both together. WireError if it is cut off or does not parse.
    """
    if not _has_auxpow(raw, start, parameters):
        return None, HEADER_SIZE
    reader = Reader(raw, start + HEADER_SIZE)
    auxpow = parse_auxpow(reader)
    return auxpow, reader.position - start


def _has_auxpow(raw: bytes, start: int, parameters: NetworkParameters) -> bool:
    if len(raw) - start < HEADER_SIZE:
        raise WireError(f"{len(raw) - start} bytes, a header alone has {HEADER_SIZE}", kind="truncated")
    (version,) = _VERSION_LAYOUT.unpack_from(raw, start)
    return parameters.auxpow is not None and bool(version & AUXPOW_VERSION_FLAG)


def parse_auxpow(reader: Reader) -> Auxpow:
    """Read what stands behind a merge-mined header.

    The parent's coinbase is held to no rule of transactions: Dogecoin Core takes one without outputs, too.
    """
    return Auxpow(
        coinbase=parse_transaction(reader, outputs_min=0),
        parent_hash=reader.hash(),
        coinbase_branch=_parse_branch(reader, _COINBASE_BRANCH),
        coinbase_index=reader.i32(),
        chain_branch=_parse_branch(reader, _CHAIN_BRANCH),
        chain_index=reader.i32(),
        parent=reader.take(HEADER_SIZE),
    )


def check_version(fields: BlockHeader, rules: AuxpowRules) -> None:
    """Check the chain id that a header's version states. RuleError `version` if it is not this chain's.

    Versions 1 and 2 without more are those from before merged mining; which heights they may have is for
    the ancestry to say.
    """
    chain_id = chain_id_of(fields.version)
    if rules.strict_chain_id and fields.version not in {1, 2} and chain_id != rules.chain_id:
        raise RuleError(
            "version", f"version {fields.version:#x} is of chain {chain_id}, this is chain {rules.chain_id}"
        )


def check_auxpow(auxpow: Auxpow, block_hash: bytes, chain_id: int, rules: AuxpowRules) -> None:
    """Check that the parent's coinbase commits to `block_hash` and is in the parent. RuleError `auxpow`.

    `chain_id` is the one that the block's own version states. The parent's proof of work is not checked here.
    """
    if auxpow.coinbase_index != 0:
        raise _refusal(f"the parent's transaction has index {auxpow.coinbase_index}, its coinbase has 0")
    parent = parse_header(auxpow.parent)
    if rules.strict_chain_id and chain_id_of(parent.version) == chain_id:
        raise _refusal(f"the parent is of chain {chain_id} itself")
    height = len(auxpow.chain_branch)
    if height > CHAIN_BRANCH_LENGTH_MAX:
        raise _refusal(f"a chain branch of {height} hashes, limit {CHAIN_BRANCH_LENGTH_MAX}")
    if branch_root(auxpow.coinbase.txid, auxpow.coinbase_branch, 0) != parent.merkle_root:
        raise _refusal("the coinbase branch does not lead to the parent's merkle root")
    # The root stands in the script as hashes are displayed: its bytes reversed.
    root = branch_root(block_hash, auxpow.chain_branch, auxpow.chain_index)[::-1]
    size, nonce = _tree_committed(auxpow.coinbase.inputs[0].script, root)
    if size != 1 << height:
        raise _refusal(f"the parent commits to a tree of {size} chains, the chain branch has {1 << height}")
    expected = slot_of(nonce, chain_id, height)
    if auxpow.chain_index != expected:
        raise _refusal(f"slot {auxpow.chain_index} in the tree of chains, chain {chain_id} has {expected}")


def _tree_committed(script: bytes, root: bytes) -> tuple[int, int]:
    """Return (size, nonce) of the tree of chains that a coinbase script commits to by this root."""
    at = script.find(root)
    if at < 0:
        raise _refusal("the parent's coinbase does not commit to this block by the chain branch")
    tag = script.find(MERGED_MINING_TAG)
    if tag < 0:
        if at > UNTAGGED_ROOT_OFFSET_MAX:
            raise _refusal(f"an untagged root starts at byte {at}, limit {UNTAGGED_ROOT_OFFSET_MAX}")
    elif script.find(MERGED_MINING_TAG, tag + 1) >= 0:
        raise _refusal("more than one merged-mining tag in the parent's coinbase")
    elif tag + len(MERGED_MINING_TAG) != at:
        raise _refusal(f"the merged-mining tag at byte {tag} is not right before the root at byte {at}")
    after = script[at + len(root) : at + len(root) + _SIZE_AND_NONCE.size]
    if len(after) < _SIZE_AND_NONCE.size:
        raise _refusal(f"{len(after)} bytes after the root, size and nonce have {_SIZE_AND_NONCE.size}")
    size, nonce = _SIZE_AND_NONCE.unpack(after)
    return size, nonce


def slot_of(nonce: int, chain_id: int, height: int) -> int:
    """Return a chain's leaf in a tree of `height` levels: fixed, so that no chain has two in one parent.

    Dogecoin Core's `CAuxPow::getExpectedIndex`: two steps of a generator of 32 bits.
    """
    value = (nonce * 1_103_515_245 + 12_345) & _UINT32
    value = ((value + chain_id) * 1_103_515_245 + 12_345) & _UINT32
    return value % (1 << height)


def chain_id_of(version: int) -> int:
    """Return the chain id that a header's version states, in its upper half."""
    return version >> _CHAIN_ID_SHIFT


def branch_root(leaf: bytes, branch: Sequence[bytes], index: int) -> bytes:
    """Return the root that a merkle branch leads to. Each bit of `index` says: the leaf's side is right."""
    for other in branch:
        leaf = sha256d(other + leaf) if index & 1 else sha256d(leaf + other)
        index >>= 1
    return leaf


def _parse_branch(reader: Reader, what: str) -> tuple[bytes, ...]:
    return tuple(reader.hash() for _ in range(reader.compact_size(BRANCH_LENGTH_MAX, what)))


def _encode_branch(branch: tuple[bytes, ...]) -> bytes:
    return compact_size(len(branch)) + b"".join(branch)


def _refusal(message: str) -> RuleError:
    return RuleError("auxpow", message, mutated=True)
