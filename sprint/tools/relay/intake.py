"""Acts on what one chain's pipeline decides: runs proofs, sends requests, submits commits, arms the timer.

It decides nothing. Sources hand it announcements; it holds them by name behind the `Upstream` protocol.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import NamedTuple, Protocol

from sprint.core.chains import display_hash
from sprint.core.protocols.announcements import Announcement, BlockArrived
from sprint.core.relay.admit import Duplicate, Fetch, Refused, Wait
from sprint.core.relay.event_log import Commit, EventLog
from sprint.core.relay.fetch import Request
from sprint.core.relay.outcome import BlockDraft, Outcome, Penalty, number
from sprint.core.relay.pipeline import Pipeline
from sprint.core.relay.prove import BlockProof, BlockResult, ProofResult
from sprint.tools.relay.event_notes import Noted, note
from sprint.tools.relay.one_timer import OneTimer
from sprint.tools.relay.proving import Prover
from sprint.tools.relay.stages import StageObserver
from sprint.tools.runtime import clock, log_fields, wall_clock

log = logging.getLogger(__name__)


class Upstream(Protocol):
    """A ready source, as the intake needs it."""

    def request_headers(self, locator: Sequence[bytes]) -> None: ...
    def request_blocks(self, hashes: Sequence[bytes]) -> None: ...
    def penalise(self, points: int, reason: str) -> None: ...
    def pause(self, *, paused: bool) -> None: ...
    def overdue(self, seconds: float) -> None: ...


class Sink(Protocol):
    """What a source hands things to; `Intake` is one."""

    @property
    def chain(self) -> str: ...
    @property
    def needs_sources(self) -> bool: ...
    @property
    def paused(self) -> bool: ...
    def heeded(self, changed: Callable[[], object]) -> AbstractContextManager[None]: ...
    def source_ready(
        self, name: str, upstream: Upstream, *, serves: bool = True, provider: str | None = None
    ) -> None: ...
    def source_lost(self, name: str, reason: str, *, blocked: bool = False) -> None: ...
    def source_noted(self, name: str, reason: str) -> None: ...
    def announce(self, announcement: Announcement, framed_at: float) -> None: ...


class Shared(NamedTuple):
    """What the intakes of all chains use together."""

    event_log: EventLog
    prover: Prover
    submit: Callable[[Commit], None]
    observer: StageObserver


class Intake:
    """One chain's edge. All calls are on the loop's thread."""

    def __init__(self, chain: str, pipeline: Pipeline, shared: Shared) -> None:
        self.chain = chain
        self.pipeline = pipeline
        self._event_log = shared.event_log
        self._prover = shared.prover
        self._submit = shared.submit
        self._observer = shared.observer
        self._loop = asyncio.get_running_loop()
        self._timer = OneTimer(self._loop, self._on_timer)
        self._upstreams: dict[str, Upstream] = {}
        self._heeding: dict[object, Callable[[], object]] = {}  # one of each source that runs
        self._paused_at: float | None = None
        self._closed = False
        self._sending = False

    def __repr__(self) -> str:
        return f"Intake({self.chain}, {len(self._upstreams)} sources)"

    def start(self) -> None:
        self._arm()

    def close(self) -> None:
        """Take nothing more; what was submitted is still committed."""
        self._closed = True
        self._timer.cancel()

    def pause(self, *, paused: bool) -> None:
        """Stop or resume reading from every source. While it is stopped no time runs out for an answer."""
        for upstream in self._upstreams.values():
            upstream.pause(paused=paused)
        if paused and self._paused_at is None:
            self._paused_at = clock()
            self._timer.cancel()
            self._tell_sources()
        elif not paused and self._paused_at is not None:
            now = clock()
            self.pipeline.stood_still(now - self._paused_at, now)
            self._paused_at = None
            self._arm()
            self._tell_sources()

    @property
    def paused(self) -> bool:
        """Whether nothing is read of any source, so that no other is to be connected to."""
        return self._paused_at is not None

    @contextmanager
    def heeded(self, changed: Callable[[], object]) -> Iterator[None]:
        """Tell, while within, of every pause and its end, and when the last source that serves was lost."""
        key = object()
        self._heeding[key] = changed
        try:
            yield
        finally:
            del self._heeding[key]

    def source_ready(
        self, name: str, upstream: Upstream, *, serves: bool = True, provider: str | None = None
    ) -> None:
        """Take up a source. `serves` is false of one that only announces and can be asked for nothing."""
        self._upstreams[name] = upstream
        if self._paused_at is not None:
            upstream.pause(paused=True)
        # Of one that is on trial no event tells yet.
        log_fields(log, logging.DEBUG, "source connected", chain=self.chain, source=name)
        self._act(self.pipeline.source_ready(name, clock(), serves=serves, provider=provider))

    @property
    def needs_sources(self) -> bool:
        """Whether no source of the chain is ready, so that one that is shut out is tried sooner."""
        return not self.pipeline.state.serving

    def serves_without(self, names: set[str]) -> bool:
        """Tell whether another source of the chain is ready and serves, so that these can be done without."""
        return any(other not in names for other in self.pipeline.state.serving)

    def source_lost(self, name: str, reason: str, *, blocked: bool = False) -> None:
        if self._sending:
            # A request ended the session; what the outcome that made it says comes first.
            self._loop.call_soon(partial(self.source_lost, name, reason, blocked=blocked))
            return
        if self._upstreams.pop(name, None) is not None and not self._closed:
            fields = {"source": name, "reason": reason}
            log_fields(log, logging.DEBUG, "source disconnected", chain=self.chain, **fields)
            served = not self.needs_sources
            self._act(self.pipeline.source_lost(name, reason, clock(), blocked=blocked))
            if served and self.needs_sources:
                self._tell_sources()

    def source_noted(self, name: str, reason: str) -> None:
        """Tell, as an event, what is wrong with a source that cannot be connected to."""
        if not self._closed:
            self.pipeline.state.announcers.note(name, reason)
            self._act(self.pipeline.handle_timer(clock()))

    def source_removed(self, name: str, reason: str) -> None:
        """Take nothing more of a source; its connection is closed by who removes it."""
        upstream = self._upstreams.get(name)
        if upstream is not None:
            upstream.pause(paused=True)
        self.source_lost(name, reason)
        self.pipeline.forget_source(name)

    def announce(self, announcement: Announcement, framed_at: float) -> None:
        """Take an announcement from a source."""
        if self._closed:
            return
        now = clock()
        self.pipeline.set_unix_time(wall_clock(), now)
        decision = self.pipeline.admit(announcement, now)
        if isinstance(decision, Duplicate | Wait):
            if self.pipeline.timer_is_due:
                self._arm()
            return
        if isinstance(decision, Fetch):
            self._send(decision.requests)
            self._arm()
        elif isinstance(decision, Refused):
            self._penalise(decision.penalty)
        else:
            if isinstance(decision, BlockProof) and isinstance(announcement, BlockArrived):
                self._mark_admitted(decision.hash, announcement.read_at, framed_at)
            self._prover.prove(decision, self._proved)

    def _tell_sources(self) -> None:
        for changed in list(self._heeding.values()):
            changed()

    def _mark_admitted(self, block_hash: bytes, read_at: float, framed_at: float) -> None:
        self._observer.mark("read", self.chain, block_hash, read_at)
        self._observer.mark("framed", self.chain, block_hash, framed_at)
        self._observer.mark("admitted", self.chain, block_hash, clock())

    def _proved(self, result: ProofResult) -> None:
        if self._closed:
            return
        now = clock()
        if isinstance(result, BlockResult):
            self._observer.mark("proved", self.chain, result.hash, now)
        outcome = self.pipeline.settle(result, now)
        if isinstance(result, BlockResult):
            self._observer.mark("settled", self.chain, result.hash, clock())
        self._act(outcome)

    def _act(self, outcome: Outcome) -> None:
        """Do what an outcome asks for: requests first, as others wait for their answers."""
        self._send(outcome.requests)
        commit = number(outcome, self.chain, self._event_log, clock(), self.pipeline.state.providers.count)
        if commit is not None:
            now = clock()
            for draft in outcome.drafts:
                if isinstance(draft, BlockDraft):
                    self._observer.mark("encoded", self.chain, draft.node.hash, now)
                elif isinstance(draft, Noted):
                    note(self.chain, draft)
            self._submit(commit)
        for penalty in outcome.penalties:
            self._penalise(penalty)
        for source, waited_s in outcome.late.items():
            if source in self._upstreams:
                self._upstreams[source].overdue(waited_s)
        for announcement in outcome.readmit:
            self.announce(announcement, announcement.read_at)
        self._arm()

    def _send(self, requests: Sequence[Request]) -> None:
        self._sending = True
        for request in requests:
            upstream = self._upstreams.get(request.source)
            if upstream is None:
                continue
            if request.locator:
                upstream.request_headers(request.locator)
            if request.bodies:
                upstream.request_blocks(request.bodies)
        self._sending = False

    def _penalise(self, penalty: Penalty) -> None:
        fields: dict[str, object] = {"points": penalty.points, "reason": penalty.reason}
        if penalty.block_hash:
            fields["block"] = display_hash(penalty.block_hash)
        fields["source"] = penalty.source
        log_fields(log, logging.WARNING, "source penalised", chain=self.chain, **fields)
        upstream = self._upstreams.get(penalty.source)
        if upstream is not None:
            upstream.penalise(penalty.points, penalty.reason)

    def _arm(self) -> None:
        if not self._closed and self._paused_at is None:
            self._timer.arm(self.pipeline.next_timer())

    def _on_timer(self) -> None:
        if not self._closed:
            self._act(self.pipeline.handle_timer(clock()))
