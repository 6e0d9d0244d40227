"""Makes what a generator does out of its assignment."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

import msgspec

from sprint.core.loadtest.scenario import failure_rate_at
from sprint.core.loadtest.schedule import Schedule
from sprint.tools.breaker import CircuitBreaker
from sprint.tools.loadtest.assignment import Assignment, HttpWork, ServiceWork, StreamWork
from sprint.tools.loadtest.descriptors import need_sockets, sockets_for
from sprint.tools.loadtest.generating import Generating, Part, Target
from sprint.tools.loadtest.holding import Holding, Times
from sprint.tools.loadtest.http_generator import HttpGenerator, Limits
from sprint.tools.loadtest.opening import Place
from sprint.tools.loadtest.outcomes import Outcomes
from sprint.tools.loadtest.request_template import RequestTemplate
from sprint.tools.loadtest.simulated_service import Service, ServiceLimits, SimulatedTarget
from sprint.tools.loadtest.tls import tls_context

Random = Callable[[], float]


class Job(Protocol):
    """What a generator does from its start to its end, and how it is meanwhile."""

    ended_ns: int

    @property
    def pending(self) -> int: ...
    @property
    def connections(self) -> int: ...
    @property
    def states(self) -> Mapping[str, str]: ...
    @property
    def said(self) -> list[str]: ...
    async def run(self, started_ns: int) -> None: ...
    def stop(self) -> None: ...


def job_of(assignment: Assignment, outcomes: Outcomes, rng: Random) -> Job:
    """Return the job of an assignment; a SprintError where it cannot be done."""
    plan, work = assignment.plan, assignment.work
    part = Part(assignment.process, plan.processes, assignment.timeout_ns)
    if isinstance(work, StreamWork):
        count = share_of(work.connections, part.process, part.processes)
        need_sockets(count)
        mine = msgspec.structs.replace(work, connections=count)
        return Holding(mine, _place(work), outcomes, Times(part.timeout_ns, plan.duration_ns))
    workers_max = share_of(plan.workers, part.process, part.processes)
    if isinstance(work, ServiceWork):
        target: Target = _service(assignment, work, outcomes, rng)
    else:
        form = work.forms[0]
        target = HttpGenerator(
            _place(work),
            [RequestTemplate(form, work.url, os.urandom) for form in work.forms],
            outcomes,
            Limits(sockets_for(workers_max), part.timeout_ns, form.method == "HEAD", work.one_request_each),
        )
    schedule = Schedule(plan.segments, process=part.process, processes=part.processes)
    return Generating(schedule, target, outcomes, part)


def _service(assignment: Assignment, work: ServiceWork, outcomes: Outcomes, rng: Random) -> SimulatedTarget:
    plan = assignment.plan
    rate = partial(failure_rate_at, plan.scenario)
    service = Service(
        work.latency_ms_min,
        work.latency_ms_max,
        lambda elapsed_s: rate(elapsed_s / plan.duration_s, work.failure_rate),
    )
    workers_max = share_of(plan.workers, assignment.process, plan.processes)
    return SimulatedTarget(
        CircuitBreaker(work.breaker, work.policy, rng=rng),
        service,
        outcomes,
        ServiceLimits(workers_max, assignment.timeout_ns),
        rng,
    )


def _place(work: HttpWork | StreamWork) -> Place:
    tls = tls_context(work.trust) if work.url.is_tls else None
    return Place(work.url, work.address, work.port, tls)


def share_of(whole: int, process: int, processes: int) -> int:
    """Return a process's share of so many, at least one."""
    return max(1, (whole - process + processes - 1) // processes)
