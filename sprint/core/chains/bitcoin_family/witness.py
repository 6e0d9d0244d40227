"""Witness data against the commitment in the coinbase (BIP 141; Bitcoin Core's `ContextualCheckBlock`).

No id of a transaction and no header covers witness data; the coinbase commits to it. So whatever is wrong
with it, the body may be another than the true one, and each refusal here says so.
"""

from __future__ import annotations

import msgspec

from sprint.core.chains.bitcoin_family.parameters import NetworkParameters
from sprint.core.chains.bitcoin_family.transaction import Transaction
from sprint.core.errors import RuleError
from sprint.core.kernels import HASH_SIZE, BlockScan, merkle_root_of, sha256d

COMMITMENT_PREFIX = bytes.fromhex("6a24aa21a9ed")  # OP_RETURN, push 36, BIP 141's tag
COMMITMENT_SIZE_MIN = 38
RESERVED_SIZE = 32


class WitnessFacts(msgspec.Struct, frozen=True):
    """Whether a body carries witness data, and whether it lacks what its coinbase commits to."""

    present: bool
    absent: bool


def check_witness(parameters: NetworkParameters, coinbase: Transaction, scan: BlockScan) -> WitnessFacts:
    """Check witness data by what the body alone tells. RuleError, always `mutated`, where it is not right."""
    present = scan.has_witness
    if parameters.witness_height is None:
        if present:
            raise _refused("witness data on a network that has none")
        return WitnessFacts(present=False, absent=False)
    found = [o.script for o in coinbase.outputs if _is_commitment(o.script)]
    if present:
        if not found:
            raise _refused("witness data without a commitment")
        _check_commitment(found[-1], coinbase, scan.wtxids)
    return WitnessFacts(present=present, absent=bool(found) and not present)


def check_witness_place(parameters: NetworkParameters, facts: WitnessFacts, height: int) -> None:
    """Check what a height decides: whether a commitment binds, or no witness data may be there at all."""
    first = parameters.witness_height
    if first is None:
        return
    if height >= first and facts.absent:
        raise _refused("committed witness data was stripped from the body")
    if height < first and facts.present:
        raise _refused(f"witness data at height {height}, the first that may have it is {first}")


def _check_commitment(script: bytes, coinbase: Transaction, wtxids: bytes) -> None:
    stack = coinbase.witnesses[0] if coinbase.witnesses else ()
    if len(stack) != 1 or len(stack[0]) != RESERVED_SIZE:
        had = f"{len(stack)} witness items, {sum(map(len, stack))} bytes"
        raise _refused(f"the coinbase has {had}, it must be one of {RESERVED_SIZE}")
    root, _ = merkle_root_of(bytes(HASH_SIZE) + wtxids[HASH_SIZE:])
    if sha256d(root + stack[0]) != script[len(COMMITMENT_PREFIX) : COMMITMENT_SIZE_MIN]:
        raise _refused("witness data is not what the coinbase commits to")


def _is_commitment(script: bytes) -> bool:
    return len(script) >= COMMITMENT_SIZE_MIN and script.startswith(COMMITMENT_PREFIX)


def _refused(message: str) -> RuleError:
    return RuleError("witness_commitment", message, mutated=True)
