"""A result with everything in it, of a run made up: what codecs, verdicts and reports are tried on."""

from __future__ import annotations

from typing import Any

import msgspec

from sprint.core.chaos.advice import advice_of
from sprint.core.chaos.result import ActivityDone, Environment, GoneCheck, Result, Target
from sprint.core.chaos.score import score_of
from sprint.core.chaos.timeline import timeline_of
from sprint.core.chaos.verdict import Judged, verdict_of
from tests.core.chaos.run_stories import PREDICTED, Story, dependencies, facts, fault, observed, policies

ACTIVITIES = (
    ActivityDone(
        phase="before", type="probe", name="the relay is ready", begun_s=0.1, ended_s=0.2, output=True,
        tolerance=True, tolerated=True,
    ),
    ActivityDone(phase="method", type="action", name="freeze alice", begun_s=10.0, ended_s=10.1,
                 output={"fault": 1}),
    ActivityDone(
        phase="after", type="probe", name="the relay is ready", begun_s=41.0, ended_s=41.1, output=True,
        tolerance=True, tolerated=True,
    ),
)  # fmt: skip


def result(story: Story | None = None, **changes: Any) -> Result:
    told = story or Story()
    found = facts(told)
    gone = (GoneCheck(fault=1, gone=True, says="process 7 runs"),)
    verdict, reason = verdict_of(Judged(activities=ACTIVITIES, facts=found, gone=gone))
    made = Result(
        run="20261122T010203-7f3a",
        experiment="upstream-stall",
        title="Does the relay stand a frozen node?",
        verdict=verdict,
        reason=reason,
        target=Target(admin_url="http://127.0.0.1:8081", api_url="http://127.0.0.1:8080", embedded=True),
        environment=Environment(
            started_at="2026-11-22T01:02:03Z", sprint_version="0.1.0", python_version="3.11", platform="Linux"
        ),
        dependencies=dependencies(),
        predicted=PREDICTED,
        observed=PREDICTED,
        phases=observed(told).phases,
        faults=(fault(told),),
        activities=ACTIVITIES,
        transitions=observed(told).transitions,
        facts=found,
        score=score_of(found),
        advice=advice_of(found, policies(), dependencies()),
        gone=gone,
        timeline=timeline_of(observed(told), [fault(told)]),
    )
    return msgspec.structs.replace(made, **changes)
