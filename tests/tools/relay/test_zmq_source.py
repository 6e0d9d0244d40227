"""A subscription to a publisher: what it says is heard once, a pause holds it back, its end is noticed."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest
import zmq

from sprint.core.errors import UpstreamError
from sprint.core.protocols.announcements import BlockArrived, HashesAnnounced, SequenceLost
from sprint.core.protocols.zmq.frames import encode_message
from sprint.core.relay.source_url import source_of
from sprint.tools.plugins import ChainCatalog
from sprint.tools.relay.sources import new_source, probe_source
from sprint.tools.relay.sources.zmq import MESSAGES_PER_TURN_MAX, NONE_HINT, ZmqSource
from tests.integration.real_servers import free_ports
from tests.tools.relay.serving import until
from tests.tools.relay.test_p2p_source import Observer, SpyIntake

NETWORK = ChainCatalog.installed().find_id("bitcoin-regtest")
HASH = bytes(range(32))
RAW = bytes(200)


class Publisher:
    """A node's publisher, by hand."""

    def __init__(self, port: int = 0) -> None:
        self._context = zmq.Context()
        # An XPUB is a PUB that lets its owner see who subscribes, so nothing is published to nobody.
        self._socket = self._context.socket(zmq.XPUB)
        self._socket.linger = 0
        self._socket.sndhwm = 0
        self.port = port or self._socket.bind_to_random_port("tcp://127.0.0.1")
        if port:
            self._socket.bind(f"tcp://127.0.0.1:{port}")

    async def subscribed(self, topics: int) -> None:
        for _ in range(topics):
            await until(lambda: bool(self._socket.poll(0)))
            self._socket.recv()

    def say(self, topic: str, payload: bytes, number: int) -> None:
        self._socket.send_multipart(encode_message(topic, payload, number))

    def send(self, *parts: bytes) -> None:
        self._socket.send_multipart(parts)

    def close(self) -> None:
        self._context.destroy(linger=0)


def source_at(port: int, intake: SpyIntake, topics: str = "hashblock,rawblock,sequence") -> ZmqSource:
    spec = source_of("bitcoin", "regtest", f"zmq://127.0.0.1:{port}?topics={topics}", name="n")
    source = new_source(spec, NETWORK, intake, Observer())
    assert isinstance(source, ZmqSource)
    return source


def against_a_publisher(
    scene: Callable[[SpyIntake, ZmqSource, Publisher], Awaitable[None]], topics: str = "hashblock,rawblock"
) -> None:
    async def main() -> None:
        # Off the ports of who only connects: it may be started again.
        publisher, intake = Publisher(*free_ports(1)), SpyIntake()
        source = source_at(publisher.port, intake, topics)
        task = asyncio.create_task(source.run())
        try:
            assert await intake.next() == "ready"
            await publisher.subscribed(len(topics.split(",")))
            await scene(intake, source, publisher)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            publisher.close()

    asyncio.run(main())


def test_a_hash_and_a_block_are_announced_once_and_the_source_serves_nothing() -> None:
    async def scene(intake: SpyIntake, source: ZmqSource, publisher: Publisher) -> None:
        assert intake.serves is False
        publisher.say("hashblock", HASH[::-1], 0)
        heard = await intake.next()
        assert isinstance(heard, HashesAnnounced)
        assert (heard.source, heard.hashes) == ("n", (HASH,))
        publisher.say("rawblock", RAW, 0)
        heard = await intake.next()
        assert isinstance(heard, BlockArrived)
        assert heard.raw == RAW
        intake.request(locator=[HASH], bodies=[HASH])
        view = source.view()
        assert (view.state, view.blocks_received, view.faults, view.reason) == ("ready", 1, {}, "")
        assert intake.heard.empty()

    against_a_publisher(scene)


def test_only_the_named_topics_are_heard() -> None:
    async def scene(intake: SpyIntake, source: ZmqSource, publisher: Publisher) -> None:
        publisher.say("rawblock", RAW, 0)
        publisher.say("hashblock", HASH[::-1], 0)
        assert isinstance(await intake.next(), HashesAnnounced)
        assert intake.heard.empty()

    against_a_publisher(scene, "hashblock")


def test_more_messages_than_one_turn_of_the_loop_takes_are_all_heard() -> None:
    async def scene(intake: SpyIntake, source: ZmqSource, publisher: Publisher) -> None:
        count = 3 * MESSAGES_PER_TURN_MAX + 1
        for number in range(count):
            publisher.say("hashblock", HASH[::-1], number)
        for _ in range(count):
            assert isinstance(await intake.next(), HashesAnnounced)

    against_a_publisher(scene)


