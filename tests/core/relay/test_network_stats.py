"""Statistics of a proof-of-work network: against a slow count by hand, and on blocks of real pools."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.chains import Block, Header
from sprint.core.relay.head import HeadTracker, Node
from sprint.core.relay.network_stats import WINDOW_BLOCKS, NetworkStatistics
from sprint.core.relay.pools import UNKNOWN, pool_of
from sprint.core.relay.restore import restore_tree
from sprint.tools.plugins import ChainCatalog
from tests.core.relay.driving import Blocks, begun
from tests.vectors import bitcoin_family as vectors

INTERVAL_S = 600.0

headers = st.lists(
    st.tuples(
        st.integers(-900, 5_000), st.sampled_from((4, 5, 7)), st.sampled_from((b"/ViaBTC/", b"x", None))
    ),
    min_size=1,
    max_size=WINDOW_BLOCKS + 20,
)


def name(number: int) -> bytes:
    return number.to_bytes(32, "big")


def tree_of(blocks: list[tuple[int, int, bytes | None]]) -> HeadTracker:
    """A connected chain of blocks: seconds after the one before, work, tag (None: without a body)."""
    time = 1_700_000_000
    tree = HeadTracker(Node(Header(name(0), name(2**200), time, 4, b"", {}), None, 0, 4, None), 4032)
    for number, (after_s, work, tag) in enumerate(blocks, start=1):
        time += after_s
        node = tree.add(Header(name(number), name(number - 1), time, work, b"", {}), None)
        assert node is not None
        if tag is None:
            node.anchored = True
        else:
            tree.settle(node, Block(node.header, 1, 100, (), tag=tag), (), "core-1")
        tree.connect(node)
    return tree


@given(headers)
def test_figures_are_those_of_a_count_by_hand(blocks: list[tuple[int, int, bytes | None]]) -> None:
    tree = tree_of(blocks)
    found = NetworkStatistics(tree, INTERVAL_S).current()
    branch = [node for node in reversed(list(tree.head.ancestors())) if node.height > 0]
    window = branch[-WINDOW_BLOCKS - 1 :]
    times = [node.header.timestamp for node in window]
    done = sum(node.header.work for node in window[1:])
    span_s = max(times) - min(times)
    assert found.hash_rate == (done / span_s if span_s else None)
    assert found.blocks == max(1, len(window) - 1)
    intervals = [later - sooner for sooner, later in pairwise(times)]
    assert sum(found.intervals.counts) == len(intervals)
    for place, bound in enumerate(found.intervals.bounds_s, start=1):
        assert sum(found.intervals.counts[:place]) == sum(each <= bound for each in intervals)
    told = [tag for _, _, tag in blocks][-found.blocks :]
    wanted = {"ViaBTC": told.count(b"/ViaBTC/"), UNKNOWN: told.count(b"x")}
    assert found.pools == {pool: count for pool, count in wanted.items() if count}
    works = [node.header.work for node in tree.head.ancestors()]
    changes = [place for place, (newer, older) in enumerate(pairwise(works)) if newer != older]
    if changes:
        place = changes[0]
        change = found.difficulty_change
        assert change is not None
        assert (change.height, change.ratio) == (tree.head.height - place, works[place] / works[place + 1])
    else:
        assert found.difficulty_change is None


def test_a_late_body_is_counted_though_the_head_stays() -> None:
    tree = tree_of([(600, 4, b"/ViaBTC/"), (600, 4, None), (600, 4, b"/ViaBTC/")])
    statistics = NetworkStatistics(tree, INTERVAL_S)
    assert statistics.current() is statistics.current()
    assert statistics.current().pools == {"ViaBTC": 1}
    late = tree.head.parent
    assert late is not None
    tree.settle(late, Block(late.header, 1, 100, (), tag=b"F2Pool"), (), "core-1")
    assert statistics.current().pools == {"F2Pool": 1, "ViaBTC": 1}


def test_difficulty_is_1_at_the_target_that_bitcoin_began_with() -> None:
    target = 0xFFFF << 208
    tree = tree_of([(600, 2**256 // (target + 1), b"")])
    assert abs(NetworkStatistics(tree, INTERVAL_S).current().difficulty - 1) < 1e-9


@pytest.mark.parametrize(
    ("script", "pool"),
    [
        (b"\x03\xa1\xb2\xc3/Foundry USA Pool #dropgold/\x00\x01", "Foundry USA"),
        (b"\x03\xa1\xb2\xc3Mined by AntPool905", "AntPool"),
        (b"\x03\xa1\xb2\xc3/ViaBTC/Mined by somebody/", "ViaBTC"),
        ("\x03\xa1七彩神仙鱼".encode(), "F2Pool"),
        (b"\x03\xa1\xb2\xc3", UNKNOWN),
        (b"", UNKNOWN),
    ],
)
def test_a_pool_is_known_by_its_tag_and_what_is_not_known_is_unknown(script: bytes, pool: str) -> None:
    assert pool_of(script) == pool


def test_the_pool_of_a_real_block_is_found_in_its_coinbase() -> None:
    raw = vectors.raw_block("bitcoin/mainnet_block_0000000000000000001602407ac4.blk")
    block = ChainCatalog.installed().find("bitcoin", "main").processor().process_block(raw)
    assert isinstance(block, Block)
    assert pool_of(block.tag) == "BTC.com"


def test_the_tag_is_the_coinbase_script_of_the_block_and_outlives_a_restart() -> None:
    blocks = Blocks()
    driver = begun(blocks)
    (mined,) = blocks.mine(1)
    driver.follow("a", [mined])
    node = driver.state.tree.head
    assert node.record is not None
    assert node.record.tag
    assert node.record.tag in blocks.body(mined)
    assert node.record.tag.startswith(b"\x51")  # BIP 34: height 1
    row = driver.rows[mined]
    restored = restore_tree(driver.state.processor, list(driver.rows.values()), row.hash, 4032)
    assert restored.head.record is not None
    assert restored.head.record.tag == node.record.tag
