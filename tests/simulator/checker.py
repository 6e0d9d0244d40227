"""The checker: reads events as a subscriber does and holds them against the truth.

It knows nothing of the pipeline. Each violated rule has a name, so that a mutant is caught by the right one.
"""

from __future__ import annotations

from sprint.core.chains import display_hash
from sprint.core.model import BlockEvent, GapEvent, ReorgEvent, decode_event
from sprint.core.relay.event_log import LoggedEvent
from tests.simulator.world import World

RULES = ("once", "parent before child", "reorg before its blocks", "nothing invalid", "head = most work")


class Violation(AssertionError):
    """A broken promise; `rule` is its name."""

    def __init__(self, rule: str, what: str) -> None:
        super().__init__(f"{rule}: {what}")
        self.rule = rule


class Checker:
    """Follows the stream; `branch` is the best branch as a subscriber believes it, newest last."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._hashes = world.by_display()
        self._genesis = display_hash(world.genesis)
        self.branch: list[str] = []
        self.delivered: set[str] = set()
        self._expected: list[str] = []  # added by the last reorg and still to come, unless delivered before
        self._gap: tuple[int, int] | None = None
        self._missing: set[str] = set()
        self._seq = 0
        self._below: set[str] | None = None  # what lies below the log's begin, once it has begun
        self.reorgs = 0
        self.gaps = 0

    def take(self, event: LoggedEvent) -> None:
        decoded = decode_event(event.body)
        if decoded.seq != self._seq + 1:
            raise Violation("once", f"seq {decoded.seq} after {self._seq}")
        self._seq = decoded.seq
        if isinstance(decoded, BlockEvent):
            self._block(decoded)
        elif isinstance(decoded, ReorgEvent):
            self._reorg(decoded)
        elif isinstance(decoded, GapEvent):
            self.gaps += 1
            self._tell_gap(decoded.data.from_height, decoded.data.to_height)

    def _block(self, event: BlockEvent) -> None:
        data = event.data
        truth = self._hashes.get(data.hash)
        if truth is None or self._world.height[truth] != data.height:
            raise Violation("nothing invalid", f"{data.hash} at {data.height} is no block of the world")
        raw = self._world.ledger.body(truth, witness=True)
        if raw is None or len(raw) != data.size or data.parent != self._parent(data.hash):
            raise Violation("nothing invalid", f"{data.hash} is not told as it is: {data.size} bytes")
        if data.hash in self.delivered:
            raise Violation("once", f"{data.hash} at {data.height} was delivered before")
        self.delivered.add(data.hash)
        if data.late:
            if data.hash not in self._missing:
                raise Violation("parent before child", f"{data.hash} is late, and no gap told of it")
            self._missing.discard(data.hash)
            return
        if self._below is None:
            self._begin(data.hash, data.height)
            return
        self._extend(data.hash, data.parent)

    def _begin(self, block: str, height: int) -> None:
        """The first block begins the branch, or a gap that the log began with."""
        self.branch = [block]
        while self._gap is not None and height > self._gap[0]:
            height -= 1
            self.branch.insert(0, self._parent(self.branch[0]))
            self._missing.add(self.branch[0])
        self._gap = None
        self._begin_above(self._parent(self.branch[0]))

    def _begin_above(self, block: str) -> None:
        truth = self._hashes[block]
        self._below = {display_hash(h) for h in (self._world.genesis, *self._world.branch(truth))}

    def _extend(self, block: str, parent: str) -> None:
        if self._gap is not None:
            self._cross_gap(parent)
        if self._expected:
            expected = next((h for h in self._expected if h not in self.delivered or h == block), None)
            if expected != block:
                raise Violation("parent before child", f"{block} came, the reorg says {expected} is next")
            self._expected = self._expected[self._expected.index(block) + 1 :]
            return
        if parent != self.branch[-1]:
            if parent in self.delivered or block in self.branch:
                raise Violation("reorg before its blocks", f"{block} does not build on {self.branch[-1]}")
            raise Violation("parent before child", f"{block} came before its parent {parent}")
        self.branch.append(block)

    def _tell_gap(self, first: int, last: int) -> None:
        """A gap names blocks that a reorg added, or leads on from the branch's end."""
        heights = {h: self._world.height[self._hashes[h]] for h in self._expected}
        covered = [h for h, height in heights.items() if first <= height <= last]
        if covered:
            self._missing.update(covered)
            self._expected = [h for h in self._expected if h not in self._missing]
        else:
            self._gap = (first, last)

    def _cross_gap(self, parent: str) -> None:
        """A gap leads from the branch's end to this block's parent."""
        first, last = self._gap or (0, -1)
        passed: list[str] = []
        block = parent
        while block not in self.branch and block != self._genesis:
            passed.append(block)
            block = self._parent(block)
        heights = [self._world.height[self._hashes[h]] for h in passed]
        if any(not first <= height <= last for height in heights if height):
            raise Violation("parent before child", f"the gap {first} to {last} does not cover {heights}")
        self._missing.update(h for h in passed if h not in self.delivered)
        self.branch += passed[::-1]
        self._gap = None

    def _reorg(self, event: ReorgEvent) -> None:
        data = event.data
        self.reorgs += 1
        removed = list(data.removed)
        if self._below is None:  # the branch changed before its tip's body was had
            self._begin_above(removed[0])
            removed = []
        if removed != self.branch[::-1][: len(removed)] and len(removed) <= len(self.branch):
            raise Violation(
                "reorg before its blocks", f"removed {removed}, the branch ends {self.branch[-3:]}"
            )
        if data.depth != len(data.removed) or not data.added:
            raise Violation("reorg before its blocks", f"depth {data.depth} for {len(data.removed)} removed")
        del self.branch[max(0, len(self.branch) - len(removed)) :]
        below = self._parent(data.added[0])
        for block in data.added:
            if self._parent(block) != below:
                raise Violation("reorg before its blocks", f"added {block} does not follow {below}")
            below = block
        if self._world.height[self._hashes[data.added[0]]] != data.fork_height + 1:
            raise Violation("reorg before its blocks", f"fork_height {data.fork_height} is not below added")
        self.branch += data.added
        self._expected = [h for h in data.added if self._owed(h)]

    def _owed(self, block: str) -> bool:
        return block not in self.delivered and block not in (self._below or ())

    def finish(self, tips: list[bytes]) -> None:
        """At the end, when all is quiet: the branch is a best one, and all of it was delivered."""
        best = max(self._world.height[t] for t in tips)
        if not self.branch:
            raise Violation("head = most work", f"nothing was delivered, the world's best height is {best}")
        height = self._world.height[self._hashes[self.branch[-1]]]
        if height != best:
            raise Violation("head = most work", f"the head is at {height}, the world's best is {best}")
        owed = [h for h in self.branch if self._owed(h)]
        if owed or self._expected:
            raise Violation("once", f"never delivered: {owed or self._expected}")

    def _parent(self, block: str) -> str:
        return display_hash(self._world.parent[self._hashes[block]])
