"""Sources without a host: seeds are asked, nodes chosen, remembered over a restart; over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from sprint.core.errors import ConfigError, UpstreamError
from sprint.core.protocols.bitcoin_p2p import address_book
from sprint.core.protocols.bitcoin_p2p.address_book import ADDRESSES_PER_SEED_MAX, ADDRESSES_WANTED
from sprint.core.protocols.bitcoin_p2p.addresses import NodeAddress
from sprint.core.relay.source_url import source_of
from sprint.tools.plugins import ChainCatalog
from sprint.tools.relay import peer_store
from sprint.tools.relay.peer_store import SEEDS_WAIT_MAX_S, PeerStore
from sprint.tools.relay.sources import new_source
from sprint.tools.relay.sources.p2p import P2pSource
from sprint.tools.relay.sources.p2p_chain import P2pChain
from tests.tools.relay.test_p2p_source import CHAIN, Observer, SpyIntake, new_devnet

NODES = [f"{20 + n}.8.8.8" for n in range(ADDRESSES_WANTED)]


class Seeds:
    """Answers look-ups; `asked` are the names."""

    def __init__(self, hosts: Sequence[str] = (), failing: int = 0) -> None:
        self.asked: list[str] = []
        self._hosts = hosts
        self._failing = failing

    async def look_up(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        if len(self.asked) <= self._failing:
            raise OSError("no such name")
        return self._hosts


def store(seeds: Seeds) -> PeerStore:
    return PeerStore("bitcoin", 8333, seeds.look_up)


def test_seeds_are_asked_where_no_node_is_known_and_not_where_enough_are() -> None:
    seeds = Seeds(NODES)
    peers = store(seeds)
    first = asyncio.run(peers.choose())
    assert first.host in NODES
    assert first.port == 8333
    asked = len(seeds.asked)
    assert 0 < asked <= address_book.SEEDS_ASKED_MAX
    assert asyncio.run(peers.choose()) != first, "one node is not connected to twice"
    assert len(seeds.asked) == asked


def test_a_seed_that_fails_is_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    seeds = Seeds(NODES, failing=1)
    assert asyncio.run(store(seeds).choose()).host in NODES
    assert "gave no answer" in caplog.text


def test_without_any_node_the_source_says_so() -> None:
    with pytest.raises(UpstreamError, match="no node of bitcoin is known"):
        asyncio.run(store(Seeds()).choose())


def test_a_source_that_is_tried_every_few_seconds_does_not_ask_the_seeds_as_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One that is needed is tried every 4 s, for days where the line is cut."""
    now = [1_000.0]
    monkeypatch.setattr(peer_store, "clock", lambda: now[0])
    seeds = Seeds()
    peers = store(seeds)
    asked_at: list[float] = []
    for _ in range(100):
        before = len(seeds.asked)
        with pytest.raises(UpstreamError, match="no node of bitcoin is known"):
            asyncio.run(peers.choose())
        if len(seeds.asked) > before:
            asked_at.append(now[0])
        now[0] += 4.0
    waits = [later - earlier for earlier, later in pairwise(asked_at)]
    assert waits[:3] == [4.0, 4.0, 4.0], "a line that is cut for a moment costs no more than that"
    assert max(waits) <= SEEDS_WAIT_MAX_S + 4.0
    assert set(waits[7:]) == {32.0}


def test_one_seed_gives_a_bounded_number() -> None:
    hosts = [f"{20 + n // 200}.{n % 200}.8.8" for n in range(ADDRESSES_PER_SEED_MAX + 10)]
    peers = store(Seeds(hosts))
    asyncio.run(peers.choose())
    assert len(peers.book) == ADDRESSES_PER_SEED_MAX


def test_known_nodes_outlive_a_restart_and_one_that_served_comes_first(tmp_path: Path) -> None:
    async def first_run() -> NodeAddress:
        peers = store(Seeds(NODES))
        peers.keep_in(tmp_path)
        address = await peers.choose()
        await peers.ended(address, served=True, misbehaved=False)
        return address

    served = asyncio.run(first_run())
    seeds = Seeds()
    again = store(seeds)
    again.keep_in(tmp_path)
    assert len(again.book) == len(NODES)
    assert asyncio.run(again.choose()) == served
    assert seeds.asked == []


def test_a_node_that_misbehaved_is_shut_out_and_one_that_failed_waits() -> None:
    async def main() -> None:
        peers = store(Seeds(NODES[:2]))
        first = await peers.choose()
        await peers.ended(first, served=True, misbehaved=True)
        second = await peers.choose()
        assert second != first, "also when a seed tells of it again"
        await peers.ended(second, served=False, misbehaved=False)
        with pytest.raises(UpstreamError):
            await peers.choose()

    asyncio.run(main())


@pytest.mark.parametrize("content", [b"", b"{", b'[{"address": 1}]', b"\xff" * 100])
def test_a_spoilt_file_is_no_hindrance(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "peers-bitcoin.json").write_bytes(content)
    peers = store(Seeds(NODES))
    peers.keep_in(tmp_path)
    assert "not used" in caplog.text
    assert asyncio.run(peers.choose()).host in NODES


def test_a_folder_that_cannot_be_written_is_no_hindrance(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    peers = store(Seeds(NODES))
    peers.keep_in(tmp_path / "absent")
    asyncio.run(peers.save())
    assert "not kept" in caplog.text


def test_a_network_without_seeds_needs_a_host() -> None:
    async def main() -> None:
        network = ChainCatalog.installed().find_id(CHAIN)
        with pytest.raises(ConfigError, match="bitcoin-regtest has no DNS seeds"):
            new_source(source_of("bitcoin", "regtest", "p2p://"), network, SpyIntake(), Observer())

    asyncio.run(main())


def test_a_source_without_a_host_serves_from_a_node_of_the_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The devnet stands in for a node of the world; that it is on this machine is overlooked."""
    monkeypatch.setattr(address_book, "_place", lambda host: host.encode())
    monkeypatch.setitem(address_book.DNS_SEEDS, CHAIN, ("seed.example",))

    async def main() -> None:
        devnet = new_devnet()
        (address,) = await devnet.start()
        network = ChainCatalog.installed().find_id(CHAIN)
        chain = P2pChain(network.parameters)
        chain.peers = PeerStore(CHAIN, address.port, Seeds(["127.0.0.1"]).look_up)
        intake = SpyIntake()
        spec = source_of("bitcoin", "regtest", "p2p://")
        source = P2pSource(spec, network.parameters, intake, Observer(), chain=chain)
        task = asyncio.create_task(source.run())
        try:
            assert await intake.next() == "ready"
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await devnet.stop()
        (entry,) = chain.peers.book.entries()
        assert entry.failures == 0, "that the relay stopped says nothing of the node"

    asyncio.run(main())
