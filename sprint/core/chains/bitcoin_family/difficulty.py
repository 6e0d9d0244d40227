"""Which compact target a header must have, by the rules of its network and what is known of its branch.

The rules are data (`DifficultyRules`); the references are `GetNextWorkRequired` of Bitcoin Core, Litecoin
Core and Dogecoin Core, for Dogecoin also `CalculateDogecoinNextWorkRequired`. Times taken are counted as
they are there: between the first and the last block of a period, so one interval short.
"""

from __future__ import annotations

from sprint.core.chains.bitcoin_family.ancestry import Ancestry
from sprint.core.chains.bitcoin_family.parameters import DifficultyRules, NetworkParameters, RetargetEra
from sprint.core.chains.bitcoin_family.proof_of_work import bits_of, target_of

_TARGET_BITS_MAX = 256


def required_bits(parameters: NetworkParameters, ancestry: Ancestry, timestamp: int) -> int | None:
    """Return the compact target that the header after `ancestry` must have, given its own timestamp.

    None where too little of the branch is known to say.
    """
    rules = parameters.difficulty
    if rules is None:
        return parameters.fixed_bits
    height = ancestry.height + 1
    era = rules.era_at(height)
    retargets = height % era.blocks == 0
    if _may_be_easy(era, retargets=retargets):
        late = _is_late(era, ancestry, timestamp)
        if late is None or late:
            return bits_of(parameters.target_limit) if late else None
        if not retargets:
            return ancestry.real_bits
    elif not retargets:
        return ancestry.bits
    base_bits = _base_bits(rules, ancestry)
    elapsed_s = _elapsed_s(era, ancestry)
    if base_bits is None or elapsed_s is None:
        return None
    return scaled_bits(parameters, era, base_bits, elapsed_s)


def permitted_targets(parameters: NetworkParameters, ancestry: Ancestry) -> tuple[int, int] | None:
    """Return the hardest and the easiest target that can follow where `required_bits` cannot say which.

    It knows the target that is scaled, but not the time taken (`PermittedDifficultyTransition` in Bitcoin
    Core). None where not even that is known: then a header is held against the network's limit alone.
    """
    rules = parameters.difficulty
    if rules is None:
        return None
    height = ancestry.height + 1
    era = rules.era_at(height)
    base_bits = _base_bits(rules, ancestry)
    if base_bits is None or height % era.blocks != 0:
        return None
    limit = parameters.target_limit
    hardest = scaled_bits(parameters, era, base_bits, _elapsed_s_extreme(era, era.timespan_s_min))
    easiest = scaled_bits(parameters, era, base_bits, _elapsed_s_extreme(era, era.timespan_s_max))
    return target_of(hardest, limit), target_of(easiest, limit)


def scaled_bits(parameters: NetworkParameters, era: RetargetEra, bits: int, elapsed_s: int) -> int:
    """Return the compact target after a period that took `elapsed_s` seconds, which may be negative."""
    limit = parameters.target_limit
    target = target_of(bits, (1 << _TARGET_BITS_MAX) - 1)
    timespan_s = _held_timespan_s(era, elapsed_s)
    halved = (
        parameters.difficulty is not None
        and parameters.difficulty.halves_first
        and target.bit_length() > limit.bit_length() - 1
    )
    if halved:
        target >>= 1
    target = target * timespan_s // era.timespan_s
    if halved:
        target <<= 1
    return bits_of(min(target, limit))


def _held_timespan_s(era: RetargetEra, elapsed_s: int) -> int:
    """Damp the deviation, rounding towards zero as C++ does, and hold the result within the era's limits."""
    if era.damping != 1:
        deviation_s = elapsed_s - era.timespan_s
        damped_s = abs(deviation_s) // era.damping
        elapsed_s = era.timespan_s + (damped_s if deviation_s >= 0 else -damped_s)
    return max(era.timespan_s_min, min(era.timespan_s_max, elapsed_s))


def _elapsed_s_extreme(era: RetargetEra, timespan_s: int) -> int:
    """Return a time taken that is held to `timespan_s`, one of the era's limits, also when it is damped."""
    return era.timespan_s + (timespan_s - era.timespan_s) * era.damping


def _base_bits(rules: DifficultyRules, ancestry: Ancestry) -> int | None:
    return ancestry.period_bits if rules.from_first_target else ancestry.bits


def _elapsed_s(era: RetargetEra, ancestry: Ancestry) -> int | None:
    """Return the seconds that the period which ends here took; None where its start is not known."""
    height = ancestry.height + 1
    start: int | None
    if era.blocks == 1:
        start = ancestry.times[-2] if len(ancestry.times) > 1 else None
    elif era.reaches_back and height != era.blocks:
        start = ancestry.time_before_period
    else:
        start = ancestry.period_time
    return None if start is None else ancestry.times[-1] - start


def _may_be_easy(era: RetargetEra, *, retargets: bool) -> bool:
    return era.easy_after_s is not None and (era.easy_at_retarget or not retargets)


def _is_late(era: RetargetEra, ancestry: Ancestry, timestamp: int) -> bool | None:
    """Whether a header comes so late that it may be easy; None where its parent's time is not known."""
    if era.easy_after_s is None:
        return False
    return timestamp > ancestry.times[-1] + era.easy_after_s if ancestry.times else None
