"""Each figure that the project's first papers name is there, or is named with what stands in its place."""

from __future__ import annotations

from sprint.core.optimize.stats import EQUALS, Figures, stats_of

# `GetStats` of the white paper (3.6.3), and what the paper on tuning reads of it beside.
OF_THE_PAPERS = {
    *("os", "arch", "go_version", "num_cpu"),
    *("gomaxprocs", "optimal_threads", "rt_capable", "heap_alloc_mb"),
    *("heap_sys_mb", "heap_idle_mb", "heap_inuse_mb", "heap_released_mb"),
    *("heap_objects", "stack_inuse_mb", "stack_sys_mb", "mspan_inuse_mb"),
    *("mspan_sys_mb", "mcache_inuse_mb", "mcache_sys_mb", "gc_cpu_fraction"),
    *("num_gc", "num_forced_gc", "gc_pause_ns", "last_gc"),
    *("pointer_size", "num_goroutine", "num_cgo_call", "applied"),
    *("optimization_level", "level"),
}


def test_each_figure_of_the_papers_is_given_or_named() -> None:
    stats = stats_of(Figures(system="linux", machine="x86_64", python="3.11.7"))
    assert set(stats) >= OF_THE_PAPERS
    assert set(stats) == set(EQUALS)
    without = {name for name, text in EQUALS.items() if text.startswith("null")}
    assert without == {
        *("go_version", "heap_released_mb", "stack_inuse_mb", "num_cgo_call"),
        *("mspan_inuse_mb", "mspan_sys_mb", "mcache_inuse_mb", "mcache_sys_mb"),
    }
    assert all(stats[name] is None for name in without)


def test_sizes_are_in_mebibytes_and_what_is_idle_is_mapped_and_not_resident() -> None:
    figures = Figures(
        system="linux", machine="x", python="3", resident_bytes=3 << 20, mapped_bytes=10 << 20, pauses_s=0.25
    )
    stats = stats_of(figures)
    assert (stats["heap_alloc_mb"], stats["heap_sys_mb"], stats["heap_idle_mb"]) == (3.0, 10.0, 7.0)
    assert stats["gc_pause_ns"] == 250_000_000
    assert stats["stack_sys_mb"] is None
