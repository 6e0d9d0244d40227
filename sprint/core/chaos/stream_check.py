"""Whether a subscriber was given every block once and in order, worked out event by event.

`StreamCheck` takes events as they come and keeps what is wrong; `verdict` says the whole, beside the truth
that a node was asked for where there is one. The rules are those of the event stream: positions rise by one,
a block's parent is the block before it unless a reorg or a gap says otherwise, no block comes twice.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping

import msgspec

from sprint.core.chaos.observation import BlockSeen, EventSeen, GapSeen, ReorgSeen

BLOCKS_REMEMBERED_MAX = 50_000
FINDINGS_MAX = 100
HEIGHTS_OPEN_MAX = 10_000
HASHES_NAMED_MAX = 5
# What the client calls the gap that it asks for where a cursor is older than what is kept.
EXPIRED_GAP_REASON = "cursor_expired"


class Truth(msgspec.Struct, frozen=True):
    """What a node says of its best branch: `hashes` from `from_height` up."""

    chain: str
    from_height: int
    hashes: tuple[str, ...]


class Finding(msgspec.Struct, frozen=True):
    """What must not be: `lost`, `twice` or `order`, and in words what. Without a time: found at the end."""

    at_s: float | None
    chain: str
    kind: str
    text: str


class StreamVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the stream. `compared` counts the blocks of a node that were looked for.

    `passed_over` are heights that a gap named and that had not come at the end.
    """

    blocks: int = 0
    events: int = 0
    reorgs: int = 0
    late: int = 0
    lost: int = 0
    twice: int = 0
    out_of_order: int = 0
    passed_over: int = 0
    compared: int = 0
    missing: int = 0
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether nothing was lost, nothing came twice, and all came in order."""
        return not (self.lost or self.twice or self.out_of_order or self.passed_over or self.missing)


class StreamCheck:
    """Takes what one subscriber was given, all chains of it, each event once and in its order."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self._chains: dict[str, _ChainCheck] = {}
        self._counts = dict.fromkeys(("lost", "twice", "order"), 0)
        self._events = 0

    def __repr__(self) -> str:
        return f"StreamCheck({self._events} events, {self._counts})"

    @property
    def broken(self) -> Finding | None:
        """The first thing that must not be, or None: what a run is stopped for."""
        return self.findings[0] if self.findings else None

    def add(self, event: EventSeen) -> None:
        """Take the next event."""
        self._events += 1
        check = self._chains.setdefault(event.chain, _ChainCheck())
        for kind, text in check.take(event):
            self._counts[kind] += 1
            if len(self.findings) < FINDINGS_MAX:
                self.findings.append(Finding(event.at_s, event.chain, kind, text))

    def fell_behind(self, at_s: float, chain: str, given: int, height: int) -> None:
        """Take down that blocks up to `height` should have come, and those above `given` did not."""
        self._counts["lost"] += height - given
        if len(self.findings) < FINDINGS_MAX:
            text = f"heights {given + 1} to {height} did not come, though the relay has them"
            self.findings.append(Finding(at_s, chain, "lost", text))

    def heads(self) -> dict[str, int]:
        """Return the height of each chain's newest block; a chain without one is left out."""
        return {
            chain: check.tip_height for chain, check in self._chains.items() if check.tip_height is not None
        }

    def first_heights(self) -> dict[str, int]:
        """Return the height of each chain's first block."""
        return {
            chain: check.first_height
            for chain, check in self._chains.items()
            if check.first_height is not None
        }

    def verdict(self, truths: Iterable[Truth] = (), notes: Iterable[str] = ()) -> StreamVerdict:
        """Return the whole, with what a node has and the subscriber was not given."""
        findings, said = list(self.findings), list(notes)
        compared = missing = 0
        for truth in truths:
            looked_for, absent, note = _compare(truth, self._chains.get(truth.chain))
            compared += looked_for
            missing += len(absent)
            if absent:
                text = f"{len(absent)} of the node's blocks did not come: {_named(absent)}"
                findings.append(Finding(None, truth.chain, "lost", text))
            if note:
                said.append(note)
        checks = self._chains.values()
        return StreamVerdict(
            blocks=sum(check.blocks for check in checks),
            events=self._events,
            reorgs=sum(check.reorgs for check in checks),
            late=sum(check.late for check in checks),
            lost=self._counts["lost"] + sum(len(check.awaited) for check in checks),
            twice=self._counts["twice"],
            out_of_order=self._counts["order"],
            passed_over=sum(len(check.open_heights) + check.open_uncounted for check in checks),
            compared=compared,
            missing=missing,
            findings=tuple(findings),
            notes=tuple(said) + tuple(_forgotten(self._chains)),
        )


