"""What every source does around its connection: tries when it may, tells why not, shows itself.

A breaker that opens ends the connection, and nothing is tried until it lets a trial through; nor while the
store takes nothing, as each connection that comes and goes is an event, for which there is no room.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from abc import ABC, abstractmethod
from collections import Counter
from typing import Protocol

from sprint.core.breaker.transitions import Cause, Transition
from sprint.core.errors import UpstreamError
from sprint.core.relay.gate import Ending, SourceGate
from sprint.core.relay.source_url import SourceSpec
from sprint.tools.relay.intake import Sink
from sprint.tools.relay.sources.guard import SourceGuard
from sprint.tools.relay.sources.view import SourceState, SourceView
from sprint.tools.runtime import clock, jitter, log_fields

CONNECT_TIMEOUT_S = 10.0
LOOK_AGAIN_S = 5.0  # how often what stands still gives a trial its time again; a bound on every wait
STOPS = "the relay stops"
NOT_TRIED = "not tried yet"
# As the guard's words begin, and what they are once the breaker lets an attempt through.
BREAKER_IS, BREAKER_WAS = "its breaker is ", "its breaker was "
STANDS_STILL = "nothing is tried while the store takes nothing"
# An operator's words by which a source is to be tried now, whatever it had to wait for.
TRY_NOW: frozenset[Cause] = frozenset({"reset", "released", "forced_closed"})
log = logging.getLogger(__name__)


class Connection(Protocol):
    """What a source needs of its connection, whatever it speaks."""

    @property
    def ended(self) -> asyncio.Future[str]: ...
    @property
    def ready_at(self) -> float | None: ...
    @property
    def user_agent(self) -> str: ...
    @property
    def misbehaved(self) -> bool: ...
    @property
    def faults(self) -> Counter[str]: ...
    @property
    def concerns_provider(self) -> bool: ...
    @property
    def syncing(self) -> str: ...
    def awaited_s(self, now: float) -> float: ...
    def abort(self, reason: str = ...) -> None: ...


class ConnectingSource(ABC):
    """One upstream, connected to again and again until it is cancelled. A kind says how it connects."""

    def __init__(self, spec: SourceSpec, intake: Sink) -> None:
        self.spec = spec
        self.intake = intake
        self.blocks_received = 0
        self.guard = SourceGuard()
        self._gate = SourceGate()
        self._changed = asyncio.Event()  # the breaker's word on it, or the intake's
        self._stood_still = False
        self._connection: Connection | None = None
        self._reason = NOT_TRIED
        self._trying = False
        self._connects = 0
        self._blocked = False
        # Of connections that have ended; the kinds are those of the protocol's errors, so they are few.
        self._faults: Counter[str] = Counter()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.spec.name}, {self.spec.url})"

    @abstractmethod
    async def open(self) -> Connection:
        """Connect. OSError, TimeoutError or UpstreamError, with the reason, where that fails."""

    async def run(self) -> None:
        """Connect, serve until the connection ends, wait as gate and breaker say; for ever."""
        loop = asyncio.get_running_loop()
        # Who changes a breaker may be in any thread, and in the midst of what this source does.
        with (
            self.guard.heeded(lambda told: loop.call_soon_threadsafe(self._breaker_changed, told)),
            self.intake.heeded(self._intake_changed),
        ):
            while True:
                await self._run_once()

    async def _run_once(self) -> None:
        if not self._may_try():
            await self._wait()
            return
        try:
            outcome, held_s = await self.connect_once()
        except Exception as error:  # a task that ended over a mistake of ours would never try again
            log.exception("source %s failed", self.spec.name)
            self._reason = repr(error)
            self.guard.ended(self._reason)
            outcome, held_s = "failed", 0.0
        self._blocked = outcome == "misbehaved"
        self._gate.record(outcome, held_s=held_s, now=clock(), jitter=jitter())

    async def connect_once(self) -> tuple[Ending, float]:
        """Connect and serve until the connection ends; return how it ended and how long it was ready."""
        self._trying = True
        try:
            return await self._tried()
        finally:
            self._trying = False

    async def _tried(self) -> tuple[Ending, float]:
        try:
            connection = await self.open()
        except (OSError, UnicodeError, TimeoutError, UpstreamError) as error:
            reason = str(error) or f"no connection within {CONNECT_TIMEOUT_S:.0f} s"
            self._note(reason, was_ready=False)
            self._tell_ended(reason)
            return "failed", 0.0
        self._connection = connection
        self._connects += 1
        try:
            await self._serve(connection)
        finally:
            self._connection = None
            connection.abort()
            self._faults.update(connection.faults)
        held_s = clock() - connection.ready_at if connection.ready_at is not None else 0.0
        return ("misbehaved" if connection.misbehaved else "lost"), held_s

    async def _serve(self, connection: Connection) -> None:
        """Wait for a connection's end, and tell of it."""
        if shut := self.guard.shut:  # since the attempt began
            connection.abort(shut)
        while not connection.ended.done():
            self._keep_trial()
            await asyncio.wait({connection.ended}, timeout=LOOK_AGAIN_S)
        reason = connection.ended.result()
        self._note(reason, was_ready=connection.ready_at is not None)
        self._tell_ended(reason)
        if connection.concerns_provider:
            self.guard.concerns_provider(reason)

    def view(self) -> SourceView:
        shut, withheld, wait_s = self.guard.shut, self.guard.withheld, self._wait_s()
        stands_still = STANDS_STILL if self.intake.paused and self._connection is None else ""
        connection = None if shut else self._connection  # which is about to be closed
        ready = connection is not None and connection.ready_at is not None
        syncing = connection.syncing if connection is not None else ""
        return SourceView(
            name=self.spec.name,
            url=self.spec.url,
            provider=self.spec.provider,
            state=self._state(connection),
            reason=syncing if ready else shut or self._why_not_ready(),
            user_agent=connection.user_agent if connection is not None else "",
            connects=self._connects,
            blocks_received=self.blocks_received,
            retry_in_s=round(wait_s, 3) if connection is None else 0.0,
            awaited_s=round(connection.awaited_s(clock()), 3) if connection is not None else 0.0,
            faults=dict(self.faults()),
            notes=tuple(note for note in (withheld, stands_still) if note),
        )

    def faults(self) -> Counter[str]:
        """Count by kind what was wrong in all connections so far."""
        return self._faults + self._connection.faults if self._connection is not None else self._faults

    def tell_lost(self, connection: Connection, reason: str) -> None:
        """Tell the intake that a connection has ended, and for how long that shuts the source out."""
        if connection.misbehaved:
            held_s = clock() - connection.ready_at if connection.ready_at is not None else 0.0
            reason = f"{reason}; {self.shut_out_says(held_s)}"
        self.intake.source_lost(self.spec.name, reason, blocked=connection.misbehaved)

    def shut_out_says(self, held_s: float) -> str:
        """Say for how long a source is shut out that misbehaved on a connection that held so long."""
        longest_s = self._gate.shut_out_s(held_s)
        return f"shut out for {longest_s / 2:g} to {longest_s:g} s"

    def _may_try(self) -> bool:
        """Tell whether an attempt may begin now, with the breaker's leave for it taken."""
        if self.intake.paused:
            return False
        if self.intake.needs_sources and not self._gate.admit(clock(), needed=True):
            self.guard.bring_forward()
        return not self._wait_s() and self.guard.attempt()

    async def _wait(self) -> None:
        """Wait until an attempt may be made, the breaker has changed, or it is time to look again."""
        self._changed.clear()
        self._keep_trial()
        # The breaker of one that is needed is not waited for, but its gate is.
        needed = self.intake.needs_sources
        wait_s = self._gate.admit(clock(), needed=True) if needed else self._wait_s()
        if self.intake.paused or not wait_s:
            wait_s = LOOK_AGAIN_S
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(wait_s, LOOK_AGAIN_S)):
                await self._changed.wait()

    def _keep_trial(self) -> None:
        """See to it that a store which stands still is not held against a source on trial."""
        stood_still, self._stood_still = self._stood_still, self.intake.paused
        if stood_still or self._stood_still:
            self.guard.stands_still()

    def _tell_ended(self, reason: str) -> None:
        """Tell the breaker of a connection's end; what ends while nobody reads of it is no fault of its."""
        if self.intake.paused:
            self.guard.stopped()
        else:
            self.guard.ended(reason)

    def _intake_changed(self) -> None:
        """Look anew: the store takes again what comes or takes no more, or the last source was lost."""
        self._changed.set()
        self._keep_trial()

    def _breaker_changed(self, transition: Transition) -> None:
        """Close the connection where the breaker has opened; try at once where an operator says so."""
        if transition.reason in TRY_NOW:
            self._gate.bring_forward()
        self._changed.set()
        shut = self.guard.shut
        if shut and self._connection is not None:
            self._connection.abort(shut)

    def _wait_s(self) -> float:
        breaker_s = self.guard.retry_after_s()
        return self._gate.admit(clock(), needed=self.intake.needs_sources, breaker_s=breaker_s)

    def _why_not_ready(self) -> str:
        """Return what keeps it from being ready, which is no longer the breaker that was open before."""
        before = self._reason.replace(BREAKER_IS, BREAKER_WAS, 1)
        if not self._trying:
            return before
        return "being tried for the first time" if before == NOT_TRIED else f"being tried; before: {before}"

    def _state(self, connection: Connection | None) -> SourceState:
        if connection is not None and connection.ready_at is not None:
            return "syncing" if connection.syncing else "ready"
        if connection is not None or (self._trying and not self.guard.shut):
            return "connecting"
        return "blocked" if self._blocked else "waiting"

    def _note(self, reason: str, *, was_ready: bool) -> None:
        """Keep why there is no connection, and log it once where the intake has no loss to tell of."""
        if not was_ready and reason != self._reason:
            log_fields(
                log,
                logging.WARNING,
                "source cannot be reached",
                chain=self.intake.chain,
                source=self.spec.name,
                url=self.spec.url,
                reason=reason,
            )
        self._reason = reason
