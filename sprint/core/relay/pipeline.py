"""One chain's pipeline: admit → prove → settle, from announcements to outcomes.

`admit` decides cheaply what an announcement is; what needs proving comes back as a `Proof`, whose `run`
is stateless; `settle` takes the result into the chain tree. Each step returns what the edge has to do: an
`Outcome` holds the drafts of events, what to ask of which source, and whose score pays. `number` makes a
commit of it, which is logged before anybody is given it.

The pipeline has one owner, never waits and never fails on what a peer sent. The tree is the truth about
what is new.
"""

from __future__ import annotations

from sprint.core.chains import Processor
from sprint.core.model import SourceStatusData
from sprint.core.protocols.announcements import Announcement
from sprint.core.relay.admit import Admission, Decision
from sprint.core.relay.finality import Finality
from sprint.core.relay.head import HeadTracker, Node
from sprint.core.relay.outcome import Outcome
from sprint.core.relay.overdue import pass_over_overdue, want_passed_over, withdraw_overdue
from sprint.core.relay.prove import HeadersResult, ProofResult
from sprint.core.relay.settings import ChainSettings
from sprint.core.relay.settle import Settlement
from sprint.core.relay.state import ChainState
from sprint.core.relay.watch import Watchdog

OVERDUE_CHECK_S = 0.5


