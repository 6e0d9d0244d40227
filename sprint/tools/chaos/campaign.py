"""Experiments one after another, against one relay: a user's, or one of the tool's own for all of them.

What one of them leaves the next ones begin with: each asks first whether all is well. One that the relay and
what stands around it don't allow is a result too, which says what is missing.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec

from sprint.core.chaos.abort import AbortLimits
from sprint.core.chaos.aim import aim_of
from sprint.core.chaos.asked_figures import asked_figures, figures_of
from sprint.core.chaos.blast_radius import predicted
from sprint.core.chaos.blocks_hint import with_hint_of_blocks
from sprint.core.chaos.experiment import Experiment
from sprint.core.chaos.library import LIBRARY, names_of
from sprint.core.chaos.named import build
from sprint.core.chaos.radius_limit import RadiusLimit, exceeds, limit_of
from sprint.core.chaos.result import Result
from sprint.core.chaos.substitution import resolved
from sprint.core.chaos.topology import BlastRadius, DependencyMap
from sprint.core.chaos.wiring import NotPossible, Wishes
from sprint.core.errors import ConfigError, UpstreamError
from sprint.tools.chaos.admin import RelayAdmin
from sprint.tools.chaos.campaign_guard import CampaignGuard
from sprint.tools.chaos.embedded import source_keys
from sprint.tools.chaos.experiment_file import load_experiment
from sprint.tools.chaos.experiment_run import ExperimentRun, RunOptions
from sprint.tools.chaos.given import ChaosOptions
from sprint.tools.chaos.judging import not_possible
from sprint.tools.chaos.led_round import detoured
from sprint.tools.chaos.opening import embedded_options, opened_subject, planned_subject
from sprint.tools.chaos.subject import Subject
from sprint.tools.runtime import background

FILE_SUFFIXES = (".json", ".yaml", ".yml")
# An experiment that ends the relay is not stopped because the relay is away.
RELAY_ENDS = AbortLimits(
    failing_s_max=None, unanswered_s_max=60.0, subscriber_losses_max=None, stream_broken=True
)
_ENDS_THE_RELAY = frozenset({"process-kill"})

Tell = Callable[[str, str], None]


class Planned(msgspec.Struct, frozen=True):
    """An experiment against a relay, before anything is put on: the document, and whom it will reach.

    `written` is the document as its file has it, with patterns in the place of values.
    """

    name: str
    document: Experiment
    relay: DependencyMap
    predicted: BlastRadius
    unknown: tuple[str, ...]
    exceeded: str
    written: Experiment


class Campaign:
    """Runs once. `tell` is given a phase and a sentence as it goes on; `results` grows."""

    def __init__(self, options: ChaosOptions, tell: Tell) -> None:
        self._options = options
        self._tell = tell
        self._limit: RadiusLimit = limit_of(options.max_blast_radius)
        self._names = checked_names(options)
        self._why_stopped = ""
        self._halts: Callable[[], bool] = lambda: False
        self._exceeding: dict[str, Planned] = {}
        self._running: ExperimentRun | None = None
        self._told = ("", "")
        self.results: list[Result] = []

    def __repr__(self) -> str:
        return f"Campaign({', '.join(self._names)}; {len(self.results)} done)"

    def status_text(self) -> str:
        """Say in a line how it gets on: which experiment, how far, and how the relay is."""
        phase, text = self._told
        number = min(len(self.results) + 1, len(self._names))
        of_all = f"{number}/{len(self._names)} " if len(self._names) > 1 else ""
        told = [f"{of_all}{self._names[number - 1]}", phase]
        # How long one of a file lasts stands in its pauses.
        duration_s = None if is_file(self._names[number - 1]) else self._options.duration_s
        told += [text] if self._running is None else self._running.status(duration_s)
        return " | ".join(each for each in told if each)

    def stop(self, reason: str) -> None:
        """Have it end early: what is on comes off first."""
        self._why_stopped = self._why_stopped or reason
        if self._running is not None:
            self._running.stop(reason)

    async def run(self) -> Sequence[Result]:
        """Run all of them; what was put on has come off when it returns."""
        folder = self._options.journal_folder
        with CampaignGuard(Path(folder) if folder else None, self._options.target) as guard:
            self._halts = guard.halted
            async with AsyncExitStack() as stack, background(guard.stopping(self.stop)):
                await self._all(guard, stack)
        return self.results

    async def _all(self, guard: CampaignGuard, stack: AsyncExitStack) -> None:
        """Run them; the guard's watch ends before what is in the stack comes off."""
        self._say("opening", self._options.target or "starting a relay on the devnet")
        names = await self._able(stack)
        subject = await opened_subject(self._options, stack, names, self._say, guard)
        for name in self._names:
            if reason := await asyncio.to_thread(guard.reason_to_stop):
                self.stop(reason)
            if self._why_stopped:
                break
            self._say("experiment", name)
            self.results.append(await self._one(name, subject))
        if self.results or guard.stopped:
            self.results += [self._not_begun(name, subject()) for name in self._names[len(self.results) :]]

    async def _able(self, stack: AsyncExitStack) -> tuple[str, ...]:
        """Return those that the blast radius allows: for others a user's relay is not changed at all."""
        if not self._options.target:
            return self._names
        subject = await planned_subject(self._options, stack, self._names)
        able = [await asyncio.to_thread(self._is_able, name, subject()) for name in self._names]
        return tuple(name for name, is_able in zip(self._names, able, strict=True) if is_able)

    def _planned(self, name: str, subject: Subject) -> Planned:
        known = self._exceeding.get(name)
        return plan_one(name, subject, self._options, self._limit) if known is None else known

    def _is_able(self, name: str, subject: Subject) -> bool:
        try:
            planned = plan_one(name, subject, self._options, self._limit)
        except (NotPossible, UpstreamError):
            return False
        if planned.exceeded:
            self._exceeding[name] = planned
        return not planned.exceeded

    def _not_begun(self, name: str, subject: Subject) -> Result:
        """Return the result of an experiment that a stop kept from beginning: left out, it would look met."""
        result = not_possible(subject, self._run_options(name), f"{self._why_stopped}, before it began")
        return msgspec.structs.replace(result, verdict="aborted")

    def _say(self, phase: str, text: str) -> None:
        self._told = (phase, text)
        self._tell(phase, text)

    async def _one(self, name: str, subject: Callable[[], Subject]) -> Result:
        now = subject()
        options = self._run_options(name)
        try:
            planned = await asyncio.to_thread(self._planned, name, now)
        except (NotPossible, UpstreamError) as error:
            # A relay that is away now may be back for the next one.
            self._say("skipped", str(error))
            return not_possible(now, options, str(error))
        if planned.unknown:
            self._say("note", f"whom these reach is not known: {', '.join(planned.unknown)}")
        options = msgspec.structs.replace(options, written=planned.written)
        self._running = ExperimentRun(now, planned.document, options, self._say, self._halts)
        if self._why_stopped:
            self._running.stop(self._why_stopped)
        try:
            result = await self._running.run(planned.relay, planned.predicted, planned.exceeded)
            if self._running.halted:
                # Those to come are meant as well.
                self._why_stopped = result.reason
            return result if is_file(name) else with_hint_of_blocks(result, planned.document)
        finally:
            self._running = None

    def _run_options(self, name: str) -> RunOptions:
        folder = self._options.journal_folder
        return RunOptions(
            experiment=name,
            recovery_s_max=self._options.recovery_s_max,
            recovery_judged=self._options.recovery_judged,
            radius_allowed=self._options.max_blast_radius,
            limit=self._limit,
            limits=RELAY_ENDS if name in _ENDS_THE_RELAY else AbortLimits(),
            journal_folder=Path(folder) if folder else None,
            beside=self._options.beside,
        )


