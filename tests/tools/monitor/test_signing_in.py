"""The monitor's key: what is known is told to who has it, by header or by a page's cookie."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from sprint.core.monitor.fleet import FleetSnapshot, decode_fleet
from sprint.tools import runtime
from sprint.tools.monitor.feed import FleetFeed
from sprint.tools.monitor.monitor import Monitor
from sprint.tools.monitor.service import served
from sprint.tools.monitor.signing_in import COOKIE, SESSION_S
from sprint.tools.net import bind
from sprint.tools.web.access import Access
from sprint.tools.web.server import TlsFiles
from tests.tools.certificates import self_signed
from tests.tools.monitor.fakes import story_board

KEY = "k" * 40
BEARER = {"Authorization": f"Bearer {KEY}"}
KEPT_BEHIND_IT = (
    ("GET", "/api/breakers"),
    ("GET", "/api/breakers/store"),
    ("GET", "/api/breakers/store/history"),
    ("GET", "/api/breakers/store/metrics"),
    ("POST", "/api/breakers/store/state"),
    ("PUT", "/api/breakers/store/config"),
    ("GET", "/api/alerts"),
    ("GET", "/api/health"),
    ("GET", "/api/events"),
    ("GET", "/api/figures"),
    ("GET", "/metrics"),
)
Scene = Callable[[httpx.AsyncClient, str], Awaitable[None]]


def keyed(scene: Scene, access: Access | None = None, trusts: ssl.SSLContext | None = None) -> None:
    """Run a scene with a monitor that has a key."""

    async def whole() -> None:
        feed = FleetFeed(Monitor(story_board()))
        async with (
            served(feed, bind("127.0.0.1", 0), access or Access(key=KEY)) as listener,
            httpx.AsyncClient(base_url=listener.url, trust_env=False, verify=trusts or True) as client,
        ):
            await scene(client, listener.url)
        feed.stop()

    asyncio.run(whole())


async def first_message(url: str, **options: object) -> object:
    address = f"ws{url.removeprefix('http')}/ws"
    async with connect(address, proxy=None, **options) as connection:  # type: ignore[arg-type]
        return decode_fleet(await connection.recv())


def test_without_the_key_nothing_is_told_and_the_page_itself_is_there() -> None:
    async def scene(client: httpx.AsyncClient, url: str) -> None:
        for method, path in KEPT_BEHIND_IT:
            refused = await client.request(method, path)
            assert (refused.status_code, refused.json()["code"]) == (401, "key_refused"), path
            wrong = await client.request(method, path, headers={"Authorization": f"Bearer {KEY}x"})
            assert wrong.status_code == 401, path
        with pytest.raises(InvalidStatus) as closed:
            await first_message(url)
        assert closed.value.response.status_code == 401
        for path in ("/", "/page/main.js", "/problems"):
            assert (await client.get(path)).status_code == 200, path
        assert (await client.get("/api/session")).json() == {"key_needed": True, "signed_in": False}

    keyed(scene)


def test_a_program_brings_the_key_with_each_request() -> None:
    async def scene(client: httpx.AsyncClient, url: str) -> None:
        listed = await client.get("/api/breakers", headers=BEARER)
        assert len(listed.json()["breakers"]) == 8
        assert (await client.get("/metrics", headers=BEARER)).status_code == 200
        assert isinstance(await first_message(url, additional_headers=BEARER), FleetSnapshot)

    keyed(scene)


def test_a_page_shows_the_key_once_and_is_known_by_its_cookie_until_it_signs_out() -> None:
    async def scene(client: httpx.AsyncClient, url: str) -> None:
        signed = await client.post("/api/session", json={"key": KEY})
        cookie = signed.headers["Set-Cookie"]
        assert signed.status_code == 200
        assert KEY not in cookie
        assert cookie.endswith(f"Path=/; Max-Age={SESSION_S}; HttpOnly; SameSite=Strict")
        assert (await client.get("/api/session")).json() == {"key_needed": True, "signed_in": True}
        assert (await client.get("/api/health")).status_code == 200
        told = await first_message(url, additional_headers={"Cookie": cookie.partition(";")[0]})
        assert isinstance(told, FleetSnapshot)
        await client.request("DELETE", "/api/session")
        assert (await client.get("/api/health")).status_code == 401

    keyed(scene)


@pytest.mark.parametrize("body", [{"key": KEY[:-1]}, {"key": ""}, {"key": 3}, {}, {"key": KEY, "more": 1}])
def test_another_key_signs_nobody_in(body: dict[str, object]) -> None:
    async def scene(client: httpx.AsyncClient, _: str) -> None:
        refused = await client.post("/api/session", json=body)
        assert refused.status_code in {400, 401}
        assert "Set-Cookie" not in refused.headers

    keyed(scene)


def test_a_cookie_of_another_key_or_whose_time_is_over_or_was_changed_opens_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scene(client: httpx.AsyncClient, _: str) -> None:
        signed = await client.post("/api/session", json={"key": KEY})
        value = signed.headers["Set-Cookie"].partition(";")[0].partition("=")[2]
        until, _, mac = value.partition(".")
        client.cookies.clear()
        for other in (f"{int(until) + 1}.{mac}", f"{until}.{'0' * 64}", until, f".{mac}", "", "x" * 500):
            got = await client.get("/api/health", headers={"Cookie": f"{COOKIE}={other}"})
            assert got.status_code == 401, other
        mine = {"Cookie": f"{COOKIE}={value}"}
        assert (await client.get("/api/health", headers=mine)).status_code == 200
        monkeypatch.setattr(runtime, "wall_clock", lambda: float(until) + 1.0)
        assert (await client.get("/api/health", headers=mine)).status_code == 401

    keyed(scene)


def test_without_a_key_everybody_is_let_in_and_no_key_is_the_right_one() -> None:
    async def scene(client: httpx.AsyncClient, _: str) -> None:
        assert (await client.get("/api/session")).json() == {"key_needed": False, "signed_in": True}
        assert (await client.get("/api/health")).status_code == 200
        assert (await client.post("/api/session", json={"key": ""})).status_code == 401

    keyed(scene, Access())


def test_over_tls_nothing_below_1_3_is_spoken_and_the_cookie_is_for_tls_alone(tmp_path: Path) -> None:
    files = self_signed(tmp_path)
    context = ssl.create_default_context(cafile=str(files.certificate))

    async def scene(client: httpx.AsyncClient, url: str) -> None:
        assert url.startswith("https://127.0.0.1:")
        assert (await client.get("/api/health", headers=BEARER)).status_code == 200
        signed = await client.post("/api/session", json={"key": KEY}, headers={"Origin": url})
        assert signed.headers["Set-Cookie"].endswith("; Secure")
        foreign = await client.get("/api/health", headers={**BEARER, "Origin": url.replace("https", "http")})
        assert foreign.status_code == 403
        told = await first_message(url, additional_headers=BEARER, ssl=context)
        assert isinstance(told, FleetSnapshot)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        async with httpx.AsyncClient(base_url=url, trust_env=False, verify=context) as older:
            with pytest.raises(httpx.ConnectError):
                await older.get("/api/session")

    keyed(scene, Access("127.0.0.1", KEY, TlsFiles(str(files.certificate), str(files.key))), context)
