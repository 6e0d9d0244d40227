"""Holds a valid block back until sources of enough providers have announced it, within a bounded wait.

Off by default: what a header of proof of work proves needs no second witness. With `quorum = 2` a block
waits up to `quorum_wait_ms` for a source of another provider, and then goes out with the `agreed_by` it has;
with `quorum_strict` it stays for good, and the chain is told as stalled. Where those that are ready are of
fewer providers nobody is waited for, unless it is strict.

Who announces a block has those below it too, so that counts for them (`ChainState.confirm`). One that a gap
has passed over does not wait: its children are out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sprint.core.relay.head import Node
from sprint.core.relay.providers import Providers
from sprint.core.relay.settings import ChainSettings


class Quorum:
    """The blocks of one chain that wait. `ready` are the sources that could still announce them."""

    def __init__(
        self, settings: ChainSettings, providers: Providers, ready: Callable[[], Iterable[str]]
    ) -> None:
        self._wanted = settings.quorum
        self._wait_s = settings.quorum_wait_ms / 1000
        self._strict = settings.quorum_strict
        self._providers = providers
        self._ready = ready
        self._judged_at = 0.0
        self._waiting: dict[bytes, tuple[Node, float]] = {}  # with the time until which each waits at most

    def __repr__(self) -> str:
        return f"Quorum({self._wanted} sources, {len(self._waiting)} blocks wait)"

    def holds(self, node: Node, now: float) -> bool:
        """Tell whether a block has to wait whose body has just passed, and keep it if so."""
        if self._has_quorum(node) or (
            not self._strict and self._providers.count(self._ready()) < self._wanted
        ):
            return False
        self._waiting[node.hash] = (node, now + self._wait_s)
        node.unripe = True
        return True

    def take_ripe(self, now: float) -> list[Node]:
        """Let go of the blocks that wait no longer, lowest first. Refused and forgotten ones are dropped."""
        ripe = []
        for block_hash, (node, until) in list(self._waiting.items()):
            gone = node.invalid or node.parent is None
            if gone or self._is_ripe(node, until, now):
                del self._waiting[block_hash]
                node.unripe = False
                ripe += [] if gone else [node]
        return sorted(ripe, key=lambda node: node.height)

    def next_timer(self) -> float | None:
        """Return when the next block's wait is over, a time that is past where its quorum is there."""
        if self.has_ripe:
            return self._judged_at
        return min((until for _, until in self._waiting.values() if until > self._judged_at), default=None)

    def below_waiting(self, head: Node) -> Node | None:
        """Return the block below the lowest that keeps the head from moving, None where none does."""
        lowest = min(self._better_than(head), key=lambda node: node.height, default=None)
        return lowest.parent if lowest is not None else None

    @property
    def has_ripe(self) -> bool:
        """Whether a block that waits has its quorum by now."""
        return any(self._has_quorum(node) for node, _ in self._waiting.values())

    def stalled(self, now: float, head: Node) -> str | None:
        """Say why the chain stands still, where a block with more work than the head waits for good."""
        self._judged_at = now
        late = [node for node in self._better_than(head) if now >= self._waiting[node.hash][1]]
        if not late:
            return None
        lowest = min(late, key=lambda node: node.height)
        have, wanted = self._providers.count(lowest.sources), self._wanted
        return f"the block at {lowest.height} has {have} of the {wanted} providers that quorum_strict wants"

    def _better_than(self, head: Node) -> list[Node]:
        """The blocks that wait and are of another branch than one that has lost."""
        return [node for node, _ in self._waiting.values() if node.work > head.work]

    def _is_ripe(self, node: Node, until: float, now: float) -> bool:
        return self._has_quorum(node) or (not self._strict and now >= until)

    def _has_quorum(self, node: Node) -> bool:
        return self._providers.count(node.sources) >= self._wanted
