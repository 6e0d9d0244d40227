"""A relay of its own is measured, and nothing of it stays."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from sprint.core.errors import UpstreamError
from sprint.tools.optimize.bench.block_lines import BlockLines
from sprint.tools.optimize.bench.relay_scene import BLOCKS_AT_ONCE, FIGURES, RelayScene
from tests.children import children_that_run


def test_each_echo_is_of_the_block_that_was_ordered_and_the_children_are_gone_after(tmp_path: Path) -> None:
    with RelayScene(("--optimize", "basic"), tmp_path, clock=time.monotonic) as scene:
        delivered = scene.delivered
        values = scene.measure(0.05)
        assert len(values) == len(FIGURES)
        p50, p90, blocks_per_s = values
        assert 0 < p50 <= p90
        assert blocks_per_s > 0
        assert scene.delivered >= delivered + BLOCKS_AT_ONCE + 2
        with BlockLines(scene.relay.api_url, "bitcoin-regtest") as lines:
            hashes = {lines.next_hash() for _ in range(20)}
            assert len(hashes) == 20
        with pytest.raises(UpstreamError, match="answered with 4"):
            BlockLines(scene.relay.api_url, "no-chain")
        scene.relay.child.end()
        with pytest.raises(UpstreamError):
            scene.measure(0.05)
    assert children_that_run("sprint.cli.main") == []
    assert children_that_run("sprint.tools.devnet") == []
