"""A run beside an earlier one: the same service is the same, a slower one is worse, little is not judged."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import msgspec
import pytest

from sprint.core.loadtest.compare import CHANGE_SHARE_MIN, Comparison, compare
from sprint.core.loadtest.report import Report, StageAsked
from tests.core.loadtest.runs import report_of

LATENCIES = ("response p50", "response p90", "response mean", "service p50")


def changes(comparison: Comparison) -> dict[str, str]:
    return {row.name: row.change for row in comparison.rows}


def test_runs_of_one_service_are_the_same() -> None:
    """By fixed seeds: chance passes three standard errors now and then, 4 of 3,465 figures in a trial."""
    runs = [report_of(number, duration_s=20) for number in range(8)]
    found = [changes(compare(earlier, now)) for earlier, now in pairwise(runs)]
    assert {change for each in found for change in each.values()} == {"same", "not judged"}
    assert compare(runs[0], runs[1]).differences == ()


def test_a_slower_service_is_worse_and_the_other_way_round_better(seed: int) -> None:
    earlier, now = report_of(seed), report_of(seed + 1, factor=1.4)
    found = changes(compare(earlier, now))
    assert {found[name] for name in LATENCIES} == {"worse"}
    assert {changes(compare(now, earlier))[name] for name in LATENCIES} == {"better"}
    row = next(row for row in compare(earlier, now).rows if row.name == "response p50")
    assert row.ratio == pytest.approx(1.4, rel=0.1)
    assert row.noise is not None


def test_a_change_below_the_least_is_none_however_quiet_both_were() -> None:
    quiet = report_of(1)
    points = tuple(
        msgspec.structs.replace(point, response_ms_p50=2.0, service_ms_p50=2.0) for point in quiet.points
    )
    response = quiet.totals.response
    assert response is not None

    def at(p50: float) -> Report:
        latency = msgspec.structs.replace(response, ms_p50=p50)
        totals = msgspec.structs.replace(quiet.totals, response=latency)
        return msgspec.structs.replace(quiet, points=points, totals=totals)

    below, above = 2.0 * (1 + CHANGE_SHARE_MIN * 0.99), 2.0 * (1 + CHANGE_SHARE_MIN * 1.01)
    assert changes(compare(at(2.0), at(below)))["response p50"] == "same"
    assert changes(compare(at(2.0), at(above)))["response p50"] == "worse"


def test_what_a_handful_of_requests_decides_is_shown_and_not_judged(seed: int) -> None:
    comparison = compare(report_of(seed), report_of(seed + 1, factor=3.0))
    rows = {row.name: row for row in comparison.rows}
    for name in ("response p99.9", "response max"):
        assert rows[name].change == "not judged"
        assert rows[name].ratio is not None


def test_runs_of_a_few_seconds_are_not_judged(seed: int) -> None:
    comparison = compare(report_of(seed, duration_s=4), report_of(seed, duration_s=4, factor=3.0))
    assert {row.change for row in comparison.rows if row.unit == "ms"} == {"not judged"}


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        (0.0, 0.0, "same"),
        (0.0, 0.02, "worse"),
        (0.02, 0.0, "better"),
        (0.02, 0.021, "same"),
        (0.5, 0.6, "worse"),
    ],
)
def test_a_share_of_errors_is_judged_by_the_noise_of_counting(
    before: float, after: float, change: str
) -> None:
    def at(share: float) -> Report:
        report = report_of(1)
        return msgspec.structs.replace(
            report, totals=msgspec.structs.replace(report.totals, error_share=share, answered=1_200)
        )

    assert changes(compare(at(before), at(after)))["error share"] == change


def test_a_run_without_any_answer_is_compared_without_a_crash(seed: int) -> None:
    report = report_of(seed)
    nothing: dict[str, Any] = {"response": None, "service": None, "answered": 0, "unanswered": 0}
    totals = msgspec.structs.replace(report.totals, rate_success_per_s=0.0, error_share=0.0, **nothing)
    empty = msgspec.structs.replace(report, totals=totals, points=())
    for pair in ((report, empty), (empty, report), (empty, empty)):
        assert compare(*pair).worse == ()


def test_what_was_asked_otherwise_is_said(seed: int) -> None:
    earlier, now = report_of(seed), report_of(seed, duration_s=13)
    now = msgspec.structs.replace(
        now,
        interrupted=True,
        generator=msgspec.structs.replace(now.generator, limited=True),
        asked=msgspec.structs.replace(
            now.asked, stages=(StageAsked(duration_s=1.5, rate_per_s=7),), options={"tier": "free"}
        ),
    )
    assert compare(earlier, now).differences == (
        "duration: 12 s earlier, 13 s now",
        "stages: not given earlier, 7/s for 1.5 s now",
        "tier: not given earlier, free now",
        "the present run was interrupted",
        "in the present run the generator was the limit",
    )
