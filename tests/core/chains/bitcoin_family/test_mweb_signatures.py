"""What binds the inputs and outputs of an extension block, and the one thing that nothing binds."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sprint.core.chains.bitcoin_family import mweb
from sprint.core.kernels.secp256k1 import ORDER, square_y
from tests.core.chains.bitcoin_family.extension_blocks import (
    EMPTY,
    WITHIN,
    accepted,
    built,
    inputs_of,
    judged,
    parts_of,
    refusal,
    signed_kernel,
    varint,
    with_kernels,
)

REFUSED_BODY = ("mweb", True)
REFUSED_BLOCK = ("mweb", False)


def commitment_bytes(raw: bytes) -> list[int]:
    """Where the commitments of the inputs lie: behind the features and the id of the output that is spent."""
    found: list[int] = []
    for piece in inputs_of(raw):
        start = raw.index(piece) + 33
        found += range(start, start + 33)
    return found


def flipped(raw: bytes, bit: int) -> bytes:
    changed = bytearray(raw)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


OUTSIDE = sorted(
    set(range(len(WITHIN) - len(parts_of(WITHIN).extension), len(WITHIN))) - set(commitment_bytes(WITHIN))
)


@given(st.sampled_from(OUTSIDE), st.integers(0, 7))
@settings(max_examples=150, deadline=None)
def test_a_flipped_bit_in_an_extension_block_is_refused(byte: int, bit: int) -> None:
    assert refusal(flipped(WITHIN, 8 * byte + bit), 434) in {REFUSED_BODY, ("parse", True)}


def test_a_flipped_bit_in_an_inputs_commitment_is_told_only_where_it_is_no_point() -> None:
    """What is not bound: only the output it spends, or the offsets of the block below, would tell."""
    for byte in commitment_bytes(WITHIN)[:33]:
        raw = flipped(WITHIN, 8 * byte)
        commitment = inputs_of(raw)[0][33:66]
        x = int.from_bytes(commitment[1:], "big")
        is_point = commitment[0] in {8, 9} and square_y(x) is not None
        verdict = judged(raw, 434)
        assert (verdict is None) == is_point
        assert verdict is None or "is no commitment" in verdict.reason


def test_more_signatures_than_the_limit_are_left_unchecked_and_the_block_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for limit, checked in ((10, True), (9, False)):
        monkeypatch.setattr(mweb, "SIGNATURES_MAX", limit)
        assert ("mweb_signatures" in accepted(WITHIN).checks) == checked
        assert "mweb" in accepted(WITHIN).checks


def shifted(kernel: bytes, by: int) -> bytes:
    """Add to the s of a kernel's signature."""
    s = int.from_bytes(kernel[-32:], "big")
    return kernel[:-32] + ((s + by) % ORDER).to_bytes(32, "big")


def test_a_false_signature_of_a_kernel_is_told_under_a_right_root() -> None:
    kernels = [signed_kernel(1, varint(5)), signed_kernel(1, varint(9), secret=7)]
    accepted(built(with_kernels(parts_of(EMPTY), *kernels)))
    for place in (0, 1):
        wrong = list(kernels)
        wrong[place] = shifted(wrong[place], 1)
        assert refusal(built(with_kernels(parts_of(EMPTY), *wrong)), 433) == REFUSED_BODY


def test_two_false_signatures_do_not_hide_each_other() -> None:
    kernels = [shifted(signed_kernel(1, varint(5)), 1), shifted(signed_kernel(1, varint(9)), -1)]
    verdict = judged(built(with_kernels(parts_of(EMPTY), *kernels)), 433)
    assert verdict is not None
    assert "one of 2 signatures" in verdict.reason
