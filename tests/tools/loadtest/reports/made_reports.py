"""Reports with everything in them, for tests of what is made of a report."""

from __future__ import annotations

import msgspec

from sprint.core.loadtest.recording import ErrorKind
from sprint.core.loadtest.report import BreakerChange, NameCount, Report
from sprint.core.loadtest.series import Point
from sprint.core.loadtest.verdict import GeneratorCheck
from tests.core.loadtest.runs import report_of

HOSTILE = "<script>alert(1)</script>\x1b[31m[red]&\"'\r\n,=1+1"


def full_report(seed: int = 1) -> Report:
    """A report in which each part has something to show, and texts of the target mean harm."""
    report = report_of(seed, thresholds=["p99<1h".replace("1h", "3600s"), "p50<1us"])
    asked = msgspec.structs.replace(report.asked, target=HOSTILE, options={"tier": HOSTILE})
    return msgspec.structs.replace(
        report,
        asked=asked,
        errors=(ErrorKind(kind=HOSTILE, count=3, first_s=1.0, example=HOSTILE),),
        limits=(NameCount(name=HOSTILE, count=2),),
        never_sent=(NameCount(name=HOSTILE, count=1),),
        breaker_changes=(
            BreakerChange(at_s=0.0, breaker=HOSTILE, state="closed"),
            BreakerChange(at_s=5.0, breaker=HOSTILE, state="open", reason=HOSTILE),
            BreakerChange(at_s=7.0, breaker=HOSTILE, state=HOSTILE),
        ),
        notes=(HOSTILE,),
        generator=GeneratorCheck(
            limited=True,
            workers_short=True,
            begun_share=0.9,
            schedule_error_ms_p99=5.0,
            schedule_error_ms_max=9.0,
            reasons=(HOSTILE, "too slow"),
        ),
        interrupted=True,
    )


def longest_report() -> Report:
    """A report of 24 hours with a point for each second."""
    report = report_of(1)
    point = report.points[3]
    points = tuple(msgspec.structs.replace(point, at_s=float(second)) for second in range(86_400))
    asked = msgspec.structs.replace(report.asked, duration_s=86_400.0)
    return msgspec.structs.replace(report, points=points, asked=asked)


def empty_report() -> Report:
    """A report of a run that was stopped before anything was recorded."""
    report = report_of(1)
    names = ("response", "service", "failed", "schedule_error", "worker_wait")
    latencies = dict.fromkeys(names)
    counts = {
        name: 0
        for name, value in msgspec.structs.asdict(report.totals).items()
        if isinstance(value, int | float)
    }
    totals = msgspec.structs.replace(report.totals, **counts, **latencies)
    nothing: tuple[Point, ...] = ()
    return msgspec.structs.replace(
        report, totals=totals, points=nothing, errors=(), limits=(), response_distribution=(),
        service_distribution=(), interrupted=True,
    )  # fmt: skip
