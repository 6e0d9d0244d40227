"""What a body's place in its branch decides: its height, the time below it, the coinbases below it."""

from __future__ import annotations

from collections.abc import Iterable

from sprint.core.chains import Block, internal_hash
from sprint.core.chains.bitcoin_family.ancestry import Ancestry, median_time
from sprint.core.chains.bitcoin_family.block import BodyFacts
from sprint.core.chains.bitcoin_family.mweb import check_extension_place
from sprint.core.chains.bitcoin_family.parameters import NetworkParameters
from sprint.core.chains.bitcoin_family.witness import check_witness_place
from sprint.core.errors import RuleError

# The two blocks of Bitcoin's main network that repeat an earlier coinbase, from before BIP 30 (Bitcoin
# Core's `IsBIP30Repeat`), by height.
_REPEATS_KNOWN = {
    91_842: internal_hash("00000000000a4d0a398161ffc163c503763b1f4360639393e0e4c8e300e0caec"),
    91_880: internal_hash("00000000000743f190a18c5577a3c2d2a1f610ae9601ac046a38084ccb7cd721"),
}


def check_place(
    parameters: NetworkParameters, block: Block, ancestry: Ancestry, identities_below: Iterable[bytes]
) -> None:
    """Check a body that passed `check_body` against its place. RuleError if refused.

    `ancestry` is the parent's. `identities_below` are the coinbase ids of the blocks below, read only where
    a repeat is possible.
    """
    facts: BodyFacts = block.facts
    height = ancestry.height + 1
    check_witness_place(parameters, facts.witness, height)
    check_extension_place(parameters, facts.extension, height)
    _check_lock_times(facts, height, _lock_time_cutoff(parameters, block, ancestry))
    if height >= parameters.bip34_height:
        _check_coinbase_height(facts, height)
    elif block.header.hash != _REPEATS_KNOWN.get(height):
        _check_repeat(block, identities_below)


def place_checks(parameters: NetworkParameters, ancestry: Ancestry) -> tuple[str, ...]:
    """Name what `check_place` checks above an ancestry.

    `lock_time` is left out where the time is only held within bounds.
    """
    binds = ancestry.height + 1 >= parameters.bip34_height
    by_coinbase = "coinbase_height" if binds else "duplicate_coinbase"
    exact = not _median_time_binds(parameters, ancestry) or median_time(ancestry) is not None
    return ("lock_time", by_coinbase) if exact else (by_coinbase,)


def _median_time_binds(parameters: NetworkParameters, ancestry: Ancestry) -> bool:
    return parameters.csv_height is not None and ancestry.height + 1 >= parameters.csv_height


def _lock_time_cutoff(parameters: NetworkParameters, block: Block, ancestry: Ancestry) -> int:
    """BIP 113: the parent's median time. Before it, or where that is unknown, the block's own: never less."""
    if not _median_time_binds(parameters, ancestry):
        return block.header.timestamp
    known = median_time(ancestry)
    return block.header.timestamp if known is None else known


def _check_lock_times(facts: BodyFacts, height: int, time_cutoff: int) -> None:
    """Bitcoin Core's `IsFinalTx` over all transactions: a lock must lie below the height, or the time."""
    if facts.locked_until_height and facts.locked_until_height >= height:
        raise RuleError(
            "lock_time", f"a transaction locked up to height {facts.locked_until_height} at height {height}"
        )
    if facts.locked_until_time >= time_cutoff:
        raise RuleError(
            "lock_time", f"a transaction locked up to {facts.locked_until_time}, the time is {time_cutoff}"
        )


def _check_coinbase_height(facts: BodyFacts, height: int) -> None:
    if facts.height_claimed != height:
        raise RuleError(
            "coinbase_height", f"coinbase states height {facts.height_claimed}, the block is at {height}"
        )


def _check_repeat(block: Block, identities_below: Iterable[bytes]) -> None:
    """BIP 30: no id of a transaction comes twice. BIP 34's heights make sure of it where they bind.

    The rule allows a repeat of one whose outputs are all spent, which cannot be told without a UTXO set;
    none is known on any network.
    """
    if block.identity in identities_below:
        raise RuleError("duplicate_coinbase", f"coinbase {block.identity[::-1].hex()} is in a block below")
