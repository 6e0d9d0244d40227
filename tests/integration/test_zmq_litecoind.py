"""The relay hears a publisher that tells what a real litecoind has: the publisher is a stand-in, labelled so.

The node's own list of blocks is the truth.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sprint.core.chains import internal_hash
from sprint.core.model import SourceStatusEvent
from tests.integration.real_servers import HOST, RPC_LOGIN, Litecoind, free_ports, wait_until
from tests.integration.relay_metrics import fetch
from tests.integration.relay_process import RelayProcess
from tests.integration.subscribers import Listener, blocks_of, wait_until_delivered
from tests.integration.zmq_stand_in import ZmqStandIn

pytestmark = pytest.mark.real("litecoind")

CHAIN = "litecoin-regtest"


@contextmanager
def relay_on(folder: Path, node: Litecoind, publisher: ZmqStandIn) -> Iterator[RelayProcess]:
    """A relay that serves out of a node and hears a publisher, both ready."""
    sources = ("--source", node.source_url, "--source", publisher.source_url)
    with RelayProcess(folder, *sources, "--data-dir", str(folder / "data")) as relay:
        wait_until_delivered(relay.url, CHAIN, node.tip)
        wait_until(lambda: heard(relay)["state"] == "ready", "the publisher is subscribed to")
        yield relay


def heard(relay: RelayProcess) -> dict[str, Any]:
    """What the relay's status says of the publisher."""
    status = json.loads(fetch(f"{relay.url}/api/v1/chains/{CHAIN}/status"))
    (found,) = [source for source in status["sources"] if source["name"] == "zmq"]
    return dict(found)


def part(node: Litecoind, other: Litecoind) -> None:
    """End the connections of a node and return when they are gone."""
    for peer in node.rpc("getpeerinfo"):
        if peer["addr"] == f"{HOST}:{other.p2p_port}":
            node.rpc("disconnectnode", peer["addr"])
    wait_until(
        lambda: all(peer["addr"] != f"{HOST}:{other.p2p_port}" for peer in node.rpc("getpeerinfo")), "parted"
    )


def test_blocks_of_a_node_that_is_heard_and_served_from_come_once_in_order(
    litecoind: Litecoind, tmp_path: Path
) -> None:
    with (
        ZmqStandIn(litecoind) as publisher,
        relay_on(tmp_path, litecoind, publisher) as relay,
        Listener(relay.url) as listener,
    ):
        mined = [block for count in (1, 1, 5, 1, 12, 1) for block in litecoind.mine(count)]
        listener.wait_for_block(mined[-1])
        assert blocks_of(listener.events)[-len(mined) :] == mined
        wait_until(lambda: internal_hash(mined[-1]) in publisher.published, "the tip is published")
        wait_until(lambda: heard(relay)["blocks_received"] == len(publisher.published), "all are heard")
        assert heard(relay)["faults"] == {}


def test_blocks_that_only_the_publisher_tells_of_are_delivered_and_what_it_loses_is_had_of_another(
    litecoind_factory: Callable[[], Litecoind], tmp_path: Path
) -> None:
    """The node that serves is parted from the one that is heard, so all that comes is the publisher's."""
    heard_node, serving = litecoind_factory(), litecoind_factory()
    heard_node.mine(5)
    serving.connect_to(heard_node)
    serving.wait_for_tip(heard_node.tip)
    with (
        ZmqStandIn(heard_node) as publisher,
        relay_on(tmp_path, serving, publisher) as relay,
        Listener(relay.url) as listener,
    ):
        part(serving, heard_node)
        alone = [block for _ in range(5) for block in mined_and_published(heard_node, publisher)]
        listener.wait_for_block(alone[-1])
        assert blocks_of(listener.events)[-5:] == alone
        assert heard(relay)["standing"]["wins"] >= 5
        publisher.drop(dropping=True)
        lost = mined_and_published(heard_node, publisher)
        publisher.drop(dropping=False)
        after = mined_and_published(heard_node, publisher)
        wait_until(
            lambda: heard(relay)["faults"].get("sequence_lost", 0) >= 3, "each topic's loss is noticed"
        )
        assert blocks_of(listener.events)[-1] == alone[-1]
        serving.connect_to(heard_node)
        listener.wait_for_block(after[-1])
        assert blocks_of(listener.events)[-7:] == [*alone, *lost, *after]


def mined_and_published(node: Litecoind, publisher: ZmqStandIn) -> list[str]:
    (mined,) = node.mine(1)
    wait_until(lambda: internal_hash(mined) in publisher.published, f"{mined} is published")
    return [mined]


def test_a_node_that_was_asked_for_zmq_but_has_none_is_reported_by_the_node_itself(tmp_path: Path) -> None:
    """Debian's litecoind is built without ZMQ and takes the option without a word."""
    node = Litecoind(tmp_path / "node")
    node.start()
    try:
        node.mine(1)
        user, password = RPC_LOGIN
        served = f"core@litecoin:regtest=rpc://{user}:{password}@{HOST}:{node.rpc_port}"
        (unused,) = free_ports(1)
        heard = f"zmq@litecoin:regtest=zmq://{HOST}:{unused}"
        sources = ("--source", served, "--source", heard)
        with (
            RelayProcess(tmp_path, *sources, "--data-dir", str(tmp_path / "data")) as relay,
            Listener(relay.url) as listener,
        ):
            wait_until(lambda: said_of_zmq(listener) != "", "the node's answer is told")
            assert "core is built without ZMQ (getzmqnotifications: -32601)" in said_of_zmq(listener)
    finally:
        node.stop()


def said_of_zmq(listener: Listener) -> str:
    """Why the source is demoted, as the events say; empty before they do."""
    told = [each.data for each in list(listener.events) if isinstance(each, SourceStatusEvent)]
    return next((each.reason for each in told if (each.source, each.status) == ("zmq", "demoted")), "")
