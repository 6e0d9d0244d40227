"""What a run came to know, and the result that is made of it."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

import sprint
from sprint.core.chaos.advice import Advice, Policies, advice_of
from sprint.core.chaos.blast_radius import observed as observed_radius
from sprint.core.chaos.bystanders import USABLE_STATES
from sprint.core.chaos.experiment import Activity, Experiment
from sprint.core.chaos.experiment_codec import document_of
from sprint.core.chaos.facts import Facts, FaultSpan, facts_of
from sprint.core.chaos.fault_spans import fault_spans
from sprint.core.chaos.journal import Journal
from sprint.core.chaos.observation import Phases, Sample, SourceSeen
from sprint.core.chaos.radius_limit import exceeds
from sprint.core.chaos.result import ActivityDone, Environment, GoneCheck, Result, Target
from sprint.core.chaos.score import score_of
from sprint.core.chaos.stream_check import Truth
from sprint.core.chaos.timeline import timeline_of
from sprint.core.chaos.topology import BlastRadius, DependencyMap
from sprint.core.chaos.verdict import Judged, verdict_of
from sprint.core.chaos.wiring import key_of
from sprint.tools.chaos.activity import ActivityRun
from sprint.tools.chaos.beside import Control
from sprint.tools.chaos.faults import new_run
from sprint.tools.chaos.observer import Observer
from sprint.tools.chaos.proxies import SUFFIX
from sprint.tools.chaos.subject import Subject

if TYPE_CHECKING:
    from sprint.tools.chaos.experiment_run import RunOptions


Phase = Literal["before", "method", "rollback", "after"]


class Known:
    """All that a run came to know, filled in as it goes. Times are on the run's clock."""

    def __init__(self, run: str, subject: Subject, document: Experiment, options: RunOptions) -> None:
        self.run = run
        self.subject = subject
        self.document = document
        self.options = options
        self.started_at = datetime.now(UTC)
        self.began_unix_s = self.started_at.timestamp()
        self.began_monotonic_s = 0.0
        self.relay: DependencyMap | None = None
        self.predicted: BlastRadius | None = None
        self.policies: Policies = {}
        self.activities: list[ActivityDone] = []
        self.injected_s: float | None = None
        self.removed_s: float | None = None
        self.steady_s: float | None = None
        self.ended_s: float | None = None
        self.journal = Journal()
        self.gone: tuple[GoneCheck, ...] = ()
        self.left_behind: tuple[str, ...] = ()
        self.truths: tuple[Truth, ...] = ()
        self.control: Control | None = None
        self.notes: list[str] = []
        self.could_not = ""
        self.aborted = ""

    def __repr__(self) -> str:
        return f"Known({self.run}, {len(self.activities)} activities)"

    def take(self, phase: Phase, activities: Sequence[Activity], runs: Sequence[ActivityRun]) -> None:
        """Take down how activities went."""
        tolerances = {each.name: each.tolerance for each in activities}
        self.activities += [
            ActivityDone(
                phase=phase,
                type=run.type,
                name=run.name,
                begun_s=run.began_s - self.began_monotonic_s,
                ended_s=run.ended_s - self.began_monotonic_s,
                output=run.output,
                tolerance=tolerances.get(run.name),
                tolerated=run.tolerance_met,
                error=run.error,
            )
            for run in runs
        ]

    def not_back(self, observer: Observer) -> list[str]:
        """Return the breakers that opened and are not closed yet, and the sources that were ready before."""
        newest = observer.newest
        if newest is None or not newest.answered:
            return []
        opened = self._opened(observer)
        late = [
            each.name
            for each in newest.breakers
            if each.name in opened and each.state in {"open", "half_open"}
        ]
        ready = {source_key(each) for each in newest.sources if each.state in USABLE_STATES}
        before = self._before(observer)
        was_ready = () if before is None else (each for each in before.sources if each.state in USABLE_STATES)
        return late + [source_key(each) for each in was_ready if source_key(each) not in ready]

    def _opened(self, observer: Observer) -> set[str]:
        """Return the breakers that opened since faults were on."""
        since_s = self.injected_s or 0.0
        return {
            each.breaker
            for each in observer.transitions
            if each.after == "open" and each.at_s >= since_s and not each.shadow
        }

    def _before(self, observer: Observer) -> Sample | None:
        """Return the last sample from before the faults."""
        begin_s = self.injected_s or 0.0
        return next(
            (each for each in reversed(observer.samples) if each.answered and each.at_s < begin_s), None
        )

    def radius(self, observer: Observer) -> BlastRadius | None:
        """Return whom the faults were seen to reach, as far as they have been on."""
        if self.relay is None or self.injected_s is None:
            return None
        begin_s, end_s = self.injected_s, self.removed_s
        during = [
            each
            for each in observer.samples
            if each.at_s >= begin_s and (end_s is None or each.at_s <= end_s)
        ]
        return observed_radius(self.relay, during, self._before(observer))

    def radius_exceeded(self, observer: Observer) -> str:
        """Say which limit was passed by what was seen; nothing where none was."""
        seen = self.radius(observer)
        if seen is None or self.relay is None:
            return ""
        return exceeds(seen, self.options.limit, self.relay)

    def phases(self) -> Phases:
        return Phases(0.0, self.injected_s, self.removed_s, self.steady_s, self.ended_s)

    def faults(self) -> tuple[FaultSpan, ...]:
        return fault_spans(self.journal, self.began_unix_s, self.predicted or BlastRadius())


