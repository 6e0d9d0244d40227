"""The report of a load test: one record of everything, its JSON, and the schema of that.

All forms of the report, on the console, as HTML and as CSV, are made of this record alone, so a JSON file can
be shown again, and compared with a later run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec

from sprint.core.duration import SECOND_NS
from sprint.core.loadtest.cell import RESPONSE, SERVICE
from sprint.core.loadtest.faults import FaultDone
from sprint.core.loadtest.plan import Pattern, Plan, Scenario
from sprint.core.loadtest.recording import ErrorKind, Recording, Totals
from sprint.core.loadtest.series import Point
from sprint.core.loadtest.verdict import (
    GeneratorCheck,
    Hindrances,
    Threshold,
    ThresholdResult,
    check_generator,
    judge,
)
from sprint.core.published import decode_record, encode_record, schema_of

LatencyFrom = Literal["schedule", "first_connection"]

REPORT_VERSION = 1
REPORT_SIZE_MAX = 256 * 1024 * 1024
SCHEMA_ID = "loadtest-report.schema.json"

PAST_A_LIMIT = (
    "The target refused requests by its rate limit (429). Ask for less than the limit, or send the "
    "credentials of a client that may ask for more, by --header."
)


class StageAsked(msgspec.Struct, frozen=True, kw_only=True):
    """So many requests a second for so many seconds."""

    duration_s: float
    rate_per_s: int


class PlanAsked(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for. `options` are further ones that shape the load, by name."""

    target: str
    rate_per_s: int
    duration_s: float
    pattern: Pattern
    scenario: Scenario
    stages: tuple[StageAsked, ...]
    workers: int
    processes: int
    options: dict[str, str] = {}


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """Where and when it ran; `started_at` is RFC 3339, `kernels` the form of the recording's kernels."""

    started_at: str
    sprint_version: str
    python_version: str
    platform: str
    cpus: int
    kernels: str = ""


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """A share of successes, 0 to 1, and the milliseconds they don't exceed."""

    share: float
    ms: float


class NameCount(msgspec.Struct, frozen=True, kw_only=True):
    """A name, and how often."""

    name: str
    count: int


class BreakerChange(msgspec.Struct, frozen=True, kw_only=True):
    """A breaker came into another state, `at_s` from the start."""

    at_s: float
    breaker: str
    state: str
    reason: str = ""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is known of a run.

    `met` says whether all thresholds were, true without any; under less than the load that was asked for
    none is. `interrupted` is true of a run that was stopped
    before its end; all figures are then of what was done. `limits` are what answers 429 said of their limit,
    `faults` what was on the way to the target. `latency_from` says from where response time counts: from
    the moment that a request was scheduled, or from when the first of a generator's connections had the same
    message.
    """

    version: Annotated[int, msgspec.Meta(ge=1, le=REPORT_VERSION)] = REPORT_VERSION
    asked: PlanAsked
    environment: Environment
    interrupted: bool
    totals: Totals
    response_distribution: tuple[Share, ...]
    service_distribution: tuple[Share, ...]
    points: tuple[Point, ...]
    errors: tuple[ErrorKind, ...]
    limits: tuple[NameCount, ...]
    never_sent: tuple[NameCount, ...]
    breaker_changes: tuple[BreakerChange, ...]
    thresholds: tuple[ThresholdResult, ...]
    generator: GeneratorCheck
    met: bool
    notes: tuple[str, ...] = ()
    faults: tuple[FaultDone, ...] = ()
    latency_from: LatencyFrom = "schedule"

    @property
    def exit_code(self) -> int:
        """0 where all thresholds were met, else 1."""
        return 0 if self.met else 1


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A run that is over: its plan, where it ran, and when it ended, in ns from its start.

    `options` are those that shape the load beside the plan, `notes` what else a reader should know.
    """

    plan: Plan
    environment: Environment
    ended_ns: int
    interrupted: bool = False
    options: dict[str, str] = {}
    notes: tuple[str, ...] = ()
    faults: tuple[FaultDone, ...] = ()
    latency_from: LatencyFrom = "schedule"
    hindrances: Hindrances = Hindrances()


def make_report(run: Run, recording: Recording, thresholds: Sequence[Threshold] = ()) -> Report:
    """Close the recording, and say everything of the run."""
    recording.finish(run.ended_ns)
    totals = recording.totals(run.ended_ns)
    results = judge(thresholds, totals)
    limits = _names(recording.limits)
    generator = check_generator(totals, recording.never_sent_by_reason, run.hindrances)
    return Report(
        asked=_plan_asked(run.plan, run.options),
        environment=run.environment,
        interrupted=run.interrupted,
        totals=totals,
        response_distribution=_shares(recording.distribution(RESPONSE)),
        service_distribution=_shares(recording.distribution(SERVICE)),
        points=tuple(recording.points()),
        errors=tuple(recording.errors()),
        limits=limits,
        never_sent=_names(recording.never_sent_by_reason),
        breaker_changes=tuple(
            BreakerChange(
                at_s=each.at_ns / SECOND_NS, breaker=each.breaker, state=each.state, reason=each.reason
            )
            for each in recording.changes()
        ),
        thresholds=results,
        generator=generator,
        met=not results or (generator.sent_the_load and all(result.met for result in results)),
        notes=(*run.notes, *([PAST_A_LIMIT] if limits else [])),
        faults=run.faults,
        latency_from=run.latency_from,
    )


def encode_report(report: Report) -> bytes:
    """Return a report as JSON, indented, with a line end."""
    return encode_record(report)


def decode_report(data: bytes, name: str = "report") -> Report:
    """Read a report; ConfigError, with the name of the file, where it is none or of a later version."""
    wanted = "report of cb-loadtest; write one with --report --format json"
    return decode_record(Report, data, name=name, size_max=REPORT_SIZE_MAX, wanted=wanted)


def report_schema() -> dict[str, Any]:
    """Return the JSON schema of a report, as plain JSON data."""
    return schema_of(Report, SCHEMA_ID, f"Report of sprint cb-loadtest, version {REPORT_VERSION}")


def _plan_asked(plan: Plan, options: dict[str, str]) -> PlanAsked:
    return PlanAsked(
        target=plan.target,
        rate_per_s=plan.rate_per_s,
        duration_s=plan.duration_s,
        pattern=plan.pattern,
        scenario=plan.scenario,
        stages=tuple(
            StageAsked(duration_s=stage.duration_ns / SECOND_NS, rate_per_s=stage.rate_per_s)
            for stage in plan.stages
        ),
        workers=plan.workers,
        processes=plan.processes,
        options=options,
    )


def _shares(distribution: Sequence[tuple[float, float]]) -> tuple[Share, ...]:
    return tuple(Share(share=share, ms=value_ms) for share, value_ms in distribution)


def _names(counts: dict[str, int]) -> tuple[NameCount, ...]:
    return tuple(NameCount(name=name, count=count) for name, count in sorted(counts.items()))
