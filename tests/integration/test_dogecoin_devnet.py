"""A real relay on a Dogecoin node that merge-mines: followed across the height where that begins, and each
false AuxPoW refused, paid for, and without a trace in the stream.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from sprint.core.model import BlockEvent, Event, HeaderEvent, SourceStatusEvent
from sprint.tools.devnet.merged_mining import Lie
from tests.integration.devnet_process import DevnetProcess
from tests.integration.real_servers import wait_until
from tests.integration.relay_metrics import fetch
from tests.integration.relay_process import RelayProcess
from tests.integration.subscribers import Listener, blocks_of

CHAIN = "dogecoin-regtest"
MERGED_FROM = 20
REASONS = {
    Lie.CHAIN_BRANCH: "auxpow: the parent's coinbase does not commit to this block by the chain branch",
    Lie.COINBASE_BRANCH: "auxpow: the coinbase branch does not lead to the parent's merkle root",
    Lie.CHAIN_ID: "version: version 0x630104 is of chain 99, this is chain 98",
    Lie.OWN_PARENT: "auxpow: the parent is of chain 98 itself",
    Lie.REUSED: "auxpow: the parent's coinbase does not commit to this block by the chain branch",
    Lie.IDLE_PARENT: "proof_of_work: proof 0x",
}


def latest(relay: RelayProcess) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(fetch(f"{relay.url}/api/v1/{CHAIN}/latest"))
    return found


def statuses_of(events: Sequence[Event]) -> list[tuple[str, str]]:
    """What was told of the one source: its status and why."""
    return [(e.data.status, e.data.reason or "") for e in events if isinstance(e, SourceStatusEvent)]


def test_a_relay_follows_a_chain_into_merged_mining_and_through_a_reorg_of_it(tmp_path: Path) -> None:
    with (
        DevnetProcess(CHAIN, blocks_at_start=MERGED_FROM - 3) as devnet,
        RelayProcess(tmp_path, "--source", devnet.source_url, "--data-dir", str(tmp_path / "data")) as relay,
        Listener(relay.url) as listener,
    ):
        wait_until(lambda: latest(relay).get("hash") == devnet.tip, "the log has begun at the tip")
        mined = [block_hash for _ in range(6) for block_hash in devnet.mine(1)]
        listener.wait_for_block(mined[-1])
        branch = devnet.reorg(4)
        listener.wait_for_block(branch[-1])
        burst = devnet.mine(30)
        listener.wait_for_block(burst[-1])
        delivered = blocks_of(listener.events)
        assert delivered[-41:] == [*mined, *branch, *burst]
        for event in listener.events:
            if isinstance(event, BlockEvent):
                assert event.data.proof is not None
                assert ("auxpow" in event.data.proof.checks) == (event.data.height >= MERGED_FROM)


@pytest.mark.parametrize("lie", Lie)
def test_a_false_auxpow_is_refused_and_paid_for_and_the_head_stays(lie: Lie, tmp_path: Path) -> None:
    with (
        DevnetProcess(CHAIN, blocks_at_start=MERGED_FROM + 1) as devnet,
        RelayProcess(tmp_path, "--source", devnet.source_url, "--data-dir", str(tmp_path / "data")) as relay,
        Listener(relay.url) as listener,
    ):
        head = devnet.mine(1)[-1]
        listener.wait_for_block(head)
        false = devnet.lie(lie)
        listener.wait_for(
            lambda events: any(status == "blocked" for status, _ in statuses_of(events)), "it is shut out"
        )
        assert statuses_of(listener.events)[-1][1].startswith(REASONS[lie])
        assert latest(relay)["hash"] == head
        told = [e.data.hash for e in listener.events if isinstance(e, BlockEvent | HeaderEvent)]
        assert false not in told


def test_a_liar_that_repents_is_followed_again_when_its_time_is_over(tmp_path: Path) -> None:
    with (
        DevnetProcess(CHAIN, blocks_at_start=MERGED_FROM + 1) as devnet,
        RelayProcess(tmp_path, "--source", devnet.source_url, "--data-dir", str(tmp_path / "data")) as relay,
        Listener(relay.url) as listener,
    ):
        listener.wait_for_block(devnet.mine(1)[-1])
        false = devnet.lie(Lie.REUSED)
        # Taken back at once it might never have been asked for.
        listener.wait_for(
            lambda events: any(status == "blocked" for status, _ in statuses_of(events)), "it is shut out"
        )
        devnet.invalidate(false)
        mined = devnet.mine(2)
        listener.wait_for_block(mined[-1])
        listener.wait_for(
            lambda events: [status for status, _ in statuses_of(events)][-2:] == ["blocked", "re-admitted"],
            "it is taken back once its blocks have passed",
        )
        assert blocks_of(listener.events)[-2:] == mined
