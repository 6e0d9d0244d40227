"""Simulated runs for tests: requests with their moments, recorded by any number of generators."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

from sprint.core.duration import SECOND_NS
from sprint.core.loadtest.cell import decode_cell
from sprint.core.loadtest.plan import Asked, Plan, make_plan
from sprint.core.loadtest.recorder import Recorder
from sprint.core.loadtest.recording import Recording
from sprint.core.loadtest.report import Environment, Report, Run, make_report
from sprint.core.loadtest.schedule import Schedule
from sprint.core.loadtest.verdict import parse_threshold

MS_NS = 1_000_000


class Request(NamedTuple):
    """What became of a request; moments in ns from the start."""

    scheduled_ns: int
    begun_ns: int
    sent_ns: int
    done_ns: int
    outcome: str = "success"


def environment(started_at: str = "2026-01-02T03:04:05Z") -> Environment:
    return Environment(
        started_at=started_at, sprint_version="0.1.0", python_version="3.11.7", platform="Linux", cpus=2
    )


def plan_of(rate_per_s: int = 100, duration_s: int = 10, target: str = "http://127.0.0.1:1/") -> Plan:
    return make_plan(Asked(target=target, rate_per_s=rate_per_s, duration_ns=duration_s * SECOND_NS))


def record(recorder: Recorder, requests: Sequence[Request]) -> None:
    """Tell a recorder of requests in the order of time, as a generator would."""
    moments = [(request.begun_ns, 0, at) for at, request in enumerate(requests)]
    moments += [(request.done_ns, 1, at) for at, request in enumerate(requests)]
    for now_ns, done, at in sorted(moments):
        request = requests[at]
        recorder.in_flight += 1 - 2 * done
        if not done:
            recorder.began(request.scheduled_ns, now_ns)
        elif request.outcome == "success":
            recorder.succeeded(request.scheduled_ns, request.sent_ns, now_ns, 100)
        elif request.outcome == "limited":
            recorder.limited("100 a minute", request.scheduled_ns, now_ns)
        elif request.outcome == "rejected":
            recorder.rejected(request.scheduled_ns, now_ns)
        else:
            recorder.failed(request.outcome, request.scheduled_ns, now_ns, example=f"{request.outcome}!")


def recording_of(plan: Plan, requests: Sequence[Request], processes: int = 1) -> Recording:
    """Record requests by so many generators, each its share, and put their cells together."""
    recording = Recording(plan.segments, processes=processes)
    packets: list[bytes] = []
    for process in range(processes):
        recorder = Recorder(process)
        record(recorder, requests[process::processes])
        packets += recorder.cells(requests[-1].done_ns if requests else 0, last=True)
    for packet in sorted(packets, key=lambda packet: decode_cell(packet).second):
        recording.add(packet)
    return recording


def requests_of(plan: Plan, rng: random.Random, *, factor: float = 1.0) -> list[Request]:
    """Make requests of a service that takes some 2 ms and fails now and then."""
    made = []
    for moment_ns in Schedule(plan.segments).take(plan.duration_ns):
        begun_ns = moment_ns + rng.randrange(20_000)
        took_ns = int(rng.lognormvariate(0.7, 0.4) * MS_NS * factor)
        chance = rng.random()
        outcome = "success" if chance > 0.03 else rng.choice(["timeout", "500", "limited", "rejected"])
        made.append(Request(moment_ns, begun_ns, begun_ns, begun_ns + took_ns, outcome))
    return made


def report_of(
    seed: int = 1, *, factor: float = 1.0, duration_s: int = 12, thresholds: Sequence[str] = ()
) -> Report:
    plan = plan_of(duration_s=duration_s)
    recording = recording_of(plan, requests_of(plan, random.Random(seed), factor=factor))
    run = Run(plan=plan, environment=environment(), ended_ns=plan.duration_ns)
    return make_report(run, recording, [parse_threshold(text) for text in thresholds])
