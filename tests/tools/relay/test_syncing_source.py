"""A node that passes over getheaders, over loopback: well while it syncs, failing once it has named a block.

An answer is late here after a twentieth of a second.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import pytest

from sprint.core.chains.bitcoin import REGTEST
from sprint.core.protocols.announcements import HashesAnnounced, HeadersWithheld
from sprint.core.protocols.bitcoin_p2p.events import SessionEvent
from sprint.core.protocols.bitcoin_p2p.framing import Frame
from sprint.core.protocols.bitcoin_p2p.link import SessionSettings
from sprint.core.protocols.bitcoin_p2p.listener import ServingSession
from sprint.core.protocols.bitcoin_p2p.messages import (
    MSG_BLOCK,
    NODE_NETWORK,
    NODE_WITNESS,
    Inventory,
    InventoryItem,
)
from sprint.core.relay import lateness
from sprint.core.relay.source_url import source_of
from sprint.tools.breaker import CircuitBreaker
from sprint.tools.relay.sources.p2p import P2pSource
from sprint.tools.runtime import clock
from tests.core.protocols.bitcoin_p2p.peers import MemoryLedger, frame
from tests.tools.relay.serving import until
from tests.tools.relay.test_p2p_source import Observer, SpyIntake, genesis
from tests.tools.relay.test_source_silence import guarded, running, totals

LATE_AFTER_S = 0.05
SERVES = SessionSettings(services=NODE_NETWORK | NODE_WITNESS)


class SyncingNode(ServingSession):
    """Answers all but `getheaders`; counts those."""

    def __init__(self) -> None:
        super().__init__(REGTEST, MemoryLedger(), SERVES, nonce=22, now=clock())
        self.asked = 0

    def _on_message(self, frame: Frame) -> list[SessionEvent]:
        if frame.command == "getheaders":
            self.asked += 1
            return []
        return super()._on_message(frame)


class Port:
    """Where one node listens; `say` sends what it would not say. With `hangs` it only shakes hands."""

    def __init__(self, *, hangs: bool) -> None:
        self._hangs = hangs
        self.node = SyncingNode()
        self._writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        node = self.node = SyncingNode()
        self._writers.append(writer)
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):  # the scene is over
            while data := await reader.read(1 << 16):
                node.receive_data(data, clock())
                if self._hangs and node.ready:
                    continue
                while answer := node.data_to_send():
                    writer.write(answer)
        writer.close()

    def say(self, data: bytes) -> None:
        self._writers[-1].write(data)

    def close(self) -> None:
        for writer in self._writers:
            writer.close()


@pytest.fixture(autouse=True)
def late_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lateness, "LATE_AFTER_S", LATE_AFTER_S)


def against_a_syncing_node(
    scene: Callable[[SpyIntake, P2pSource, CircuitBreaker, Port], Awaitable[None]], *, hangs: bool = False
) -> None:
    async def main() -> None:
        port, intake = Port(hangs=hangs), SpyIntake()
        server = await asyncio.start_server(port.serve, "127.0.0.1", 0)
        address = f"p2p://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        source = P2pSource(source_of("bitcoin", "regtest", address, name="n"), REGTEST, intake, Observer())
        breaker = guarded(source)
        try:
            await running(source, lambda: scene(intake, source, breaker, port))
        finally:
            server.close()
            port.close()

    asyncio.run(main())


async def asked_again(intake: SpyIntake, times: int) -> None:
    """Ask for headers, each time after it was seen that the time before they were passed over."""
    for _ in range(times):
        intake.request(locator=[genesis()])
        assert isinstance(await intake.next(), HeadersWithheld)


def test_its_silence_is_no_failure_however_often_it_is_asked() -> None:
    async def scene(intake: SpyIntake, source: P2pSource, breaker: CircuitBreaker, port: Port) -> None:
        assert await intake.next() == "ready"
        await asked_again(intake, 20)
        assert (port.node.asked, source.view().state) == (20, "syncing")
        assert "still syncing" in source.view().reason
        found = totals(breaker)
        assert (found["success"], found.get("failure", 0), breaker.state) == (1, 0, "closed")

    against_a_syncing_node(scene)


def test_one_that_names_a_block_and_gives_no_headers_opens_its_breaker_although_it_answers_pings() -> None:
    async def scene(intake: SpyIntake, source: P2pSource, breaker: CircuitBreaker, port: Port) -> None:
        assert await intake.next() == "ready"
        await asked_again(intake, 1)
        port.say(frame(Inventory((InventoryItem(MSG_BLOCK, b"\1" * 32),))))
        assert isinstance(await intake.next(), HashesAnnounced)
        assert source.view().state == "ready"
        intake.request(locator=[genesis()])
        await until(lambda: breaker.state == "open")
        assert "no answer to getheaders" in breaker.explain().because.text
        assert source.view().state != "syncing"

    against_a_syncing_node(scene)


def test_one_that_answers_no_ping_either_opens_its_breaker() -> None:
    """A node that hangs after the handshake, as one that is frozen does."""

    async def scene(intake: SpyIntake, source: P2pSource, breaker: CircuitBreaker, port: Port) -> None:
        assert await intake.next() == "ready"
        intake.request(locator=[genesis()])
        await until(lambda: breaker.state == "open")
        assert "no answer to" in breaker.explain().because.text
        assert source.view().state != "syncing"

    against_a_syncing_node(scene, hangs=True)
