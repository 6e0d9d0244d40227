"""The relay under test, without sockets: sessions and pipeline as `tools.relay` wires them, on one clock.

What it has committed survives a kill; what waits for its commit does not, and was given to nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

import msgspec

from sprint.core.chains import Processor
from sprint.core.protocols.announcements import Announcement
from sprint.core.protocols.bitcoin_p2p.events import Ready, SessionEvent, announcement_of
from sprint.core.protocols.bitcoin_p2p.session import PeerSession
from sprint.core.protocols.zmq.publisher import Parts
from sprint.core.protocols.zmq.session import ZmqSession
from sprint.core.relay.admit import Duplicate, Fetch, Refused, Wait
from sprint.core.relay.event_log import BlockRow, Commit, EventLog, LoggedEvent
from sprint.core.relay.fetch import Request
from sprint.core.relay.outcome import Outcome, number
from sprint.core.relay.pipeline import Pipeline
from sprint.core.relay.prove import ProofResult
from sprint.core.relay.restore import new_tree, restore_tree
from sprint.core.relay.settings import ChainSettings
from tests.simulator.clock import VirtualClock
from tests.simulator.world import FIRST_TIMESTAMP, World

LOG_ID = "5e" * 8
COMMIT_DELAY_MAX_S = 0.02
PROOF_DELAY_MAX_S = 0.05


class Disk:
    """What survives a kill."""

    def __init__(self) -> None:
        self.events: list[LoggedEvent] = []
        self.rows: dict[bytes, BlockRow] = {}
        self.head: bytes | None = None
        self.stalled = ""

    def apply(self, commit: Commit) -> None:
        self.events += commit.events
        for row in commit.blocks:
            self.rows[row.hash] = row
        for block_hash, canonical in commit.canonical:
            if block_hash in self.rows:
                self.rows[block_hash] = msgspec.structs.replace(self.rows[block_hash], canonical=canonical)
        if commit.head is not None:
            self.head = commit.head
        if commit.stalled is not None:
            self.stalled = commit.stalled


class SimulatedRelay:
    """One life of the relay, from a start to a kill."""

    def __init__(
        self,
        world: World,
        processor: Processor,
        clock: VirtualClock,
        rng: Random,
        disk: Disk,
        settings: ChainSettings,
    ) -> None:
        self._clock = clock
        self._rng = rng
        self._disk = disk
        self.alive = True
        self.sessions: dict[str, PeerSession] = {}
        self.publishers: dict[str, ZmqSession] = {}
        self.flush: Callable[[str], None] = lambda _: None
        self.hand_over: Callable[[Sequence[LoggedEvent]], None] = lambda _: None
        self.on_write: Callable[[], None] = lambda: None
        genesis = world.parameters.genesis_hash
        if disk.head is None:
            tree = new_tree(processor, world.parameters.genesis, settings.retained_blocks_max)
        else:
            rows = list(disk.rows.values())
            tree = restore_tree(processor, rows, disk.head, settings.retained_blocks_max)
        self.pipeline = Pipeline(processor, settings, tree, genesis, clock.now)
        self.pipeline.set_unix_time(FIRST_TIMESTAMP + clock.now, clock.now)
        self.pipeline.restore_stall(disk.stalled)
        position = disk.events[-1].position if disk.events else 0
        seq = disk.events[-1].seq if disk.events else 0
        self.log = EventLog(LOG_ID, position, {world.parameters.chain_id: seq})
        self.chain = world.parameters.chain_id
        self._commit_at = clock.now
        self._timer_at: float | None = None
        self._arm()

    def session_lost(self, name: str, reason: str) -> None:
        session = self.sessions.pop(name, None)
        if session is not None:
            blocked = session.score >= session.settings.score_max
            self._act(self.pipeline.source_lost(name, reason, self._clock.now, blocked=blocked))

    def publisher_ready(self, session: ZmqSession) -> None:
        self.publishers[session.source] = session
        self._act(self.pipeline.source_ready(session.source, self._clock.now, serves=False))

    def publisher_lost(self, session: ZmqSession) -> None:
        del self.publishers[session.source]
        reason, blocked = session.closed or "the connection was cut", session.closed is not None
        self._act(self.pipeline.source_lost(session.source, reason, self._clock.now, blocked=blocked))

    def take_published(self, session: ZmqSession, parts: Parts) -> None:
        for announcement in session.receive(parts, self._clock.now):
            self._announce(announcement)

    def take(self, name: str, events: list[SessionEvent]) -> None:
        for event in events:
            if isinstance(event, Ready):
                self._act(self.pipeline.source_ready(name, self._clock.now))
            announcement = announcement_of(event, name, self._clock.now)
            if announcement is not None:
                self._announce(announcement)

    def _announce(self, announcement: Announcement) -> None:
        decision = self.pipeline.admit(announcement, self._clock.now)
        if isinstance(decision, Duplicate | Wait):
            if self.pipeline.timer_is_due:
                self._arm()
            return
        if isinstance(decision, Fetch):
            self._send(list(decision.requests))
        elif isinstance(decision, Refused):
            self._penalise(decision.penalty.source, decision.penalty.points, decision.penalty.reason)
        else:
            result = decision.run()
            self._clock.call_later(self._rng.random() * PROOF_DELAY_MAX_S, lambda: self._settle(result))

    def _settle(self, result: ProofResult) -> None:
        if self.alive:
            self._act(self.pipeline.settle(result, self._clock.now))

    def _act(self, outcome: Outcome) -> None:
        self._send(outcome.requests)
        commit = number(outcome, self.chain, self.log, self._clock.now, self.pipeline.state.providers.count)
        if commit is not None:
            self.log_commit(commit)
        for penalty in outcome.penalties:
            self._penalise(penalty.source, penalty.points, penalty.reason)
        for announcement in outcome.readmit:
            self._announce(announcement)
        self._arm()

    def log_commit(self, commit: Commit) -> None:
        """Give a commit to the writer: it is on the disk a little later, and handed over then."""
        self.on_write()
        self._commit_at = max(self._commit_at, self._clock.now + self._rng.random() * COMMIT_DELAY_MAX_S)
        self._clock.call_at(self._commit_at, lambda: self.committed(commit))

    def committed(self, commit: Commit) -> None:
        if self.alive:
            self._disk.apply(commit)
            self.hand_over(commit.events)

    def _send(self, requests: list[Request]) -> None:
        for request in requests:
            session = self.sessions.get(request.source)
            if session is None:
                continue
            if request.locator:
                session.request_headers(request.locator, self._clock.now)
            if request.bodies:
                session.request_blocks(request.bodies, self._clock.now)
            self.flush(request.source)

    def _penalise(self, source: str, points: int, reason: str) -> None:
        session = self.sessions.get(source)
        if session is not None:
            session.penalise(points, reason)
            self.flush(source)
        elif source in self.publishers:
            self.publishers[source].penalise(points, reason)

    def _arm(self) -> None:
        due = self.pipeline.next_timer()
        if self._timer_at is None or due < self._timer_at:
            self._timer_at = due
            self._clock.call_at(due, lambda: self._on_timer(due))

    def _on_timer(self, due: float) -> None:
        if self.alive and self._timer_at == due:
            self._timer_at = None
            self._act(self.pipeline.handle_timer(self._clock.now))
