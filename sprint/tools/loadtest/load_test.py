"""One load test from what was asked to its report.

The target is made ready, the generators run, and what they tell is put together as it comes. It may be ended
at any time; the report is then of what was done.
"""

from __future__ import annotations

import asyncio
import contextlib
import platform
from bisect import bisect_right
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import NamedTuple

import sprint
from sprint.core.kernels.tiers import REFERENCE
from sprint.core.loadtest.recording import Recording, Totals
from sprint.core.loadtest.report import Environment, Report, Run, make_report
from sprint.core.loadtest.schedule import Schedule
from sprint.core.loadtest.series import Point
from sprint.core.loadtest.verdict import Hindrances
from sprint.tools import runtime
from sprint.tools.loadtest.assignment import Assignment
from sprint.tools.loadtest.chaos_proxy import OnTheWay, Proxied
from sprint.tools.loadtest.fleet import Fleet
from sprint.tools.loadtest.moments import NS_PER_S, clock_ns
from sprint.tools.loadtest.options import FAILING_SCENARIOS, LoadOptions
from sprint.tools.loadtest.processors import usable_processors
from sprint.tools.loadtest.working import Prepared, Work, prepared
from sprint.tools.runtime import wall_clock

BUCKETS = 7  # of response times, for who looks on
INTERVAL_S = 0.25  # how often a generator tells how it gets on


class Live(NamedTuple):
    """How a run is at a moment, for who looks on; `elapsed_s` counts from its start.

    Rates are of the seconds that are over; `buckets` say up to how many ms how many successes took.
    """

    elapsed_s: float
    totals: Totals
    asked_per_s: float
    answered_per_s: float
    newest: Point | None
    in_flight: int
    connections: int
    states: dict[str, str]
    buckets: list[tuple[float, int]]
    errors: list[tuple[str, int]]


