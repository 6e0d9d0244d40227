"""The service: what all relays say by REST and WebSocket, orders that reach the relay, and clear refusals."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect

from sprint.core.monitor import fleet
from sprint.core.monitor.board import Board, Key
from sprint.core.monitor.fleet import FleetDelta, FleetSnapshot, FleetTransition, decode_fleet, lay_on
from sprint.tools.monitor.monitor import Monitor
from tests.tools.monitor.relay_stand_in import ALICE, RelayStandIn, serving, until, watched

Scene = Callable[[httpx.AsyncClient, Monitor, tuple[RelayStandIn, RelayStandIn]], Awaitable[None]]
JSON = {"Content-Type": "application/json"}


def with_two_relays(scene: Scene, *, read_only: bool = False) -> None:
    """Run a scene with a service of two relays: `main` with store and alice, `edge` with a store alone."""

    async def whole() -> None:
        async with (
            RelayStandIn() as main,
            RelayStandIn("edge", ("store",)) as edge,
            watched(main, edge, read_only=read_only) as monitor,
            serving(monitor) as (url, _),
            httpx.AsyncClient(base_url=url, trust_env=False, timeout=10) as client,
        ):
            await scene(client, monitor, (main, edge))

    asyncio.run(whole())


def test_all_breakers_are_listed_with_whose_they_are() -> None:
    async def scene(client: httpx.AsyncClient, _: Monitor, relays: tuple[RelayStandIn, RelayStandIn]) -> None:
        listed = (await client.get("/api/breakers")).json()
        assert [(each["relay"], each["name"]) for each in listed["breakers"]] == [
            ("main", "store"), ("main", ALICE), ("edge", "store"),
        ]  # fmt: skip
        assert [each["connection"] for each in listed["relays"]] == ["live", "live"]
        of_edge = (await client.get("/api/breakers?relay=edge")).json()
        assert [each["relay"] for each in of_edge["breakers"]] == ["edge"]
        relays[0].fail()
        one = (await client.get(f"/api/breakers/{ALICE}")).json()
        assert (one["relay"], one["state"], one["unheard"]) == ("main", "open", None)
        assert one["explanation"]["last_transitions"]
        assert one["config"]["failures_to_open"] == 2

    with_two_relays(scene)


def test_orders_and_figures_take_effect_in_the_relay_they_are_for() -> None:
    async def scene(client: httpx.AsyncClient, _: Monitor, relays: tuple[RelayStandIn, RelayStandIn]) -> None:
        main, edge = relays
        order = {"action": "force_open", "reason": "a new disk"}
        answer = await client.post("/api/breakers/store/state?relay=edge", json=order)
        assert (answer.status_code, answer.json()["changed"], answer.json()["relay"]) == (200, True, "edge")
        assert edge.registry.get("store", "store").state == "force_open"
        assert main.registry.get("store", "store").state == "closed"
        listed = (await client.get("/api/breakers?relay=edge")).json()["breakers"]
        assert listed[0]["state"] == "force_open", "who asks next is not shown what was"
        history = (await client.get("/api/breakers/store/history?relay=edge")).json()["transitions"]
        assert history[-1]["evidence"]["text"] == "operator via admin API: a new disk"
        laid = await client.put(f"/api/breakers/{ALICE}/config", json={"failures_to_open": 7})
        assert laid.json()["config"]["failures_to_open"] == 7
        assert main.registry.get(ALICE, "source").policy.failures_to_open == 7

    with_two_relays(scene)


REFUSED: tuple[tuple[str, str, dict[str, Any], int, str], ...] = (
    ("GET", "/api/breakers/stor", {}, 404, "did you mean store?"),
    ("GET", "/api/breakers/store", {}, 409, "2 relays have 'store': main, edge; say which"),
    ("GET", "/api/breakers/store?relay=moon", {}, 404, "no relay 'moon'; there is main, edge"),
    ("GET", "/api/breakers?relay=moon", {}, 404, "no relay 'moon'"),
    # What a script sends whose variable is empty was taken for all relays, and an order for whichever has it.
    ("GET", "/api/breakers?relay=", {}, 404, "no relay ''"),
    ("POST", f"/api/breakers/{ALICE}/state?relay=", {"json": {"action": "force_open"}}, 404, "no relay ''"),
    ("GET", "/api/breakers/moon", {}, 404, "there are 2, as store; GET /api/breakers lists them"),
    ("GET", f"/api/breakers/{ALICE}?relay=edge", {}, 404, "no breaker"),
    ("GET", "/api/breakers?limit=3", {}, 400, "no key 'limit'; there is relay"),
    ("GET", f"/api/breakers/{ALICE}/metrics?limit=0", {}, 400, "want a whole number from 1 to 720"),
    ("GET", f"/api/breakers/{ALICE}/history?limit=257", {}, 400, "from 1 to 256"),
    ("GET", "/ws", {}, 426, "speaks WebSocket"),
    ("POST", f"/api/breakers/{ALICE}/state", {"json": {"action": "explode"}}, 400, "want one of force_open"),
    ("POST", f"/api/breakers/{ALICE}/state", {"content": b"{", "headers": JSON}, 400, "the body"),
    ("POST", f"/api/breakers/{ALICE}/state", {"content": b"a=1"}, 415, "want application/json"),
    ("POST", f"/api/breakers/{ALICE}/state", {"content": b"x" * 10_000_000, "headers": JSON}, 413, "16384"),
    ("PUT", f"/api/breakers/{ALICE}/config", {"json": {"failures_to_opne": 1}}, 400, "failures_to_open"),
    ("DELETE", f"/api/breakers/{ALICE}", {}, 405, "there is GET"),
    ("GET", "/api/health", {"headers": {"Host": "evil.example"}}, 421, "served are"),
    ("GET", "/api/health", {"headers": {"Origin": "http://evil.example"}}, 403, "Origin"),
)  # fmt: skip


@pytest.mark.parametrize(("method", "path", "given", "status", "said"), REFUSED)
def test_what_cannot_be_is_refused_with_what_would_be_right(
    method: str, path: str, given: dict[str, Any], status: int, said: str
) -> None:
    async def scene(client: httpx.AsyncClient, _: Monitor, relays: tuple[RelayStandIn, RelayStandIn]) -> None:
        try:
            answer = await client.request(method, path, **given)
        except httpx.WriteError:  # a long body is refused before it is read
            assert status == 413
            return
        assert answer.status_code == status, answer.text
        assert said in answer.json()["detail"]
        assert relays[0].registry.get(ALICE, "source").state == "closed"

    with_two_relays(scene)


def test_read_only_refuses_all_that_changes_something() -> None:
    async def scene(client: httpx.AsyncClient, _: Monitor, relays: tuple[RelayStandIn, RelayStandIn]) -> None:
        order = await client.post(f"/api/breakers/{ALICE}/state", json={"action": "force_open"})
        laid = await client.put(f"/api/breakers/{ALICE}/config", json={})
        assert [(each.status_code, each.json()["code"]) for each in (order, laid)] == [(403, "read_only")] * 2
        assert relays[0].registry.get(ALICE, "source").state == "closed"
        assert (await client.get(f"/api/breakers/{ALICE}")).status_code == 200

    with_two_relays(scene, read_only=True)


def test_of_a_lost_relay_the_last_is_shown_and_orders_are_refused() -> None:
    async def scene(
        client: httpx.AsyncClient, monitor: Monitor, relays: tuple[RelayStandIn, RelayStandIn]
    ) -> None:
        relays[0].fail()
        await until(lambda: monitor.board.rows[relays[0].alice].state == "open", "it is open")
        await relays[0].stop()
        await until(lambda: monitor.board.relays["main"].connection == "lost", "it is lost")
        one = (await client.get(f"/api/breakers/{ALICE}")).json()
        assert (one["state"], one["explanation"]) == ("open", None)
        assert "nobody answers" in one["unheard"]
        order = await client.post(f"/api/breakers/{ALICE}/state", json={"action": "reset"})
        assert (order.status_code, order.json()["code"]) == (502, "relay_lost")
        health = (await client.get("/api/health")).json()
        assert health["status"] == "degraded"
        assert health["reasons"][0].startswith("relay main is lost: ")
        assert any(reason.startswith(f"breaker {ALICE} of main is open") for reason in health["reasons"])
        await relays[1].stop()
        await until(lambda: monitor.board.relays["edge"].connection == "lost", "it is lost too")
        assert (await client.get("/api/health")).json()["status"] == "failing"

    with_two_relays(scene)


async def received(connection: ClientConnection) -> fleet.FleetMessage:
    return decode_fleet(await asyncio.wait_for(connection.recv(), 10))


def test_a_watcher_keeps_up_by_snapshot_and_deltas_with_no_number_missing() -> None:
    async def scene(
        client: httpx.AsyncClient, monitor: Monitor, relays: tuple[RelayStandIn, RelayStandIn]
    ) -> None:
        elsewhere = Board()
        url = f"ws://127.0.0.1:{client.base_url.port}/ws"
        async with connect(url, proxy=None) as connection:
            first = await received(connection)
            assert isinstance(first, FleetSnapshot)
            assert (first.part, first.parts, first.demo, first.read_only) == (1, 1, False, False)
            lay_on(elsewhere, first, 0.0)
            relays[0].fail()
            kinds: list[type] = []
            seq = first.seq
            while elsewhere.rows != monitor.board.rows or monitor.board.rows[relays[0].alice].state != "open":
                message = await received(connection)
                assert message.seq == seq + 1
                seq = message.seq
                kinds.append(type(message))
                lay_on(elsewhere, message, 0.0)
            assert kinds.index(FleetTransition) < kinds.index(FleetDelta)
            assert elsewhere.transitions(relays[0].alice) == monitor.board.transitions(relays[0].alice)
            await connection.send("hello")
            said = msgspec.json.decode(await connection.recv())
            assert (said["type"], said["code"]) == ("error", "bad_op")

    with_two_relays(scene)


def test_a_snapshot_of_many_rows_comes_in_parts_and_what_happens_meanwhile_after_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fleet, "ROWS_PER_PART_MAX", 100)
    names = tuple(f"store:{number}" for number in range(950))

    async def scene() -> None:
        async with (
            RelayStandIn(names=names) as relay,
            watched(relay) as monitor,
            serving(monitor) as (url, _),
            connect(f"ws{url.removeprefix('http')}/ws", proxy=None) as connection,
        ):
            relay.registry.get("store:949", "store").force_open("at once")
            elsewhere = Board()
            parts = [await received(connection) for _ in range(10)]
            assert [each.part for each in parts if isinstance(each, FleetSnapshot)] == list(range(1, 11))
            for part in parts:
                lay_on(elsewhere, part, 0.0)
            assert len(elsewhere.rows) == 950
            while elsewhere.rows[Key("main", "store:949")].state != "force_open":
                lay_on(elsewhere, await received(connection), 0.0)

    asyncio.run(scene())


def test_metrics_tell_of_relays_and_breakers() -> None:
    async def scene(
        client: httpx.AsyncClient, monitor: Monitor, relays: tuple[RelayStandIn, RelayStandIn]
    ) -> None:
        relays[0].fail()
        await until(lambda: monitor.board.rows[relays[0].alice].state == "open", "it is open")
        text = (await client.get("/metrics")).text
        for line in (
            'sprint_monitor_relay_connected{relay="main"} 1.0',
            'sprint_monitor_breakers{relay="main",state="open"} 1.0',
            f'sprint_monitor_breaker_state{{breaker="{ALICE}",relay="main",state="open"}} 1.0',
            f'sprint_monitor_breaker_failure_ratio{{breaker="{ALICE}",relay="main"}} 1.0',
        ):
            assert line in text

    with_two_relays(scene)
