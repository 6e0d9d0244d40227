"""The bounded reader: every value at its limit and one over, and nothing read past the end."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.errors import WireError
from sprint.core.wire import Reader, compact_size, i32, i64, u32, u64, var_bytes

NO_LIMIT = 2**64 - 1
INTEGERS: list[tuple[Callable[[Reader], int], int, bool, str]] = [
    (Reader.u8, 1, False, "little"),
    (Reader.u16, 2, False, "little"),
    (Reader.u32, 4, False, "little"),
    (Reader.i32, 4, True, "little"),
    (Reader.u64, 8, False, "little"),
    (Reader.i64, 8, True, "little"),
]


def kind_of(read: Callable[[], object]) -> str:
    with pytest.raises(WireError) as caught:
        read()
    return caught.value.kind


@pytest.mark.parametrize(("read", "size", "signed", "order"), INTEGERS)
@given(data=st.data())
def test_an_integer_is_read_from_its_bytes_and_not_from_fewer(
    read: Callable[[Reader], int], size: int, signed: object, order: str, data: st.DataObject
) -> None:
    raw = data.draw(st.binary(min_size=size, max_size=size + 3))
    reader = Reader(raw)
    value = read(reader)
    least_first = list(raw[:size]) if order == "little" else list(reversed(raw[:size]))
    expected = sum(digit << 8 * place for place, digit in enumerate(least_first))
    if signed and least_first[-1] > 127:
        expected -= 1 << 8 * size
    assert (value, reader.position, reader.remaining) == (expected, size, len(raw) - size)
    assert kind_of(lambda: read(Reader(raw[: size - 1]))) == "truncated"


@given(st.integers(0, NO_LIMIT))
def test_a_compact_size_is_read_back_in_its_shortest_form_at_its_limit_and_refused_one_over(
    value: int,
) -> None:
    raw = compact_size(value)
    assert len(raw) == (1 if value < 0xFD else 3 if value < 2**16 else 5 if value < 2**32 else 9)
    reader = Reader(raw)
    assert reader.compact_size(value) == value
    reader.finish()
    if value:
        assert kind_of(lambda: Reader(raw).compact_size(value - 1)) == "oversized"


@pytest.mark.parametrize("value", [0, 0xFC, 0xFD, 0xFFFF, 0x1_0000, 0xFFFF_FFFF, 0x1_0000_0000, NO_LIMIT])
def test_compact_sizes_at_the_edges_of_each_width(value: int) -> None:
    assert Reader(compact_size(value)).compact_size(NO_LIMIT) == value
    for size in range(len(compact_size(value))):
        cut = Reader(compact_size(value)[:size])
        assert kind_of(partial(cut.compact_size, NO_LIMIT)) == "truncated"


@pytest.mark.parametrize(
    "raw_hex",
    ["fd0000", "fdfc00", "fe00000000", "feffff0000", "ff0000000000000000", "ffffffffff00000000"],
)
def test_a_compact_size_in_a_longer_form_is_refused(raw_hex: str) -> None:
    assert kind_of(lambda: Reader(bytes.fromhex(raw_hex)).compact_size(NO_LIMIT)) == "malformed"


def test_a_size_over_its_limit_says_value_limit_and_what() -> None:
    with pytest.raises(WireError, match=r"^inputs 11, limit 10$"):
        Reader(b"\x0b").compact_size(10, "inputs")


@given(st.binary(max_size=300), st.binary(max_size=5))
def test_var_bytes_are_read_back_at_their_limit_and_refused_one_over(data: bytes, after: bytes) -> None:
    raw = var_bytes(data) + after
    reader = Reader(raw)
    assert reader.var_bytes(len(data)) == data
    assert reader.remaining == len(after)
    if data:
        assert kind_of(lambda: Reader(raw).var_bytes(len(data) - 1)) == "oversized"
        assert kind_of(lambda: Reader(var_bytes(data)[:-1]).var_bytes(NO_LIMIT)) == "truncated"


@given(st.binary(max_size=50), st.integers(0, 50), st.integers(0, 60))
def test_taking_never_passes_the_end_and_a_refusal_moves_nothing(raw: bytes, start: int, size: int) -> None:
    reader = Reader(raw, min(start, len(raw)))
    before = reader.position
    if size <= reader.remaining:
        assert reader.take(size) == raw[before : before + size]
        assert reader.position == before + size
    else:
        assert kind_of(lambda: reader.take(size)) == "truncated"
        assert reader.position == before


def test_a_hash_has_32_bytes() -> None:
    assert Reader(bytes(range(33))).hash() == bytes(range(32))
    assert kind_of(lambda: Reader(bytes(31)).hash()) == "truncated"


def test_what_is_left_at_the_end_is_refused() -> None:
    reader = Reader(b"\x01\x02")
    reader.u8()
    assert kind_of(reader.finish) == "trailing"
    reader.u8()
    reader.finish()


@given(st.integers(0, 2**32 - 1), st.integers(-(2**31), 2**31 - 1), st.integers(0, NO_LIMIT), st.data())
def test_integers_are_written_as_they_are_read(a: int, b: int, c: int, data: st.DataObject) -> None:
    d = data.draw(st.integers(-(2**63), 2**63 - 1))
    reader = Reader(u32(a) + i32(b) + u64(c) + i64(d))
    assert (reader.u32(), reader.i32(), reader.u64(), reader.i64()) == (a, b, c, d)
    reader.finish()