class LoadTest:
    """One run. `said` is given lines for people: what is loaded, and what goes wrong.

    `begun` is called once all generators are told to start: no more processes are made from then on.
    """

    def __init__(
        self, options: LoadOptions, said: Callable[[str], None], *, begun: Callable[[], None] | None = None
    ) -> None:
        self._options = options
        self._said = said
        self._begun = begun
        self._recording = Recording(options.plan.segments, processes=options.plan.processes)
        self._fleet: Fleet | None = None
        self._stopped = False
        self._generated = False
        self._working: asyncio.Task[None] | None = None
        self._notes: list[str] = []
        self._on_the_way = OnTheWay()

    def __repr__(self) -> str:
        return f"LoadTest({self._options.plan.target or 'in process'}, {self._recording})"

    @property
    def live(self) -> Live | None:
        """How it is now; None before it has begun."""
        fleet = self._fleet
        if fleet is None or not fleet.started_ns:
            return None
        elapsed_ns = max(0, clock_ns() - fleet.started_ns)
        newest = fleet.newest
        asked_per_s, answered_per_s = self._recording.rates()
        states: dict[str, str] = {}
        for told in newest:
            states |= told.states
        return Live(
            elapsed_s=elapsed_ns / NS_PER_S,
            totals=self._recording.totals(elapsed_ns),
            asked_per_s=asked_per_s,
            answered_per_s=answered_per_s,
            newest=self._recording.newest(),
            in_flight=sum(told.in_flight for told in newest),
            connections=sum(told.connections for told in newest),
            states=states,
            buckets=self._recording.buckets(BUCKETS),
            errors=[(row.kind, row.count) for row in self._recording.errors()],
        )

    def stop(self) -> None:
        """End the run now; what was done is reported. A run that is through is no longer ended by it."""
        if self._generated:
            return
        self._stopped = True
        if self._fleet is not None:
            self._fleet.stop()
        elif self._working is not None:
            # A target that is slow to come, or never does, is not waited for.
            self._working.cancel()

    async def run(self) -> Report:
        """Run it, and return its report. A SprintError where it could not begin."""
        started_at = wall_clock()
        working = self._working = asyncio.create_task(self._prepare_and_generate())
        try:
            await working
        except asyncio.CancelledError:
            if not self._stopped or not working.cancelled() or _is_cancelled():
                raise
            self._notes.append("the run was ended before its target was ready")
        fleet = self._fleet
        for told in [] if fleet is None else fleet.newest:
            self._notes += told.said
        self._notes += [] if fleet is None else fleet.words
        return make_report(
            Run(
                plan=self._options.plan,
                environment=_environment(started_at, "" if fleet is None else fleet.kernels),
                ended_ns=self._ended_ns(),
                interrupted=self._stopped,
                options=self._options.shown,
                notes=tuple(self._notes),
                hindrances=Hindrances(lost=self._lost(), held_up=self._on_the_way.held_up),
                faults=self._on_the_way.faults,
                latency_from="first_connection" if self._options.holds else "schedule",
            ),
            self._recording,
            self._options.thresholds,
        )

    def _lost(self) -> tuple[str, ...]:
        """Return which generators were lost, with what that means."""
        deaths = [] if self._fleet is None else self._fleet.deaths
        what = "its connections are missing" if self._options.holds else "its part counts as never sent"
        return tuple(f"{death}: {what}" for death in deaths)

    @contextlib.asynccontextmanager
    async def _prepared(self) -> AsyncIterator[Prepared]:
        async with prepared(self._options, self._note) as ready:
            yield ready

    async def _prepare_and_generate(self) -> None:
        if self._stopped:
            return
        async with self._prepared() as (work, proxy):
            if not self._stopped:
                async with self._following(proxy):
                    await self._generate(work)
                self._generated = True
            if proxy is not None:
                self._on_the_way = await proxy.told()

    def _following(self, proxy: Proxied | None) -> contextlib.AbstractAsyncContextManager[None]:
        """Have a target's faults follow a scenario while within, where they do."""
        if proxy is None or self._options.plan.scenario not in FAILING_SCENARIOS:
            return contextlib.nullcontext()
        return runtime.background(proxy.follow(self._share_passed))

    def _share_passed(self) -> float:
        fleet = self._fleet
        if fleet is None or not fleet.started_ns:
            return 0.0
        return (clock_ns() - fleet.started_ns) / self._options.plan.duration_ns

    def _note(self, line: str) -> None:
        self._notes.append(line)
        self._said(line)

    async def _generate(self, work: Work) -> None:
        options, plan = self._options, self._options.plan
        self._fleet = Fleet(
            [
                Assignment(
                    plan=plan,
                    process=process,
                    work=work,
                    timeout_ns=options.timeout_ns,
                    seed=options.seed + process,
                    interval_s=INTERVAL_S,
                )
                for process in range(plan.processes)
            ],
            self._recording.add,
            begun=self._begun,
        )
        await self._fleet.run((plan.duration_ns + options.timeout_ns) / NS_PER_S)

    def _ended_ns(self) -> int:
        """Return when the run was over, in ns from its start: the plan's duration unless it was ended."""
        fleet, duration_ns = self._fleet, self._options.plan.duration_ns
        if fleet is None or not fleet.started_ns:
            return 0
        if not self._stopped:
            return duration_ns
        told_ns = min(max((each.elapsed_ns for each in fleet.newest), default=0), duration_ns)
        if fleet.deaths or self._options.holds:
            return told_ns
        # Each generator was stopped a moment apart from the others, and from when it was done. The run ended
        # where all that was due is accounted for; what came due in between is nobody's loss.
        totals = self._recording.totals(told_ns)
        counted = totals.answered + totals.unanswered + totals.never_sent
        schedule = Schedule(self._options.plan.segments)
        return max(0, bisect_right(range(told_ns + 1), counted, key=schedule.due) - 1)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _environment(started_at: float, kernels: str) -> Environment:
    return Environment(
        started_at=datetime.fromtimestamp(started_at, UTC).isoformat(timespec="seconds"),
        sprint_version=sprint.__version__,
        python_version=platform.python_version(),
        platform=platform.platform(),
        cpus=usable_processors(),
        kernels=kernels or REFERENCE,
    )