class _ChainCheck:
    """One chain: what was given of it, and what has yet to come."""

    def __init__(self) -> None:
        self.blocks = self.reorgs = self.late = self.forgotten = 0
        self.first_height: int | None = None
        self.tip_height: int | None = None
        self.position: int | None = None
        # Hashes of a reorg that had not come before it: each has to.
        self.awaited: set[str] = set()
        # Heights that gaps passed over and no late block has filled.
        self.open_heights: set[int] = set()
        self.open_uncounted = 0
        # Each block's height and parent, the oldest first.
        self.given: OrderedDict[str, tuple[int, str]] = OrderedDict()
        # What a reorg named and the relay may have given before this subscriber began.
        self.excused: set[str] = set()
        self._parents: set[str] | None = None

    def take(self, event: EventSeen) -> list[tuple[str, str]]:
        """Return what is wrong with an event, as kind and words."""
        found = self._place(event)
        match event:
            case BlockSeen():
                found += self._block(event)
            case ReorgSeen():
                self._reorg(event)
            case GapSeen():
                self._gap(event)
        return found

    def _place(self, event: EventSeen) -> list[tuple[str, str]]:
        before, self.position = self.position, event.position
        # A gap for an expired cursor stands at the position of the last event that it stands for.
        if before is None or event.position == before + 1 or _stands_for_expired(event):
            return []
        if event.position > before:
            return [("lost", f"events {before + 1} to {event.position - 1} did not come")]
        return [("order", f"event {event.position} came after {before}")]

    def _block(self, block: BlockSeen) -> list[tuple[str, str]]:
        self.blocks += 1
        if block.hash in self.given:
            return [("twice", f"block {block.hash} at height {block.height} came twice")]
        self.given[block.hash] = (block.height, block.parent)
        if len(self.given) > BLOCKS_REMEMBERED_MAX:
            self.given.popitem(last=False)
            self.forgotten += 1
        self.awaited.discard(block.hash)
        if block.late:
            self.late += 1
            self.open_heights.discard(block.height)
            return []
        return self._on_branch(block)

    def _on_branch(self, block: BlockSeen) -> list[tuple[str, str]]:
        expected, self._parents = self._parents, {block.hash}
        before, self.tip_height = self.tip_height, block.height
        if self.first_height is None:
            self.first_height = block.height
        if before is not None and block.height > before + 1:
            return [("lost", f"after height {before} came {block.height}, with no gap told")]
        if expected is None or block.parent in expected:
            return []
        return [("lost", f"the parent of block {block.hash} at height {block.height} did not come")]

    def _reorg(self, reorg: ReorgSeen) -> None:
        """Go back to the fork. What joins the branch was given before or has to come now."""
        self.reorgs += 1
        self.awaited.difference_update(reorg.removed)
        lowest = self.given.get(reorg.removed[-1]) if reorg.removed else None
        known = [each for each in reorg.added if each in self.given]
        absent = {each for each in reorg.added if each not in self.given}
        self.tip_height = reorg.fork_height + len(known)
        if self.first_height is None or reorg.fork_height < self.first_height or lowest is None:
            # The fork is below what this subscriber saw: it can't tell what was given before it began.
            self.excused |= absent
            self._parents = None
            self.tip_height = reorg.fork_height + len(reorg.added)
            return
        self.awaited |= absent
        self._parents = {known[-1]} if known else {lowest[1]}

    def _gap(self, gap: GapSeen) -> None:
        heights = range(gap.from_height, gap.to_height + 1)
        room = max(HEIGHTS_OPEN_MAX - len(self.open_heights), 0)
        self.open_heights.update(heights[:room])
        self.open_uncounted += len(heights[room:])
        self._parents = None
        if self.tip_height is not None:
            self.tip_height = max(self.tip_height, gap.to_height)


def _stands_for_expired(event: EventSeen) -> bool:
    return isinstance(event, GapSeen) and event.reason == EXPIRED_GAP_REASON


def _compare(truth: Truth, check: _ChainCheck | None) -> tuple[int, list[str], str]:
    """Return how many blocks of a node were looked for, those that did not come, and what could not be."""
    if check is None or check.first_height is None:
        return 0, [], f"{truth.chain}: no block came, so none was compared with the node's"
    begin = check.first_height
    if check.forgotten:
        begin = max(begin, min(height for height, _ in check.given.values()))
    looked_for = truth.hashes[max(begin - truth.from_height, 0) :]
    absent = [each for each in looked_for if each not in check.given and each not in check.excused]
    return len(looked_for), absent, ""


def _named(hashes: list[str]) -> str:
    more = len(hashes) - HASHES_NAMED_MAX
    return ", ".join(hashes[:HASHES_NAMED_MAX]) + (f" and {more} more" if more > 0 else "")


def _forgotten(chains: Mapping[str, _ChainCheck]) -> list[str]:
    return [
        f"{chain}: {check.forgotten} older blocks were forgotten, limit {BLOCKS_REMEMBERED_MAX}; "
        "that one of them came again would not have been seen"
        for chain, check in chains.items()
        if check.forgotten
    ]
