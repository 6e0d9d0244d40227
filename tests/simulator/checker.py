"""The checker: reads events as a subscriber does and holds them against the truth.

It knows nothing of the pipeline. Each violated rule has a name, so that a mutant is caught by the right one.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from sprint.core.chains import display_hash
from sprint.core.model import (
    BlockEvent,
    ChainStatusEvent,
    Event,
    FinalizedData,
    FinalizedEvent,
    GapEvent,
    HeaderEvent,
    HeaderWithdrawnEvent,
    ReorgEvent,
    decode_event,
)
from sprint.core.relay.event_log import LoggedEvent

RULES = (
    "once",
    "parent before child",
    "reorg before its blocks",
    "nothing invalid",
    "refused for its reason",
    "head = most work",
    "final is deep",
    "a header told ends",
    "a stall told ends",
    "a strict quorum is had",
)

FINALITY_DEPTH = 3
CATCH_UP = "catch_up_blocks_max"
NOT_HAD = "not had within"


class Truth(Protocol):
    """What the checker knows of all blocks there are; the simulator's `World` is one."""

    genesis: bytes
    parent: dict[bytes, bytes]
    height: dict[bytes, int]
    refused: dict[bytes, str]
    forged: set[bytes]
    false_headers: set[bytes]

    def body(self, block_hash: bytes, *, witness: bool) -> bytes | None: ...
    def branch(self, tip: bytes) -> list[bytes]: ...
    def work(self, block_hash: bytes) -> int: ...
    def by_display(self) -> dict[str, bytes]: ...


class Violation(AssertionError):
    """A broken promise; `rule` is its name."""

    def __init__(self, rule: str, what: str) -> None:
        super().__init__(f"{rule}: {what}")
        self.rule = rule


class Gap(NamedTuple):
    """What a gap tells of; its blocks are asked for again, whatever it was made for."""

    first: int
    last: int


