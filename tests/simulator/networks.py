"""The networks that are simulated: those installed, and one of Bitcoin's rules with periods of a few blocks.

Targets are worked out here anew and plainly, by a walk over all of a period's headers, so that the truth of
the simulator does not come from the code under test.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from sprint.core.chains import bitcoin
from sprint.core.chains.bitcoin_family.family import BitcoinFamilyChain
from sprint.core.chains.bitcoin_family.parameters import DifficultyRules, RetargetEra
from sprint.tools.plugins import ChainCatalog, ChainNetwork

RETARGETING = "bitcoin-retargeting"
PERIOD_BLOCKS = 6
PERIOD_S = 10  # and honest blocks come at most one a second: targets get harder by little
# The most that counts as taken, and the least: a target gets harder by less than half, so that a long run of
# blocks within a second, by clocks that are ahead already, can still be mined here.
TAKEN_S_MAX = 40
TAKEN_S_MIN = 7
TIME_WARP_S = 600

_CATALOG = ChainCatalog.installed()


def network_of(chain_id: str) -> ChainNetwork:
    """Return a network by its id."""
    return _retargeting() if chain_id == RETARGETING else _CATALOG.find_id(chain_id)


def next_bits(headers: Sequence[tuple[int, int]], target_limit: int) -> int:
    """Return the compact target after a whole branch of the retargeting network.

    `headers` are (time, compact target) of each header from genesis on.
    """
    last_bits = headers[-1][1]
    if len(headers) % PERIOD_BLOCKS:
        return last_bits
    period = headers[-PERIOD_BLOCKS:]
    taken_s = period[-1][0] - period[0][0]
    taken_s = max(TAKEN_S_MIN, min(TAKEN_S_MAX, taken_s))
    first_bits = period[0][1]  # BIP 94: of the period's first block
    return bits_of(min(target_limit, target_of(first_bits) * taken_s // PERIOD_S))


def begins_period(height: int) -> bool:
    """Whether the header at a height of the retargeting network has a target of its own."""
    return height % PERIOD_BLOCKS == 0


def target_of(bits: int) -> int:
    """Expand a compact target that is a positive one."""
    size, leading = bits >> 24, bits & 0xFF_FFFF
    return leading << 8 * (size - 3) if size >= 3 else leading >> 8 * (3 - size)


def bits_of(target: int) -> int:
    """Write a target compactly, rounded down; the highest bit of the leading three bytes is a sign."""
    size = (target.bit_length() + 7) // 8
    leading = target >> 8 * (size - 3) if size >= 3 else target << 8 * (3 - size)
    if leading & 0x80_0000:
        leading, size = leading >> 8, size + 1
    return size << 24 | leading


def _retargeting() -> ChainNetwork:
    era = RetargetEra(
        blocks=PERIOD_BLOCKS,
        timespan_s=PERIOD_S,
        timespan_s_min=TAKEN_S_MIN,
        timespan_s_max=TAKEN_S_MAX,
    )
    parameters = msgspec.structs.replace(
        bitcoin.REGTEST,
        chain_id=RETARGETING,
        name="retargeting",
        fixed_bits=None,
        difficulty=DifficultyRules(eras=(era,), from_first_target=True, time_warp_s=TIME_WARP_S),
    )
    chain = BitcoinFamilyChain(name="bitcoin", aliases=(), networks={"retargeting": parameters})
    return ChainNetwork(chain, "retargeting")
