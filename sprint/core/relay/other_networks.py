"""Whether a block that passes a network's rules looks like one of another network of its chain.

The work of a main network's block is enough for the test networks, and their rules differ in little else, so
such a block passes there where nothing is known of its place. Two things tell: a hash that another network is
known to have, and a target that is near the other's at its checkpoint and far from any that this network had.
"""

from __future__ import annotations

from collections.abc import Sequence

from sprint.core.chains import Header
from sprint.core.chains.bitcoin_family.header import parse_header
from sprint.core.chains.bitcoin_family.parameters import NetworkParameters
from sprint.core.chains.bitcoin_family.proof_of_work import target_of

# Ten doublings. A block so old that its target is further from its network's checkpoint is not told by it.
NEAR_FACTOR = 1_024


def doubt_of(header: Header, parameters: NetworkParameters, others: Sequence[NetworkParameters]) -> str:
    """Say which of the other networks a block may be of, and why; empty where nothing speaks for one."""
    for other in others:
        if {header.hash, header.parent} & {*other.pinned.values(), other.genesis_hash}:
            return f"its hash or its parent's is a known one of {other.chain_id}"
    target = _target(header.raw)
    own = parameters.target_limit if parameters.checkpoint is None else _target(parameters.checkpoint.header)
    if own < target * NEAR_FACTOR:
        return ""
    for other in others:
        if other.checkpoint is None:
            continue
        there = _target(other.checkpoint.header)
        if there < target * NEAR_FACTOR and target < there * NEAR_FACTOR:
            where = "the easiest target" if parameters.checkpoint is None else "the checkpoint"
            harder = f"its target is {own / target:.1g} times harder than {where} of {parameters.chain_id}"
            return f"{harder}, and near that of {other.chain_id}"
    return ""


def _target(raw_header: bytes) -> int:
    return target_of(parse_header(raw_header).bits, (1 << 256) - 1)
