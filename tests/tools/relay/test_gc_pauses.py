"""Each collection of garbage is counted once, under its generation, while it is asked for."""

from __future__ import annotations

import gc

from prometheus_client import CollectorRegistry

from sprint.tools.relay.gc_pauses import GcPauses


def test_collections_are_counted_by_generation_between_start_and_stop() -> None:
    pauses, registry = GcPauses(), CollectorRegistry()
    registry.register(pauses)
    gc.disable()
    try:
        gc.collect(2)
        pauses.start()
        gc.collect(0)
        gc.collect(2)
        gc.collect(2)
        pauses.stop()
        pauses.stop()
        gc.collect(1)
    finally:
        gc.enable()
    assert [sum(pauses.counts(generation)) for generation in range(3)] == [1, 0, 2]
    labels = {"generation": "2"}
    assert registry.get_sample_value("sprint_gc_pause_seconds_count", labels) == 2.0
    assert (registry.get_sample_value("sprint_gc_pause_seconds_sum", labels) or 0.0) > 0.0