class Pipeline:
    """Follows one chain. Give it `tree` as restored from the store, or with the genesis block alone."""

    def __init__(
        self,
        processor: Processor,
        settings: ChainSettings,
        tree: HeadTracker,
        genesis_hash: bytes,
        now: float,
    ) -> None:
        self.state = ChainState(processor, settings, tree, genesis_hash)
        self.watchdog = Watchdog(settings, now)
        self._finality = Finality(settings.finality_depth, tree.highest_delivered())
        self._admission = Admission(self.state)
        self._settlement = Settlement(self.state)
        self._poll_at = now + settings.head_poll_s
        self._overdue_at = now + OVERDUE_CHECK_S
        missing = sorted(tree.missing(), key=lambda node: node.height)
        self.state.passed_over += (node.hash for node in missing)
        want_passed_over(self.state, now)
        for node in tree.told():
            self._want_told(node)

    def __repr__(self) -> str:
        return f"Pipeline({self.state!r})"

    def _want_told(self, node: Node) -> None:
        """Want a told header's body and those below it, without which it neither goes out nor is refused."""
        for below in node.ancestors():
            if below.connected or below.invalid:
                break
            if not below.settled:
                self.state.fetcher.want(below.hash, below.height, (), best=below is node)

    def set_unix_time(self, unix_time: float, now: float) -> None:
        """Take note of the network's time, as the edge knows it at `now`."""
        self.state.unix_time_offset_s = unix_time - now

    def restore_stall(self, reason: str) -> None:
        """Go on from a stall that the log told of last, so that its end is told too."""
        self.watchdog.stalled = reason or None

    def admit(self, announcement: Announcement, now: float) -> Decision:
        """Decide what an announcement is."""
        return self._admission.admit(announcement, now)

    def settle(self, result: ProofResult, now: float) -> Outcome:
        """Take a proof's result into the tree."""
        outcome = Outcome()
        if isinstance(result, HeadersResult):
            self._settlement.headers(result, outcome, now)
        else:
            self._settlement.block(result, outcome, now)
        outcome.readmit = self.state.book.release()
        return self._finish(outcome, now)

    @property
    def timer_is_due(self) -> bool:
        """Whether an announcement that needed no proof left something to tell: `handle_timer` tells it."""
        return self.state.quorum.has_ripe or self.state.syncing.next_timer() is not None

    def source_ready(
        self, source: str, now: float, *, serves: bool = True, provider: str | None = None
    ) -> Outcome:
        """Ask a source that has become ready for what is above our best header.

        One that does not serve only announces: what it may have told before is asked of all others. Those of
        one `provider` agree as one.
        """
        outcome = Outcome()
        self.state.providers.name(source, provider or source)
        if serves:
            self.state.synced[source] = False
            self.state.take_in(source)
        else:
            self.state.board.ready(source, self.state.tree.head.height)
            self.state.announcers.ready(source, now)
            self.state.board.lost(source)  # its wins count; its head is not known before it says something
        if not self.state.trials.begin(source, now):
            reason = "connected" if serves else "connected; it only announces, others have to serve"
            outcome.drafts.append(SourceStatusData(source, "ready", reason))
        outcome.requests += self.state.headers_requests(source)
        return self._finish(outcome, now)

    def source_lost(self, source: str, reason: str, now: float, *, blocked: bool = False) -> Outcome:
        """Give what was asked of a lost source to the others. `blocked`: it is shut out for a time."""
        outcome = Outcome()
        if self.state.synced.pop(source, None) is None and not self.state.announcers.lost(source):
            return outcome
        self.state.forget_source(source)
        was_on_trial = self.state.trials.lost(source)
        if blocked:
            told = self.state.trials.shut(source, reason)
            outcome.drafts += [told] if told is not None else []
        elif not was_on_trial:
            outcome.drafts.append(SourceStatusData(source, "lost", reason))
        return self._finish(outcome, now)

    def forget_source(self, source: str) -> None:
        """Drop all that is known of a source that is removed for good; `source_lost` came before."""
        self.state.board.forget(source)
        self.state.trials.forget(source)
        self.state.providers.forget(source)

    def stood_still(self, seconds: float, now: float) -> None:
        """Take note that nothing was read for so long, up to now, by our own doing."""
        self.state.fetcher.stood_still(seconds, now)

    def next_timer(self) -> float:
        """Return when `handle_timer` has something to do at the latest."""
        state = self.state
        due = [self._poll_at]
        owners = (state.fetcher, self.watchdog, state.board, state.quorum, state.syncing)
        due += [at for at in (owner.next_timer() for owner in owners) if at is not None]
        if len(state.fetcher) or state.passed_over:
            due.append(self._overdue_at)
        if state.begin_at is not None and not state.begun:
            due.append(state.begin_at)
        return min(due)

    def handle_timer(self, now: float) -> Outcome:
        """Act on what is overdue: bodies, headers to withdraw, gaps, the log's begin, a silent head."""
        outcome, state = Outcome(), self.state
        for source, _, waited_s in state.fetcher.expire(now):
            state.board.timed_out(source)
            outcome.late[source] = max(waited_s, outcome.late.get(source, 0.0))
        for node in state.quorum.take_ripe(now):
            self._settlement.connect(node, outcome)
        if now >= self._overdue_at:
            self._overdue_at = now + OVERDUE_CHECK_S
            withdraw_overdue(state, now, outcome)
            pass_over_overdue(state, now, outcome)
            want_passed_over(state, now)
        if not state.begun and state.begin_at is not None and now >= state.begin_at:
            state.begin_at = None
            if any(state.synced.values()):
                self._settlement.begin(outcome)
        if now >= self._poll_at:
            self._poll_at = now + state.settings.head_poll_s
            outcome.requests += [state.headers_request(source) for source in state.synced]
        return self._finish(outcome, now)

    def _finish(self, outcome: Outcome, now: float) -> Outcome:
        if outcome.head is not None:
            self.watchdog.advanced(now)
            self.state.announcers.head_moved()
            outcome.drafts += self._finality.advance(outcome.head)
            self._poll_at = now + self.state.settings.head_poll_s
        outcome.drafts += self.state.syncing.take_untold()
        outcome.drafts += self.state.board.check(now) + self.state.announcers.check(now)
        outcome.requests += [self.state.headers_request(each) for each in self.state.board.to_ask(now)]
        outcome.drafts += self.state.trials.check(self.state.synced, self.state.tree, now)
        self.watchdog.sources_changed(
            self.state.ready_count(),
            now,
            shut_out=self.state.trials.shut_out,
            syncing=sorted(self.state.syncing),
            announcing=sorted(self.state.announcers),
        )
        status = self.watchdog.check(now, self.state.quorum.stalled(now, self.state.tree.head))
        if status is not None:
            outcome.drafts.append(status)
        outcome.requests += self.state.fetcher.assign(now)
        return outcome
