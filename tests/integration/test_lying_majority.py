"""Seven of ten nodes agree on what is not the best chain, and lose; a sole source is named as the only one.

All on sockets and looked at from outside. What counts is the work that a chain has done and not how many
tell of it; where there is one source alone nothing else can be known, so the relay says that it is alone.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sprint.core.chains import internal_hash
from sprint.core.model import BlockEvent, HeaderEvent, ReorgEvent, SourceStatusEvent
from sprint.core.relay.gate import WAIT_MAX_S
from tests.integration.lying_node import LyingNodes, LyingView
from tests.integration.real_servers import wait_until
from tests.integration.relay_metrics import fetch
from tests.integration.relay_process import RelayProcess
from tests.integration.sole_liar import LiarsStory
from tests.integration.subscribers import Listener, blocks_of, wait_until_delivered
from tests.simulator.networks import network_of

CHAIN = "bitcoin-regtest"
HONEST = tuple(f"honest-{number}" for number in range(3))
LIARS = tuple(f"liar-{number}" for number in range(7))
SHARED_BLOCKS = 3
ROUNDS = 5
PROCESS_TIMEOUT_S = 120.0
SLACK_S = 6.0  # between two looks of a source that waits, and for the block itself


class TenNodes:
    """Three honest nodes and seven that agree with one another, over one world."""

    def __init__(self, nodes: LyingNodes) -> None:
        self.nodes = nodes
        self.honest = [nodes.mine(HONEST[0], to=(*HONEST, *LIARS)) for _ in range(SHARED_BLOCKS)]
        self.lied: list[str] = []

    def mine(self) -> str:
        """Let the honest nodes have one more block, and tell of it."""
        self.honest.append(self.nodes.mine(HONEST[0], to=HONEST))
        self._all_announce(HONEST)
        return self.honest[-1]

    def mine_aside(self) -> str:
        """Let the seven have one more true block on their own branch, and tell of it."""
        self.lied.append(self.nodes.mine(LIARS[0], to=LIARS))
        self._all_announce(LIARS)
        return self.lied[-1]

    def lie(self, lie: str) -> str:
        """Let the seven take one false block for the best, and tell of it."""
        false = self.nodes.tell(LIARS[0], lie)
        for name in LIARS[1:]:
            self.nodes.on_view(name, lambda view: view.take_for_best(internal_hash(false)))
        self._all_announce(LIARS)
        return false

    def _all_announce(self, names: tuple[str, ...]) -> None:
        for name in names[1:]:
            self.nodes.announce_again(name)


@contextmanager
def relay_on(folder: Path, nodes: LyingNodes, tip: str) -> Iterator[RelayProcess]:
    """A relay on all nodes, all of them ready, that has delivered the tip: its log begins there."""
    arguments = [part for name in nodes.views for part in ("--source", nodes.source_url(name))]
    with RelayProcess(folder, *arguments, "--data-dir", str(folder / "data")) as relay:
        wait_until(lambda: status(relay)["sources_ready"] == len(nodes.views), "all sources are ready")
        wait_until_delivered(relay.url, CHAIN, tip)
        yield relay


def status(relay: RelayProcess) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(fetch(f"{relay.url}/api/v1/chains/{CHAIN}/status"))
    return found


def states(relay: RelayProcess, names: tuple[str, ...]) -> set[str]:
    return {source["state"] for source in status(relay)["sources"] if source["name"] in names}


def is_known(relay: RelayProcess, block: str) -> bool:
    return "state" in json.loads(fetch(f"{relay.url}/api/v1/blocks/{block}/status"))


def test_seven_of_ten_that_agree_on_less_work_move_nothing_and_are_not_shut_out(tmp_path: Path) -> None:
    with LyingNodes(network_of(CHAIN), (*HONEST, *LIARS)) as nodes:
        ten = TenNodes(nodes)
        ten.mine()  # the three are one block ahead of the branch of the seven, then and always
        with relay_on(tmp_path, nodes, ten.honest[-1]) as relay, Listener(relay.url) as listener:
            for _ in range(ROUNDS):
                head = ten.mine()
                listener.wait_for_block(head)
                wait_until(partial(is_known, relay, ten.mine_aside()), "their header is known")
                assert status(relay)["head"]["hash"] == head
            assert (
                blocks_of(list(listener.events)) == ten.honest[-ROUNDS - 1 :]
            )  # the tip found at the start too
            assert not [event for event in list(listener.events) if isinstance(event, ReorgEvent)]
            assert states(relay, (*HONEST, *LIARS)) == {"ready"}


def test_a_relay_that_begins_among_the_seven_alone_goes_over_to_the_three_with_more_work(
    tmp_path: Path,
) -> None:
    with LyingNodes(network_of(CHAIN), (*HONEST, *LIARS)) as nodes:
        ten = TenNodes(nodes)
        with relay_on(tmp_path, nodes, ten.honest[-1]) as relay, Listener(relay.url) as listener:
            first = [ten.mine_aside() for _ in range(2)]
            listener.wait_for_block(first[-1])
            added = [ten.mine() for _ in range(3)]
            listener.wait_for_block(added[-1])
            (reorg,) = [event for event in list(listener.events) if isinstance(event, ReorgEvent)]
            assert reorg.data.removed == tuple(first[::-1])
            assert reorg.data.added == tuple(added)
            assert status(relay)["head"]["hash"] == added[-1]


@pytest.mark.parametrize("lie", ["no work", "too much money"])
def test_seven_of_ten_that_agree_on_a_false_block_are_all_shut_out_and_the_three_are_followed(
    tmp_path: Path, lie: str
) -> None:
    with LyingNodes(network_of(CHAIN), (*HONEST, *LIARS)) as nodes:
        ten = TenNodes(nodes)
        with relay_on(tmp_path, nodes, ten.honest[-1]) as relay, Listener(relay.url) as listener:
            false = ten.lie(lie)
            wait_until(lambda: states(relay, LIARS) == {"blocked"}, "all seven are shut out")
            listener.wait_for_block(ten.mine())
            listener.wait_for_block(ten.mine())
            events = list(listener.events)
            assert blocks_of(events) == ten.honest[-3:]
            assert states(relay, HONEST) == {"ready"}
            statuses = [e.data for e in events if isinstance(e, SourceStatusEvent)]
            assert {each.source for each in statuses if each.status == "blocked"} == set(LIARS)
            told = [e.data.hash for e in events if isinstance(e, HeaderEvent)]
            assert told.count(false) == (1 if lie == "too much money" else 0)


def test_a_sole_source_with_a_chain_of_its_own_is_named_as_the_only_one_that_says_so(tmp_path: Path) -> None:
    """Its blocks have done their work, so nothing in them is false; that nobody else has them is told."""
    with LyingNodes(network_of(CHAIN), ("alone",)) as nodes:
        mined = [nodes.mine("alone")]
        with relay_on(tmp_path, nodes, mined[0]) as relay, Listener(relay.url) as listener:
            mined += [nodes.mine("alone") for _ in range(3)]
            listener.wait_for_block(mined[-1])
            told = [event.data for event in list(listener.events) if isinstance(event, BlockEvent)]
            assert [block.hash for block in told] == mined
            assert {(block.agreed_by, block.source, block.proof.sources) for block in told} == {
                (1, "alone", ("alone",))
            }
            head = status(relay)["head"]
            assert (head["hash"], head["agreed_by"], head["sources"]) == (mined[-1], 1, ["alone"])


def test_a_head_that_others_confirm_later_is_agreed_by_all_of_them_in_status(tmp_path: Path) -> None:
    def learn(view: LyingView) -> None:
        view.take_for_best(internal_hash(block))

    with LyingNodes(network_of(CHAIN), HONEST) as nodes:
        first = nodes.mine(HONEST[0], to=HONEST)
        with relay_on(tmp_path, nodes, first) as relay, Listener(relay.url) as listener:
            block = nodes.mine(HONEST[0])
            listener.wait_for_block(block)
            assert status(relay)["head"]["sources"] == [HONEST[0]]
            for name in HONEST[1:]:
                nodes.on_view(name, learn)
                nodes.announce_again(name)
            wait_until(lambda: status(relay)["head"]["agreed_by"] == len(HONEST), "all three agree")


def test_a_sole_source_that_lies_is_blocked_for_longer_each_time_and_followed_soon_after_it_repents() -> None:
    """It had been told as re-admitted and its chain as recovered each time it came back, to lie again."""
    command = [sys.executable, "-m", "tests.integration.ten_nodes_process", "--sole", "merkle_root"]
    said = subprocess.run(command, capture_output=True, timeout=PROCESS_TIMEOUT_S, check=True).stdout
    story = msgspec.json.decode(said, type=LiarsStory)
    blocked = [n for n, status in enumerate(story.statuses) if status == "blocked"]
    assert len(blocked) > 3
    assert "for 5 to 10 s" in story.reasons[blocked[0]]
    assert "for 10 to 20 s" in story.reasons[blocked[1]]
    told = [status for status in story.statuses if status != "blocked"]
    assert told == ["ready", "stalled", "re-admitted", "recovered"]
    assert (
        "shut out for what they sent, and tried all the same: only"
        in story.reasons[story.statuses.index("stalled")]
    )
    assert story.back_s < WAIT_MAX_S + SLACK_S
