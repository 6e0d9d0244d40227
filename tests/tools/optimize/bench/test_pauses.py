"""The collector's pauses are seen, and a measurement leaves nothing behind."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from sprint.tools.optimize.bench.pauses import Heap, pauses
from sprint.tools.optimize.bench.scenes import SCENES, percentile


@pytest.fixture
def collector_as_it_was() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)


def test_pauses_are_counted_while_it_is_measured_and_no_longer() -> None:
    callbacks = list(gc.callbacks)
    found = pauses(0.02, survivors=1_000)
    assert len(found) > 0
    assert min(found) > 0
    assert gc.callbacks == callbacks


def test_with_the_collector_off_there_is_no_pause(collector_as_it_was: None) -> None:
    gc.set_threshold(0)
    assert len(pauses(0.02, survivors=1_000)) == 0
    assert SCENES["collector"].measure(0.02) == (100.0,)


def test_a_heavy_heap_is_looked_at_in_each_full_round() -> None:
    heap = Heap(10_000)
    gc.collect()
    tracked = len(gc.get_objects())
    assert tracked > 9_000
    assert repr(heap) == "Heap(10000 objects)"


def test_percentiles_are_those_of_the_values() -> None:
    values = list(range(1, 101))
    assert percentile(values, 0.5) == 51
    assert percentile(values, 0.99) == 100
    assert percentile([7], 0.99) == 7
