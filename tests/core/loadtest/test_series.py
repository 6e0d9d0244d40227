"""Points over time: one a second, without gaps, in bounded memory, coarser where there are too many."""

from __future__ import annotations

import pytest

from sprint.core.duration import SECOND_NS
from sprint.core.kernels.histogram import PlainHistogram
from sprint.core.loadtest.cell import Cell, decode_cell
from sprint.core.loadtest.plan import DURATION_NS_MAX
from sprint.core.loadtest.recorder import Recorder
from sprint.core.loadtest.series import OPEN_S, OPEN_S_OF_KNOWN, POINTS_MAX, Series
from tests.core.loadtest.runs import MS_NS


def asked_upto(now_ns: int) -> int:
    return now_ns * 10 // SECOND_NS


def series(points_max: int = POINTS_MAX, processes: int | None = None) -> Series:
    return Series(asked_upto, PlainHistogram, points_max=points_max, processes=processes)


def cell(second: int, *took_ms: int, process: int = 0, in_flight: int = 0) -> Cell:
    recorder = Recorder(process)
    recorder.in_flight = in_flight
    for took in took_ms:
        recorder.succeeded(second * SECOND_NS, second * SECOND_NS, second * SECOND_NS + took * MS_NS)
    packets = recorder.cells(second * SECOND_NS, last=True)
    found = decode_cell(packets[-1])
    found.second = second
    return found


def test_a_second_in_which_nothing_happened_has_its_point() -> None:
    made = series()
    made.add(cell(0, 5))
    made.add(cell(3, 7))
    made.finish()
    assert [(point.at_s, point.asked, point.successes) for point in made.points()] == [
        (0, 10, 1), (1, 10, 0), (2, 10, 0), (3, 10, 1),
    ]  # fmt: skip
    assert made.points()[1].response_ms_p99 is None


@pytest.mark.parametrize("points_max", [POINTS_MAX, 2])
def test_no_point_claims_what_was_due_after_the_run_was_stopped(points_max: int) -> None:
    """The last one had claimed a whole second's requests."""
    made = series(points_max)
    for second in range(4):
        made.add(cell(second, 5))
    made.finish(2 * SECOND_NS + SECOND_NS // 2)
    assert sum(point.asked for point in made.points()) == 25
    assert [point.asked for point in made.points()] in ([10, 10, 5, 0], [20, 5])


def test_a_point_is_there_when_all_processes_have_handed_in() -> None:
    made = series(processes=2)
    made.add(cell(0, 5, process=0))
    assert made.newest() is None
    made.add(cell(0, 9, process=1, in_flight=4))
    newest = made.newest()
    assert newest is not None
    assert (newest.successes, newest.in_flight, newest.response_ms_max) == (2, 4, 9.0)


def test_a_process_that_is_silent_holds_points_up_only_so_long() -> None:
    made = series(processes=2)
    for second in range(OPEN_S_OF_KNOWN + 2):
        made.add(cell(second, 5))
    assert [point.at_s for point in made.points()] == [0]
    unknown = series()
    for second in range(OPEN_S + 2):
        unknown.add(cell(second, 5))
    assert [point.at_s for point in unknown.points()] == [0]


def test_a_cell_that_comes_too_late_counts_in_a_later_second() -> None:
    made = series()
    made.add(cell(0, 5))
    made.add(cell(9, 5))
    made.add(cell(1, 5, process=1))
    made.finish()
    assert sum(point.successes for point in made.points()) == 3
    assert [point.at_s for point in made.points()] == list(range(10))


def test_at_the_limit_points_are_whole_and_one_more_makes_them_coarser() -> None:
    made = series(points_max=8)
    for second in range(8):
        made.add(cell(second, second + 1, second + 1))
    made.finish()
    assert [(point.at_s, point.width_s) for point in made.points()] == [(at, 1) for at in range(8)]
    made.add(cell(8, 8, 8))
    made.finish()
    assert [(point.at_s, point.width_s) for point in made.points()] == [
        (0, 2),
        (2, 2),
        (4, 2),
        (6, 2),
        (8, 1),
    ]


@pytest.mark.parametrize("seconds", [8, 9, 15, 16, 17, 63, 64, 100])
def test_coarser_points_lose_no_request_and_hide_no_peak(seconds: int) -> None:
    made = series(points_max=8)
    for second in range(seconds):
        made.add(cell(second, second + 1, second + 1))
    made.finish()
    points = made.points()
    assert len(points) <= 9  # the last of them is not yet as wide as the others
    assert sum(point.successes for point in points) == 2 * seconds
    assert sum(point.asked for point in points) == 10 * seconds
    assert sum(point.width_s for point in points) == seconds
    assert max(point.response_ms_max or 0 for point in points) == seconds
    starts = [point.at_s for point in points]
    assert starts == sorted(starts)
    means = [(point.response_ms_mean or 0) * point.successes for point in points]
    assert sum(means) == pytest.approx(sum(2 * (second + 1) for second in range(seconds)))


def test_the_points_of_the_longest_run_fit() -> None:
    made = series()
    last_s = DURATION_NS_MAX // SECOND_NS + 60
    for second in (0, last_s):
        made.add(cell(second, 5))
    made.finish()
    assert [point.width_s for point in made.points()] == [1] * (last_s + 1)
    assert POINTS_MAX % 2 == 0
