"""A whole relay in this process: it starts, delivers, tells what it knows, and drains."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import msgspec
import pytest
from websockets.asyncio.client import connect

from sprint.core.config import ChainSection
from sprint.core.errors import ConfigError, ListenError, StoreError, StoreFailing
from sprint.core.relay.source_url import SourceSpec, parse_source
from sprint.core.relay.tiers import find_tier
from sprint.tools.relay.listeners import Ports
from sprint.tools.relay.service import RelayOptions, RelayService, Serving, packaged_tiers
from sprint.tools.runtime import StopSignal, clock
from sprint.tools.store import sqlite
from sprint.tools.web.server import STOP_TIMEOUT_S

START_S = 20.0
PORTS = Ports(host="127.0.0.1", tier=0, admin=0, metrics=0, free_if_taken=False)


def options(
    *,
    data_dir: Path | None = None,
    sources: tuple[SourceSpec, ...] = (),
    chains: tuple[str, ...] = (),
    tiers: tuple[str, ...] = ("turbo",),
    ports: Ports = PORTS,
) -> RelayOptions:
    known = packaged_tiers({})
    return RelayOptions(
        sources=sources,
        chain_sections={},
        tiers=tuple(find_tier(known, name) for name in tiers),
        ports=ports,
        data_dir=data_dir,
        durability="process",
        demo=not sources,
        chains=chains,
    )


def with_a_relay(asked: RelayOptions, scene: Callable[[Serving], Awaitable[None]]) -> None:
    """Run a relay, act out a scene when it serves, stop it, and see it end."""
    asyncio.run(serve_and_stop(asked, scene))


async def serve_and_stop(asked: RelayOptions, scene: Callable[[Serving], Awaitable[None]]) -> float:
    """Do so on the running loop; return how long the stop took."""
    stop = StopSignal()
    ready: asyncio.Future[Serving] = asyncio.get_running_loop().create_future()
    running = asyncio.create_task(RelayService(asked).run(ready.set_result, stop))
    await asyncio.wait((running, ready), timeout=START_S, return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        await running
    try:
        await scene(await ready)
    finally:
        stop.stop(0)
        stopped_at = clock()
        async with asyncio.timeout(START_S):
            await asyncio.wait((running,))
    await running
    return clock() - stopped_at


async def blocks(serving: Serving, count: int, query: str) -> list[dict[str, object]]:
    url = serving.listeners[0].url.replace("http", "ws", 1) + f"/ws/v1/events?types=block&{query}"
    found: list[dict[str, object]] = []
    async with asyncio.timeout(START_S), connect(url) as socket:
        async for message in socket:
            event = json.loads(message)
            if event.get("type") == "block":
                found.append(event)
                if len(found) == count:
                    break
    return found


def test_the_devnets_blocks_arrive_once_in_order_and_are_found_by_the_api() -> None:
    async def scene(serving: Serving) -> None:
        found = await blocks(serving, 3, "chains=bitcoin&from=earliest")
        heights = [event["data"]["height"] for event in found]  # type: ignore[index]
        assert heights == list(range(heights[0], heights[0] + 3))
        async with httpx.AsyncClient(base_url=serving.listeners[0].url) as http:
            latest = (await http.get("/api/v1/btc/latest")).json()
            status = (await http.get("/api/v1/chains/bitcoin-regtest/status")).json()
            health = (await http.get("/api/v1/health")).json()
            assert (await http.get("/api/v1/ready")).status_code == 200
        assert latest["height"] >= heights[-1]
        assert (status["status"], status["anchor"], status["sources"][0]["state"]) == (
            "following",
            "first_use",
            "ready",
        )
        assert health["status"] == "ok"
        assert status["log"] == serving.log

    with_a_relay(options(), scene)


def test_finality_and_network_are_told_by_each_chains_own_settings() -> None:
    asked = msgspec.structs.replace(
        options(chains=("bitcoin", "litecoin")),
        chain_sections={"bitcoin-regtest": ChainSection(finality_depth=1)},
    )

    async def scene(serving: Serving) -> None:
        url = serving.listeners[0].url
        final: dict[str, list[int]] = {"bitcoin-regtest": [], "litecoin-regtest": []}
        heads: dict[str, int] = {}
        stream = url.replace("http", "ws", 1) + "/ws/v1/events?types=block,finalized&from=earliest"
        async with asyncio.timeout(START_S), connect(stream) as socket:
            while not all(final.values()):
                event = json.loads(await socket.recv())
                if event.get("type") == "block":
                    heads[event["chain"]] = event["data"]["height"]
                elif event.get("type") == "finalized":
                    final[event["chain"]].append(heads[event["chain"]] - event["data"]["height"] + 1)
        assert set(final["bitcoin-regtest"]) == {1}
        assert set(final["litecoin-regtest"]) == {ChainSection().finality_depth}
        async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
            network = (await client.get("/api/v1/chains/bitcoin-regtest/status")).json()["network"]
        assert network["blocks"] > 0
        assert network["hash_rate"] > 0
        assert sum(network["intervals"]["counts"]) == network["blocks"]
        assert set(network["pools"]) == {"unknown"}

    with_a_relay(asked, scene)


def test_admin_and_metrics_tell_of_the_blocks_way() -> None:
    async def scene(serving: Serving) -> None:
        await blocks(serving, 1, "chains=litecoin")
        async with httpx.AsyncClient() as http:
            metrics = (await http.get(f"{serving.metrics}/metrics")).text
            sources = (await http.get(f"{serving.admin}/api/sources")).json()
            refused = await http.get(
                f"{serving.admin}/api/sources", headers={"Origin": "http://evil.example"}
            )
        assert 'sprint_stage_seconds_count{chain="litecoin-regtest",stage="handed_over"}' in metrics
        assert [s["name"] for s in sources["sources"]["litecoin-regtest"]] == [
            f"devnet-litecoin-{scheme}" for scheme in ("p2p", "rpc", "zmq")
        ]
        assert refused.status_code == 403

    with_a_relay(options(chains=("ltc",)), scene)


@pytest.mark.parametrize("host", ["127.0.0.2", "::1"])
def test_a_relay_serves_at_the_address_that_it_listens_on(host: str) -> None:
    async def scene(serving: Serving) -> None:
        async with httpx.AsyncClient() as http:
            for url in (f"{serving.listeners[0].url}/api/v1/version", f"{serving.admin}/api/sources"):
                assert (await http.get(url)).status_code == 200

    with_a_relay(options(ports=msgspec.structs.replace(PORTS, host=host)), scene)


def test_only_the_chains_asked_for_are_followed() -> None:
    async def scene(serving: Serving) -> None:
        async with httpx.AsyncClient(base_url=serving.listeners[0].url) as http:
            chains = (await http.get("/api/v1/chains")).json()["chains"]
        assert [chain["chain"] for chain in chains] == ["litecoin-regtest"]

    with_a_relay(options(chains=("litecoin",)), scene)


def test_each_tier_has_a_listener_of_its_own() -> None:
    async def scene(serving: Serving) -> None:
        assert [listener.tier for listener in serving.listeners] == ["free", "business", "turbo"]
        async with httpx.AsyncClient() as http:
            for listener in serving.listeners:
                assert (await http.get(f"{listener.url}/api/v1/version")).headers["Sprint-Log"] == serving.log

    with_a_relay(options(tiers=("free", "business", "turbo")), scene)


def test_a_devnet_leaves_the_log_of_the_operators_nodes_alone(tmp_path: Path) -> None:
    kept = tmp_path / "sprint.db"
    kept.write_bytes(b"the operator's own")

    async def scene(serving: Serving) -> None:
        await blocks(serving, 1, "chains=bitcoin")

    with_a_relay(options(data_dir=tmp_path), scene)
    assert kept.read_bytes() == b"the operator's own"
    assert list(tmp_path.iterdir()) == [kept], "the devnet's own log goes with the process"


def test_a_source_of_a_provider_called_devnet_keeps_its_log(tmp_path: Path) -> None:
    logs: list[str] = []
    source = parse_source("litecoin:regtest=p2p://127.0.0.1:1?provider=devnet")

    async def scene(serving: Serving) -> None:
        logs.append(serving.log)

    for _ in range(2):
        with_a_relay(options(data_dir=tmp_path, sources=(source,)), scene)
    assert logs[0] == logs[1]


def test_the_devnet_runs_no_chain_that_has_a_source_even_one_left_out() -> None:
    source = parse_source("bitcoin:regtest=p2p://127.0.0.1:1")

    async def scene(serving: Serving) -> None:
        async with httpx.AsyncClient(base_url=serving.listeners[0].url) as http:
            chains = (await http.get("/api/v1/chains")).json()["chains"]
        assert [chain["chain"] for chain in chains] == ["litecoin-regtest"]

    asked = msgspec.structs.replace(options(sources=(source,), chains=("litecoin",)), demo=True)
    with_a_relay(asked, scene)


def test_a_second_relay_on_the_same_data_is_refused(tmp_path: Path) -> None:
    source = parse_source("litecoin:regtest=p2p://127.0.0.1:1")
    asked = options(data_dir=tmp_path, sources=(source,))

    async def scene(_: Serving) -> None:
        with pytest.raises(StoreError, match=str(tmp_path)):
            await RelayService(asked).run(lambda _: None, StopSignal())

    with_a_relay(asked, scene)


def test_a_port_asked_for_and_taken_is_named_with_its_option() -> None:
    async def scene(serving: Serving) -> None:
        port = int(serving.admin.rpartition(":")[2])
        ports = Ports(host="127.0.0.1", tier=0, admin=port, metrics=0, free_if_taken=True)
        with pytest.raises(ListenError, match=f"{port}.*--admin-port"):
            await RelayService(options(ports=ports)).run(lambda _: None, StopSignal())

    with_a_relay(options(), scene)


def test_a_chain_that_no_source_serves_is_refused_with_what_there_is() -> None:
    source = parse_source("litecoin:regtest=p2p://127.0.0.1:1")
    with pytest.raises(ConfigError, match="there are litecoin-regtest"):
        asyncio.run(
            RelayService(options(sources=(source,), chains=("bitcoin",))).run(lambda _: None, StopSignal())
        )


def test_a_stop_with_an_idle_long_poll_is_quick_and_answers_it(caplog: pytest.LogCaptureFixture) -> None:
    polling: list[asyncio.Task[httpx.Response]] = []

    async def scene(serving: Serving) -> None:
        http = httpx.AsyncClient(base_url=serving.listeners[0].url, timeout=60)
        asked = http.get("/api/v1/events", params={"wait": "60", "types": "reorg"})
        polling.append(asyncio.create_task(asked))
        await blocks(serving, 2, "from=latest")

    async def main() -> float:
        took_s = await serve_and_stop(options(), scene)
        assert (await polling[0]).status_code == 200
        return took_s

    assert asyncio.run(main()) < STOP_TIMEOUT_S / 2
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_a_stop_whose_store_fails_keeps_its_one_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    stopping_at: list[float] = []

    def refuse(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    async def scene(serving: Serving) -> None:
        await blocks(serving, 1, "from=latest")
        monkeypatch.setattr(sqlite, "write_group", refuse)
        async with httpx.AsyncClient(base_url=serving.listeners[0].url) as http, asyncio.timeout(START_S):
            while (await http.get("/api/v1/ready")).status_code == 200:
                pass
        stopping_at.append(clock())

    with pytest.raises(StoreFailing, match="not in"):
        with_a_relay(options(), scene)
    assert clock() - stopping_at[0] < STOP_TIMEOUT_S
