"""One experiment against one relay, phase by phase.

    map > blast radius > steady before > method > rollback, always > steady after > judged

Nothing is put on where the blast radius is above what is allowed, or where the steady state doesn't hold
before. What was put on comes off in any case: here, by the keeper where this process dies, by its time at
the latest.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec

from sprint.core.chaos.abort import AbortLimits, Moment, reason_to_abort
from sprint.core.chaos.experiment import Experiment
from sprint.core.chaos.radius_limit import RadiusLimit
from sprint.core.chaos.result import GoneCheck, Result
from sprint.core.chaos.status_text import status_parts
from sprint.core.chaos.topology import BlastRadius, DependencyMap
from sprint.core.errors import FaultError
from sprint.tools.chaos.actions import use_keeper
from sprint.tools.chaos.activity import Running, run_activities
from sprint.tools.chaos.beside import opened_control
from sprint.tools.chaos.faults import FaultKeeper, new_run
from sprint.tools.chaos.gone import check_gone
from sprint.tools.chaos.judging import Known, judged_result
from sprint.tools.chaos.observer import Observer
from sprint.tools.chaos.policies import BREAKERS_MAX, policies_of
from sprint.tools.chaos.steady import ask, ask_until_it_holds, holds
from sprint.tools.chaos.subject import Subject
from sprint.tools.chaos.truth import truths_of

LOOK_EVERY_S = 0.2
# Longer than recovery may take, so that a late one is measured and not only missed.
RECOVERY_WATCHED_S_MIN = 60.0
BACK_WATCHED_S_MAX = 45.0
CAUGHT_UP_S_MAX = 20.0
SAMPLES_LOOKED_AT = 200

Tell = Callable[[str, str], None]
Halts = Callable[[], bool]


class RunOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How it is run. `experiment` is its name or file; `limit` and `limits` what it may go through.

    `beside` is the admin URL of a second relay, which is only watched; empty for none. `written` is the
    document before values stood in the place of its patterns, which is what a result tells; None: the same.
    """

    experiment: str
    recovery_s_max: float
    recovery_judged: bool
    radius_allowed: str = ""
    limit: RadiusLimit = RadiusLimit()
    limits: AbortLimits = AbortLimits()
    journal_folder: Path | None = None
    beside: str = ""
    written: Experiment | None = None


