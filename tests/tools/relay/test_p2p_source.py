"""The socket around a session: connects again, pauses, ends a misbehaving node; over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

import msgspec
import pytest

from sprint.core.protocols.announcements import Announcement, BlockArrived, HeadersAnnounced
from sprint.core.relay.gate import BLOCK_FIRST_S, Ending
from sprint.core.relay.source_url import source_of
from sprint.tools.devnet.edge import Devnet, DevnetOptions
from sprint.tools.devnet.seeded_bits import SeededBits
from sprint.tools.plugins import ChainCatalog
from sprint.tools.relay.intake import Upstream
from sprint.tools.relay.sources.p2p import P2pSource
from sprint.tools.relay.stages import Stage
from tests.integration.real_servers import free_ports
from tests.tools.relay.serving import until

CHAIN = "bitcoin-regtest"
WAIT_S = 10.0


class Observer:
    def mark(self, stage: Stage, chain: str, block: bytes, at: float) -> None:
        """Times are not what these tests are about."""


class SpyIntake:
    """Takes what a source says and lets a test wait for it."""

    chain = CHAIN
    needs_sources = paused = False

    def __init__(self) -> None:
        self.upstream: Upstream | None = None
        self.serves: bool | None = None
        self.heard: asyncio.Queue[Announcement | str] = asyncio.Queue()

    def heeded(self, changed: Callable[[], object]) -> AbstractContextManager[None]:
        del changed  # nothing of it changes
        return nullcontext()

    def source_ready(
        self, name: str, upstream: Upstream, *, serves: bool = True, provider: str | None = None
    ) -> None:
        self.upstream, self.serves = upstream, serves
        self.heard.put_nowait("ready")

    def source_lost(self, name: str, reason: str, *, blocked: bool = False) -> None:
        self.upstream = None
        self.heard.put_nowait(f"{'blocked' if blocked else 'lost'}: {reason}")

    def source_noted(self, name: str, reason: str) -> None:
        self.heard.put_nowait(f"noted: {reason}")

    def announce(self, announcement: Announcement, framed_at: float) -> None:
        self.heard.put_nowait(announcement)

    async def next(self) -> Announcement | str:
        async with asyncio.timeout(WAIT_S):
            return await self.heard.get()

    def request(self, locator: Sequence[bytes] = (), bodies: Sequence[bytes] = ()) -> None:
        assert self.upstream is not None
        if locator:
            self.upstream.request_headers(locator)
        if bodies:
            self.upstream.request_blocks(bodies)


def new_devnet(port: int = 0) -> Devnet:
    options = DevnetOptions(block_interval_s=0, ports={CHAIN: port})
    return Devnet([CHAIN], options, rng_of=SeededBits, wall_clock=lambda: 1_700_000_000.0)


def against_a_devnet(scene: Callable[[SpyIntake, P2pSource, Devnet, int], Awaitable[None]]) -> None:
    """Run a source against a devnet node."""

    async def main() -> None:
        devnet = new_devnet(*free_ports(1))  # where nobody is who only connects: it may be started again
        (address,) = await devnet.start()
        network = ChainCatalog.installed().find_id(CHAIN)
        spec = source_of("bitcoin", "regtest", f"p2p://127.0.0.1:{address.port}", name="n")
        intake = SpyIntake()
        source = P2pSource(spec, network.parameters, intake, Observer())
        task = asyncio.create_task(source.run())
        try:
            await scene(intake, source, devnet, address.port)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await devnet.stop()

    asyncio.run(main())


def genesis() -> bytes:
    return bytes(ChainCatalog.installed().find_id(CHAIN).parameters.genesis_hash)


def test_headers_and_bodies_come_as_they_are_asked_for() -> None:
    async def scene(intake: SpyIntake, source: P2pSource, devnet: Devnet, port: int) -> None:
        assert await intake.next() == "ready"
        intake.request(locator=[genesis()])
        headers = await intake.next()
        assert isinstance(headers, HeadersAnnounced)
        assert len(headers.headers) == devnet.ledger(CHAIN).height()
        assert source.view().awaited_s == 0.0
        intake.request(bodies=[devnet.ledger(CHAIN).tip])
        block = await intake.next()
        assert isinstance(block, BlockArrived)
        assert block.raw == devnet.ledger(CHAIN).body(devnet.ledger(CHAIN).tip, witness=True)
        view = source.view()
        assert (view.state, view.blocks_received, view.awaited_s) == ("ready", 1, 0.0)

    against_a_devnet(scene)


def test_a_node_that_went_away_is_connected_to_again() -> None:
    async def scene(intake: SpyIntake, source: P2pSource, devnet: Devnet, port: int) -> None:
        assert await intake.next() == "ready"
        await devnet.stop()
        lost = await intake.next()
        assert isinstance(lost, str)
        assert lost.startswith("lost: ")
        again = new_devnet(port)
        await again.start()
        try:
            assert await intake.next() == "ready"
            assert source.view().connects == 2
        finally:
            await again.stop()

    against_a_devnet(scene)


def test_where_a_url_names_no_port_the_reason_does() -> None:
    """It had said that the connection was refused, and not by whom."""

    async def main() -> None:
        (closed,) = free_ports(1)
        spec = source_of("bitcoin", "regtest", "p2p://127.0.0.1", name="n")
        parameters = ChainCatalog.installed().find_id(CHAIN).parameters
        parameters = msgspec.structs.replace(parameters, default_port=closed)
        source = P2pSource(spec, parameters, SpyIntake(), Observer())
        await source.connect_once()
        assert source.view().reason.startswith(f"127.0.0.1 port {closed}: [Errno 111]")

    asyncio.run(main())


def test_a_source_over_its_score_is_closed_and_says_why() -> None:
    async def scene(intake: SpyIntake, source: P2pSource, devnet: Devnet, port: int) -> None:
        assert await intake.next() == "ready"
        assert intake.upstream is not None
        intake.upstream.penalise(99, "a small thing")
        assert source.view().state == "ready"
        intake.upstream.penalise(1, "merkle_root: false")
        assert (
            await intake.next()
            == "blocked: merkle_root: false (score 100, limit 100); shut out for 5 to 10 s"
        )

    against_a_devnet(scene)


def test_a_block_that_does_not_come_is_seen_to_be_waited_for() -> None:
    async def scene(intake: SpyIntake, source: P2pSource, devnet: Devnet, port: int) -> None:
        assert await intake.next() == "ready"
        assert source.view().awaited_s == 0.0
        assert intake.upstream is not None
        intake.upstream.pause(paused=True)
        intake.request(bodies=[devnet.ledger(CHAIN).tip])
        await until(lambda: source.view().awaited_s > 0.0)

    against_a_devnet(scene)


def test_faults_are_added_up_over_connections_and_one_shut_out_is_blocked_for_a_time() -> None:
    async def scene(intake: SpyIntake, source: P2pSource, devnet: Devnet, port: int) -> None:
        assert await intake.next() == "ready"
        assert intake.upstream is not None
        intake.upstream.penalise(1, "a small thing")
        assert source.view().faults == {"invalid": 1}
        intake.upstream.penalise(99, "merkle_root: false")
        assert str(await intake.next()).startswith("blocked: ")
        await until(lambda: source.view().state == "blocked")
        view = source.view()
        assert view.faults == {"invalid": 2}
        assert BLOCK_FIRST_S / 2 - 1 < view.retry_in_s <= BLOCK_FIRST_S

    against_a_devnet(scene)


def test_a_paused_source_reads_nothing_until_it_is_resumed() -> None:
    async def scene(intake: SpyIntake, source: P2pSource, devnet: Devnet, port: int) -> None:
        assert await intake.next() == "ready"
        assert intake.upstream is not None
        intake.upstream.pause(paused=True)
        intake.upstream.pause(paused=True)
        devnet.mine(CHAIN)
        intake.request(locator=[genesis()])
        # The node answers in order of asking: once another connection has its answer, this one's is out too.
        other = SpyIntake()
        beside = asyncio.create_task(P2pSource(source.spec, source.parameters, other, Observer()).run())
        assert await other.next() == "ready"
        other.request(locator=[genesis()])
        assert isinstance(await other.next(), HeadersAnnounced)
        assert intake.heard.empty()
        beside.cancel()
        intake.upstream.pause(paused=False)
        assert isinstance(await intake.next(), HeadersAnnounced)

    against_a_devnet(scene)


def test_a_source_that_meets_a_mistake_of_ours_backs_off_and_tries_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scene(intake: SpyIntake, source: P2pSource, devnet: Devnet, port: int) -> None:
        assert await intake.next() == "ready"
        connect = source.connect_once
        endings = [ZeroDivisionError("a mistake"), UnicodeError("no such label")]

        async def fail_first() -> tuple[Ending, float]:
            if endings:
                raise endings.pop(0)
            return await connect()

        source.connect_once = fail_first  # type: ignore[method-assign]  # what a mistake would do
        await devnet.stop()
        assert str(await intake.next()).startswith("lost: ")
        again = new_devnet(port)
        await again.start()
        try:
            assert await intake.next() == "ready"
        finally:
            await again.stop()
        assert [record.levelname for record in caplog.records if record.exc_info] == ["ERROR", "ERROR"]

    against_a_devnet(scene)
