"""What is remembered of a branch's headers to judge the next one.

An `Ancestry` is a small summary of a branch up to one header, made from that of its parent. A rule never
walks the chain, so a header can be judged in any thread from its parent's summary alone, and the summary
costs the same however long the branch is.
"""

from __future__ import annotations

import msgspec

from sprint.core.chains import Header
from sprint.core.chains.bitcoin_family.parameters import NetworkParameters
from sprint.core.chains.bitcoin_family.proof_of_work import bits_of

MEDIAN_TIMES = 11  # how many headers Bitcoin Core's `GetMedianTimePast` looks back over
_BITS_AT = slice(72, 76)  # of a raw header


class Ancestry(msgspec.Struct, frozen=True, gc=False):
    """A branch up to one header, which is at `height`. What is not known of it is None or empty.

    `times` are the Unix seconds of the last headers, oldest first, eleven at most. `bits` is the compact
    target of the last header, `real_bits` that of the last one that was not only there because a testnet
    allows the easiest target after a pause. A period is the run of headers between two changes of target:
    `period_time` and `period_bits` are of the first header of the one that the last header is in,
    `time_before_period` is of the header before that.
    """

    height: int
    times: tuple[int, ...] = ()
    bits: int | None = None
    real_bits: int | None = None
    period_time: int | None = None
    period_bits: int | None = None
    time_before_period: int | None = None


def begin_ancestry(parameters: NetworkParameters, header: Header, height: int) -> Ancestry:
    """Return the ancestry of a branch whose lowest known header this is."""
    return extend_ancestry(parameters, Ancestry(height - 1), header)


def extend_ancestry(parameters: NetworkParameters, ancestry: Ancestry, header: Header) -> Ancestry:
    """Return the ancestry up to `header`, which stands on that of its parent."""
    height = ancestry.height + 1
    time = header.timestamp
    bits = int.from_bytes(header.raw[_BITS_AT], "little")
    times = (*ancestry.times[1 - MEDIAN_TIMES :], time)
    rules = parameters.difficulty
    if rules is None:
        return Ancestry(height, times, bits)
    era = rules.eras[-1] if height >= rules.eras[-1].from_height else rules.era_at(height)
    if height % era.blocks == 0:
        before = ancestry.times[-1] if ancestry.times else None
        return Ancestry(height, times, bits, bits, time, bits, before)
    real_bits: int | None = bits
    if era.easy_after_s is not None and bits == bits_of(parameters.target_limit):
        real_bits = ancestry.real_bits
    return Ancestry(
        height,
        times,
        bits,
        real_bits,
        ancestry.period_time,
        ancestry.period_bits,
        ancestry.time_before_period,
    )


def median_time(ancestry: Ancestry) -> int | None:
    """Return the median time of the last eleven headers, in Unix seconds, that of all of a shorter chain.

    None where not all of them are known, because the branch is known from a later header than genesis on.
    """
    times = ancestry.times
    if len(times) < min(MEDIAN_TIMES, ancestry.height + 1):
        return None
    return sorted(times)[len(times) // 2]


def median_time_min(ancestry: Ancestry) -> int | None:
    """Return the least that the median time can be, whatever the unknown headers say; None: anything.

    Unknown times are taken to be the lowest: with k of eleven known the median is at least the (k-5)th
    lowest of those.
    """
    times = ancestry.times
    if len(times) >= min(MEDIAN_TIMES, ancestry.height + 1):
        return median_time(ancestry)
    unknown = min(MEDIAN_TIMES, ancestry.height + 1) - len(times)
    place = min(MEDIAN_TIMES, ancestry.height + 1) // 2 - unknown
    return sorted(times)[place] if place >= 0 else None
