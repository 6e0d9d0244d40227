"""Extension blocks: rules that Litecoin Core came to enforce later, each from a height on."""

from __future__ import annotations

import msgspec
import pytest

from sprint.core.chains.bitcoin_family.family import BitcoinFamilyProcessor
from sprint.core.chains.bitcoin_family.parameters import ExtensionRules
from sprint.core.kernels.secp256k1 import ORDER
from tests.core.chains.bitcoin_family.building import at
from tests.core.chains.bitcoin_family.extension_blocks import (
    EMPTY,
    LITECOIN,
    Parts,
    accepted,
    built,
    judged,
    parts_of,
    recommitted,
    refusal,
    signed_kernel,
    varint,
    with_kernels,
)

REFUSED_BODY = ("mweb", True)


def under(**changes: int) -> BitcoinFamilyProcessor:
    """A network on which the later rules bind from these heights, and otherwise never."""
    never = {"pegouts_height": 999, "extra_data_height": 999, "lock_height": 999}
    rules = ExtensionRules(**(never | changes))
    return BitcoinFamilyProcessor(msgspec.structs.replace(LITECOIN.parameters, mweb_rules=rules))


def lacking(features: int) -> Parts:
    """A kernel that says it has something and has none: the count 0 stands on the wire and in no hash."""
    kernel = signed_kernel(features, b"")
    return with_kernels(parts_of(EMPTY), kernel, wired=(kernel[:1] + b"\x00" + kernel[1:],))


@pytest.mark.parametrize(
    ("rule", "parts"),
    [
        ("pegouts_height", lacking(4)),
        ("extra_data_height", lacking(32)),
        ("lock_height", with_kernels(parts_of(EMPTY), signed_kernel(8, varint(434)))),
    ],
    ids=["empty pegouts", "empty extra data", "locked"],
)
def test_a_kernel_that_lacks_what_it_says_or_is_locked_is_refused_from_where_the_rule_binds(
    rule: str, parts: Parts
) -> None:
    block = accepted(built(parts))
    assert under(**{rule: 434}).check_context(block, at(433), ()) is None
    verdict = under(**{rule: 433}).check_context(block, at(433), ())
    assert verdict is not None
    assert (verdict.check, verdict.mutated) == REFUSED_BODY


@pytest.mark.parametrize(
    "kernel", [signed_kernel(32, b"\x01x"), signed_kernel(8, varint(433)), signed_kernel(64, b"")]
)
def test_a_kernel_that_has_what_it_says_passes_under_all_rules(kernel: bytes) -> None:
    block = accepted(built(with_kernels(parts_of(EMPTY), kernel)))
    every = under(pegouts_height=0, extra_data_height=0, lock_height=0)
    assert every.check_context(block, at(433), ()) is None


def test_a_stealth_offset_is_below_the_curves_order() -> None:
    """libsecp256k1 makes no key of a larger one, although it stands for the same multiple."""
    parts = with_kernels(parts_of(EMPTY), signed_kernel(1, varint(9)))
    start = len(varint(433)) + 4 * 32
    assert parts.extension[start : start + 32] == bytes(32)
    for offset, outcome in ((bytes(32), None), (ORDER.to_bytes(32, "big"), REFUSED_BODY)):
        extension = parts.extension[:start] + offset + parts.extension[start + 32 :]
        raw = built(recommitted(parts, extension))
        assert (refusal(raw, 433) if outcome else judged(raw, 433)) == outcome