def plan_one(name: str, subject: Subject, options: ChaosOptions, limit: RadiusLimit) -> Planned:
    """Look at the relay, make the document, and say whom it will reach. Blocking.

    NotPossible says what is missing; ConfigError what is wrong in a file or an option.
    """
    with RelayAdmin(subject.admin_url, allowed=subject.allowed) as admin:
        relay = admin.map()
    if is_file(name):
        written = load_experiment(Path(name))
        document = resolved(written, os.environ)
    else:
        document = written = build(name, relay, subject.wiring, _wishes(name, options, subject))
    targets, unknown = aim_of(document, relay, subject.wiring)
    radius = predicted(relay, targets)
    return Planned(name, document, relay, radius, unknown, exceeds(radius, limit, relay), written)


def expanded(asked: Sequence[str], seed: int) -> tuple[str, ...]:
    """Return the experiments that names, sets of names and files stand for, in their order."""
    names: list[str] = []
    for each in asked:
        names += [each] if is_file(each) else names_of(each, seed)
    return tuple(names)


def checked_names(options: ChaosOptions) -> tuple[str, ...]:
    """Return the experiments that are asked for, looked at before a relay is started or asked.

    ConfigError for a name that there isn't, a file that can't be read, a figure that none of them has,
    a source that the embedded relay hasn't.
    """
    names = expanded(options.experiments, options.seed)
    for name in names:
        if is_file(name):
            load_experiment(Path(name))
    asked_figures(options.figures, names)
    if not options.target:
        _check_embedded_sources(options)
    return names


def _check_embedded_sources(options: ChaosOptions) -> None:
    known = source_keys(embedded_options(options).chains)
    for key in options.sources:
        if key not in known:
            raise ConfigError(f"--source {key}: the embedded relay has {', '.join(known)}")


def is_file(name: str) -> bool:
    """Tell whether an experiment is given as a file and not by its name."""
    return name.endswith(FILE_SUFFIXES) or "/" in name


def exit_code_of(results: Sequence[Result], asked: Sequence[str]) -> int:
    """Return 1 where one was not met, else 3 where one that was asked for by name could not run, else 0.

    Of a set those that the relay doesn't allow are left out, as long as some could run.
    """
    codes = [result.exit_code for result in results]
    if 1 in codes:
        return 1
    by_name = {name for name in asked if name not in LIBRARY}
    could_not = any(result.exit_code and result.experiment in by_name for result in results)
    return 3 if could_not or not codes or all(codes) else 0


def _wishes(name: str, options: ChaosOptions, subject: Subject) -> Wishes:
    figures = asked_figures(options.figures, expanded(options.experiments, options.seed))
    return Wishes(
        duration_s=options.duration_s,
        figures=figures_of(name, figures),
        sources=tuple(detoured(key, subject) for key in options.sources),
        seed=options.seed,
        blocks_within_s=options.blocks_within_s,
    )
