"""A real node in its initial block download is told from one that fails: said so, waited for, and followed.

A fresh regtest node has its genesis block alone, which is too old: it passes over every request for headers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.bcoin_node import running_bcoin
from tests.integration.real_servers import HOST, Litecoind, require, wait_until
from tests.integration.relay_breakers import RelayBreakers
from tests.integration.relay_process import RelayProcess
from tests.integration.subscribers import Listener, blocks_of

pytestmark = pytest.mark.real("litecoind")

FRESH, BREAKER = "fresh", "source:litecoin-regtest:fresh"


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Litecoind]:
    """A litecoind with nothing but its genesis block."""
    require("litecoind")
    with ExitStack() as started:
        node = Litecoind(tmp_path / "fresh").start()
        started.callback(node.stop)
        assert node.rpc("getblockchaininfo")["initialblockdownload"]
        yield node


def relay_on(folder: Path, *sources: str) -> RelayProcess:
    options = [part for source in sources for part in ("--source", source)]
    return RelayProcess(folder, *options, "--data-dir", str(folder / "data"))


def p2p_source(name: str, node: Litecoind) -> str:
    return f"{name}@litecoin:regtest=p2p://{HOST}:{node.p2p_port}"


def test_a_node_at_genesis_is_said_to_sync_no_failure_is_counted_and_its_first_block_comes_through(
    fresh: Litecoind, tmp_path: Path
) -> None:
    """Its silence was a failure every 4 s, and opened the breaker before the first block."""
    with (
        relay_on(tmp_path, p2p_source(FRESH, fresh)) as relay,
        RelayBreakers(relay) as breakers,
        Listener(relay.url) as listener,
    ):
        wait_until(lambda: breakers.source(FRESH)["state"] == "syncing", "it is said to sync")
        assert "still syncing: it has only its genesis block" in breakers.source(FRESH)["reason"]

        def status() -> dict[str, object]:
            return listener.client.status("litecoin")

        assert status()["sources_ready"] == 0
        found = breakers.explain(BREAKER)
        assert (found["calls"], found["failures"]) == (1, 0), "it shook hands, and answers pings"
        first = fresh.mine(1)[0]
        listener.wait_for_block(first)
        assert blocks_of(listener.events) == [first]
        wait_until(lambda: status()["status"] == "following", "the chain goes on")
        assert breakers.source(FRESH)["state"] == "ready"
        assert breakers.history(BREAKER) == []
        assert breakers.explain(BREAKER)["failures"] == 0
        rest = fresh.mine(3)
        listener.wait_for_block(rest[-1])
        assert blocks_of(listener.events) == [first, *rest]


def test_beside_a_node_that_serves_one_at_genesis_holds_up_nothing_and_joins_with_what_it_is_given(
    fresh: Litecoind, litecoind: Litecoind, tmp_path: Path
) -> None:
    with (
        relay_on(tmp_path, p2p_source(FRESH, fresh), p2p_source("old", litecoind)) as relay,
        RelayBreakers(relay) as breakers,
        Listener(relay.url) as listener,
    ):
        wait_until(lambda: breakers.source(FRESH)["state"] == "syncing", "it is said to sync")
        listener.wait_for_block(litecoind.tip)
        listener.wait_for_block(litecoind.mine(5)[-1])
        fresh.connect_to(litecoind)
        fresh.wait_for_tip(litecoind.mine(1)[-1])
        wait_until(lambda: breakers.source(FRESH)["state"] == "ready", "it has synced")
        listener.wait_for_block(fresh.mine(1)[-1])
        assert breakers.history(BREAKER) == []


def test_over_rpc_a_node_at_genesis_is_usable_with_a_note_and_each_block_comes(
    fresh: Litecoind, tmp_path: Path
) -> None:
    source = (
        f"{FRESH}@litecoin:regtest=rpc://{HOST}:{fresh.rpc_port}?user_env=NODE_USER&password_env=NODE_WORD"
    )
    environment = {"NODE_USER": "sprint", "NODE_WORD": "regtest-only"}
    data = ("--data-dir", str(tmp_path / "data"))
    with (
        RelayProcess(tmp_path, "--source", source, *data, environment=environment) as relay,
        RelayBreakers(relay) as breakers,
        Listener(relay.url) as listener,
    ):
        wait_until(lambda: bool(breakers.source(FRESH)["notes"]), "its note is there")
        assert "still syncing: it has only its genesis block" in breakers.source(FRESH)["notes"][0]
        wait_until(lambda: listener.client.status("litecoin")["status"] == "following", "the log has begun")
        mined = fresh.mine(3)
        listener.wait_for_block(mined[-1])
        assert blocks_of(listener.events) == mined


@pytest.mark.real("bcoin")
def test_a_bcoin_at_genesis_is_said_to_sync_and_its_first_block_comes_through(tmp_path: Path) -> None:
    require("bcoin")
    with running_bcoin() as node:
        source = f"{FRESH}@bitcoin:regtest=p2p://{HOST}:{node.p2p_port}"
        with (
            relay_on(tmp_path, source) as relay,
            RelayBreakers(relay) as breakers,
            Listener(relay.url) as listener,
        ):
            wait_until(lambda: breakers.source(FRESH)["state"] == "syncing", "it is said to sync")
            (first,) = node.mine(1)
            listener.wait_for_block(first)
            assert breakers.source(FRESH)["state"] == "ready"
            assert breakers.history("source:bitcoin-regtest:fresh") == []
