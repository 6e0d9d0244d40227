"""What a branch's headers decide about the next one: each rule at its edge, and only as far as is known."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.chains import Header, bitcoin, dogecoin, litecoin
from sprint.core.chains.bitcoin_family.ancestry import (
    MEDIAN_TIMES,
    Ancestry,
    begin_ancestry,
    extend_ancestry,
    median_time,
    median_time_min,
)
from sprint.core.chains.bitcoin_family.header_rules import (
    FUTURE_TIME_MAX_S,
    ancestry_checks,
    base_version,
    check_ancestry,
)
from sprint.core.chains.bitcoin_family.parameters import NetworkParameters
from sprint.core.errors import RuleError
from tests.core.chains.bitcoin_family.test_difficulty import DISTANT_FUTURE, NETWORKS, VERSION, header
from tests.vectors import bitcoin_family as vectors

TIMES = st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=30)
SECOND = 1_700_000_000
MAIN_BITS = 0x1D00_FFFF


def grown(parameters: NetworkParameters, times: list[int], lowest: int = 0) -> Ancestry:
    """Return the ancestry of headers with these times, known from height `lowest` on."""
    ancestry = begin_ancestry(parameters, header(times[0], MAIN_BITS), lowest)
    for time in times[1:]:
        ancestry = extend_ancestry(parameters, ancestry, header(time, MAIN_BITS))
    return ancestry


def refusal(
    parameters: NetworkParameters, ancestry: Ancestry, new: Header, now: float = DISTANT_FUTURE
) -> RuleError:
    with pytest.raises(RuleError) as caught:
        check_ancestry(parameters, ancestry, new, now)
    assert not caught.value.mutated
    return caught.value


@given(TIMES)
def test_the_median_is_that_of_the_last_eleven_times_or_of_all_since_genesis(times: list[int]) -> None:
    last = times[-MEDIAN_TIMES:]
    median = median_time(grown(bitcoin.MAIN, times))
    assert median is not None
    below, above = sum(t < median for t in last), sum(t > median for t in last)
    assert median in last
    assert below <= len(last) // 2
    assert above <= (len(last) - 1) // 2


@given(TIMES)
def test_a_header_must_be_later_than_the_median(times: list[int]) -> None:
    ancestry = grown(bitcoin.MAIN, times)
    median = median_time(ancestry)
    assert median is not None
    error = refusal(bitcoin.MAIN, ancestry, header(median, MAIN_BITS))
    assert (error.check, error.early) == ("median_time", False)
    assert str(median) in str(error)
    if median + 1 < 2**32:
        check_ancestry(bitcoin.MAIN, ancestry, header(median + 1, MAIN_BITS), DISTANT_FUTURE)


@given(st.lists(st.integers(0, 100), min_size=11, max_size=11), st.integers(1, 11))
def test_where_times_are_unknown_only_what_every_unknown_time_leaves_true_is_asked(
    times: list[int], known: int
) -> None:
    lowest = 5_000 - known
    ancestry = grown(bitcoin.MAIN, times[-known:], lowest)
    least = median_time_min(ancestry)
    true_median = sorted(times)[5]
    lowest_median = sorted([-1] * (11 - known) + times[-known:])[5]
    assert least == (None if lowest_median == -1 else lowest_median)
    assert least is None or least <= true_median
    assert median_time(ancestry) == (true_median if known == 11 else None)


@given(TIMES, st.integers(1, 10**6))
def test_an_ancestry_never_holds_more_than_eleven_times(times: list[int], lowest: int) -> None:
    ancestry = grown(bitcoin.MAIN, times, lowest)
    assert ancestry.times == tuple(times[-MEDIAN_TIMES:])
    assert ancestry.height == lowest + len(times) - 1


def test_a_header_two_hours_ahead_passes_and_one_second_more_is_early() -> None:
    ancestry = grown(bitcoin.REGTEST, [SECOND])
    limit = SECOND + FUTURE_TIME_MAX_S
    check_ancestry(bitcoin.REGTEST, ancestry, header(limit, 0x207F_FFFF), float(SECOND))
    error = refusal(bitcoin.REGTEST, ancestry, header(limit + 1, 0x207F_FFFF), float(SECOND))
    assert (error.check, error.early) == ("future_time", True)
    assert str(limit + 1) in str(error)
    assert str(SECOND) in str(error)
    assert "clock may be wrong" in str(error)


def test_a_header_that_breaks_another_rule_too_is_not_called_early() -> None:
    ancestry = grown(bitcoin.MAIN, [SECOND])
    error = refusal(bitcoin.MAIN, ancestry, header(SECOND + 10**6, MAIN_BITS - 1), float(SECOND))
    assert (error.check, error.early) == ("difficulty", False)


def short(value: object) -> str:
    return value.chain_id if isinstance(value, NetworkParameters) else str(value)


VERSIONS = [
    (bitcoin.MAIN, 227_930, 1, True),
    (bitcoin.MAIN, 227_931, 1, False),
    (bitcoin.MAIN, 227_931, 2, True),
    (bitcoin.MAIN, 363_724, 2, True),
    (bitcoin.MAIN, 363_725, 2, False),
    (bitcoin.MAIN, 388_380, 3, True),
    (bitcoin.MAIN, 388_381, 3, False),
    (bitcoin.MAIN, 388_381, 4, True),
    (bitcoin.MAIN, 900_000, 0x2000_0000, True),
    (bitcoin.MAIN, 900_000, -1, False),
    (bitcoin.MAIN, 227_930, -1, True),
    (litecoin.MAIN, 709_999, 1, True),
    (litecoin.MAIN, 710_000, 1, False),
    (litecoin.MAIN, 811_878, 2, True),
    (litecoin.MAIN, 811_879, 2, False),
    (litecoin.MAIN, 918_684, 3, False),
    (litecoin.MAIN, 1_201_535, 4, True),
    (litecoin.MAIN, 1_201_536, 4, False),
    (litecoin.MAIN, 1_201_536, 0x1FFF_FFFF, False),
    (litecoin.MAIN, 1_201_536, 0x2000_0000, True),
    (litecoin.MAIN, 1_201_536, 0x7FFF_FFFF, True),
    (litecoin.TESTNET, 6_047, 4, True),
    (litecoin.TESTNET, 6_048, 4, False),
    (litecoin.REGTEST, 1, 4, False),
    (litecoin.REGTEST, 1, 0x2000_0000, True),
    (dogecoin.MAIN, 371_336, 1, True),
    (dogecoin.MAIN, 371_336, 2, True),
    (dogecoin.MAIN, 371_336, 0x0062_0102, False),
    (dogecoin.MAIN, 371_337, 0x0062_0102, True),
    (dogecoin.MAIN, 371_337, 0x0062_0002, True),
    (dogecoin.MAIN, 371_337, 1, False),
    (dogecoin.MAIN, 371_337, 2, False),
    (dogecoin.MAIN, 1_034_382, 0x0062_0102, True),
    (dogecoin.MAIN, 1_034_383, 0x0062_0102, False),
    (dogecoin.MAIN, 1_034_383, 0x0062_0103, True),
    (dogecoin.MAIN, 3_464_751, 0x0062_0103, False),
    (dogecoin.MAIN, 3_464_751, 0x0062_0104, True),
    (dogecoin.TESTNET, 158_099, 0x0062_0102, False),
    (dogecoin.TESTNET, 158_100, 0x0062_0102, True),
    (dogecoin.TESTNET, 158_100, 2, False),
    (dogecoin.REGTEST, 19, 1, True),
    (dogecoin.REGTEST, 20, 1, False),
    (dogecoin.REGTEST, 1_250, -0x7F9D_FEFC, True),
    (dogecoin.REGTEST, 1_251, -0x7F9D_FEFC, False),
]


@pytest.mark.parametrize(("parameters", "height", "version", "passes"), VERSIONS, ids=short)
def test_a_version_binds_from_its_height_on(
    parameters: NetworkParameters, height: int, version: int, *, passes: bool
) -> None:
    parameters = msgspec.structs.replace(parameters, pinned={})
    new = header(SECOND, parameters.fixed_bits or MAIN_BITS, version)
    if passes:
        check_ancestry(parameters, Ancestry(height - 1), new, DISTANT_FUTURE)
    else:
        error = refusal(parameters, Ancestry(height - 1), new)
        assert error.check == "version"
        assert str(height) in str(error)


@given(st.integers(-(2**31), 2**31 - 1))
def test_a_base_version_is_the_remainder_that_truncating_division_leaves(version: int) -> None:
    base = base_version(version)
    assert abs(base) < 256
    assert (version - base) % 256 == 0
    assert base == 0 or (base < 0) == (version < 0)


@pytest.mark.parametrize("parameters", NETWORKS.values(), ids=lambda parameters: parameters.chain_id)
def test_a_pinned_height_takes_the_pinned_hash_only(parameters: NetworkParameters) -> None:
    for height, pinned in parameters.pinned.items():
        new = header(SECOND, MAIN_BITS, 0x0062_0004 if parameters.auxpow else VERSION)
        other = msgspec.structs.replace(new, hash=bytes(31) + b"\x01")
        error = refusal(parameters, Ancestry(height - 1), other)
        assert error.check == "checkpoint"
        assert pinned[::-1].hex() in str(error)
        assert "checkpoint" in ancestry_checks(parameters, Ancestry(height - 1))
        if parameters.auxpow is None or height >= parameters.auxpow.height:
            same = msgspec.structs.replace(new, hash=pinned)
            check_ancestry(parameters, Ancestry(height - 1), same, DISTANT_FUTURE)
        check_ancestry(parameters, Ancestry(height), other, DISTANT_FUTURE)


@pytest.mark.parametrize(
    ("height", "earlier_s", "passes"),
    [(42_336, 600, True), (42_336, 601, False), (42_335, 601, True), (42_337, 601, True)],
)
def test_testnet4_lets_a_period_begin_ten_minutes_back_at_most(
    height: int, earlier_s: int, *, passes: bool
) -> None:
    times = (*[SECOND - 10_000] * 10, SECOND)
    ancestry = Ancestry(height - 1, times)
    new = header(SECOND - earlier_s, MAIN_BITS)
    guarded = "time_warp" in ancestry_checks(bitcoin.TESTNET4, ancestry)
    assert guarded == (height == 42_336)
    check_ancestry(bitcoin.TESTNET, ancestry, new, DISTANT_FUTURE)
    if passes:
        check_ancestry(bitcoin.TESTNET4, ancestry, new, DISTANT_FUTURE)
    else:
        assert refusal(bitcoin.TESTNET4, ancestry, new).check == "time_warp"


@pytest.mark.parametrize("parameters", NETWORKS.values(), ids=lambda parameters: parameters.chain_id)
def test_the_checks_named_are_those_that_could_be_made(parameters: NetworkParameters) -> None:
    nothing_known = ancestry_checks(parameters, Ancestry(1_000_000 + 1))
    fixed = ("difficulty",) if parameters.fixed_bits is not None else ()
    assert nothing_known == ("version", "future_time", *fixed)
    genesis = begin_ancestry(parameters, header(SECOND, MAIN_BITS), 0)
    assert ancestry_checks(parameters, genesis) == ("version", "future_time", "difficulty", "median_time")


def test_a_target_that_is_only_bounded_is_not_called_checked() -> None:
    """A branch that begins within a period knows the next target, but not the one after the retarget."""
    ancestry = begin_ancestry(bitcoin.MAIN, header(SECOND, 0x1702_068F), 951_658)
    named = []
    for time in range(SECOND + 600, SECOND + 600 * 2_100, 600):
        named.append("difficulty" in ancestry_checks(bitcoin.MAIN, ancestry))
        ancestry = extend_ancestry(bitcoin.MAIN, ancestry, header(time, 0x1702_068F))
    unnamed = [951_659 + place for place, checked in enumerate(named) if not checked]
    assert unnamed == [953_568]


def test_a_testnet_header_that_may_be_late_has_its_target_checked_only_if_both_are_known() -> None:
    easiest = begin_ancestry(bitcoin.TESTNET, header(SECOND, MAIN_BITS), 2_500_001)
    assert "difficulty" not in ancestry_checks(bitcoin.TESTNET, easiest)
    ordinary = extend_ancestry(bitcoin.TESTNET, easiest, header(SECOND + 1, 0x1C00_FFFF))
    assert "difficulty" in ancestry_checks(bitcoin.TESTNET, ordinary)


def test_recorded_headers_from_genesis_on_pass_and_each_is_refused_with_another_target() -> None:
    processor = bitcoin.CHAIN.processor("main")
    headers = [
        processor.read_header(raw[:80]) for raw in vectors.block_file("bitcoin/mainnet_blocks_1_256.bz2")
    ]
    assert len(headers) == 255
    ancestry = processor.begin_ancestry(processor.read_header(bitcoin.MAIN.genesis), 0)
    for new in headers:
        assert processor.check_header(new, ancestry, float(new.timestamp)) is None
        assert {"difficulty", "median_time"} <= set(processor.context_checks(ancestry))
        harder = msgspec.structs.replace(new, raw=new.raw[:72] + b"\xfe" + new.raw[73:])
        refused = processor.check_header(harder, ancestry, float(new.timestamp))
        assert refused is not None
        assert refused.check == "difficulty"
        ancestry = processor.extend_ancestry(ancestry, new)
    assert ancestry.height == 255


def test_a_summary_made_on_the_way_is_that_of_the_headers_since_the_period_began(seed: int) -> None:
    """A branch known from below a period's start is summed up as one known from genesis, from there on."""
    rng = random.Random(seed)
    parameters = msgspec.structs.replace(litecoin.TESTNET, pinned={})
    times = [SECOND + 150 * number + rng.randrange(-400, 400) for number in range(6_000)]
    bits = [rng.choice((0x1E0F_FFFF, 0x1D0F_FFFF, 0x1C0F_FFFF)) for _ in times]
    whole = begin_ancestry(parameters, header(times[0], bits[0]), 0)
    partial = None
    for height in range(1, len(times)):
        new = header(times[height], bits[height])
        whole = extend_ancestry(parameters, whole, new)
        if height == 1_000:
            partial = begin_ancestry(parameters, new, height)
        elif partial is not None:
            partial = extend_ancestry(parameters, partial, new)
            assert (partial == whole) == (height >= 2_016), height
