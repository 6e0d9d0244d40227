"""The bytes of an extension block: read whole, refused where they are cut, changed or too many."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sprint.core.chains import Block, Rejected
from sprint.core.chains.bitcoin_family import mweb_format
from sprint.core.chains.bitcoin_family.mweb_format import parse_extension
from sprint.core.errors import WireError
from sprint.core.wire import Reader, compact_size
from tests.core.chains.bitcoin_family.extension_blocks import (
    EMPTY,
    FIRST,
    LITECOIN,
    MIXED,
    accepted,
    judged,
    parts_of,
    refusal,
    varint,
)

REFUSED_BODY = ("mweb", True)


@given(st.integers(0, 2**63 - 1) | st.integers(0, 70_000))
def test_a_number_is_read_back(value: int) -> None:
    reader = Reader(varint(value))
    assert mweb_format._varint(reader, mweb_format.INT64_MAX, "number") == value
    reader.finish()


def test_a_number_at_its_limit_is_read_and_one_over_refused() -> None:
    for limit in (mweb_format.INT32_MAX, mweb_format.INT64_MAX):
        assert mweb_format._varint(Reader(varint(limit)), limit, "number") == limit
        with pytest.raises(WireError, match=f"limit {limit}"):
            mweb_format._varint(Reader(varint(limit + 1)), limit, "number")
    with pytest.raises(WireError, match="limit"):
        mweb_format._varint(Reader(b"\xff" * 1_000), mweb_format.INT64_MAX, "number")


def kernel_bytes(features: int, middle: bytes) -> bytes:
    return bytes((features,)) + middle + bytes(33) + bytes(64)


def test_the_id_of_a_kernel_leaves_empty_lists_out() -> None:
    """Litecoin Core writes no empty list, so the count 0 that it read is in no hash."""
    pegouts = mweb_format._parse_kernel(Reader(kernel_bytes(4, b"\x00")))
    extra = mweb_format._parse_kernel(Reader(kernel_bytes(32, b"\x00")))
    assert pegouts.raw == kernel_bytes(4, b"")
    assert extra.raw == kernel_bytes(32, b"")
    one = mweb_format._parse_kernel(Reader(kernel_bytes(4, b"\x01\x05\x01\x51")))
    assert one.raw == kernel_bytes(4, b"\x01\x05\x01\x51")
    assert one.supply_change == -5
    with pytest.raises(WireError, match="without a script"):
        mweb_format._parse_kernel(Reader(kernel_bytes(4, b"\x01\x05\x00")))


def test_a_kernel_with_every_feature_is_read_and_signed_in_litecoins_order() -> None:
    middle = (
        varint(3) + varint(900) + b"\x01" + varint(5) + b"\x01\x51" + varint(440) + b"\x02" * 33 + b"\x02xy"
    )
    kernel = mweb_format._parse_kernel(Reader(kernel_bytes(63, middle)))
    assert (kernel.fee, kernel.pegin, kernel.supply_change) == (3, 900, 892)
    assert kernel.signed == b"\x3f" + bytes(33) + middle
    assert kernel.raw == kernel_bytes(63, middle)
    assert (kernel.stealth_excess, kernel.extra_size) == (b"\x02" * 33, 2)


@given(st.integers(0, len(parts_of(FIRST).extension)))
@settings(max_examples=60)
def test_every_truncation_is_refused(cut: int) -> None:
    verdict = judged(FIRST[: len(FIRST) - 1 - cut], 432)
    assert verdict is not None
    assert (verdict.check, verdict.mutated) in {("parse", True), REFUSED_BODY}


def test_bytes_behind_an_extension_block_are_refused() -> None:
    assert refusal(FIRST + b"\x00", 432) == ("parse", True)


def kernels_of(*pegouts: int) -> bytes:
    """Encode kernels with so many pegouts each."""
    return compact_size(len(pegouts)) + b"".join(
        kernel_bytes(4, compact_size(count) + b"\x05\x01\x51" * count) for count in pegouts
    )


def test_pegouts_of_all_kernels_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three bytes each made hundreds of megabytes of a body whose weight was refused only afterwards."""
    monkeypatch.setattr(mweb_format, "PEGOUTS_MAX", 5)
    read = mweb_format._parse_kernels(Reader(kernels_of(2, 3)))
    assert [len(kernel.pegouts) for kernel in read] == [2, 3]
    with pytest.raises(WireError, match="pegouts 4, limit 3"):
        mweb_format._parse_kernels(Reader(kernels_of(2, 4)))


@pytest.mark.parametrize(("which", "limit"), [("inputs", 50_000), ("outputs", 11_764), ("kernels", 100_000)])
def test_a_false_count_is_refused_before_anything_is_made_of_it(which: str, limit: int) -> None:
    header = parts_of(EMPTY).extension[:-3]
    counts = {"inputs": b"", "outputs": b"\x00", "kernels": b"\x00\x00"}[which]
    claimed = header + counts + compact_size(limit + 1)
    with pytest.raises(WireError, match=f"MWEB {which} {limit + 1}, limit {limit}"):
        parse_extension(Reader(claimed + bytes(limit * 900)))


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_no_change_to_an_extension_block_raises(data: st.DataObject) -> None:
    parts = parts_of(MIXED)
    extension = bytearray(parts.extension)
    start = data.draw(st.integers(0, len(extension) - 1))
    until = data.draw(st.integers(start, min(len(extension), start + 12)))
    extension[start:until] = data.draw(st.binary(max_size=12))
    verdict = LITECOIN.process_block(
        MIXED[: -len(parts.extension)] + bytes(extension), accepted(MIXED).header
    )
    assert isinstance(verdict, Block | Rejected)
