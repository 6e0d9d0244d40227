"""A pruned node hangs up on who asks for a block further back than it serves, so it is asked for none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sprint.core.model import BlockEvent
from sprint.core.protocols.bitcoin_p2p.session import NEWEST_BLOCKS
from tests.integration.real_servers import Litecoind, require, wait_until
from tests.integration.relay_process import RelayProcess
from tests.integration.subscribers import Listener, blocks_of, kinds_of

pytestmark = pytest.mark.real("litecoind")

BEFORE = 5
CATCH_UP_MAX = NEWEST_BLOCKS - 20  # so that the gap is told at once
MISSED = NEWEST_BLOCKS + 50


class PrunedLitecoind(Litecoind):
    """A node that may prune, and so offers its newest blocks only."""

    def _command(self, onion_port: int) -> list[str]:
        return [*(part for part in super()._command(onion_port) if part != "-txindex"), "-prune=1"]


@pytest.fixture
def pruned(tmp_path: Path) -> Iterator[Litecoind]:
    require("litecoind")
    node = PrunedLitecoind(tmp_path / "pruned").start()
    try:
        node.mine(BEFORE)
        assert node.rpc("getnetworkinfo")["localservicesnames"] == ["WITNESS", "NETWORK_LIMITED", "MWEB"]
        yield node
    finally:
        node.stop()


def relay_on(folder: Path, node: Litecoind) -> RelayProcess:
    limit = {"SPRINT_CHAINS__LITECOIN_REGTEST__CATCH_UP_BLOCKS_MAX": str(CATCH_UP_MAX)}
    options = ("--source", node.source_url, "--data-dir", str(folder / "data"))
    return RelayProcess(folder, *options, environment=limit)


def test_a_relay_that_missed_more_than_a_pruned_node_has_went_round_with_it_for_ever(
    pruned: Litecoind, tmp_path: Path
) -> None:
    with relay_on(tmp_path, pruned) as relay, Listener(relay.url) as listener:
        listener.wait_for_block(pruned.tip)
    missed = pruned.mine(MISSED)
    with relay_on(tmp_path, pruned) as relay, Listener(relay.url) as listener:
        listener.wait_for_block(missed[-1])
        told = [event.data for event in list(listener.events) if isinstance(event, BlockEvent)]
        in_order = [block.hash for block in told if not block.late]
        assert in_order[-CATCH_UP_MAX:] == missed[-CATCH_UP_MAX:]
        assert kinds_of(listener.events).count("gap") == 1

        def late() -> set[str]:
            return set(blocks_of(listener.events)) & set(missed[:-CATCH_UP_MAX])

        wait_until(lambda: late() == set(missed[-NEWEST_BLOCKS:-CATCH_UP_MAX]), "it gave all that it serves")
        listener.wait_for_block(pruned.mine(1)[0])
        (source,) = listener.client.status("litecoin")["sources"]
        assert (source["state"], source["connects"]) == ("ready", 1), "it never hung up"
        assert f"only the newest {NEWEST_BLOCKS} blocks" in source["notes"][0]
