"""How much of a processor another process wants: counted by the interval, by what the system knows of it."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from sprint.tools import runtime
from sprint.tools.loadtest import wanting
from sprint.tools.loadtest.wanting import Wanting, wanted_by


def test_an_interval_is_busy_where_most_of_it_was_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process is gone after four looks: its end ends the watch."""
    wanted = iter([0, 900, 1_799, 5_000])
    moments = iter([0, 1_000, 2_000, 3_000, 4_000])

    def wanted_ns(_: int) -> int:
        try:
            return next(wanted)
        except StopIteration as error:
            raise ProcessLookupError from error

    monkeypatch.setattr(wanting, "INTERVAL_S", 0.0)
    monkeypatch.setattr(wanting, "clock_ns", lambda: next(moments))
    watch = Wanting(1, wanted_ns)
    runtime.run(asyncio.wait_for(watch.run(), 10))
    assert (watch.intervals, watch.busy_intervals) == (3, 2)


@pytest.mark.parametrize(
    ("busy", "of", "was"), [(0, 9, False), (1, 9, True), (1, 200, False), (2, 200, True)]
)
def test_a_moment_of_a_long_time_is_not_told(busy: int, of: int, *, was: bool) -> None:
    watch = Wanting(1)
    watch.busy_intervals, watch.intervals = busy, of
    assert watch.was_busy == was


def test_who_works_has_wanted_a_processor_for_that_long() -> None:
    before_ns, used_s = wanted_by(os.getpid()), _used_s()
    while _used_s() - used_s < 0.1:
        pass
    assert wanted_by(os.getpid()) - before_ns >= 90_000_000


def _used_s() -> float:
    return sum(os.times()[:2])


def test_where_the_system_does_not_say_what_waited_it_is_what_ran(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: Path, *__: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", missing)
    assert 0 < wanted_by(os.getpid()) <= (_used_s() + 1) * 1e9
