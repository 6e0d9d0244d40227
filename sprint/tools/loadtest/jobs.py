"""Makes what a generator does out of its assignment."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

import msgspec

from sprint.core.loadtest.plan import Plan, Segment
from sprint.core.loadtest.scenario import failure_rate_at
from sprint.core.loadtest.schedule import Schedule
from sprint.tools.breaker import CircuitBreaker
from sprint.tools.loadtest.assignment import Assignment, HttpWork, ServiceWork, StreamWork
from sprint.tools.loadtest.descriptors import need_sockets, sockets_for
from sprint.tools.loadtest.generating import Generating, Part, Target
from sprint.tools.loadtest.holding import Held, Holding
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
    if isinstance(work, StreamWork):
        return _holding(assignment, work, outcomes)
    processes = taking_part(plan)
    part = Part(assignment.process, processes, assignment.timeout_ns)
    workers_max = max(1, share_of(plan.workers, part.process, processes))
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
    if part.process < processes:
        schedule = Schedule(plan.segments, process=part.process, processes=processes)
    else:
        schedule = Schedule((Segment(plan.duration_ns, 0, 0),))
    return Generating(schedule, target, outcomes, part)


def _holding(assignment: Assignment, work: StreamWork, outcomes: Outcomes) -> Holding:
    plan = assignment.plan
    count = share_of(work.connections, assignment.process, plan.processes)
    need_sockets(count)
    mine = msgspec.structs.replace(work, connections=count)
    held = Held(assignment.timeout_ns, plan.duration_ns, assignment.process, plan.processes)
    return Holding(mine, _place(work), outcomes, held)


def _service(assignment: Assignment, work: ServiceWork, outcomes: Outcomes, rng: Random) -> SimulatedTarget:
    plan = assignment.plan
    rate = partial(failure_rate_at, plan.scenario)
    service = Service(
        work.latency_ms_min,
        work.latency_ms_max,
        lambda elapsed_s: rate(elapsed_s / plan.duration_s, work.failure_rate),
    )
    workers_max = max(1, share_of(plan.workers, assignment.process, taking_part(plan)))
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


def taking_part(plan: Plan) -> int:
    """Return how many generators share the requests: one without a worker could do nothing with its own."""
    return min(plan.processes, plan.workers)


def share_of(whole: int, process: int, processes: int) -> int:
    """Return a process's share of so many, counted from 0; none of it where others have them all."""
    return max(0, (whole - process + processes - 1) // processes)