class ExperimentRun:
    """Runs once. `tell` is called with a phase and a sentence as it goes on.

    `halted`: it was ended because all runs were told to; `halts` says so of those that it belongs to.
    """

    def __init__(
        self,
        subject: Subject,
        document: Experiment,
        options: RunOptions,
        tell: Tell,
        halts: Halts = lambda: False,
    ) -> None:
        self._subject = subject
        self._halts = halts
        self._document = document
        self._options = options
        self._tell = tell
        self._stopping = threading.Event()
        self._running = Running(
            allowed=subject.allowed, configuration=document.configuration, stopping=self._stopping
        )
        self._known = Known(new_run(), subject, document, options)
        self._why_stopped, self._hurried = "", False
        self.observer: Observer | None = None
        self.halted = False

    def status(self, duration_s: float | None) -> list[str]:
        """Return how it gets on, in parts of a line; `duration_s` as it was asked for."""
        observer, known = self.observer, self._known
        if observer is None:
            return []
        is_on = known.injected_s is not None and known.removed_s is None
        faulty_s = observer.now_s - known.injected_s if is_on and known.injected_s is not None else None
        return status_parts(observer.newest, faulty_s, len(observer.blocks), duration_s)

    def stop(self, reason: str) -> None:
        """Have it end early: what is on comes off, and what was seen is judged. From any thread.

        Somebody waits for it, so a relay that doesn't recover is watched no longer than it may take.
        """
        self._hurried = True
        self._end_early(reason)

    def _end_early(self, reason: str) -> None:
        self._why_stopped = self._why_stopped or reason
        self._stopping.set()

    async def run(self, relay: DependencyMap, predicted: BlastRadius, exceeded: str) -> Result:
        """Run it; `exceeded` says which limit of the blast radius it would pass, or nothing."""
        known = self._known
        known.relay, known.predicted = relay, predicted
        if exceeded:
            known.could_not = f"nothing was put on: {exceeded}"
            return judged_result(known, None)
        async with AsyncExitStack() as stack:
            observer = Observer(self._subject.admin_url, self._subject.api_url)
            self.observer = await stack.enter_async_context(observer)
            await observer.ready()
            if self._options.beside:
                known.control = await opened_control(self._options.beside, self._subject, observer, stack)
            known.began_unix_s = time.time() - observer.now_s
            known.began_monotonic_s = time.monotonic() - observer.now_s
            known.policies = await asyncio.to_thread(policies_of, self._subject.admin_url, relay.breakers)
            if unknown := [each for each in relay.breakers[:BREAKERS_MAX] if each not in known.policies]:
                known.notes.append(f"no advice on what has not told its figures: {', '.join(unknown)}")
            self._tell("steady", "asking whether all is well before")
            before = await ask(self._document.hypothesis, self._running)
            known.take("before", self._document.hypothesis.probes, before)
            if self._why_stopped:
                known.aborted = f"{self._why_stopped}, before anything was put on"
            elif holds(before):
                await self._with_faults(observer)
                self._note_a_late_stop()
            return judged_result(known, observer)

    def _note_a_late_stop(self) -> None:
        known = self._known
        if self._why_stopped and not known.aborted:
            # What it would have come to was not waited for.
            known.aborted = f"{self._why_stopped}, while it recovered"

    async def _with_faults(self, observer: Observer) -> None:
        """Put the faults on, watch, take them off, and watch again."""
        known = self._known
        keeper = await asyncio.to_thread(
            FaultKeeper,
            self._options.journal_folder,
            run=known.run,
            allowed=self._subject.allowed,
            halts=self._halts,
        )
        try:
            with use_keeper(keeper, self._stopping):
                try:
                    await self._method(observer, keeper)
                finally:
                    await self._roll_back(keeper)
            known.removed_s = observer.now_s
            await self._after(observer)
            known.gone = await asyncio.to_thread(_gone_checks, keeper)
        finally:
            left = await asyncio.to_thread(keeper.close)
            known.journal = keeper.journal.read()
            known.left_behind = tuple(f"{one.kind} on {one.target}: {one.says}" for one in left)

    async def _method(self, observer: Observer, keeper: FaultKeeper) -> None:
        known, method = self._known, self._document.method
        self._tell("method", f"{len(method)} steps; what is put on is in {keeper.journal.path}")
        known.injected_s = observer.now_s
        acting = asyncio.create_task(asyncio.to_thread(run_activities, method, self._running))
        taken_off = False
        while not acting.done():
            await asyncio.wait((acting,), timeout=LOOK_EVERY_S)
            reason = self._reason_to_stop(observer, keeper)
            if reason and not self._why_stopped:
                self._tell("aborting", reason)
                known.aborted = reason
                self.halted = keeper.halted
                self._hurried = self._hurried or self.halted
                self._end_early(reason)
            if self._why_stopped and not taken_off:
                # At once, and not when the step ends that is under way: a probe may ask for ten seconds.
                taken_off = True
                await asyncio.to_thread(keeper.undo_all)
        known.take("method", method, acting.result())
        if self._why_stopped and not known.aborted:
            known.aborted = self._why_stopped

    def _reason_to_stop(self, observer: Observer, keeper: FaultKeeper) -> str | None:
        error = ""
        try:
            keeper.check()
        except FaultError as failed:
            error = str(failed)
        if keeper.halted:
            return "all runs were told to halt"
        moment = Moment(
            samples=observer.samples[-SAMPLES_LOOKED_AT:],
            finding=observer.stream.broken,
            losses=observer.losses,
            radius_exceeded=self._known.radius_exceeded(observer),
            tool_error=error,
        )
        return reason_to_abort(self._options.limits, moment)

    async def _roll_back(self, keeper: FaultKeeper) -> None:
        """Do the document's rollbacks, and take off what they left: whatever happened before."""
        self._tell("rollback", "taking all faults off")
        rollbacks = self._document.rollbacks
        calm = Running(allowed=self._subject.allowed, configuration=self._document.configuration)
        done = await asyncio.to_thread(run_activities, rollbacks, calm, to_the_last=True)
        self._known.take("rollback", rollbacks, done)
        await asyncio.to_thread(keeper.undo_all)

    async def _after(self, observer: Observer) -> None:
        """Ask until the steady state holds again, all is back that was lost, and the subscriber caught up."""
        known = self._known
        recovery_s_max = self._options.recovery_s_max
        self._tell("recovery", "asking whether all is well again")
        calm = Running(allowed=self._subject.allowed, configuration=self._document.configuration)
        runs, held_s = await ask_until_it_holds(
            self._document.hypothesis,
            calm,
            within_s=recovery_s_max if self._hurried else max(RECOVERY_WATCHED_S_MIN, 2 * recovery_s_max),
            now_s=lambda: observer.now_s,
        )
        known.take("after", self._document.hypothesis.probes, runs)
        known.steady_s = held_s
        await self._until_back(observer)
        await self._caught_up(observer)
        known.ended_s = observer.now_s

    async def _until_back(self, observer: Observer) -> None:
        """Wait for breakers that opened and sources that were lost: the next experiment needs them."""
        deadline_s = observer.now_s + BACK_WATCHED_S_MAX
        while (late := self._known.not_back(observer)) and not self._why_stopped:
            if observer.now_s >= deadline_s:
                self._known.notes.append(f"not back after {BACK_WATCHED_S_MAX:g} s: {', '.join(late)}")
                return
            await asyncio.sleep(LOOK_EVERY_S)

    async def _caught_up(self, observer: Observer) -> None:
        """Have the subscriber be given what the relay has, before it is said what was lost."""
        heights = {} if observer.newest is None else dict(observer.newest.heights)
        if not await observer.caught_up(heights, CAUGHT_UP_S_MAX):
            self._known.notes.append(f"the subscriber is not up to {heights} after {CAUGHT_UP_S_MAX:g} s")
        stream = observer.stream
        truths, notes = await asyncio.to_thread(
            truths_of, self._subject.nodes, stream.first_heights(), stream.heads()
        )
        self._known.truths = truths
        self._known.notes += notes


def _gone_checks(keeper: FaultKeeper) -> tuple[GoneCheck, ...]:
    planned = keeper.journal.read().planned
    return tuple(check_gone(planned[number]) for number in sorted(planned))
