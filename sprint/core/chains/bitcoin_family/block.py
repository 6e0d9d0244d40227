"""A whole block's body against its header: the checks of level `full` that need no other block.

The checks run in the order of their cost, and each has a name that stands in the event's proof and in a
refusal. What is not checked: scripts, signatures and the UTXO set.
"""

from __future__ import annotations

import msgspec

from sprint.core.chains.bitcoin_family.header import BlockHeader, parse_header
from sprint.core.chains.bitcoin_family.parameters import HEADER_SIZE, NetworkParameters
from sprint.core.chains.bitcoin_family.transaction import (
    TRANSACTION_SIZE_MIN,
    Transaction,
    check_transaction,
    parse_transaction,
    scan_transaction,
    starts_as_coinbase,
)
from sprint.core.errors import RuleError, WireError
from sprint.core.kernels import merkle_root, sha256d
from sprint.core.wire import Reader

BLOCK_SIZE_MAX = 4_000_000
COMMITMENT_PREFIX = bytes.fromhex("6a24aa21a9ed")  # OP_RETURN, push 36, BIP 141's tag
COMMITMENT_SIZE_MIN = 38
BODY_CHECKS = ("merkle_root", "coinbase", "witness_commitment", "weight")
_OP_1 = 0x51
_OP_16 = 0x60
_HEIGHT_BYTES_MAX = 4
_SIGN_BIT = 0x80  # of the last byte of a number in a script


class BodyFacts(msgspec.Struct, frozen=True):
    """What the checks found on their way and a block's place decides on.

    `height_claimed` is the height that the coinbase states, if it does. `witness_absent` is set where the
    block commits to witness data and carries none.
    """

    tx_count: int
    coinbase_txid: bytes
    height_claimed: int | None
    witness_absent: bool


def check_body(raw: bytes, body_start: int, parameters: NetworkParameters) -> BodyFacts:
    """Check a raw block's body, which starts at `body_start`, against its own header.

    Raises WireError where the bytes do not parse and RuleError where a rule is broken; a RuleError with
    `mutated` says that the body is not the one the header commits to.
    """
    if len(raw) > BLOCK_SIZE_MAX:
        raise WireError(f"block of {len(raw)} bytes, limit {BLOCK_SIZE_MAX}", kind="oversized")
    header = parse_header(raw[:HEADER_SIZE])
    reader = Reader(raw, body_start)
    count = reader.compact_size(len(raw) // TRANSACTION_SIZE_MIN + 1, "transactions")
    first = reader.position
    txids, wtxids, stripped_size, coinbases = _ids(raw, first, count)
    _check_merkle_root(header, txids)
    if coinbases > 1:
        raise RuleError("coinbase", f"{coinbases} coinbases in one block, limit 1")
    coinbase = parse_transaction(Reader(raw, first))
    check_transaction(coinbase, parameters.money_max, coinbase=True)
    witness_absent = _check_commitment(coinbase, txids, wtxids)
    _check_weight(len(raw), stripped_size, parameters.weight_max)
    return BodyFacts(count, txids[0], height_claimed(coinbase.inputs[0].script), witness_absent)


def check_place(parameters: NetworkParameters, facts: BodyFacts, height: int) -> None:
    """Check what a body's height decides. A body stripped of its witness data is not the true body."""
    if height >= parameters.bip34_height and facts.height_claimed != height:
        raise RuleError(
            "coinbase_height", f"coinbase states height {facts.height_claimed}, the block is at {height}"
        )
    binds = parameters.witness_height is not None and height >= parameters.witness_height
    if facts.witness_absent and binds:
        raise RuleError(
            "witness_commitment", "committed witness data was stripped from the body", mutated=True
        )


def _ids(raw: bytes, position: int, count: int) -> tuple[list[bytes], list[bytes], int, int]:
    """All txids and wtxids, the block's size without witness data, and how many coinbases it has."""
    txids: list[bytes] = []
    wtxids: list[bytes] = []
    stripped_size = len(raw)
    coinbases = 0
    for _ in range(count):
        coinbases += starts_as_coinbase(raw, position)
        position, txid, wtxid, witness_size = scan_transaction(raw, position)
        txids.append(txid)
        wtxids.append(wtxid)
        stripped_size -= witness_size
    if position != len(raw):
        raise WireError(f"{len(raw) - position} bytes after the last transaction", kind="trailing")
    return txids, wtxids, stripped_size, coinbases


def _check_merkle_root(header: BlockHeader, txids: list[bytes]) -> None:
    if not txids:
        raise RuleError("merkle_root", "a block without transactions", mutated=True)
    root, repeated = merkle_root(txids)
    if root != header.merkle_root:
        got, wanted = root[::-1].hex(), header.merkle_root[::-1].hex()
        raise RuleError("merkle_root", f"transactions give {got}, the header says {wanted}", mutated=True)
    if repeated:
        raise RuleError(
            "merkle_root", "the list of transactions ends in a repeat (CVE-2012-2459)", mutated=True
        )


def _check_commitment(coinbase: Transaction, txids: list[bytes], wtxids: list[bytes]) -> bool:
    """BIP 141: the coinbase commits to all witness data. Returns whether there should be some and is none."""
    found = [o.script for o in coinbase.outputs if _is_commitment(o.script)]
    if not found:
        if txids != wtxids:
            raise RuleError("witness_commitment", "witness data without a commitment", mutated=True)
        return False
    if not coinbase.witnesses:
        if txids != wtxids:
            raise RuleError("witness_commitment", "the coinbase's reserved value is missing", mutated=True)
        return True
    stack = coinbase.witnesses[0]
    if len(stack) != 1 or len(stack[0]) != 32:
        raise RuleError("witness_commitment", "the reserved value is not one item of 32 bytes", mutated=True)
    root, _ = merkle_root([bytes(32), *wtxids[1:]])
    if sha256d(root + stack[0]) != found[-1][6:38]:
        raise RuleError(
            "witness_commitment", "witness data is not what the coinbase commits to", mutated=True
        )
    return False


def _is_commitment(script: bytes) -> bool:
    return len(script) >= COMMITMENT_SIZE_MIN and script.startswith(COMMITMENT_PREFIX)


def _check_weight(size: int, stripped_size: int, weight_max: int) -> None:
    weight = 3 * stripped_size + size
    if weight > weight_max:
        raise RuleError("weight", f"weight {weight}, limit {weight_max}")


def height_claimed(script: bytes) -> int | None:
    """Return the height that BIP 34 puts first into the coinbase script.

    None where the script starts with anything else than a number from 0 up, pushed in its shortest form,
    the only one the rule allows.
    """
    if not script:
        return None
    length = script[0]
    if length == 0:
        return 0
    if _OP_1 <= length <= _OP_16:
        return length - _OP_1 + 1
    if length > _HEIGHT_BYTES_MAX or len(script) < 1 + length:
        return None
    pushed = script[1 : 1 + length]
    height = int.from_bytes(pushed, "little")
    negative = pushed[-1] >= _SIGN_BIT
    padded = pushed[-1] == 0 and (length == 1 or pushed[-2] < _SIGN_BIT)
    if negative or padded or height <= _OP_16 - _OP_1 + 1:
        return None
    return height
