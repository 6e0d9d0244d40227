"""Cells on their way through a pipe: what is written is read, what is none is refused."""

from __future__ import annotations

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.errors import WireError
from sprint.core.kernels.histogram import PlainHistogram
from sprint.core.loadtest.cell import (
    CELL_SIZE_MAX,
    SECONDS_MAX,
    decode_cell,
    decode_counted,
    encode_cell,
    encode_counted,
)
from sprint.core.loadtest.recorder import Recorder
from sprint.core.loadtest.recording import Recording


def packet() -> bytes:
    recorder = Recorder()
    for value in (5, 5, 7_000_000):
        recorder.succeeded(0, 1, value)
    recorder.failed("reset", 0, 9, example="connection reset")
    (found,) = recorder.cells(0, last=True)
    return found


@given(st.lists(st.integers(0, 1 << 50), min_size=1, max_size=50))
def test_counts_of_a_histogram_are_read_as_written(values: list[int]) -> None:
    histogram = PlainHistogram()
    for value in values:
        histogram.record(value)
    counted = histogram.counted()
    assert counted is not None
    assert decode_counted(encode_counted(counted)) == counted


def test_a_cell_is_read_as_written() -> None:
    cell = decode_cell(packet())
    assert encode_cell(cell) == packet()


@given(st.data())
def test_a_damaged_cell_is_refused_or_read_but_never_anything_else(data: st.DataObject) -> None:
    damaged = bytearray(packet())
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    recording = Recording(())
    with contextlib.suppress(WireError):
        recording.add(bytes(damaged[: data.draw(st.integers(0, len(damaged)))]))
    assert recording.totals(1).successes >= 0


def test_what_is_no_cell_is_refused_with_what_it_is() -> None:
    cell = decode_cell(packet())
    for wrong, words in (
        (b"", "no cell"),
        (b"x" * (CELL_SIZE_MAX + 1), "the limit is"),
        (encode_cell(msgspec.structs.replace(cell, second=SECONDS_MAX + 1)), f"the limit is {SECONDS_MAX}"),
        (encode_cell(msgspec.structs.replace(cell, second=-1)), "second -1"),
        (encode_cell(msgspec.structs.replace(cell, histograms={"other": b""})), "which nobody knows"),
    ):
        with pytest.raises(WireError, match=words):
            decode_cell(wrong)
    for data in (b"", b"x" * 36, bytes(36) + b"x"):
        with pytest.raises(WireError, match="a histogram of"):
            decode_counted(data)


def test_a_cell_whose_text_is_no_text_is_refused() -> None:
    with pytest.raises(WireError, match="no cell"):
        decode_cell(packet().replace(b"connection reset", b"connection \xffeset"))


def test_a_cell_with_a_histogram_of_other_limits_is_refused() -> None:
    cell = decode_cell(packet())
    other = PlainHistogram(1_000)
    other.record(1)
    counted = other.counted()
    assert counted is not None
    wrong = msgspec.structs.replace(cell, histograms={"response": encode_counted(counted)})
    with pytest.raises(WireError, match="have to be the same"):
        Recording(()).add(encode_cell(wrong))
