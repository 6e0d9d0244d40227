"""Rebuilds the chain tree from the store's rows, so that a restart goes on where the log ends."""

from __future__ import annotations

from collections.abc import Sequence

from sprint.core.chains import Processor
from sprint.core.relay.event_log import BlockRow
from sprint.core.relay.head import HeadTracker, Node
from sprint.core.relay.outcome import restore_state


def new_tree(processor: Processor, start: bytes, retained_blocks_max: int, *, height: int = 0) -> HeadTracker:
    """Return a tree of one block alone, by its header: genesis, or a checkpoint at its height."""
    header = processor.read_header(start)
    ancestry = processor.begin_ancestry(header, height)
    return HeadTracker(Node(header, None, height, header.work, ancestry), retained_blocks_max)


def restore_tree(
    processor: Processor, rows: Sequence[BlockRow], head: bytes, retained_blocks_max: int
) -> HeadTracker:
    """Return the tree of `rows`, in any order, with the head where it was.

    Rows that hang on nothing, side branches from below the kept depth, are left out.
    """
    by_hash = {row.hash: row for row in rows}
    root_row = by_hash[head]
    while root_row.parent in by_hash:
        root_row = by_hash[root_row.parent]
    root = _node_of(processor, root_row, None)
    nodes = {root.hash: root}
    for row in sorted(rows, key=lambda row: row.height):
        parent = nodes.get(row.parent)
        if parent is not None and row.hash not in nodes and row.state != "refused":
            node = nodes[row.hash] = _node_of(processor, row, parent)
            node.connected = node.settled and parent.connected
            parent.children.append(node)
    tree = HeadTracker(root, retained_blocks_max)
    tree.head = nodes[head]
    tree.best_header = max(nodes.values(), key=lambda node: (node.work, node is tree.head))
    return tree


def _node_of(processor: Processor, row: BlockRow, parent: Node | None) -> Node:
    header = processor.read_header(row.header)
    ancestry = (
        processor.begin_ancestry(header, row.height)
        if parent is None
        else processor.extend_ancestry(parent.ancestry, header)
    )
    node = Node(header, parent, row.height, row.work, ancestry)
    restore_state(node, row)
    node.connected = parent is None
    return node
