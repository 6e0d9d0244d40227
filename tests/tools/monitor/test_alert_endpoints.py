"""Alerts over HTTP: what is listed and told, an operator's words, and what is refused with which words."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from websockets.asyncio.client import connect

from sprint.core.monitor.alerts.rules import STATE
from sprint.core.monitor.fleet import FleetAlert, FleetSnapshot, decode_fleet
from sprint.tools.monitor.alert_desk import Clocks, Desk
from sprint.tools.monitor.alert_store import AlertStore
from sprint.tools.monitor.monitor import Monitor
from tests.tools.monitor.relay_stand_in import serving
from tests.tools.monitor.test_alert_desk import Clock, Told, monitor_with, say

JSON = {"Content-Type": "application/json"}
SILENCE = {"breaker": "x", "for": "2h", "by": "anna", "why": "a new disk"}


class Scene:
    """A monitor of one open breaker with its desk, served."""

    def __init__(self, client: httpx.AsyncClient, monitor: Monitor, desk: Desk, clock: Clock) -> None:
        self.client, self.monitor, self.desk, self.clock = client, monitor, desk, clock

    async def first(self) -> dict[str, Any]:
        alert: dict[str, Any] = (await self.client.get("/api/alerts")).json()["alerts"][0]
        return alert

    async def acknowledge(self, alert_id: str, **fields: Any) -> httpx.Response:
        return await self.client.post(f"/api/alerts/{quote(alert_id, safe='')}/acknowledge", json=fields)


def served(folder: Path, scene: Callable[[Scene], Awaitable[None]], *, read_only: bool = False) -> None:
    async def whole() -> None:
        monitor, clock = monitor_with("open", read_only=read_only), Clock()
        desk = Desk(monitor, AlertStore(folder / "alerts.sqlite"), clocks=Clocks(clock))
        told = Told(desk)
        async with desk:
            await told.next()
            monitor.alerts = desk
            async with (
                serving(monitor) as (url, _),
                httpx.AsyncClient(base_url=url, trust_env=False, timeout=10) as client,
            ):
                await scene(Scene(client, monitor, desk, clock))

    asyncio.run(whole())


def test_alerts_are_listed_and_told_at_once_and_again_when_somebody_has_them_in_hand(tmp_path: Path) -> None:
    async def scene(at: Scene) -> None:
        alert = await at.first()
        assert (alert["breaker"], alert["level"], alert["acknowledged_at"]) == ("x", "critical", None)
        url = f"ws://127.0.0.1:{at.client.base_url.port}/ws"
        async with connect(url, proxy=None) as connection:
            assert isinstance(decode_fleet(await connection.recv()), FleetSnapshot)
            answer = await at.acknowledge(alert["id"], by="anna")
            assert (answer.status_code, answer.json()["changed"]) == (200, True)
            told = decode_fleet(await connection.recv())
            assert isinstance(told, FleetAlert)
            assert told.alert == answer.json()["alert"]
            assert (told.alert["change"], told.alert["acknowledged_by"]) == ("acknowledged", "anna")
        again = await at.acknowledge(alert["id"], by="bert")
        assert (again.json()["changed"], again.json()["alert"]["acknowledged_by"]) == (False, "anna")

    served(tmp_path, scene)


def test_a_silence_is_made_shown_and_ended(tmp_path: Path) -> None:
    async def scene(at: Scene) -> None:
        made = await at.client.post("/api/silences", json=SILENCE)
        assert made.status_code == 201
        silence = made.json()["silence"]
        assert (silence["rule"], silence["breaker"], silence["by"]) == ("*", "x", "anna")
        assert (await at.client.get("/api/silences")).json() == {"silences": [silence]}
        assert (await at.first())["silenced"] == silence
        assert (await at.client.get("/api/alerts")).json()["silences"] == [silence]
        ended = await at.client.delete(f"/api/silences/{silence['id']}")
        assert ended.json() == made.json()
        assert (await at.first())["silenced"] is None
        assert (await at.client.get("/api/silences")).json() == {"silences": []}

    served(tmp_path, scene)


def test_history_is_read_page_by_page_with_none_left_out(tmp_path: Path) -> None:
    async def scene(at: Scene) -> None:
        for number in range(5):
            say(at.monitor, "closed")
            at.desk.look()
            at.clock.now_s += STATE.clear_s
            at.desk.look()
            say(at.monitor, "open")
            at.desk.look()
            await at.desk.silence({**SILENCE, "why": f"wait for the disk {number}"})
        pages = [(await at.client.get("/api/alerts/history?limit=2")).json()]
        while pages[-1]["next"] is not None:
            asked = f"/api/alerts/history?limit=2&before={pages[-1]['next']}"
            pages.append((await at.client.get(asked)).json())
        assert [len(page["alerts"]) for page in pages] == [2, 2, 1]
        resolved = [alert["resolved_at"] for page in pages for alert in page["alerts"]]
        assert resolved == sorted(resolved, reverse=True)
        assert all(resolved)

    served(tmp_path, scene)


REFUSED: tuple[tuple[str, str, dict[str, Any], int, str], ...] = (
    ("POST", "/api/alerts/none/acknowledge", {"json": {"by": "anna"}}, 404, "no alert 'none' stands"),
    ("POST", "/api/alerts/none/acknowledge", {"json": {}}, 400, "by: ''; want one line of 1 to 64"),
    ("POST", "/api/alerts/none/acknowledge", {"json": {"by": "a\nb"}}, 400, "by: "),
    ("POST", "/api/alerts/none/acknowledge", {"json": {"by": 7}}, 400, "by: 7"),
    ("POST", "/api/alerts/none/acknowledge", {"json": {"who": "anna"}}, 400, "no key 'who'; there is by"),
    ("POST", "/api/alerts/none/acknowledge", {"content": b"{", "headers": JSON}, 400, "the body"),
    ("POST", "/api/alerts/none/acknowledge", {"content": b"by=anna"}, 415, "want application/json"),
    ("POST", "/api/silences", {"content": b"x" * 10_000_000, "headers": JSON}, 413, "16384"),
    ("POST", "/api/silences", {"content": b"[1]", "headers": JSON}, 400, "object"),
    ("POST", "/api/silences", {"json": {}}, 400, "nothing is named: give one of rule, relay, breaker"),
    ("POST", "/api/silences", {"json": {**SILENCE, "rule": "stat"}}, 400, "rule: 'stat' fits none; there is"),
    ("POST", "/api/silences", {"json": {**SILENCE, "for": "2 weeks"}}, 400, "for '2 weeks': no duration"),
    ("POST", "/api/silences", {"json": {**SILENCE, "for": "9999h"}}, 400, "want 1 s to"),
    ("POST", "/api/silences", {"json": {**SILENCE, "until": "2025-09-05T18:55:07Z"}}, 400, "want one of"),
    ("POST", "/api/silences", {"json": {**SILENCE, "by": ""}}, 400, "by: ''; want one line"),
    ("POST", "/api/silences", {"json": {**SILENCE, "why": "y" * 201}}, 400, "why: 201 characters"),
    ("POST", "/api/silences", {"json": {**SILENCE, "end": "never"}}, 400, "no key 'end'; there is rule"),
    ("POST", "/api/silences", {"json": SILENCE, "headers": {"Origin": "http://evil.example"}}, 403, "Origin"),
    ("POST", "/api/silences", {"json": SILENCE, "headers": {"Host": "evil.example"}}, 421, "served are"),
    ("DELETE", "/api/silences/none", {}, 404, "no silence 'none'"),
    ("PUT", "/api/silences", {"json": SILENCE}, 405, "there is GET, HEAD, POST"),
    ("GET", "/api/alerts/history?limit=0", {}, 400, "want a whole number, from 1 to 500"),
    ("GET", "/api/alerts/history?before=-1", {}, 400, "want a whole number, 1 or more"),
    ("GET", "/api/alerts?limit=1", {}, 400, "no key 'limit'"),
)  # fmt: skip


def test_what_cannot_be_is_refused_with_what_would_be_right_and_changes_nothing(tmp_path: Path) -> None:
    async def scene(at: Scene) -> None:
        before = (await at.client.get("/api/alerts")).json()
        for method, path, given, status, said in REFUSED:
            try:
                answer = await at.client.request(method, path, **given)
            except httpx.WriteError:  # a long body is refused before it is read
                assert status == 413
                continue
            assert answer.status_code == status, (path, answer.text)
            assert said in answer.json()["detail"], (path, answer.text)
        assert (await at.client.get("/api/alerts")).json() == before

    served(tmp_path, scene)


def test_read_only_refuses_all_that_changes_something(tmp_path: Path) -> None:
    async def scene(at: Scene) -> None:
        alert = await at.first()
        refused = (
            await at.acknowledge(alert["id"], by="anna"),
            await at.client.post("/api/silences", json=SILENCE),
            await at.client.delete("/api/silences/none"),
        )
        assert [(each.status_code, each.json()["code"]) for each in refused] == [(403, "read_only")] * 3
        assert (await at.first()) == alert

    served(tmp_path, scene, read_only=True)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("POST", "/api/alerts/a/acknowledge", {"by": "anna"}), ("POST", "/api/silences", SILENCE)],
)
def test_without_alerts_nothing_is_listed_and_words_are_refused(
    method: str, path: str, body: dict[str, str]
) -> None:
    async def scene() -> None:
        async with (
            serving(Monitor()) as (url, _),
            httpx.AsyncClient(base_url=url, trust_env=False, timeout=10) as client,
        ):
            assert (await client.get("/api/alerts")).json() == {"alerts": []}
            assert (await client.get("/api/alerts/history")).json() == {"alerts": [], "next": None}
            assert (await client.get("/api/silences")).json() == {"silences": []}
            refused = await client.request(method, path, json=body)
            assert (refused.status_code, refused.json()["code"]) == (409, "no_alerts")

    asyncio.run(scene())
