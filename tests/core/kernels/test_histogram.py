"""The histogram, by each binding: how exact it is, what it refuses, and that all of them agree."""

from __future__ import annotations

import copy
import gc
import random
from array import array
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.kernels.histogram import DIGITS_MAX, HOUR_NS, VALUE_LIMIT, HistogramCounts, PlainHistogram

NewHistogram = Callable[..., PlainHistogram]
VALUES = st.integers(0, 1 << 44) | st.integers(0, 5_000) | st.integers(VALUE_LIMIT - 3, VALUE_LIMIT + 3)
SHARES = (0.0, 0.01, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 1.0)


def plain(value_max: int = HOUR_NS, *, digits: int = 3) -> PlainHistogram:
    return PlainHistogram(value_max, digits=digits)


def by_builtin(value_max: int = HOUR_NS, *, digits: int = 3) -> PlainHistogram:
    compiled = pytest.importorskip("sprint.core.kernels.histogram_compiled", exc_type=ImportError)
    new: PlainHistogram = compiled.CompiledHistogram(value_max, digits=digits, by_builtin=True)
    return new


def by_call(value_max: int = HOUR_NS, *, digits: int = 3) -> PlainHistogram:
    compiled = pytest.importorskip("sprint.core.kernels.histogram_compiled", exc_type=ImportError)
    new: PlainHistogram = compiled.CompiledHistogram(value_max, digits=digits, by_builtin=False)
    return new


BINDINGS = (plain, by_builtin, by_call)


@pytest.fixture(params=BINDINGS, ids=lambda binding: binding.__name__)
def new_histogram(request: pytest.FixtureRequest) -> NewHistogram:
    found: NewHistogram = request.param
    return found


def exact(values: list[int], share: float) -> int:
    """The least value that is not exceeded by so many."""
    ordered = sorted(values)
    return next(value for count, value in enumerate(ordered, 1) if count >= share * len(ordered))


@given(st.lists(VALUES, max_size=50), st.lists(VALUES | st.just(-1), max_size=10))
def test_so_many_are_within_a_limit_as_do_not_exceed_its_bucket(values: list[int], limits: list[int]) -> None:
    for binding in BINDINGS:
        histogram = binding()
        for value in values:
            histogram.record(value)
        for limit, within in zip(limits, histogram.counts_within(limits), strict=True):
            bucket_end = max(limit, 0) * (1 + 10**-3) + 1
            capped = [min(value, HOUR_NS) for value in values]
            least = sum(value <= limit for value in capped) if limit < HOUR_NS else len(values)
            assert least <= within <= max(least, sum(value <= bucket_end for value in capped))


@pytest.mark.parametrize("digits", range(1, DIGITS_MAX + 1))
def test_a_percentile_is_at_most_its_digits_above_the_exact_one(
    new_histogram: NewHistogram, digits: int, seed: int
) -> None:
    rng = random.Random(seed)
    values = [int(rng.lognormvariate(12, 3)) for _ in range(3_000)]
    histogram = new_histogram(digits=digits)
    for value in values:
        histogram.record(value)
    found = histogram.percentiles(SHARES)
    assert found is not None
    for share, value in zip(SHARES, found, strict=True):
        wanted = exact(values, share)
        assert wanted <= value <= wanted + wanted / 10**digits, (share, seed)


@given(VALUES)
def test_every_value_is_in_a_bucket_that_is_as_narrow_as_its_digits_say(value: int) -> None:
    histogram = PlainHistogram(VALUE_LIMIT, digits=3)
    bucket = histogram._bucket(value)
    last = histogram._last_value(bucket)
    first = histogram._last_value(bucket - 1) + 1 if bucket else 0
    assert first <= value <= last
    assert last - first <= value / 1000


@given(st.lists(VALUES, max_size=60), st.sampled_from([1, 2, 3]), st.sampled_from([1, 1_000, 2_048, HOUR_NS]))
def test_all_bindings_keep_the_same(values: list[int], digits: int, value_max: int) -> None:
    histograms = [binding(value_max, digits=digits) for binding in BINDINGS]
    small = array("q", [value for value in values if value <= VALUE_LIMIT])
    for histogram in histograms:
        for value in values:
            histogram.record(value)
        histogram.record_many(small)
    reference = histograms[0]
    for histogram in histograms[1:]:
        assert histogram._counts == reference._counts
        assert (histogram.least, histogram.greatest) == (reference.least, reference.greatest)
        assert histogram.percentiles(SHARES) == reference.percentiles(SHARES)
    assert len(reference) == len(values) + len(small)


def test_a_merged_histogram_is_that_of_all_values(new_histogram: NewHistogram, seed: int) -> None:
    rng = random.Random(seed)
    parts = [[rng.randrange(1 << rng.randrange(1, 40)) for _ in range(size)] for size in (500, 0, 300)]
    whole = new_histogram()
    whole.record_many(array("q", [value for part in parts for value in part]))
    merged = new_histogram()
    for part in parts:
        one = new_histogram()
        one.record_many(array("q", part))
        merged.merge(one)
    assert merged._counts == whole._counts
    assert (merged.least, merged.greatest, len(merged)) == (whole.least, whole.greatest, 800)


@given(st.lists(VALUES, max_size=40), st.lists(VALUES, max_size=40))
def test_what_another_process_counted_is_added_as_its_values_would_be(
    here: list[int], there: list[int]
) -> None:
    for binding in BINDINGS:
        whole, ours, theirs = binding(), binding(), binding()
        for value in here:
            ours.record(value)
            whole.record(value)
        for value in there:
            theirs.record(value)
            whole.record(value)
        counted = theirs.counted()
        assert (counted is None) == (not there)
        if counted is not None:
            ours.add_counted(counted)
        assert ours._counts == whole._counts
        assert (ours.least, ours.greatest) == (whole.least, whole.greatest)


