"""The chain tree against a slow model that works everything out anew from what was said."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from random import Random
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.chains import Block, Header, Processor
from sprint.core.relay import head as head_module
from sprint.core.relay.event_log import BlockRow
from sprint.core.relay.head import BlockRecord, HeadChange, HeadTracker, Node, Passed
from sprint.core.relay.outcome import block_row
from sprint.core.relay.restore import restore_tree

CHAIN = "bitcoin-regtest"
RETAINED = 4032
CHECKS = ("merkle_root",)


def name(number: int) -> bytes:
    return number.to_bytes(32, "big")


def header(number: int, parent: int, work: int = 1) -> Header:
    raw = name(number) + name(parent) + work.to_bytes(16, "big")
    return Header(name(number), name(parent), 1_700_000_000 + number, work, raw, {})


def root_node() -> Node:
    return Node(header(0, 2**128), None, 0, 1, None)


def settle(tree: HeadTracker, node: Node) -> HeadChange | None:
    tree.settle(node, Block(node.header, 1, 100, CHECKS), CHECKS, "core-1")
    return tree.connect(node)


class Model:
    """Says from all headers and bodies told so far what the tree has to be."""

    def __init__(self) -> None:
        self.parent: dict[int, int] = {}
        self.work: dict[int, int] = {0: 1}  # of the branch; in order of arrival
        self.settled = {0}
        self.invalid: set[int] = set()

    def branch(self, number: int) -> list[int]:
        """From the block down to the root."""
        found = [number]
        while found[-1] in self.parent:
            found.append(self.parent[found[-1]])
        return found

    def connected(self) -> set[int]:
        return {n for n in self.work if not self.invalid & {n} and self.settled.issuperset(self.branch(n))}

    def above(self, number: int) -> set[int]:
        return {n for n in self.work if number in self.branch(n)}

    def best_header(self) -> int:
        return max((n for n in self.work if n not in self.invalid), key=lambda n: self.work[n])


# A step: which of the known blocks to build on, to settle, or to invalidate; and how much work.
steps = st.lists(
    st.tuples(st.sampled_from("aaasssi"), st.integers(0, 30), st.integers(1, 3)), min_size=1, max_size=60
)


def play(actions: list[tuple[str, int, int]]) -> Iterator[tuple[HeadTracker, Model, Node, HeadChange | None]]:
    """Play steps on tree and model; yield both after each, with the head before it and its move."""
    tree, model = HeadTracker(root_node(), RETAINED), Model()
    for kind, choice, work in actions:
        before, change = tree.head, None
        known = list(model.work)
        number = known[choice % len(known)]
        node = tree.get(name(number))
        assert node is not None
        if kind == "a":
            added = len(known)
            model.parent[added], model.work[added] = number, model.work[number] + work
            if number in model.invalid:
                model.invalid.add(added)
            tree.add(header(added, number, work), None)
        elif kind == "s" and number and number not in model.settled | model.invalid:
            model.settled.add(number)
            change = settle(tree, node)
        elif kind == "i" and number not in model.connected():
            lost = tree.invalidate(node)
            assert {n.hash for n in lost} == {name(n) for n in model.above(number)}
            model.invalid |= model.above(number)
        yield tree, model, before, change


@given(steps)
def test_the_head_has_most_work_of_the_connected_blocks_and_stays_at_equal_work(
    actions: list[tuple[str, int, int]],
) -> None:
    for tree, model, before, _ in play(actions):
        connected = model.connected()
        assert {n for n in model.work if _node(tree, n).connected} == connected
        most = max(model.work[n] for n in connected)
        assert tree.head.work == most
        assert (tree.head is before) == (before.work == most)
        assert tree.best_header.hash == name(model.best_header())
        assert {n for n in model.work if _node(tree, n).invalid} == model.invalid


@given(steps)
def test_a_move_names_the_fork_what_left_from_the_tip_down_and_what_joined_from_the_fork_up(
    actions: list[tuple[str, int, int]],
) -> None:
    for tree, model, before, change in play(actions):
        assert (change is None) == (tree.head is before)
        if change is None:
            continue
        old = model.branch(int.from_bytes(before.hash, "big"))
        new = model.branch(int.from_bytes(tree.head.hash, "big"))
        assert [n.hash for n in change.removed] == [name(n) for n in old if n not in new]
        assert [n.hash for n in change.added] == [name(n) for n in reversed(new) if n not in old]
        assert change.fork.hash == name(next(n for n in old if n in new))


@given(steps)
def test_the_best_branch_is_the_heads_own(actions: list[tuple[str, int, int]]) -> None:
    *_, (tree, model, _, _) = play(actions)
    branch = {name(n) for n in model.branch(int.from_bytes(tree.head.hash, "big"))}
    assert {name(n) for n in model.work if tree.on_best_branch(_node(tree, n))} == branch


@given(steps, st.integers(0, 2**32), st.sets(st.integers(1, 30)))
def test_a_tree_restored_from_its_rows_in_any_order_is_the_live_one(
    actions: list[tuple[str, int, int]], shuffle_seed: int, passed_over: set[int]
) -> None:
    *_, (tree, model, _, _) = play(actions)
    for number in passed_over & set(model.work) - model.settled - model.invalid:
        node = _node(tree, number)
        node.missing = Passed("not had")
        tree.connect(node)
    tree.root.anchored = True
    kept = [n for n in (_node(tree, n) for n in model.work) if n.settled and not n.invalid]
    rows = [block_row(CHAIN, n, canonical=tree.on_best_branch(n)) for n in kept]
    Random(shuffle_seed).shuffle(rows)
    restored = restore_tree(_reading(), rows, tree.head.hash, RETAINED)
    assert restored.head.hash == tree.head.hash
    for node in kept:
        again = restored.get(node.hash)
        if again is None:  # it hangs on a block whose body never came
            assert not node.connected
            continue
        assert (again.height, again.work, again.connected) == (node.height, node.work, node.connected)
        assert again.ancestry == tuple(n.hash for n in reversed(list(again.ancestors())))
        assert (again.record, again.missing, again.delivered) == (node.record, node.missing, node.delivered)
        assert block_row(CHAIN, again, canonical=False) == block_row(CHAIN, node, canonical=False)
    assert {n.hash for n in restored.missing()} == {
        n.hash for n in tree.missing() if restored.get(n.hash) is not None
    }


def test_a_header_without_its_parent_is_refused_and_one_known_is_given_back() -> None:
    tree = HeadTracker(root_node(), RETAINED)
    assert tree.add(header(2, 1), None) is None
    first = tree.add(header(1, 0), None)
    assert tree.add(header(1, 0), None) is first
    assert len(tree) == 2


def test_a_settled_block_waits_for_its_parent_and_then_both_move_the_head() -> None:
    tree = HeadTracker(root_node(), RETAINED)
    first, second = (tree.add(header(n, n - 1), None) for n in (1, 2))
    assert first is not None
    assert second is not None
    assert settle(tree, second) is None
    change = settle(tree, first)
    assert change is not None
    assert change.added == (first, second)


@pytest.mark.parametrize("fork_depth", [1, 6, 7, 20])
def test_the_tree_is_pruned_to_its_depth_and_what_hung_below_is_forgotten(
    fork_depth: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(head_module, "PRUNE_SLACK_BLOCKS", 2)
    tree = HeadTracker(root_node(), 5)
    for number in range(1, 41):
        node = tree.add(header(number, number - 1), None)
        assert node is not None
        settle(tree, node)
        assert tree.head is node
        assert node.height - tree.root.height <= 5 + 2
    depth_kept = tree.head.height - tree.root.height
    fork = tree.add(header(1000, 40 - fork_depth), None)
    assert (fork is not None) == (fork_depth <= depth_kept)
    assert len(tree) == depth_kept + 1 + (fork is not None)
    assert [n.height for n in tree.head.ancestors()][-1] == tree.root.height


def test_a_block_that_is_kept_somewhere_keeps_none_that_came_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(head_module, "PRUNE_SLACK_BLOCKS", 2)
    kept = root_node()
    tree = HeadTracker(kept, 5)
    nodes = [kept]
    for number in range(1, 41):
        node = tree.add(header(number, number - 1), None)
        assert node is not None
        settle(tree, node)
        nodes.append(node)
    gone = [node for node in nodes if tree.get(node.hash) is None]
    assert len(gone) == 41 - len(tree)
    assert all(node.parent is None and not node.children for node in gone)


def test_a_heavier_branch_of_headers_alone_does_not_outlive_the_block_it_hung_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(head_module, "PRUNE_SLACK_BLOCKS", 2)
    tree = HeadTracker(root_node(), 5)
    tree.add(header(1000, 0, work=1000), None)
    for number in range(1, 20):
        node = tree.add(header(number, number - 1), None)
        assert node is not None
        settle(tree, node)
    assert tree.get(name(1000)) is None
    assert tree.best_header is tree.head


def test_a_locator_is_dense_at_the_tip_then_doubles_its_steps_and_ends_at_the_root() -> None:
    tree = HeadTracker(root_node(), RETAINED)
    for number in range(1, 101):
        tree.add(header(number, number - 1), None)
    heights = [int.from_bytes(h, "big") for h in tree.locator()]
    assert heights[:11] == list(range(100, 89, -1))
    gaps = [a - b for a, b in pairwise(heights[10:-1])]
    assert gaps == [2 ** (i + 1) for i in range(len(gaps))]
    assert heights[-1] == 0
    assert len(heights) < 20


def test_the_log_begins_at_a_tip_with_all_below_it_connected() -> None:
    tree = HeadTracker(root_node(), RETAINED)
    nodes = [tree.add(header(n, n - 1), None) for n in (1, 2, 3)]
    tip = nodes[-1]
    assert tip is not None
    below = tree.anchor_below(tip)
    assert [n.height for n in below] == [2, 1, 0]
    assert all(n.anchored and n.connected for n in below)
    assert tree.head is nodes[1]
    assert not tip.connected
    change = settle(tree, tip)
    assert change is not None
    assert change.added == (tip,)


def _node(tree: HeadTracker, number: int) -> Node:
    node = tree.get(name(number))
    assert node is not None
    return node


class _Reader:
    """Reads back what `header` made."""

    def read_header(self, raw: bytes) -> Header:
        number, parent = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:64], "big")
        return header(number, parent, int.from_bytes(raw[64:], "big"))

    def begin_ancestry(self, header: Header, height: int) -> tuple[bytes, ...]:
        return (header.hash,)

    def extend_ancestry(self, ancestry: tuple[bytes, ...], header: Header) -> tuple[bytes, ...]:
        return (*ancestry, header.hash)


def _reading() -> Processor:
    return cast("Processor", _Reader())


def test_rows_tell_of_their_state() -> None:
    node = Node(header(1, 0), root_node(), 1, 2, None)
    states: list[BlockRow] = []
    for change in (
        {},
        {"header_sent": True},
        {"missing": Passed("not had")},
        {"missing": None, "record": BlockRecord(1, 1, (), "a")},
        {"anchored": True},
        {"delivered": True},
    ):
        for attribute, value in change.items():
            setattr(node, attribute, value)
        states.append(block_row(CHAIN, node, canonical=False))
    assert [row.state for row in states] == [
        "known",
        "told",
        "missing",
        "held",
        "anchored",
        "delivered",
    ]
