"""The devnet over sockets: what a peer is told and given, when it is cut off, and that all of it ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Self, TypeVar

import pytest

from sprint.core.chains import Block, bitcoin, display_hash, dogecoin, litecoin
from sprint.core.errors import ConfigError, ListenError
from sprint.core.kernels import sha256d
from sprint.core.protocols.bitcoin_p2p.events import (
    BlockReceived,
    BlocksAnnounced,
    BlocksNotFound,
    HeadersReceived,
    Ready,
    SessionEvent,
)
from sprint.core.protocols.bitcoin_p2p.link import SessionSettings
from sprint.core.protocols.bitcoin_p2p.session import PeerSession
from sprint.tools.devnet import node as node_module
from sprint.tools.devnet.edge import Devnet, DevnetAddress, DevnetOptions
from sprint.tools.devnet.seeded_bits import SeededBits
from tests.core.chains.bitcoin_family.building import at

CHAIN_OF = {
    "bitcoin-regtest": bitcoin.CHAIN,
    "litecoin-regtest": litecoin.CHAIN,
    "dogecoin-regtest": dogecoin.CHAIN,
}
WHEN_TOLD = DevnetOptions(block_interval_s=0)
START = 1_700_000_000.0
ANSWER_TIMEOUT_S = 20.0

EventT = TypeVar("EventT", bound=SessionEvent)


def rng_of(name: str) -> random.Random:
    return random.Random(name)


@contextlib.asynccontextmanager
async def running(
    *chain_ids: str, options: DevnetOptions = WHEN_TOLD
) -> AsyncIterator[tuple[Devnet, list[DevnetAddress]]]:
    devnet = Devnet(chain_ids, options, rng_of=rng_of, wall_clock=lambda: START)
    addresses = await devnet.start()
    try:
        yield devnet, addresses
    finally:
        await devnet.stop()


class Peer:
    """A small client: one socket and a session that asks."""

    def __init__(self, address: DevnetAddress) -> None:
        parameters = CHAIN_OF[address.chain_id].networks["regtest"]
        self.genesis = parameters.genesis_hash
        self.session = PeerSession(parameters, SessionSettings(), nonce=7, now=0.0)
        self._address = address
        self._events: list[SessionEvent] = []

    async def __aenter__(self) -> Self:
        _, host, port = self._address
        self._reader, self._writer = await asyncio.open_connection(host, port)
        await self.next(Ready)
        await self.sync(self.genesis)  # its answer says that the node has our verack and sendheaders
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()

    async def next(self, kind: type[EventT]) -> EventT:
        """Wait for the next event of a kind; others before it stay for later calls."""
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            while True:
                for event in self._events:
                    if isinstance(event, kind):
                        self._events.remove(event)
                        return event
                await self._exchange()

    async def sync(self, *locator: bytes) -> list[bytes]:
        """Ask for headers and return those that answer: a barrier behind all that was said before."""
        self.session.request_headers(locator, 0.0)
        return list((await self.next(HeadersReceived)).headers)

    async def ended(self) -> None:
        """Wait until the node closes the connection."""
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            with contextlib.suppress(ConnectionError):
                while await self._reader.read(65_536):
                    pass

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    def heard(self, kind: type[EventT]) -> list[EventT]:
        """Return what came so far and was not taken."""
        return [event for event in self._events if isinstance(event, kind)]

    async def _exchange(self) -> None:
        while data := self.session.data_to_send():
            self._writer.write(data)
        data = await self._reader.read(65_536)
        assert data, "the node closed the connection"
        self._events += self.session.receive_data(data, 0.0)
        assert self.session.closed is None
        while data := self.session.data_to_send():
            self._writer.write(data)


@pytest.mark.parametrize("chain_id", list(CHAIN_OF))
def test_a_peer_syncs_headers_and_every_body_it_gets_is_valid(chain_id: str) -> None:
    async def scenario() -> None:
        count = 25  # on Dogecoin the last ones are merge-mined
        options = DevnetOptions(block_interval_s=0, blocks_at_start=count, transactions=20)
        async with running(chain_id, options=options) as (devnet, [address]), Peer(address) as peer:
            headers = await peer.sync(peer.genesis)
            hashes = [sha256d(header[:80]) for header in headers]
            assert hashes == devnet.ledger(chain_id).best_chain_from(1, count)
            peer.session.request_blocks([peer.genesis, *hashes], 0.0)
            for height, wanted in enumerate([peer.genesis, *hashes]):
                raw = (await peer.next(BlockReceived)).raw
                block = CHAIN_OF[chain_id].processor("regtest").process_block(raw)
                assert isinstance(block, Block), block
                assert block.header.hash == wanted
                assert CHAIN_OF[chain_id].processor("regtest").check_context(block, at(height), ()) is None

    asyncio.run(scenario())


def test_few_new_blocks_are_announced_by_headers_and_many_by_the_tip_alone() -> None:
    async def scenario() -> None:
        async with running("bitcoin-regtest") as (devnet, [address]), Peer(address) as peer:
            hashes = devnet.mine("bitcoin-regtest", 8)
            announced = await peer.next(HeadersReceived)
            assert [sha256d(header) for header in announced.headers] == hashes
            hashes = devnet.mine("bitcoin-regtest", 9)
            assert (await peer.next(BlocksAnnounced)).hashes == (hashes[-1],)

    asyncio.run(scenario())


def test_a_reorg_is_announced_by_the_whole_new_branch() -> None:
    async def scenario() -> None:
        async with running("litecoin-regtest") as (devnet, [address]), Peer(address) as peer:
            fork = devnet.ledger("litecoin-regtest").tip
            devnet.mine("litecoin-regtest", 3)
            await peer.next(HeadersReceived)
            branch = devnet.reorg("litecoin-regtest", 3)
            announced = (await peer.next(HeadersReceived)).headers
            assert [sha256d(header) for header in announced] == branch
            assert announced[0][4:36] == fork
            assert devnet.ledger("litecoin-regtest").tip == branch[-1]
            assert len(branch) == 4

    asyncio.run(scenario())


def test_a_branch_cut_back_is_silent_and_its_return_is_announced() -> None:
    async def scenario() -> None:
        async with running("bitcoin-regtest") as (devnet, [address]), Peer(address) as peer:
            (block,) = devnet.mine("bitcoin-regtest")
            await peer.next(HeadersReceived)
            devnet.invalidate("bitcoin-regtest", block)
            height = devnet.ledger("bitcoin-regtest").height()
            assert len(await peer.sync(peer.genesis)) == height
            assert not peer.heard(HeadersReceived)
            assert not peer.heard(BlocksAnnounced)
            devnet.reconsider("bitcoin-regtest", block)
            announced = await peer.next(HeadersReceived)
            assert [sha256d(header) for header in announced.headers] == [block]

    asyncio.run(scenario())


def test_a_block_that_is_not_there_is_answered_by_notfound() -> None:
    async def scenario() -> None:
        async with running("bitcoin-regtest") as (_, [address]), Peer(address) as peer:
            peer.session.request_blocks([b"\x01" * 32], 0.0)
            assert (await peer.next(BlocksNotFound)).hashes == (b"\x01" * 32,)

    asyncio.run(scenario())


def test_more_than_fits_the_write_buffers_arrives_whole_and_in_order() -> None:
    async def scenario() -> None:
        options = DevnetOptions(block_interval_s=0, blocks_at_start=40, transactions=1_000)
        async with running("bitcoin-regtest", options=options) as (_, [address]), Peer(address) as peer:
            hashes = [sha256d(header) for header in await peer.sync(peer.genesis)]
            peer.session.request_blocks(hashes * 2, 0.0)  # the second answer to each is unwanted there
            received = [sha256d((await peer.next(BlockReceived)).raw[:80]) for _ in hashes]
            assert received == hashes

    asyncio.run(scenario())


def test_the_clock_mines_and_each_block_is_announced_to_every_peer() -> None:
    async def scenario() -> None:
        options = DevnetOptions(block_interval_s=0.01)
        async with (
            running("bitcoin-regtest", "litecoin-regtest", options=options) as (_, addresses),
            Peer(addresses[0]) as first,
            Peer(addresses[0]) as second,
            Peer(addresses[1]) as other_chain,
        ):
            for peer in (first, second, other_chain):
                last = b""
                for _ in range(5):
                    for header in (await peer.next(HeadersReceived)).headers:
                        assert not last or header[4:36] == sha256d(last)
                        last = header

    asyncio.run(scenario())


def test_one_connection_over_the_limit_is_closed_and_a_freed_place_is_given_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(node_module, "SESSIONS_MAX", 1)

    async def scenario() -> None:
        async with running("bitcoin-regtest") as (devnet, [address]):
            async with Peer(address):
                reader, writer = await asyncio.open_connection(address.host, address.port)
                with contextlib.suppress(ConnectionError):
                    assert await reader.read() == b""
                writer.close()
            node = devnet._nodes["bitcoin-regtest"]
            for connection in tuple(node.connections):
                await connection._lost
            assert not node.connections
            assert not node.core.sessions
            async with Peer(address):
                pass

    asyncio.run(scenario())


def test_a_peer_that_talks_nonsense_is_cut_off_and_others_are_served() -> None:
    async def scenario() -> None:
        async with running("bitcoin-regtest") as (_, [address]), Peer(address) as good:
            async with Peer(address) as bad:
                bad.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" + bytes(100))
                await bad.ended()
            assert await good.sync(good.genesis)

    asyncio.run(scenario())


def test_stopping_closes_connections_and_frees_the_port() -> None:
    async def scenario() -> None:
        async with running("bitcoin-regtest") as (devnet, [address]):
            async with Peer(address) as peer:
                await devnet.stop()
                await peer.ended()
            with pytest.raises(ConnectionError):
                await asyncio.open_connection(address.host, address.port)

    asyncio.run(scenario())


def test_a_taken_port_and_an_unknown_chain_are_told() -> None:
    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            options = DevnetOptions(block_interval_s=0, ports={"litecoin-regtest": port})
            with pytest.raises(ListenError, match=f"litecoin-regtest .*127.0.0.1:{port}"):
                async with running("bitcoin-regtest", "litecoin-regtest", options=options):
                    pass
        with pytest.raises(ConfigError, match="no devnet for chain 'bitcoin'; there is bitcoin-regtest"):
            Devnet(["bitcoin"], WHEN_TOLD, rng_of=rng_of, wall_clock=lambda: START)

    asyncio.run(scenario())


def test_blocks_do_not_depend_on_who_connects_or_what_runs_beside() -> None:
    async def tip(*chain_ids: str) -> bytes:
        async with running(*chain_ids) as (devnet, addresses), Peer(addresses[0]):
            return devnet.mine("bitcoin-regtest", 3)[-1]

    async def alone() -> bytes:
        async with running("bitcoin-regtest") as (devnet, _):
            return devnet.mine("bitcoin-regtest", 3)[-1]

    assert asyncio.run(tip("bitcoin-regtest", "litecoin-regtest")) == asyncio.run(alone())


def test_seeded_bits_replay_and_stay_within_their_size() -> None:
    first, again = SeededBits("a"), SeededBits("a")
    assert [first.getrandbits(k) for k in range(257)] == [again.getrandbits(k) for k in range(257)]
    assert all(SeededBits(str(seed)).getrandbits(5) < 32 for seed in range(200))
    assert {SeededBits(str(seed)).getrandbits(2) for seed in range(200)} == {0, 1, 2, 3}
    with pytest.raises(ValueError, match="257 bits wanted, limit 256"):
        first.getrandbits(257)


def _address(answer: dict[str, object]) -> DevnetAddress:
    return DevnetAddress(str(answer["chain"]), str(answer["host"]), int(str(answer["port"])))


class Process:
    """`python -m sprint.tools.devnet`, driven by lines."""

    def __init__(self, *arguments: str) -> None:
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "sprint.tools.devnet", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.address = _address(self.read())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.popen.kill()
        self.popen.communicate()

    def ask(self, line: str) -> dict[str, object]:
        assert self.popen.stdin is not None
        self.popen.stdin.write(line + "\n")
        self.popen.stdin.flush()
        return self.read()

    def read(self) -> dict[str, object]:
        assert self.popen.stdout is not None
        answer = json.loads(self.popen.stdout.readline())
        assert isinstance(answer, dict)
        return answer


def test_a_process_answers_each_line_and_ends_on_quit() -> None:
    with Process("--chain", "litecoin-regtest", "--seed", "5", "--transactions", "2") as process:
        mined = process.ask("mine 2")["hashes"]
        assert isinstance(mined, list)
        assert process.ask("height") == process.ask("tip") == {"tip": mined[-1], "height": 5}
        branch = process.ask("reorg 1")["hashes"]
        assert isinstance(branch, list)
        assert process.ask("tip") == {"tip": branch[-1], "height": 6}
        assert process.ask(f"invalidate {branch[0]}") == {"tip": mined[-1], "height": 5}
        assert process.ask(f"reconsider {branch[0]}") == {"tip": branch[-1], "height": 6}
        for wrong in ("mine", "mine 0", "mine x", "reorg 99", "invalidate 00", "", "x" * 5_000):
            assert "error" in process.ask(wrong)

        async def sync() -> list[bytes]:
            async with Peer(process.address) as peer:
                return await peer.sync(peer.genesis)

        headers = asyncio.run(sync())
        assert display_hash(sha256d(headers[-1])) == branch[-1]
        assert process.popen.communicate("quit\n")[0] == ""
        assert process.popen.returncode == 0


def test_a_process_ends_with_its_input_and_on_sigterm() -> None:
    with Process("--chain", "bitcoin-regtest", "--interval-ms", "10") as process:
        process.popen.communicate()
        assert process.popen.returncode == 0
    with Process("--chain", "bitcoin-regtest") as process:
        process.ask("tip")
        process.popen.send_signal(signal.SIGTERM)
        assert process.popen.wait() == 0
