"""A ZMQ source beside a node that serves RPC: what the node says of its publisher is told once, and shown."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import cast

import pytest

from sprint.core.protocols.announcements import HashesAnnounced
from sprint.core.protocols.json_rpc.results import Publishing
from sprint.core.protocols.zmq.frames import HASHBLOCK
from sprint.core.relay.source_url import parse_source, source_of
from sprint.tools.relay.check import check_sources
from sprint.tools.relay.intake import Sink
from sprint.tools.relay.sources import new_source
from sprint.tools.relay.sources.publisher_watch import PublisherWatch
from sprint.tools.relay.sources.rpc import RpcSource
from sprint.tools.relay.sources.zmq import ZmqSource
from tests.core.protocols.json_rpc.model_node import ModelNode
from tests.tools.relay.model_rpc_server import LOGIN, ModelRpcServer
from tests.tools.relay.serving import until
from tests.tools.relay.test_p2p_source import Observer, SpyIntake
from tests.tools.relay.test_rpc_source import QUICK, network
from tests.tools.relay.test_zmq_source import HASH, Publisher

UNUSED_PORT = 1
Scene = Callable[[SpyIntake, ZmqSource, ModelRpcServer], Awaitable[None]]


def beside_a_node(node: ModelNode, port: int, scene: Scene, *, rpc_first: bool = True) -> None:
    """Run an RPC source and a ZMQ source of one host, in this order or the other."""

    async def main() -> None:
        async with ModelRpcServer(node) as server:
            intake = SpyIntake()
            url = f"rpc://{LOGIN}@127.0.0.1:{server.port}"
            served = source_of("bitcoin", "regtest", url, name="core")
            rpc = RpcSource(served, network(), intake, Observer(), QUICK)
            heard = source_of(
                "bitcoin", "regtest", f"zmq://127.0.0.1:{port}?topics=hashblock,sequence", name="z"
            )
            publisher = new_source(heard, network(), intake, Observer())
            assert isinstance(publisher, ZmqSource)
            order = (rpc, publisher) if rpc_first else (publisher, rpc)
            tasks = [asyncio.create_task(each.run()) for each in order]
            try:
                await scene(intake, publisher, server)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(main())


async def noted(intake: SpyIntake) -> str:
    while not (isinstance(heard := await intake.next(), str) and heard.startswith("noted: ")):
        pass
    return heard


@pytest.mark.parametrize("rpc_first", [True, False])
def test_a_node_that_was_asked_for_zmq_but_has_none_is_reported_as_such(*, rpc_first: bool) -> None:
    async def scene(intake: SpyIntake, publisher: ZmqSource, server: ModelRpcServer) -> None:
        said = await noted(intake)
        assert said.startswith("noted: nothing publishes there: core is built without ZMQ")
        await until(lambda: publisher.view().retry_in_s > 0)
        assert "core is built without ZMQ" in publisher.view().notes[0]
        assert "nothing listens there" in publisher.view().reason
        server.mine()
        assert isinstance(await intake.next(), HashesAnnounced)  # and it was told once

    node = ModelNode()
    node.refuse["getzmqnotifications"] = -32601
    beside_a_node(node, UNUSED_PORT, scene, rpc_first=rpc_first)


class Told:
    """What of an intake the watch needs; counts what it is told and what a node was asked."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.asked = 0

    def source_noted(self, name: str, reason: str) -> None:
        self.notes.append(f"{name}: {reason}")

    def ask(self) -> None:
        self.asked += 1


def test_a_node_is_asked_when_a_publisher_on_its_host_comes_later_and_no_other_is() -> None:
    watch, told, other = PublisherWatch(), Told(), Told()
    watch.serves(parse_source("core@bitcoin=rpc://127.0.0.1:8332"), told.ask)
    watch.serves(parse_source("far@bitcoin=rpc://10.0.0.1:8332"), other.ask)
    assert (told.asked, other.asked) == (0, 0)
    watch.wanted(parse_source("z@bitcoin=zmq://127.0.0.1:28332"))
    assert (told.asked, other.asked) == (1, 0)