def test_a_jump_in_the_numbers_is_told_and_counted() -> None:
    async def scene(intake: SpyIntake, source: ZmqSource, publisher: Publisher) -> None:
        publisher.say("hashblock", HASH[::-1], 4)
        assert isinstance(await intake.next(), HashesAnnounced)
        publisher.say("hashblock", HASH[::-1], 8)
        lost = await intake.next()
        assert isinstance(lost, SequenceLost)
        assert (lost.topic, lost.lost) == ("hashblock", 3)
        assert source.view().faults == {"sequence_lost": 1}

    against_a_publisher(scene)


def test_a_paused_source_reads_nothing_until_it_is_resumed() -> None:
    async def scene(intake: SpyIntake, source: ZmqSource, publisher: Publisher) -> None:
        assert intake.upstream is not None
        intake.upstream.pause(paused=True)
        intake.upstream.pause(paused=True)
        publisher.say("hashblock", HASH[::-1], 0)
        # Once another subscriber has heard it, it is out.
        other = SpyIntake()
        beside = source_at(publisher.port, other)
        task = asyncio.create_task(beside.run())
        assert await other.next() == "ready"
        await publisher.subscribed(1)
        publisher.say("hashblock", HASH[::-1], 1)
        assert isinstance(await other.next(), HashesAnnounced)
        assert intake.heard.empty()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        intake.upstream.pause(paused=False)
        for _ in range(2):
            assert isinstance(await intake.next(), HashesAnnounced)

    against_a_publisher(scene)


def test_a_publisher_that_went_away_is_lost_and_subscribed_to_again() -> None:
    async def scene(intake: SpyIntake, source: ZmqSource, publisher: Publisher) -> None:
        publisher.say("hashblock", HASH[::-1], 1)
        await intake.next()
        publisher.close()
        assert await intake.next() == "lost: the publisher closed the connection"
        again = Publisher(publisher.port)
        try:
            assert await intake.next() == "ready"
            await again.subscribed(2)
            again.say("hashblock", HASH[::-1], 3)
            lost = await intake.next()
            assert isinstance(lost, SequenceLost)
            assert lost.lost == 1
            assert source.view().connects == 2
        finally:
            again.close()

    against_a_publisher(scene)


def test_a_publisher_over_its_score_is_shut_out_and_its_faults_are_counted_once() -> None:
    async def scene(intake: SpyIntake, source: ZmqSource, publisher: Publisher) -> None:
        for _ in range(5):
            publisher.send(b"hashblock", b"short", bytes(4))
        assert str(await intake.next()).startswith("blocked: hashblock of 5 bytes, want 32")
        await until(lambda: source.view().state == "blocked")
        assert source.view().faults == {"malformed": 5}

    against_a_publisher(scene)


def test_a_message_of_many_parts_is_refused_whole_and_the_next_one_is_heard() -> None:
    async def scene(intake: SpyIntake, source: ZmqSource, publisher: Publisher) -> None:
        publisher.send(b"hashblock", *[HASH] * 1_000)
        publisher.say("hashblock", HASH[::-1], 0)
        assert isinstance(await intake.next(), HashesAnnounced)
        assert source.view().faults == {"malformed": 1}

    against_a_publisher(scene)


def test_a_false_block_costs_the_source_its_connection() -> None:
    async def scene(intake: SpyIntake, source: ZmqSource, publisher: Publisher) -> None:
        assert intake.upstream is not None
        intake.upstream.penalise(100, "merkle_root: false")
        told = "blocked: merkle_root: false (score 100, limit 100); shut out for 5 to 10 s"
        assert await intake.next() == told

    against_a_publisher(scene)


def test_where_nobody_publishes_the_reason_says_so() -> None:
    async def main() -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
            port = taken.getsockname()[1]
            intake = SpyIntake()
            source = source_at(port, intake)
            task = asyncio.create_task(source.run())
            await until(lambda: source.view().reason.startswith("nothing listens"))
            assert source.view().reason == f"nothing listens there: {NONE_HINT}"
            assert source.view().state == "waiting"
            assert intake.heard.empty()
            with pytest.raises(UpstreamError, match="nothing listens there"):
                await probe_source(source.spec, NETWORK)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())


def test_a_probe_says_that_a_publisher_only_announces() -> None:
    async def main() -> None:
        publisher = Publisher()
        try:
            found = await probe_source(source_at(publisher.port, SpyIntake()).spec, NETWORK)
        finally:
            publisher.close()
        assert found.height is None
        assert found.note == "it only announces: a p2p or rpc source of the chain has to serve beside it"

    asyncio.run(main())
