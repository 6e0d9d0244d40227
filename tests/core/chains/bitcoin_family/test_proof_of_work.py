"""Compact targets: every 32-bit value is a known target or is refused for the right reason."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.chains import bitcoin, litecoin
from sprint.core.chains.bitcoin_family.proof_of_work import target_of, work_of
from sprint.core.errors import RuleError

EASIEST = (1 << 256) - 1


def reason(bits: int, limit: int = EASIEST) -> str:
    with pytest.raises(RuleError) as caught:
        target_of(bits, limit)
    assert caught.value.check == "target"
    assert not caught.value.mutated
    return str(caught.value)


@pytest.mark.parametrize(
    ("bits", "target"),
    [
        (0x01123456, 0x12),
        (0x02123456, 0x1234),
        (0x03123456, 0x123456),
        (0x04123456, 0x12345600),
        (0x05009234, 0x92340000),
        (0x20123456, 0x123456 << 232),
        (0x1D00FFFF, 0xFFFF << 208),
        (0x1B0404CB, 0x404CB << 192),
        (0x207FFFFF, 0x7FFFFF << 232),
        (0x2100FFFF, 0xFFFF << 240),
        (0x220000FF, 0xFF << 248),
    ],
)
def test_known_compact_targets(bits: int, target: int) -> None:
    assert target_of(bits, EASIEST) == target


@pytest.mark.parametrize(
    "bits", [0, 0x00123456, 0x01003456, 0x02000056, 0x03000000, 0x04000000, 0x01803456, 0xFF800000]
)
def test_a_target_of_zero_is_refused(bits: int) -> None:
    assert "is zero" in reason(bits)


@pytest.mark.parametrize("bits", [0x01FEDCBA, 0x04923456, 0x03800001, 0x20FFFFFF])
def test_a_negative_target_is_refused(bits: int) -> None:
    assert "is negative" in reason(bits)


@pytest.mark.parametrize("bits", [0xFF123456, 0x21010000, 0x22000100, 0x23000001])
def test_a_target_over_256_bits_is_refused(bits: int) -> None:
    assert "overflows" in reason(bits)


@given(st.integers(0, 2**32 - 1))
def test_every_compact_target_is_its_exact_value_or_refused(bits: int) -> None:
    mantissa = Fraction(bits % 2**23) * Fraction(256) ** (bits // 2**24 - 3)
    value = mantissa.numerator // mantissa.denominator
    sign = bits // 2**23 % 2
    if value == 0 or sign or value > EASIEST:
        kind = "zero" if value == 0 else "negative" if sign else "overflows"
        assert kind in reason(bits)
    else:
        assert target_of(bits, EASIEST) == value


@pytest.mark.parametrize(
    ("limit", "easiest", "too_easy"),
    [
        (bitcoin.MAIN.target_limit, 0x1D00FFFF, 0x1D010000),
        (litecoin.MAIN.target_limit, 0x1E0FFFFF, 0x1E100000),
        (bitcoin.REGTEST.target_limit, 0x207FFFFF, 0x21008000),
    ],
)
def test_the_easiest_target_of_a_network_passes_and_one_easier_is_refused(
    limit: int, easiest: int, too_easy: int
) -> None:
    assert target_of(easiest, limit) <= limit
    assert "easier than the network's limit" in reason(too_easy, limit)


def test_a_target_equal_to_the_limit_passes() -> None:
    limit = 0xFFFF << 208
    assert target_of(0x1D00FFFF, limit) == limit
    assert "easier" in reason(0x1D00FFFF, limit - 1)


def test_work_is_the_expected_number_of_hashes() -> None:
    assert work_of(target_of(0x1D00FFFF, EASIEST)) == 0x100010001
    assert work_of(target_of(0x207FFFFF, EASIEST)) == 2
    assert work_of(EASIEST) == 1
    assert work_of(0) == 1 << 256


@given(st.integers(0, EASIEST), st.integers(0, EASIEST))
def test_a_harder_target_never_stands_for_less_work(one: int, other: int) -> None:
    assert (one <= other) <= (work_of(one) >= work_of(other))
