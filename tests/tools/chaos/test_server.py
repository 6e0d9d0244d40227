"""The chaos server over HTTP: one run at a time, watched and stopped, for whom has the key."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from sprint.core.errors import ConfigError, FaultError
from sprint.tools.chaos import server
from sprint.tools.chaos.rollback import RolledBack
from sprint.tools.chaos.server import (
    BODY_SIZE_MAX,
    PROGRESS_KEPT_MAX,
    ChaosServer,
    serve_chaos,
)
from sprint.tools.net import bind
from sprint.tools.web.server import Listener, TlsFiles
from tests.tools.certificates import self_signed

KEY = "k" * 32
RUNS = 3


class MadeUp:
    """A campaign that runs until it is stopped, or fails as it is told to."""

    def __init__(self, asked: dict[str, Any], tell: Callable[[str, str], None]) -> None:
        if asked.get("experiment") == "absent":
            raise ConfigError("experiment 'absent': no such name")
        self.tell = tell
        self.results: list[Any] = []
        self.fails: Exception | None = None
        self.stopped = asyncio.Event()
        self.undone = asyncio.Event()
        self.why = ""

    async def run(self) -> list[Any]:
        self.tell("method", "a fault is on")
        await self.stopped.wait()
        self.tell("rollback", "it comes off")
        await self.undone.wait()
        if self.fails is not None:
            raise self.fails
        self.results.append({"verdict": "met"})
        return self.results

    def stop(self, reason: str) -> None:
        self.why = reason
        self.stopped.set()

    def end(self, fails: Exception | None = None) -> None:
        self.fails = fails
        self.stopped.set()
        self.undone.set()


class Served:
    """A server with made-up campaigns, and a client of it."""

    def __init__(self) -> None:
        self.campaigns: list[MadeUp] = []
        self.halts = 0
        self.listener: Listener
        self.client: httpx.AsyncClient

    def make(self, asked: dict[str, Any], tell: Callable[[str, str], None]) -> MadeUp:
        made = MadeUp(asked, tell)
        self.campaigns.append(made)
        return made

    def halt(self) -> list[RolledBack]:
        self.halts += 1
        return [RolledBack("20261122T010203-7f3a", "remains", remains=("fault 1: latency on alice",))]

    async def post(self, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        return await self.client.post(path, json={} if body is None else body)

    async def ended(self, number: int) -> dict[str, Any]:
        """Return a run once it has ended, told by the end of its events."""
        lines = await self.events(number)
        return lines[-1]

    async def events(self, number: int) -> list[dict[str, Any]]:
        answer = await self.client.get(f"/api/runs/{number}/events")
        return [msgspec.json.decode(line) for line in answer.text.splitlines()]


@contextlib.asynccontextmanager
async def served(key: str = "", tls: TlsFiles | None = None, **client: Any) -> AsyncIterator[Served]:
    made = Served()
    chaos = ChaosServer(made.make, lambda: [{"name": "latency"}], made.halt, key)
    bound = bind("127.0.0.1", 0)
    made.listener = await serve_chaos(chaos, bound, "127.0.0.1", tls)
    made.client = httpx.AsyncClient(base_url=made.listener.url, trust_env=False, timeout=10, **client)
    try:
        yield made
    finally:
        for each in made.campaigns:
            each.end()
        await made.client.aclose()
        await chaos.stop()
        await made.listener.stop()


def test_a_run_is_started_watched_and_has_its_results() -> None:
    async def main() -> None:
        async with served() as here:
            started = await here.post("/api/runs", {"experiment": "latency", "duration": "20s"})
            assert started.status_code == 202
            assert started.json()["run"]["state"] == "running"
            here.campaigns[0].end()
            lines = await here.events(1)
            assert [each.get("phase") for each in lines[:-1]] == ["method", "rollback"]
            assert lines[-1]["state"] == "ended"
            one = (await here.client.get("/api/runs/1")).json()["run"]
            assert one["results"] == [{"verdict": "met"}]
            assert one["asked"] == {"experiment": "latency", "duration": "20s"}
            listed = (await here.client.get("/api/runs")).json()["runs"]
            assert [each["run"] for each in listed] == [1]

    asyncio.run(main())


def test_a_second_run_waits_until_the_first_has_taken_off_what_it_put_on() -> None:
    async def main() -> None:
        async with served() as here:
            await here.post("/api/runs")
            assert (await here.post("/api/runs/1/stop")).json()["changed"] is True
            refused = await here.post("/api/runs")
            assert (refused.status_code, refused.json()["code"]) == (409, "run_going_on")
            here.campaigns[0].end()
            await here.ended(1)
            assert (await here.post("/api/runs")).status_code == 202
            assert (await here.post("/api/runs/1/stop")).json()["changed"] is False

    asyncio.run(main())


@pytest.mark.parametrize(
    ("fails", "says"),
    [
        (FaultError("the proxy is gone"), "the proxy is gone"),
        (ZeroDivisionError(), "a mistake of the tool's own"),
    ],
)
def test_a_run_that_fails_is_told_and_does_not_keep_the_next_one_waiting(fails: Exception, says: str) -> None:
    async def main() -> None:
        async with served() as here:
            await here.post("/api/runs")
            here.campaigns[0].end(fails)
            last = await here.ended(1)
            assert last["state"] == "failed"
            assert says in last["error"]
            assert (await here.post("/api/runs")).status_code == 202

    asyncio.run(main())


def test_halt_stops_the_run_here_and_those_of_other_tools() -> None:
    async def main() -> None:
        async with served() as here:
            await here.post("/api/runs")
            answer = await here.post("/api/halt")
            assert answer.json() == {
                "halted": [
                    {
                        "run": "20261122T010203-7f3a",
                        "state": "remains",
                        "undone": [],
                        "remains": ["fault 1: latency on alice"],
                    }
                ]
            }
            assert here.halts == 1
            assert here.campaigns[0].why == "halted"

    asyncio.run(main())


def test_what_cannot_be_run_is_refused_and_counts_as_no_run() -> None:
    async def main() -> None:
        async with served() as here:
            refused = await here.post("/api/runs", {"experiment": "absent"})
            assert refused.status_code == 400
            assert "no such name" in refused.text
            assert (await here.client.get("/api/runs")).json() == {"runs": []}

    asyncio.run(main())


@pytest.mark.parametrize(
    ("content", "kind", "code"),
    [
        (b"{", "application/json", "bad_json"),
        (b"[]", "application/json", "bad_json"),
        (b"{}", "text/plain", "not_json"),
        (b"", "application/json", "bad_json"),
        (b" " * (BODY_SIZE_MAX + 1), "application/json", "body_too_large"),
        (b" " * 10_000_000, "application/json", "body_too_large"),
    ],
)
def test_a_body_that_is_none_starts_nothing(content: bytes, kind: str, code: str) -> None:
    async def main() -> None:
        async with served() as here:
            answer = await here.client.post("/api/runs", content=content, headers={"content-type": kind})
            assert answer.json()["code"] == code
            assert here.campaigns == []

    asyncio.run(main())


@pytest.mark.parametrize("header", [{"origin": "http://evil.example"}, {"host": "evil.example"}])
def test_a_page_of_another_origin_starts_nothing(header: dict[str, str]) -> None:
    async def main() -> None:
        async with served() as here:
            answer = await here.client.post("/api/runs", json={}, headers=header)
            assert answer.json()["code"] in {"origin_refused", "host_refused"}
            assert here.campaigns == []

    asyncio.run(main())


PATHS = [
    ("GET", "/api/experiments"),
    ("GET", "/api/runs"),
    ("POST", "/api/runs"),
    ("GET", "/api/runs/1"),
    ("POST", "/api/runs/1/stop"),
    ("GET", "/api/runs/1/events"),
    ("POST", "/api/halt"),
    ("GET", "/api/health"),
    ("GET", "/metrics"),
]


def test_with_a_key_every_path_asks_for_it() -> None:
    async def main() -> None:
        async with served(KEY) as here:
            for method, path in PATHS:
                body: dict[str, Any] | None = {} if method == "POST" else None
                for headers in ({}, {"authorization": f"Bearer {KEY[:-1]}"}, {"authorization": KEY}):
                    answer = await here.client.request(method, path, headers=headers, json=body)
                    assert (answer.status_code, answer.json()["code"]) == (401, "key_refused"), path
            assert (here.campaigns, here.halts) == ([], 0)
            answer = await here.client.get("/api/health", headers={"authorization": f"Bearer {KEY}"})
            assert answer.json() == {"status": "ok", "run": None}

    asyncio.run(main())


@pytest.mark.parametrize("word", ["2", "0", "-1", "x", "1" * 40, "%00", "\u0661"])
def test_a_run_that_there_is_not_is_not_found(word: str) -> None:
    async def main() -> None:
        async with served() as here:
            await here.post("/api/runs")
            assert (await here.client.get(f"/api/runs/{word}")).json()["code"] == "not_found"

    asyncio.run(main())


def test_no_more_runs_and_notes_are_kept_than_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "RUNS_KEPT_MAX", RUNS)

    async def main() -> None:
        async with served() as here:
            for number in range(RUNS + 2):
                await here.post("/api/runs")
                made = here.campaigns[number]
                if number == RUNS + 1:
                    for note in range(PROGRESS_KEPT_MAX):
                        made.tell("note", str(note))
                made.end()
                await here.ended(number + 1)
            listed = (await here.client.get("/api/runs")).json()["runs"]
            assert (len(listed), listed[0]["run"]) == (RUNS, RUNS + 2)
            assert len(await here.events(RUNS + 2)) == PROGRESS_KEPT_MAX + 1

    asyncio.run(main())


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_the_metrics_are_as_prometheus_wants_them() -> None:
    async def main() -> bytes:
        async with served() as here:
            await here.post("/api/runs")
            return (await here.client.get("/metrics")).content

    metrics = asyncio.run(main())
    done = subprocess.run(["promtool", "check", "metrics"], input=metrics, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert b"\nsprint_chaos_running 1.0\n" in metrics


def test_over_tls_nothing_below_1_3_is_spoken(tmp_path: Path) -> None:
    files = self_signed(tmp_path)

    async def main() -> None:
        context = ssl.create_default_context(cafile=str(files.certificate))
        async with served(KEY, TlsFiles(str(files.certificate), str(files.key)), verify=context) as here:
            assert here.listener.url.startswith("https://")
            headers = {"authorization": f"Bearer {KEY}"}
            assert (await here.client.get("/api/health", headers=headers)).status_code == 200
            started = await here.client.post("/api/runs", json={}, headers=headers)
            assert started.status_code == 202
            here.campaigns[0].end()
            events = await here.client.get("/api/runs/1/events", headers=headers)
            assert msgspec.json.decode(events.text.splitlines()[-1])["state"] == "ended"
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            older = httpx.AsyncClient(base_url=here.listener.url, trust_env=False, verify=context)
            async with older:
                with pytest.raises(httpx.ConnectError):
                    await older.get("/api/health", headers=headers)
                # And by nothing else was it refused.
                context.maximum_version = ssl.TLSVersion.TLSv1_3
                assert (await older.get("/api/health", headers=headers)).status_code == 200

    asyncio.run(main())


def test_certificates_that_are_none_are_named(tmp_path: Path) -> None:
    (tmp_path / "c.pem").write_text("no certificate")

    async def main() -> None:
        async with served(KEY, TlsFiles(str(tmp_path / "c.pem"))):
            pass

    with pytest.raises(ConfigError, match=r"c\.pem: .*; want PEM files that belong together"):
        asyncio.run(main())
