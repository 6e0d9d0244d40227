"""The chain tree and its head: which blocks are known, which is the tip, what a move of it means.

A node enters with its proved header. Once its body is valid it is *settled*; settled with a connected
parent it is *connected*; the connected node with most work is the head, and of equal ones the first that
got there. Reorgs, side branches that wait, and switching back all follow from that one rule. The tree
reaches a bounded depth below the head; what lies deeper cannot be reorganised away.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

import msgspec

from sprint.core.chains import Ancestry, Block, Header
from sprint.core.relay.settings import LOCATOR_DENSE, SIDE_HEADERS_MAX

PRUNE_SLACK_BLOCKS = 512  # re-rooting costs a walk over the tree, so it is done once per so many blocks


class BlockRecord(msgspec.Struct, frozen=True):
    """What of a body is kept until the block is delivered, and after it its `identity` and its `tag`.

    `late`: a gap has told of it meanwhile. `told`: its header went out; set in the store alone, where a
    node's own mark is not kept.
    """

    tx_count: int
    size: int
    checks: tuple[str, ...]
    source: str
    late: bool = False
    identity: bytes = b""
    told: bool = False
    tag: bytes = b""


class Passed(msgspec.Struct, frozen=True):
    """Why a gap passes over a block, and whether subscribers were told."""

    reason: str
    told: bool = False


class Node:
    """One block in the tree. `work` is that of the whole chain up to it, `ancestry` that up to its header."""

    __slots__ = (
        "ancestry",
        "anchored",
        "children",
        "connected",
        "delivered",
        "hash",
        "header",
        "header_sent",
        "height",
        "invalid",
        "missing",
        "parent",
        "read_at",
        "record",
        "sources",
        "unripe",
        "work",
    )

    def __init__(
        self, header: Header, parent: Node | None, height: int, work: int, ancestry: Ancestry
    ) -> None:
        self.hash = header.hash
        self.header = header
        self.parent = parent
        self.height = height
        self.work = work
        self.ancestry = ancestry
        self.children: list[Node] = []
        self.record: BlockRecord | None = None
        self.sources: dict[str, float] = {}
        self.read_at = 0.0
        self.anchored = False
        self.missing: Passed | None = None
        self.invalid = False
        self.connected = False
        self.delivered = False
        self.header_sent = False
        self.unripe = False  # its body is here, and it waits for more sources to announce it

    def __repr__(self) -> str:
        flags = [f for f in ("anchored", "missing", "invalid", "connected", "delivered") if getattr(self, f)]
        return f"Node({self.hash[::-1].hex()[:16]}… at {self.height}: {' '.join(flags) or 'header'})"

    @property
    def settled(self) -> bool:
        """Whether nothing more is needed of the block itself before its children may pass."""
        return (self.record is not None and not self.unripe) or self.anchored or self.missing is not None

    def ancestors(self) -> Iterator[Node]:
        """Yield this node, its parent, and so on to the root."""
        node: Node | None = self
        while node is not None:
            yield node
            node = node.parent


class HeadChange(msgspec.Struct, frozen=True):
    """`removed` from the old head down, `added` from above the fork up to the new head."""

    fork: Node
    removed: tuple[Node, ...]
    added: tuple[Node, ...]


class HeadTracker:
    """The tree from its root to every known branch's end."""

    def __init__(self, root: Node, retained_blocks_max: int) -> None:
        root.parent = None
        root.connected = True
        self.root = root
        self.head = root
        self.best_header = root
        self.retained_blocks_max = retained_blocks_max
        self._nodes = {node.hash: node for node in _subtree(root)}

    def __repr__(self) -> str:
        return f"HeadTracker({len(self._nodes)} blocks, head {self.head!r})"

    def __len__(self) -> int:
        return len(self._nodes)

    def get(self, block_hash: bytes) -> Node | None:
        return self._nodes.get(block_hash)

    def add(self, header: Header, ancestry: Ancestry) -> Node | None:
        """Hang a header into the tree whose proof and place were checked. Idempotent.

        None where its parent is not in it, or where the tree is full and this is no better branch.
        """
        known = self._nodes.get(header.hash)
        if known is not None:
            return known
        parent = self._nodes.get(header.parent)
        if parent is None or (self._full and parent.work + header.work <= self.best_header.work):
            return None
        node = Node(header, parent, parent.height + 1, parent.work + header.work, ancestry)
        node.invalid = parent.invalid
        parent.children.append(node)
        self._nodes[node.hash] = node
        if node.work > self.best_header.work and not node.invalid:
            self.best_header = node
        return node

    @property
    def _full(self) -> bool:
        return len(self._nodes) >= self.retained_blocks_max + PRUNE_SLACK_BLOCKS + SIDE_HEADERS_MAX

    def settle(self, node: Node, block: Block, checks: tuple[str, ...], source: str) -> None:
        """Note that a node's body is valid by `checks`, also where a gap had passed over it."""
        late = node.missing is not None and node.missing.told
        node.record = BlockRecord(
            block.tx_count, block.size, checks, source, late, block.identity, tag=block.tag
        )
        node.missing = None

    def connect(self, node: Node) -> HeadChange | None:
        """Connect a settled node and all that waited for it; return the head's move, if it moves."""
        if node.connected or not node.settled or node.parent is None or not node.parent.connected:
            return None
        best = self.head
        waiting = deque((node,))
        while waiting:
            current = waiting.popleft()
            current.connected = True
            if current.work > best.work:
                best = current
            waiting.extend(c for c in current.children if c.settled and not c.connected and not c.invalid)
        return None if best is self.head else self._move_to(best)

    def _move_to(self, best: Node) -> HeadChange:
        removed: list[Node] = []
        added: list[Node] = []
        old, new = self.head, best
        while old is not new:
            if new.height >= old.height:
                added.append(new)
                new = _parent_of(new)
            else:
                removed.append(old)
                old = _parent_of(old)
        self.head = best
        change = HeadChange(new, tuple(removed), tuple(reversed(added)))
        if best.height - self.root.height > self.retained_blocks_max + PRUNE_SLACK_BLOCKS:
            self._reroot(best)
        return change

    def anchor_below(self, tip: Node) -> list[Node]:
        """Begin the log at `tip`: what lies below it is taken as connected. Return those nodes."""
        below = [node for node in tip.ancestors() if node is not tip]
        for node in below:
            node.anchored = node.connected = True
        if below:
            self.head = below[0]
        return below

    def invalidate(self, node: Node) -> list[Node]:
        """Mark a node and all above it as never valid. Return them. Connected nodes cannot be among them."""
        lost = list(_subtree(node))
        for bad in lost:
            bad.invalid = True
        if self.best_header.invalid:
            self._choose_best_header()
        return lost

    def on_best_branch(self, node: Node) -> bool:
        """Tell whether the head's own branch runs through `node`."""
        for candidate in self.head.ancestors():
            if candidate.height <= node.height:
                return candidate is node
        return False

    def highest_delivered(self) -> Node:
        """Return the highest block that was delivered, on any branch, or the head where that is higher."""
        return max((self.head, *(n for n in self._nodes.values() if n.delivered)), key=lambda n: n.height)

    def told(self) -> list[Node]:
        """Return the blocks whose header went out and neither was withdrawn nor became a block."""
        return [n for n in self._nodes.values() if n.header_sent and not n.delivered]

    def missing(self) -> list[Node]:
        """Return the blocks that a gap passed over and whose bodies have not come."""
        return [n for n in self._nodes.values() if n.missing is not None]

    def locator(self, tip: Node | None = None) -> list[bytes]:
        """Hashes from a node down, by default the best header, dense then doubling, for `getheaders`."""
        hashes: list[bytes] = []
        step = 1
        tip = self.best_header if tip is None else tip
        due = tip.height
        for node in tip.ancestors():
            if node.height == due or node is self.root:
                hashes.append(node.hash)
                step = step * 2 if len(hashes) > LOCATOR_DENSE else 1
                due = node.height - step
        return hashes

    def trim_headers(self) -> None:
        """While the log has not begun: keep only the retained depth below the best header."""
        if self.best_header.height - self.root.height > self.retained_blocks_max + PRUNE_SLACK_BLOCKS:
            self._reroot(self.best_header)

    def _reroot(self, tip: Node) -> None:
        floor = tip.height - self.retained_blocks_max
        root = next(node for node in tip.ancestors() if node.height == floor)
        root.parent = None
        root.connected = True
        known, self._nodes = self._nodes, {node.hash: node for node in _subtree(root)}
        self.root = root
        _let_go(node for node in known.values() if node.hash not in self._nodes)
        if self.head.hash not in self._nodes:
            self.head = root
        if self.best_header.hash not in self._nodes:  # headers without bodies, on a branch too deep by now
            self._choose_best_header()

    def _choose_best_header(self) -> None:
        valid = (n for n in self._nodes.values() if not n.invalid)
        self.best_header = max(valid, key=lambda n: n.work)


def _let_go(nodes: Iterable[Node]) -> None:
    """Take nodes that left the tree apart, so that each is freed at once.

    Parents and children hold each other; one that is kept for good would keep all that ever hung below it.
    """
    for node in nodes:
        node.parent = None
        node.children = []


def _parent_of(node: Node) -> Node:
    if node.parent is None:
        raise AssertionError(f"{node!r} is connected above the tree's root")
    return node.parent


def _subtree(root: Node) -> Iterator[Node]:
    """Yield a node and all its descendants, parents first."""
    waiting = deque((root,))
    while waiting:
        node = waiting.popleft()
        yield node
        waiting.extend(node.children)