def test_why_nothing_publishes_is_told_once_and_anew_after_it_was_reached() -> None:
    watch, told = PublisherWatch(), Told()
    intake = cast("Sink", told)
    watch.wanted(parse_source("z@bitcoin=zmq://127.0.0.1:28332"))
    watch.serves(parse_source("core@bitcoin=rpc://127.0.0.1:8332"), told.ask)
    watch.unreachable("z", intake)
    assert told.notes == []
    for _ in range(3):
        watch.told("core", Publishing(built_in=False))
        watch.unreachable("z", intake)
    assert len(told.notes) == 1
    watch.reached("z")
    watch.unreachable("z", intake)
    assert len(told.notes) == 2
    watch.gone("core")
    assert watch.note_of("z") == ""


def test_nodes_that_come_and_go_beside_a_silent_publisher_are_told_of_once_each() -> None:
    """Each restart of one of two nodes had been another event of the same source."""
    watch, told = PublisherWatch(), Told()
    intake = cast("Sink", told)
    watch.wanted(parse_source("z@bitcoin=zmq://127.0.0.1:28332"))
    watch.unreachable("z", intake)
    for _ in range(3):
        for node in ("one", "two"):
            watch.serves(parse_source(f"{node}@bitcoin=rpc://127.0.0.1:8332"), told.ask)
            watch.told(node, Publishing(built_in=False))
        watch.gone("one")
        watch.unreachable("z", intake)
    assert len(told.notes) == 2
    watch.told("two", Publishing(built_in=True))
    assert len(told.notes) == 3
    assert "two publishes nothing" in told.notes[-1]


def test_a_publisher_that_answers_is_believed_before_a_node_beside_it() -> None:
    publisher = Publisher()

    async def scene(intake: SpyIntake, source: ZmqSource, server: ModelRpcServer) -> None:
        await until(lambda: source.view().state == "ready")
        await publisher.subscribed(2)
        await until(lambda: ("getzmqnotifications", []) in server.node.calls)
        assert source.view().notes == ()
        publisher.say(HASHBLOCK, HASH, 0)
        heard = [await intake.next() for _ in range(3)]
        assert [type(each) for each in heard] == [str, str, HashesAnnounced]

    node = ModelNode()
    node.refuse["getzmqnotifications"] = -32601
    beside_a_node(node, publisher.port, scene)
    publisher.close()


def test_topics_that_the_node_does_not_publish_are_in_the_notes() -> None:
    publisher = Publisher()

    async def scene(intake: SpyIntake, source: ZmqSource, server: ModelRpcServer) -> None:
        await until(lambda: bool(source.view().notes))
        assert source.view().notes[0].startswith("core does not publish sequence there")
        assert source.view().state in ("connecting", "ready", "waiting")

    node = ModelNode()
    node.publishing = [("pubhashblock", f"tcp://127.0.0.1:{publisher.port}")]
    beside_a_node(node, publisher.port, scene)
    publisher.close()


def test_a_login_that_is_kept_from_the_call_changes_nothing() -> None:
    async def scene(intake: SpyIntake, source: ZmqSource, server: ModelRpcServer) -> None:
        await until(lambda: ("getzmqnotifications", []) in server.node.calls)
        server.mine()
        while not isinstance(heard := await intake.next(), HashesAnnounced):
            assert heard == "ready"
        assert source.view().notes == ()

    node = ModelNode()
    node.refuse["getzmqnotifications"] = -1
    beside_a_node(node, UNUSED_PORT, scene)


def test_check_says_what_the_node_beside_a_publisher_says() -> None:
    async def main() -> None:
        publisher = Publisher()
        async with ModelRpcServer(ModelNode()) as server:
            place = f"127.0.0.1:{publisher.port}"
            server.node.publishing = [("pubhashblock", f"tcp://{place}")]
            urls = (f"rpc://{LOGIN}@127.0.0.1:{server.port}", f"zmq://{place}", "zmq://127.0.0.1:1")
            specs = [source_of("bitcoin", "regtest", url, name=f"n{n}") for n, url in enumerate(urls)]
            node, heard, silent = await check_sources(specs)
        publisher.close()
        assert (node.usable, heard.usable, silent.usable) == (True, True, False)
        assert "n0 does not publish rawblock, sequence there" in heard.reason
        assert f"n0 publishes at tcp://{place}, not at port 1" in silent.reason

    asyncio.run(main())
