"""Stage times: a histogram for each stage, bounded memory for blocks that never arrive."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest

from sprint.tools.relay.stages import BLOCKS_OBSERVED_MAX, STAGES, StageTimes


def test_each_stage_is_timed_from_the_one_before() -> None:
    registry = CollectorRegistry()
    times = StageTimes(registry)
    for index, stage in enumerate(STAGES):
        times.mark(stage, "bitcoin", b"h" * 32, 10.0 + index * 0.001)
    for stage in STAGES[1:]:
        labels = {"chain": "bitcoin", "stage": stage}
        assert round(registry.get_sample_value("sprint_stage_seconds_sum", labels) or 0, 6) == 0.001
    whole = registry.get_sample_value("sprint_relay_seconds_sum", {"chain": "bitcoin"})
    assert round(whole or 0, 6) == 0.007


def test_bytes_that_are_not_framed_yet_are_not_a_block() -> None:
    registry = CollectorRegistry()
    StageTimes(registry).mark("read", "bitcoin", b"", 1.0)
    assert b'chain="bitcoin"' not in generate_latest(registry)


def test_blocks_that_never_get_through_are_forgotten_at_the_bound() -> None:
    times = StageTimes(CollectorRegistry())
    for number in range(BLOCKS_OBSERVED_MAX + 10):
        times.mark("read", "bitcoin", number.to_bytes(32, "big"), float(number))
    assert len(times._last) == BLOCKS_OBSERVED_MAX