@pytest.mark.parametrize(
    "wrong",
    [
        {"buckets": array("I", (5, 3))},
        {"buckets": array("I", (3, 9))},
        {"buckets": array("I", (3,))},
        {"buckets": array("I"), "counts": array("Q")},
        {"counts": array("Q", (1, 0))},
        {"least": 4},
        {"greatest": 1 << 70},
        {"digits": 2},
        {"value_max": 7},
    ],
    ids=repr,
)
def test_counts_that_are_not_those_of_one_histogram_are_refused(wrong: dict[str, Any]) -> None:
    right = HistogramCounts(HOUR_NS, 3, 3, 5, array("I", (3, 5)), array("Q", (1, 2)))
    histogram = plain()
    histogram.add_counted(right)
    before = histogram.counted()
    with pytest.raises(ValueError, match=r"of one histogram|have to be the same"):
        histogram.add_counted(right._replace(**wrong))
    assert histogram.counted() == before == right


def test_a_cleared_histogram_is_as_a_new_one(new_histogram: NewHistogram) -> None:
    histogram = new_histogram()
    for value in (0, 7, 1 << 40):
        histogram.record(value)
    histogram.clear()
    assert (len(histogram), histogram.least, histogram.counted()) == (0, None, None)
    histogram.record(9)
    assert (histogram.least, histogram.greatest, len(histogram)) == (9, 9, 1)


@pytest.mark.parametrize("offset", range(8))
def test_a_batch_of_every_length_from_any_address_is_counted_as_by_the_reference(
    new_histogram: NewHistogram, offset: int, seed: int
) -> None:
    rng = random.Random(seed)
    ours, theirs = new_histogram(), plain()
    for length in range(201):
        values = array("q", (rng.getrandbits(rng.randrange(1, 63)) for _ in range(length)))
        ours.record_many(memoryview(bytes(offset) + values.tobytes())[offset:].cast("q"))
        for value in values:
            theirs.record(value)
    assert (len(ours), ours.least, ours.greatest) == (len(theirs), theirs.least, theirs.greatest)
    assert ours._span() == theirs._span()


def test_histograms_of_other_limits_are_not_merged(new_histogram: NewHistogram) -> None:
    with pytest.raises(ValueError, match="have to be the same"):
        new_histogram(digits=3).merge(new_histogram(digits=2))
    with pytest.raises(ValueError, match="have to be the same"):
        new_histogram(1_000).merge(new_histogram(1_001))


def test_an_empty_histogram_has_no_percentiles(new_histogram: NewHistogram) -> None:
    histogram = new_histogram()
    assert histogram.percentiles((0.5,)) is None
    assert (len(histogram), histogram.least, histogram.greatest) == (0, None, None)


def test_a_value_beyond_the_limit_is_counted_as_the_limit_and_still_the_greatest(
    new_histogram: NewHistogram,
) -> None:
    histogram = new_histogram(1_000)
    for value in (1_000, 1_001, 1 << 80):
        histogram.record(value)
    assert histogram.greatest == VALUE_LIMIT
    assert histogram.percentiles((0.5, 1.0)) == [1_000, 1_000]
    assert len(histogram) == 3


def test_memory_is_that_of_the_limits_whatever_is_recorded(new_histogram: NewHistogram) -> None:
    histogram = new_histogram()
    before = histogram.size_bytes
    for power in range(70):
        histogram.record(1 << power)
    assert histogram.size_bytes == before <= 34_000 * 8


@pytest.mark.parametrize(("value", "error"), [(-1, ValueError), (-(1 << 70), ValueError), (1.5, TypeError)])
def test_what_cannot_be_counted_is_refused(
    new_histogram: NewHistogram, value: int, error: type[Exception]
) -> None:
    histogram = new_histogram()
    with pytest.raises(error, match="a value"):
        histogram.record(value)
    assert len(histogram) == 0


def test_one_bad_value_keeps_a_whole_batch_out(new_histogram: NewHistogram) -> None:
    histogram = new_histogram()
    with pytest.raises(ValueError, match="a value of -7, the least is 0"):
        histogram.record_many(array("q", [1, -3, -7]))
    with pytest.raises(TypeError, match="format 'd'"):
        histogram.record_many(array("d", [1.0]))
    with pytest.raises(ValueError, match="without gaps"):
        histogram.record_many(memoryview(array("q", [1, 2, 3, 4]))[::2])
    assert len(histogram) == 0


@pytest.mark.parametrize(("value_max", "digits"), [(0, 3), (VALUE_LIMIT + 1, 3), (9, 0), (9, DIGITS_MAX + 1)])
def test_limits_that_cannot_be_had_are_refused(
    new_histogram: NewHistogram, value_max: int, digits: int
) -> None:
    with pytest.raises(ValueError, match="from 1 to"):
        new_histogram(value_max, digits=digits)


def test_shares_out_of_range_are_refused(new_histogram: NewHistogram) -> None:
    histogram = new_histogram()
    histogram.record(1)
    with pytest.raises(ValueError, match=r"a share of 1\.5"):
        histogram.percentiles((1.5,))


def test_a_record_that_outlives_its_histogram_still_has_its_memory(new_histogram: NewHistogram) -> None:
    records = [new_histogram(1 << 20).record for _ in range(20)]
    gc.collect()
    filler = [array("Q", bytes(8 * 12_000)) for _ in range(20)]
    for record in records:
        for value in range(0, 1 << 20, 999):
            record(value)
    assert not any(map(any, filler))


def test_a_compiled_histogram_is_not_copied_as_its_copy_would_count_into_it() -> None:
    with pytest.raises(TypeError, match="merge this into it"):
        copy.deepcopy(by_builtin())
