"""Settle: take a proof's result into the chain tree and say what follows from it.

This is where a hash is marked as known, where a body's verdict frees or ends its fetching, and where
events are drafted: `header` when a proved header would become the tip, `block` and `reorg` when the head
moves, `header_withdrawn` when a body proves its header's block invalid.
"""

from __future__ import annotations

from collections.abc import Iterator

from sprint.core.chains import Block, Header, Rejected
from sprint.core.relay.admit import DISORDER_PENALTY, INVALID_PENALTY
from sprint.core.relay.fetch import Request
from sprint.core.relay.head import Node
from sprint.core.relay.outcome import HeaderDraft, Outcome, Penalty
from sprint.core.relay.overdue import pass_over_excess, withdraw
from sprint.core.relay.prove import BlockResult, HeadersResult
from sprint.core.relay.settings import HEADERS_AHEAD_MAX, IDLE_ANSWERS_MAX, ORPHANS_MAX
from sprint.core.relay.state import ChainState
from sprint.core.relay.tally import Refusal

BEGIN_GRACE_S = 2.0  # how long the log's first block waits for sources that are still being asked


class Settlement:
    """Takes results into the state."""

    def __init__(self, state: ChainState) -> None:
        self._state = state

    def headers(self, result: HeadersResult, outcome: Outcome, now: float) -> None:
        """Take proved headers into the tree, and ask for what they lead to."""
        state = self._state
        for block_hash in result.hashes:
            state.book.proving_headers.discard(block_hash)
        state.tally.headers_accepted += len(result.headers)
        new = self._add_headers(result)
        self._note_progress(result, outcome)
        if not state.begun:
            state.tree.trim_headers()
            if new or state.synced.get(result.source):
                state.begin_at = now + BEGIN_GRACE_S
            if not state.serving or not all(state.synced[source] for source in state.serving):
                return
            self.begin(outcome)
        if not result.full:
            self._want_bodies(new, outcome)
            self._draft_header(new, outcome)
        elif state.tree.best_header.height - state.tree.head.height > HEADERS_AHEAD_MAX:
            # What was missed in years of rest would else be kept whole until its last header is here.
            pass_over_excess(state, outcome)
        for node in new:
            orphan = state.orphans.pop(node.hash, None)
            if orphan is not None and isinstance(orphan.verdict, Block):
                self._accept(node, orphan.verdict, orphan.source, outcome, now)

    def block(self, result: BlockResult, outcome: Outcome, now: float) -> None:
        """Take a body's verdict."""
        state, verdict = self._state, result.verdict
        state.book.proving_bodies.discard(result.hash)
        state.hash_wants.discard(result.hash)
        if isinstance(verdict, Rejected):
            self._refuse_body(result.hash, result.source, verdict, outcome)
            return
        known = state.tree.get(result.hash)
        node = known or self._hang(verdict.header, now)
        if isinstance(node, Rejected):
            self._refuse_body(result.hash, result.source, node, outcome)
            return
        if node is None:
            self._keep_orphan(result, outcome, now)
            return
        self._announced_by(node, result, new=known is None)
        self._accept(node, verdict, result.source, outcome, now)

    def begin(self, outcome: Outcome) -> None:
        """Begin the log with the tip found: what lies below it is taken as connected.

        Where the chain has only its genesis block, the log begins above it: every user has that one.
        """
        state = self._state
        state.begun = True
        tip = state.tree.best_header
        below = state.tree.anchor_below(tip)
        if not below:
            tip.anchored = True
            below = [tip]
        for node in below:
            outcome.touch(node, canonical=True)
        outcome.head = below[0]
        self._want_bodies([], outcome)

    def _hang(self, header: Header, now: float) -> Node | Rejected | None:
        """Check the place of a header that came with its body, and hang it into the tree."""
        state = self._state
        parent = state.tree.get(header.parent)
        if parent is None:
            return None
        ground = state.ground(parent, now)
        refused = state.processor.check_header(header, ground.ancestry, ground.unix_time)
        return refused or state.tree.add(header, state.processor.extend_ancestry(ground.ancestry, header))

    def _add_headers(self, result: HeadersResult) -> list[Node]:
        new: list[Node] = []
        for header, ancestry in zip(result.headers, result.ancestries, strict=True):
            known = self._state.tree.get(header.hash)
            node = self._state.tree.add(header, ancestry)
            if node is None:
                break
            self._announced_by(node, result, new=known is None)
            if known is None:
                new.append(node)
        return new

    def _note_progress(self, result: HeadersResult, outcome: Outcome) -> None:
        """Refuse, go on asking, or note that the source has no more."""
        state, source = self._state, result.source
        if result.rejected is not None:
            self._refuse_header(result, result.rejected, outcome)
        elif result.full and result.headers and result.last is not None:
            state.idle_answers.pop(source, None)
            outcome.requests.append(Request(source, locator=(result.last, *state.locator())))
        elif result.full and state.idle_answers.get(source, 0) < IDLE_ANSWERS_MAX:
            # It is behind what others gave; from our best header on it may have more.
            state.idle_answers[source] = state.idle_answers.get(source, 0) + 1
            outcome.requests.append(state.headers_request(source))
        elif source in state.synced:
            state.synced[source] = True

    def _refuse_header(self, result: HeadersResult, rejected: Rejected, outcome: Outcome) -> None:
        """Penalise; remember what can never be valid."""
        state, source = self._state, result.source
        if rejected.internal:
            return
        refused = result.hashes[len(result.headers)]
        reason = f"{rejected.check}: {rejected.reason}"
        state.tally.refuse_header(Refusal(refused, source, rejected.check, rejected.reason))
        if rejected.early:
            # It may be valid later and is not remembered; the next poll of the source brings it again.
            outcome.penalties.append(Penalty(source, DISORDER_PENALTY, reason, refused))
            if source in state.synced:
                state.synced[source] = True
            return
        outcome.penalties.append(Penalty(source, INVALID_PENALTY, reason, refused))
        if rejected.mutated:
            # Its hash does not cover all of its proof: another source may have the true one.
            others = [other for other in state.book.arrivals(refused) if other != source]
            outcome.requests += map(state.headers_request, others)
        else:
            state.book.reject(refused, reason)

    def _announced_by(self, node: Node, result: HeadersResult | BlockResult, *, new: bool) -> None:
        """Note who announced a block. Of a new one the earliest who named its hash has won it."""
        state = self._state
        if not new:
            state.confirm(node, result.source, result.read_at)
            return
        named = state.book.take_announcers(node.hash)
        own = min(result.read_at, named.get(result.source, result.read_at))
        # Of equal times its own is the first.
        times = {result.source: own} | {s: at for s, at in named.items() if s != result.source}
        for source, read_at in sorted(times.items(), key=lambda pair: pair[1]):
            state.confirm(node, source, read_at, new=True)
        node.read_at = min(times.values())
        state.hash_wants.discard(node.hash)

    def _draft_header(self, new: list[Node], outcome: Outcome) -> None:
        """Tell of a header that would become the tip, while its body is fetched."""
        state = self._state
        tip = state.tree.best_header
        if not new or new[-1] is not tip or tip.settled or tip.unripe or tip.work <= state.tree.head.work:
            return
        if tip.hash in state.book.proving_bodies or tip.hash in state.orphans:
            return
        tip.header_sent = True
        for node in tip.ancestors():
            if node.connected:
                break
            outcome.touch(node)
        outcome.drafts.append(HeaderDraft(tip))

    def _want_bodies(self, new: list[Node], outcome: Outcome) -> None:
        """Want the best branch, and a new one beside it once that has more work than the head.

        A branch with less is only its headers: its bodies are wanted when it comes to matter.
        """
        tree = self._state.tree
        pass_over_excess(self._state, outcome)
        self._want_branch(tree.best_header, best=True)
        if new and new[-1].work > tree.head.work:
            self._want_branch(new[-1], best=False)

    def _want_branch(self, tip: Node, *, best: bool) -> None:
        state = self._state
        for node in tip.ancestors():
            if node.connected or node.invalid:
                break
            if not (node.settled or node.unripe) and node.hash not in state.book.proving_bodies:
                state.fetcher.want(node.hash, node.height, node.sources, best=best)

    def _keep_orphan(self, result: BlockResult, outcome: Outcome, now: float) -> None:
        """Keep a valid body whose ancestors are not known yet, and ask for their headers."""
        state = self._state
        state.fetcher.done(result.hash)
        state.orphans[result.hash] = result
        if len(state.orphans) > ORPHANS_MAX:
            state.orphans.popitem(last=False)
        source = result.source
        if source in state.synced or (source in state.announcers and state.announcers.may_ask(source, now)):
            outcome.requests += state.headers_requests(source)

    def _accept(self, node: Node, block: Block, source: str, outcome: Outcome, now: float) -> None:
        """A body has passed: connect it if its parent is, and tell what follows from that."""
        state = self._state
        if node.parent is None:  # the tree begins here by now; nothing more is owed
            state.fetcher.done(node.hash)
            return
        below = node.parent.ancestry
        rejected = state.processor.check_context(block, below, _identities_below(node))
        if rejected is not None:
            self._refuse_body(node.hash, source, rejected, outcome)
            return
        state.fetcher.done(node.hash)
        if state.has_body(node) or node.invalid:
            return
        passed_over = node.missing is not None
        checks = block.checks + state.processor.context_checks(below)
        state.tree.settle(node, block, checks, source)
        state.tally.blocks_accepted += 1
        if passed_over:
            self._accept_late(node, outcome)
        elif not state.quorum.holds(node, now):
            self.connect(node, outcome)

    def connect(self, node: Node, outcome: Outcome) -> None:
        """Connect a block whose body has passed, and tell what follows from that."""
        state = self._state
        outcome.touch(node)
        change = state.tree.connect(node)
        if change is not None:
            outcome.move_head(change)
        elif node.work > state.tree.head.work:
            # Its body came by its hash alone; what lies between may have been of no matter until now.
            self._want_branch(node, best=False)

    def _accept_late(self, node: Node, outcome: Outcome) -> None:
        """A gap had passed over this one: its children are out already."""
        canonical = self._state.tree.on_best_branch(node)
        outcome.touch(node, canonical=canonical)
        if canonical:
            outcome.deliver(node)

    def _refuse_body(self, block_hash: bytes, source: str, rejected: Rejected, outcome: Outcome) -> None:
        """Penalise; another source may have the true body, unless the block itself breaks a rule."""
        state = self._state
        reason = f"{rejected.check}: {rejected.reason}"
        if not rejected.internal:
            state.tally.refuse_block(Refusal(block_hash, source, rejected.check, rejected.reason))
            points = DISORDER_PENALTY if rejected.early else INVALID_PENALTY
            outcome.penalties.append(Penalty(source, points, reason, block_hash))
        if rejected.early:
            state.fetcher.done(block_hash)
            return
        if rejected.mutated:
            state.fetcher.failed(block_hash, source)
            return
        state.fetcher.done(block_hash)
        state.book.reject(block_hash, reason)
        node = state.tree.get(block_hash)
        if node is None or node.connected:
            return
        for lost in state.tree.invalidate(node):
            state.fetcher.done(lost.hash)
            state.book.reject(lost.hash, reason)
            withdraw(lost, reason, outcome)
        self._want_bodies([], outcome)


def _identities_below(node: Node) -> Iterator[bytes]:
    """Yield the identities of a node's ancestors, newest first, as far as they are kept."""
    below = node.parent
    while below is not None:
        if below.record is not None and below.record.identity:
            yield below.record.identity
        below = below.parent
