"""A real relay between an honest node and nodes that lie, all on sockets; looked at from outside only.

One relay has one honest source and one liar for each kind of lie. Each liar is refused, penalised and shut
out, what it had made the relay tell is withdrawn, the head stays, and the honest node's blocks arrive once
and in order.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, NamedTuple

import pytest
from prometheus_client.parser import text_string_to_metric_families

from sprint.core.model import (
    BlockEvent,
    Event,
    HeaderEvent,
    HeaderWithdrawnEvent,
    ReorgEvent,
    SourceStatusEvent,
)
from tests.integration.devnet_process import DevnetProcess
from tests.integration.lying_node import LyingNodes
from tests.integration.real_servers import wait_until
from tests.integration.relay_metrics import fetch
from tests.integration.relay_process import RelayProcess
from tests.integration.subscribers import Listener, blocks_of
from tests.simulator.forgery import FORGERIES, MERGED_MINING
from tests.simulator.networks import network_of
from tests.simulator.world import AHEAD_S

CHAIN = "bitcoin-regtest"
# Where one target is all there is, none is easier, no period begins, and nothing is merge-mined.
IMPOSSIBLE = MERGED_MINING | {"easier bits", "easier bits at the border", "warped time"}
LIES = tuple(lie for lie in FORGERIES if lie not in IMPOSSIBLE)
MUTATIONS = (
    "one bit",
    "cut short",
    "a byte more",
    "another block's body",
    "stripped of its witness",
    "its end repeated",
)
RIPENS_S = 4


class Stage(NamedTuple):
    """One relay, its honest node, its liars, and a subscriber from the first event on."""

    relay: RelayProcess
    honest: DevnetProcess
    liars: LyingNodes
    listener: Listener

    @property
    def events(self) -> list[Event]:
        return self.listener.events

    def grow(self) -> str:
        """Let the honest node mine a block; wait for it at the subscriber, and let the liars learn it."""
        (block_hash,) = self.honest.mine(1)
        self.listener.wait_for_block(block_hash)
        self.liars.learn_from(self.honest.port)
        return block_hash

    def wait_until_blocked(self, source: str) -> SourceStatusEvent:
        """Wait until a source is shut out; return what subscribers were told of it."""

        def blocked(events: list[Event]) -> list[SourceStatusEvent]:
            told = [e for e in events if isinstance(e, SourceStatusEvent) and e.data.source == source]
            return [event for event in told if event.data.status == "blocked"]

        self.listener.wait_for(lambda events: bool(blocked(list(events))), f"{source} is blocked")
        return blocked(self.events)[0]

    def api(self, path: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(fetch(f"{self.relay.url}/api/v1/{path}"))
        return found

    def knows(self, block_hash: str) -> bool:
        return "state" in self.api(f"blocks/{block_hash}/status")

    def source(self, name: str) -> dict[str, Any]:
        found: list[dict[str, Any]] = self.api(f"chains/{CHAIN}/status")["sources"]
        return next(source for source in found if source["name"] == name)

    def refusals(self, check: str) -> float:
        """The counter of what was refused by a check."""
        text = fetch(f"{self.relay.serving.metrics}/metrics").decode()
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == "sprint_validation_errors_total" and sample.labels["check"] == check:
                    return float(sample.value)
        return 0.0


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("lies")
    names = [f"liar-{number}" for number in range(len(LIES) + 4)]
    with ExitStack() as stack:
        honest = stack.enter_context(DevnetProcess(CHAIN))
        liars = stack.enter_context(LyingNodes(network_of(CHAIN), names))
        liars.learn_from(honest.port)
        urls = [f"honest@{honest.source_url}", *map(liars.source_url, names)]
        sources = [part for url in urls for part in ("--source", url)]
        relay = stack.enter_context(RelayProcess(folder, *sources, "--data-dir", str(folder / "data")))
        listener = stack.enter_context(Listener(relay.url))
        made = Stage(relay, honest, liars, listener)
        wait_until(
            lambda: made.api(f"chains/{CHAIN}/status")["sources_ready"] == len(urls), "all sources are ready"
        )
        made.grow()
        yield made


@pytest.fixture(scope="module")
def liars(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RelayProcess, LyingNodes, Listener]]:
    """A relay whose sources are one liar for each kind of false body, and one that has the true ones."""
    folder, names = tmp_path_factory.mktemp("bodies"), [*map(source_name, MUTATIONS), "truthful"]
    with LyingNodes(network_of(CHAIN), names) as nodes:
        sources = [part for name in names for part in ("--source", nodes.source_url(name))]
        arguments = (*sources, "--data-dir", str(folder / "data"))
        with RelayProcess(folder, *arguments) as relay, Listener(relay.url) as listener:
            url = f"{relay.url}/api/v1/chains/{CHAIN}/status"
            wait_until(lambda: json.loads(fetch(url))["sources_ready"] == len(names), "all are ready")
            listener.wait_for_block(nodes.mine("truthful", to=names))
            yield relay, nodes, listener


def source_name(mutation: str) -> str:
    return mutation.replace(" ", "-").replace("'", "")


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_a_false_body_is_paid_for_and_the_true_one_comes_from_another(
    liars: tuple[RelayProcess, LyingNodes, Listener], mutation: str
) -> None:
    relay, nodes, listener = liars
    liar = source_name(mutation)
    seen = len(listener.events)
    block = nodes.mine_falsely(liar, mutation)
    listener.wait_for_block(block)
    told = [e for e in listener.events[seen:] if getattr(e.data, "hash", "") == block]
    assert [type(event) for event in told] == [HeaderEvent, BlockEvent]
    # Those that lied before may be taken back meanwhile.
    of_liar = [
        e for e in listener.events[seen:] if isinstance(e, SourceStatusEvent) and e.data.source == liar
    ]
    assert of_liar[0].data.status == "blocked"
    status = json.loads(fetch(f"{relay.url}/api/v1/blocks/{block}/status"))
    assert status["state"] == "relayed"
    assert status["checks"]


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_refused_and_paid_for_and_the_honest_node_is_followed(stage: Stage, lie: str) -> None:
    check, in_body, _ = FORGERIES[lie]
    check = "target" if check == "difficulty" else check
    liar = f"liar-{LIES.index(lie)}"
    before, head, seen = stage.refusals(check), stage.honest.tip, len(stage.events)
    false = stage.liars.tell(liar, lie)
    assert stage.wait_until_blocked(liar).data.reason.startswith(f"{check}: ")
    stage.liars.repent(liar)
    status = stage.api(f"blocks/{false}/status")
    assert status["state"] == "rejected"
    assert status["reason"].startswith(f"{check}: ")
    assert stage.refusals(check) == before + 1
    told = [e for e in stage.events[seen:] if isinstance(e, HeaderEvent | HeaderWithdrawnEvent)]
    assert [(e.data.hash, type(e)) for e in told] == (
        [(false, HeaderEvent), (false, HeaderWithdrawnEvent)] if in_body else []
    )
    assert all(e.data.reason.startswith(f"{check}: ") for e in told if isinstance(e, HeaderWithdrawnEvent))
    assert stage.api(f"{CHAIN}/latest")["hash"] == head
    stage.grow()


def test_a_frame_that_does_not_parse_ends_the_node_that_sent_it(stage: Stage) -> None:
    liar = f"liar-{len(LIES)}"
    stage.liars.tell_frame(liar, "headers", b"\x01" + bytes(79))
    assert "79" in stage.wait_until_blocked(liar).data.reason
    stage.grow()


def test_a_header_from_the_future_is_refused_and_taken_when_its_time_has_come(stage: Stage) -> None:
    liar = f"liar-{len(LIES) + 1}"
    before, ripe_at = stage.refusals("future_time"), time.time() + RIPENS_S
    early = stage.liars.mine(liar, ahead_s=AHEAD_S + RIPENS_S)
    wait_until(lambda: stage.refusals("future_time") == before + 1, "the header is refused")
    assert early not in [e.data.hash for e in stage.events if isinstance(e, HeaderEvent)]
    wait_until(lambda: time.time() > ripe_at + 1.0, "its time has come")
    stage.liars.announce_again(liar)
    stage.listener.wait_for_block(early)
    # The honest node has it not, and mines beside it; with two blocks more its branch wins.
    seen = len(stage.events)
    (_, last) = stage.honest.mine(2)
    stage.listener.wait_for_block(last)
    (reorg,) = [event for event in stage.events[seen:] if isinstance(event, ReorgEvent)]
    assert reorg.data.removed == (early,)
    stage.liars.learn_from(stage.honest.port)


def test_a_true_chain_of_less_work_moves_nothing(stage: Stage) -> None:
    liar = f"liar-{len(LIES) + 2}"
    head, seen = stage.honest.tip, len(stage.events)
    shorter = [stage.liars.mine_below(liar, 3), stage.liars.mine(liar)]
    wait_until(lambda: stage.knows(shorter[-1]), "the relay has the headers")
    assert stage.api(f"blocks/{shorter[-1]}/status")["state"] == "received"
    assert stage.api(f"{CHAIN}/latest")["hash"] == head
    moved = (HeaderEvent, BlockEvent, ReorgEvent)  # what is final by the block before may be told only now
    assert [event for event in stage.events[seen:] if isinstance(event, moved)] == []
    assert stage.source(liar)["state"] == "ready"
    stage.grow()


def test_all_that_was_told_of_honest_blocks_is_true_once_and_in_order(stage: Stage) -> None:
    """Runs last: the whole stream against the honest node's own list."""
    hashes = stage.honest.hashes(1)
    delivered = blocks_of(stage.events)
    left = {block for event in stage.events if isinstance(event, ReorgEvent) for block in event.data.removed}
    assert len(delivered) == len(set(delivered))
    assert [block for block in delivered if block not in left] == hashes[hashes.index(delivered[0]) :]
    honest = [e for e in stage.events if isinstance(e, SourceStatusEvent) and e.data.source == "honest"]
    assert [event.data.status for event in honest] == ["ready"]
    told = {e.data.hash for e in stage.events if isinstance(e, HeaderEvent)}
    withdrawn = {e.data.hash for e in stage.events if isinstance(e, HeaderWithdrawnEvent)}
    assert told - withdrawn <= set(delivered)
    assert not withdrawn & set(delivered)