class Checker:
    """Follows the stream; `branch` is the best branch as a subscriber believes it, newest last.

    `agreed_by_min`: the sources that a block has to have, where the relay is strict about it.
    """

    def __init__(self, world: Truth, *, agreed_by_min: int = 1) -> None:
        self._world = world
        self._agreed_by_min = agreed_by_min
        self._hashes = world.by_display()
        self._genesis = display_hash(world.genesis)
        self.branch: list[str] = []
        self.delivered: set[str] = set()
        self._unproved: set[str] = set()  # added by the last reorg, false, and not told as missing yet
        self._expected: list[str] = []  # added by the last reorg and still to come, unless delivered before
        self._gaps: list[Gap] = []  # told since the branch's end, and not yet led over
        self._missing: set[str] = set()
        self._seq = 0
        self._headers: set[str] = set()  # told, and neither delivered nor withdrawn yet
        self._stalled = False
        self._final = 0  # the greatest height told as final
        self._first_height: int | None = None  # of the first block told: where the log begins
        self._below: set[str] | None = None  # what lies below the log's begin, once it has begun
        self.reorgs = 0
        self.gaps = 0

    def take(self, event: LoggedEvent) -> None:
        self.read(decode_event(event.body))

    def read(self, decoded: Event) -> None:
        if decoded.seq != self._seq + 1:
            raise Violation("once", f"seq {decoded.seq} after {self._seq}")
        self._seq = decoded.seq
        if isinstance(decoded, BlockEvent):
            self._block(decoded)
        elif isinstance(decoded, ReorgEvent):
            self._reorg(decoded)
        elif isinstance(decoded, GapEvent):
            self.gaps += 1
            data = decoded.data
            self._tell_gap(Gap(data.from_height, data.to_height))
        else:
            self._advice(decoded)

    def _advice(self, event: Event) -> None:
        """Headers and statuses: each that begins has an end, and none begins twice."""
        if isinstance(event, HeaderEvent):
            if self._hashes[event.data.hash] in self._world.false_headers:
                raise Violation("nothing invalid", f"the header {event.data.hash} breaks a rule by itself")
            if event.data.hash in self._headers or event.data.hash in self.delivered:
                raise Violation("a header told ends", f"{event.data.hash} is told again")
            self._headers.add(event.data.hash)
        elif isinstance(event, HeaderWithdrawnEvent):
            if event.data.hash not in self._headers:
                raise Violation("a header told ends", f"{event.data.hash} is withdrawn and was not told")
            self._check_reason(event)
            self._headers.discard(event.data.hash)
        elif isinstance(event, ChainStatusEvent):
            if (event.data.status == "stalled") == self._stalled:
                raise Violation("a stall told ends", f"{event.data.status} is told again")
            self._stalled = not self._stalled
        elif isinstance(event, FinalizedEvent):
            self._finalized(event.data)

    def _finalized(self, data: FinalizedData) -> None:
        """What is told as final was delivered, is deep enough in the best branch, and above the last one."""
        if data.hash not in self.delivered:
            raise Violation("final is deep", f"{data.hash} was not delivered")
        # A late block may be final while the gap that passed over it is the branch's end so far.
        if data.hash not in self.branch and self._covering(data.height) is None:
            raise Violation("final is deep", f"{data.hash} is not of the best branch")
        # A log may begin with a gap: then all that was delivered so far came late, and the branch is empty.
        tips = [self._height(self.branch[-1])] if self.branch else []
        tip_height = max([*tips, *(gap.last for gap in self._gaps)], default=0)
        confirmations = tip_height - self._height(data.hash) + 1
        if data.height != self._height(data.hash) or confirmations < FINALITY_DEPTH:
            raise Violation("final is deep", f"{data.hash} at {data.height} has {confirmations}")
        if data.height <= self._final:
            raise Violation("final is deep", f"{data.height} after {self._final}")
        self._final = data.height

    def _check_reason(self, event: HeaderWithdrawnEvent) -> None:
        """A header is withdrawn because its body could not be had, or else for the very rule it breaks."""
        reason = event.data.reason
        check = self._world.refused.get(self._hashes[event.data.hash])
        if NOT_HAD in reason or CATCH_UP in reason or (check and reason.startswith(f"{check}: ")):
            return
        raise Violation("refused for its reason", f"{event.data.hash} breaks {check!r}, withdrawn: {reason}")

    def _may_be_told(self, block: bytes) -> bool:
        """Whether a block is valid as far as the relay looks: not below its log's begin, nor into a gap.

        Of what lies there it proves the headers alone, and says so; a true block on a false one whose body it
        never asked for is not to be told apart.
        """
        world = self._world
        while block in world.refused:
            height = world.height[block]
            looked_at = self._first_height is None or height >= self._first_height
            passed_over = self._covering(height) is not None or display_hash(block) in self._missing
            if block in world.forged and looked_at and not passed_over:
                return False
            block = world.parent[block]
        return True

    def _block(self, event: BlockEvent) -> None:
        data = event.data
        self._refuse_unproved()
        truth = self._hashes.get(data.hash)
        if self._first_height is None:
            self._first_height = data.height
        if truth is None or not self._may_be_told(truth) or self._world.height[truth] != data.height:
            raise Violation("nothing invalid", f"{data.hash} at {data.height} is no block of the world")
        raw = self._world.body(truth, witness=True)
        if raw is None or len(raw) != data.size or data.parent != self._parent(data.hash):
            raise Violation("nothing invalid", f"{data.hash} is not told as it is: {data.size} bytes")
        if data.hash in self.delivered:
            raise Violation("once", f"{data.hash} at {data.height} was delivered before")
        if data.agreed_by < self._agreed_by_min and not data.late:
            raise Violation("a strict quorum is had", f"{data.hash} is agreed by {data.agreed_by}")
        self.delivered.add(data.hash)
        self._headers.discard(data.hash)
        if data.late:
            told = data.hash in self._missing or self._covering(data.height) is not None
            if not told:
                raise Violation("parent before child", f"{data.hash} is late, and no gap told of it")
            self._missing.discard(data.hash)
            self._expected = [h for h in self._expected if h != data.hash]
            return
        if self._below is None:
            self._begin(data.parent)
            self.branch.append(data.hash)
            return
        self._extend(data.hash, data.parent)

    def _begin(self, last: str) -> None:
        """The log begins above what its first gaps name, or else above `last`, and has come to `last`."""
        height = self._height(last)
        base = last
        for _ in range(height + 1 - min((gap.first for gap in self._gaps), default=height + 1)):
            base = self._parent(base)
        self._begin_above(base)
        self._cross_gaps(last)

    def _begin_above(self, block: str) -> None:
        truth = self._hashes[block]
        self._below = {display_hash(h) for h in (self._world.genesis, *self._world.branch(truth))}

    def _extend(self, block: str, parent: str) -> None:
        if self._gaps:
            self._cross_gaps(parent)
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

    def _tell_gap(self, gap: Gap) -> None:
        """A gap names blocks that a reorg added, or leads on from the branch's end."""
        self._unproved = {h for h in self._unproved if not gap.first <= self._height(h) <= gap.last}
        covered = [h for h in self._expected if gap.first <= self._height(h) <= gap.last]
        if not covered:
            self._gaps.append(gap)
            return
        for block in covered:
            self._missing.add(block)
        self._expected = [h for h in self._expected if h not in self._missing]

    def _cross_gaps(self, last: str) -> None:
        """The gaps lead from the branch's end to the block `last`."""
        passed: list[str] = []
        block = last
        while block not in self.branch and block != self._genesis and not self._is_below(block):
            passed.append(block)
            block = self._parent(block)
        for missed in passed:
            self._refuse_refused(missed)
            gap = self._covering(self._height(missed))
            if gap is None:
                raise Violation("parent before child", f"no gap covers {missed} at {self._height(missed)}")
            if missed not in self.delivered:
                self._missing.add(missed)
        self.branch += passed[::-1]
        self._gaps = []

    def _covering(self, height: int) -> Gap | None:
        return next((gap for gap in self._gaps if gap.first <= height <= gap.last), None)

    def _refuse_unproved(self) -> None:
        if self._unproved:
            raise Violation("nothing invalid", f"{min(self._unproved)} joined the best branch")

    def _refuse_refused(self, block: str) -> None:
        if self._hashes[block] in self._world.refused:
            raise Violation("nothing invalid", f"{block} joined the best branch")

    def _reorg(self, event: ReorgEvent) -> None:
        data = event.data
        self.reorgs += 1
        removed = list(data.removed)
        if data.depth != len(removed) or not removed or not data.added:
            raise Violation("reorg before its blocks", f"depth {data.depth} for {len(removed)} removed")
        if self._below is None:
            self._begin(removed[0])
        elif self._gaps:
            self._cross_gaps(removed[0])
        if removed != self.branch[::-1][: len(removed)] and len(removed) <= len(self.branch):
            raise Violation(
                "reorg before its blocks", f"removed {removed}, the branch ends {self.branch[-3:]}"
            )
        old_work = self._work(removed[0])
        del self.branch[max(0, len(self.branch) - len(removed)) :]
        below = self._parent(data.added[0])
        # A gap that follows at once may say that its body was never had: then nobody could see it is false.
        self._unproved = {h for h in data.added if self._hashes[h] in self._world.forged}
        for block in data.added:
            if self._parent(block) != below:
                raise Violation("reorg before its blocks", f"added {block} does not follow {below}")
            below = block
        if self._work(below) <= old_work:
            raise Violation("head = most work", f"left work {old_work} for {self._work(below)}")
        if self._height(data.added[0]) != data.fork_height + 1:
            raise Violation("reorg before its blocks", f"fork_height {data.fork_height} is not below added")
        self.branch += data.added
        self._expected = [h for h in data.added if self._owed(h)]

    def _owed(self, block: str) -> bool:
        return block not in self.delivered and not self._is_below(block)

    def _is_below(self, block: str) -> bool:
        return self._below is not None and block in self._below

    def finish(self, tips: list[bytes]) -> None:
        """At the end, when all is quiet: the branch is a best one, and all of it was delivered."""
        self._refuse_unproved()
        best = max(self._world.work(t) for t in tips)
        if not self.branch:
            raise Violation("head = most work", f"nothing was delivered, the world's best has work {best}")
        work = self._work(self.branch[-1])
        if work != best:
            raise Violation("head = most work", f"the head has work {work}, the world's best {best}")
        owed = [h for h in self.branch if self._owed(h)]
        if owed or self._expected:
            raise Violation("once", f"never delivered: {owed or self._expected}")
        if self._stalled:
            raise Violation("a stall told ends", "all is well, and the last word is stalled")
        if self._headers.intersection(self.branch):
            raise Violation("a header told ends", f"never ended: {self._headers.intersection(self.branch)}")
        believed = {h for h in self._headers if self._hashes[h] in self._world.refused}
        if believed:
            raise Violation("a header told ends", f"refused and never withdrawn: {believed}")

    def _height(self, block: str) -> int:
        return self._world.height[self._hashes[block]]

    def _work(self, block: str) -> int:
        return self._world.work(self._hashes[block])

    def _parent(self, block: str) -> str:
        return display_hash(self._world.parent[self._hashes[block]])