def judged_result(known: Known, observer: Observer | None) -> Result:
    """Return the result of a run; without an observer of one that never began."""
    facts = None if observer is None or known.injected_s is None else _facts(known, observer)
    verdict, reason = verdict_of(
        Judged(
            activities=known.activities,
            facts=facts,
            gone=known.gone,
            left_behind=known.left_behind,
            could_not=known.could_not,
            aborted=known.aborted,
            sla_judged=known.options.recovery_judged,
        )
    )
    return Result(
        run=known.run,
        experiment=known.options.experiment,
        title=known.document.title,
        description=known.document.description,
        document=document_of(known.options.written or known.document),
        verdict=verdict,
        reason=reason,
        target=_target(known.subject),
        environment=_environment(known.started_at),
        dependencies=known.relay,
        predicted=known.predicted,
        radius_allowed=known.options.radius_allowed,
        phases=known.phases(),
        activities=tuple(known.activities),
        gone=known.gone,
        left_behind=known.left_behind,
        notes=(*known.notes, *stand_ins(known.relay)),
        **_seen(known, observer, facts),
    )


def stand_ins(relay: DependencyMap | None) -> tuple[str, ...]:
    """Say which sources of a map stand for others: a user has none of these names."""
    keys = set() if relay is None else {key_of(each) for each in relay.sources}
    return tuple(
        f"{key}{SUFFIX} is {key}, led through a fault proxy while this ran"
        for key in sorted(keys)
        if f"{key}{SUFFIX}" in keys
    )


def not_possible(subject: Subject, options: RunOptions, reason: str) -> Result:
    """Return the result of an experiment that the relay, or what stands around it, doesn't allow."""
    return Result(
        run=new_run(),
        experiment=options.experiment,
        title=options.experiment,
        verdict="could_not_run",
        reason=reason,
        target=_target(subject),
        environment=_environment(datetime.now(UTC)),
        phases=Phases(0.0),
    )


def _facts(known: Known, observer: Observer) -> Facts:
    return facts_of(
        observer.observed(known.phases()),
        known.faults(),
        known.predicted or BlastRadius(),
        observer.stream.verdict(known.truths),
        sla_s=known.options.recovery_s_max,
    )


def _seen(known: Known, observer: Observer | None, facts: Facts | None) -> dict[str, Any]:
    """Return the parts of a result that rest on what was seen."""
    if observer is None:
        return {}
    observed, faults = observer.observed(known.phases()), known.faults()
    advice: tuple[Advice, ...] = ()
    if facts is not None and known.relay is not None:
        advice = advice_of(facts, known.policies, known.relay)
    return {
        "observed": known.radius(observer),
        "faults": faults,
        "transitions": observed.transitions,
        "facts": facts,
        # Of a run in which nothing was put on there is nothing to score.
        "score": score_of(facts) if facts is not None and faults else None,
        "advice": advice,
        "beside": None if known.control is None else known.control.held_beside(observer, known.phases()),
        "timeline": timeline_of(observed, faults),
        "left_out": observed.left_out,
    }


def _target(subject: Subject) -> Target:
    return Target(
        admin_url=subject.admin_url,
        api_url=subject.api_url,
        embedded=subject.embedded,
        options=subject.options,
    )


def _environment(started_at: datetime) -> Environment:
    return Environment(
        started_at=started_at.isoformat(timespec="milliseconds"),
        sprint_version=sprint.__version__,
        python_version=platform.python_version(),
        platform=platform.platform(),
    )


def source_key(source: SourceSeen) -> str:
    """Return a source as maps call it."""
    return f"{source.chain}:{source.name}"
