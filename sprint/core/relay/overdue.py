"""What is done about bodies that do not come: a header is withdrawn, a gap passed over and tried on.

A gap is the one way in which a child goes out before its parent: the `gap` event says so, and the parent
is delivered late if it comes. It is asked for again, whatever the gap was made for.
"""

from __future__ import annotations

from itertools import takewhile

from sprint.core.chains import display_hash
from sprint.core.model import HeaderWithdrawnData
from sprint.core.relay.head import Node, Passed
from sprint.core.relay.outcome import Outcome
from sprint.core.relay.settings import LATE_WANTS_MAX, SIDE_ROUNDS_MAX
from sprint.core.relay.state import ChainState


def withdraw_overdue(state: ChainState, now: float, outcome: Outcome) -> None:
    """Withdraw headers whose bodies could not be had in time; stop wanting hashes nobody explained."""
    for want in state.fetcher.overdue(now - state.settings.body_timeout_s):
        node = state.tree.get(want.hash)
        if node is None:
            state.hash_wants.discard(want.hash)
            state.fetcher.done(want.hash)
            continue
        _withdraw_branch(node, f"body not had within {state.settings.body_timeout_s:.0f} s", outcome)
        if not want.best and want.rounds > SIDE_ROUNDS_MAX:
            state.fetcher.done(want.hash)


def _withdraw_branch(node: Node, reason: str, outcome: Outcome) -> None:
    """Withdraw a header, and those above it whose bodies are here and cannot go out without this one.

    The walk stops at a body that is wanted itself, so no node is visited for two of them.
    """
    withdraw(node, reason, outcome)
    waiting = [child for child in node.children if child.settled and not child.connected]
    while waiting:
        above = waiting.pop()
        withdraw(above, f"of a block below it: {reason}", outcome)
        waiting += [child for child in above.children if child.settled and not child.connected]


def withdraw(node: Node, reason: str, outcome: Outcome) -> None:
    """Take back a `header` that went out, once."""
    if node.header_sent and not node.delivered:
        node.header_sent = False
        outcome.touch(node)
        outcome.drafts.append(HeaderWithdrawnData(display_hash(node.hash), node.height, reason))


def pass_over_overdue(state: ChainState, now: float, outcome: Outcome) -> None:
    """Pass over bodies on the best branch that hold up settled ones above them and cannot be had."""
    overdue = {w.hash for w in state.fetcher.overdue(now - state.settings.gap_after_s) if w.rounds > 0}
    if not overdue or state.tree.best_header.work <= state.tree.head.work:
        return
    waiting: list[Node] = []
    for node in state.tree.best_header.ancestors():
        if node.connected:
            break
        waiting.append(node)
    run: list[Node] = []
    for node in reversed(waiting):
        if node.hash not in overdue:
            break
        run.append(node)
    if run and any(child.settled for child in run[-1].children):
        reason = f"bodies not had within {state.settings.gap_after_s:.0f} s from any source"
        _pass_over(state, run, Passed(reason), outcome)
        for node in run:
            state.fetcher.make_late(node.hash, now)


def pass_over_excess(state: ChainState, outcome: Outcome) -> None:
    """Make a gap of the blocks missed beyond `catch_up_blocks_max`; they are asked for by and by.

    Those under way are waited for: where headers come one by one each would else be a gap of its own.
    """
    limit = state.settings.catch_up_blocks_max
    best = state.tree.best_header
    if best.height - state.tree.head.height <= limit:
        return
    waiting = takewhile(lambda node: not node.connected, best.ancestors())
    excess = [n for n in waiting if n.height <= best.height - limit and _is_idle(state, n)]
    if not excess:
        return
    for node in excess:
        state.fetcher.done(node.hash)
    reason = f"more than {limit} blocks were missed (catch_up_blocks_max)"
    _pass_over(state, excess[::-1], Passed(reason), outcome)
    state.passed_over += (node.hash for node in excess[::-1])


def _is_idle(state: ChainState, node: Node) -> bool:
    """Tell whether a body is neither here nor on its way."""
    want = state.fetcher.get(node.hash)
    under_way = (want is not None and want.flights) or node.hash in state.book.proving_bodies
    return not (node.settled or node.unripe or under_way)


def want_passed_over(state: ChainState, now: float) -> None:
    """Ask for blocks that a gap has passed over, few at a time.

    The newest are asked for first: a pruned node has those, and the others would hold them up.
    """
    room = LATE_WANTS_MAX - state.fetcher.late_count if state.passed_over else 0
    while room > 0 and state.passed_over:
        node = state.tree.get(state.passed_over.pop())
        if node is None or node.missing is None:
            continue
        state.fetcher.want(node.hash, node.height, (), best=False)
        state.fetcher.make_late(node.hash, now, at_once=True)
        room -= 1


def _pass_over(state: ChainState, run: list[Node], passed: Passed, outcome: Outcome) -> None:
    """Let nodes of one branch count as settled, oldest first.

    The `gap` is told when they join the best branch.
    """
    for node in run:
        withdraw(node, passed.reason, outcome)
        if node.record is None:
            node.missing = passed
        outcome.touch(node)
    change = state.tree.connect(run[0])
    if change is not None:
        outcome.move_head(change)
