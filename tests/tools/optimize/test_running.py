"""A relay with its attendant in this process: what it tells, counts, takes as an order, and gives back."""

from __future__ import annotations

import asyncio
import gc
import re
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from sprint.core.optimize.asked import Layer, asked
from sprint.core.optimize.stats import EQUALS
from sprint.tools.optimize.running import OptimizeAttendant
from sprint.tools.relay.service import RelayService, Serving
from sprint.tools.runtime import StopSignal
from tests.integration.real_servers import PROMTOOL_PATH
from tests.test_documentation import section
from tests.tools.relay.test_service import START_S, blocks, options

# What of a process is put back, as Python tells it.
Interpreter = tuple[tuple[int, int, int], int, float]
WITHOUT_HOST = {"system": False, "memory_lock": "off", "cpus_pinned": "off", "gc_freeze": False}


def interpreter() -> Interpreter:
    stack = threading.stack_size()
    threading.stack_size(stack)
    return gc.get_threshold(), stack, sys.getswitchinterval()


def with_a_tuned_relay(folder: Path, scene: Callable[[Serving, httpx.AsyncClient], Awaitable[None]]) -> None:
    """Run a relay at a level that leaves the host alone, act out a scene, and see it end."""

    async def main() -> None:
        wanted = asked([Layer("a test", "standard", WITHOUT_HOST)])
        attendant = OptimizeAttendant(wanted, fallback=False, journal_folder=folder)
        stop = StopSignal()
        ready: asyncio.Future[Serving] = asyncio.get_running_loop().create_future()
        service = RelayService(options(chains=("bitcoin",)), attendants=(attendant,))
        running = asyncio.create_task(service.run(ready.set_result, stop))
        async with asyncio.timeout(START_S):
            line = await ready
            try:
                async with httpx.AsyncClient(base_url=line.admin, trust_env=False) as admin:
                    await scene(line, admin)
            finally:
                stop.stop(0)
                await running

    asyncio.run(main())


def test_a_relay_tells_its_level_its_settings_and_every_figure_of_the_papers(tmp_path: Path) -> None:
    before = interpreter()

    async def scene(line: Serving, admin: httpx.AsyncClient) -> None:
        await blocks(line, 1, "chains=bitcoin")
        told = (await admin.get("/api/optimize")).json()
        assert (told["level"], told["level_origin"], told["health"]) == ("standard", "a test", "ok")
        rows = {row["setting"]: row for row in told["settings"]}
        assert rows["gc_threshold"]["state"] == "applied"
        assert rows["worker_threads"]["state"] == "applied"
        assert gc.get_threshold()[0] > before[0][0]
        stats = told["stats"]
        assert set(stats) == set(EQUALS)
        missing = {name for name, value in stats.items() if value is None}
        assert missing == {name for name, text in EQUALS.items() if text.startswith("null")}
        assert stats["heap_alloc_mb"] > 1
        assert stats["num_gc"] > 0
        assert stats["applied"] is True
        health = (await admin.get("/api/v1/health")).json()
        assert health["parts"]["optimize"] == {"status": "ok", "level": "standard", "reasons": []}

    with_a_tuned_relay(tmp_path, scene)
    assert interpreter() == before


def test_an_order_is_obeyed_a_wrong_one_refused_whole_and_all_is_taken_back(tmp_path: Path) -> None:
    before = interpreter()

    async def scene(_: Serving, admin: httpx.AsyncClient) -> None:
        order = {"level": "basic", "changes": {"gc_percent": 10, "thread_stack_mb": 2}, "origin": "a script"}
        told = (await admin.put("/api/optimize", json=order)).json()
        assert (told["level"], told["level_origin"]) == ("basic", "a script")
        assert gc.get_threshold() == (7_000, 10, 10)
        for wrong, said in (
            ({"level": "tubro"}, "did you mean turbo"),
            ({"changes": {"gc_percnt": 5}}, "did you mean gc_percent"),
            ({"changes": 5}, "changes is an object"),
            ({"levle": "turbo"}, "no key 'levle'; there is level, changes"),
        ):
            answer = await admin.put("/api/optimize", json=wrong)
            assert answer.status_code == 400
            assert said in answer.json()["detail"]
            assert gc.get_threshold() == (7_000, 10, 10)
        rows = (await admin.delete("/api/optimize")).json()
        assert {row["state"] for row in rows} == {"applied"}
        assert interpreter()[:2] == before[:2]
        told = (await admin.get("/api/optimize")).json()
        assert (told["health"], told["settings"]) == ("failed", [])

    with_a_tuned_relay(tmp_path, scene)
    assert interpreter() == before


def test_a_setting_that_somebody_changes_is_told_as_drifted(tmp_path: Path) -> None:
    async def scene(_: Serving, admin: httpx.AsyncClient) -> None:
        gc.set_threshold(701, 10, 10)
        told = (await admin.get("/api/optimize")).json()
        rows = {row["setting"]: row for row in told["settings"]}
        assert rows["gc_threshold"]["state"] == "drifted"
        assert rows["gc_threshold"]["now"].startswith("701 ")
        assert told["health"] == "failed"
        assert (
            'sprint_optimize_setting{setting="gc_threshold",state="drifted"} 1.0'
            in (await admin.get("/metrics")).text
        )

    with_a_tuned_relay(tmp_path, scene)


@pytest.mark.real("promtool")
def test_metrics_of_a_tuned_relay_pass_the_linter_and_are_documented(tmp_path: Path) -> None:
    async def scene(line: Serving, admin: httpx.AsyncClient) -> None:
        await blocks(line, 1, "chains=bitcoin")
        text = (await admin.get("/metrics")).text
        for name in ("runtime_optimization_level 1.0", "runtime_tasks ", "bitcoin_sprint_gc_percent 50.0"):
            assert f"\n{name}" in text
        assert re.search(r'bitcoin_sprint_sla_compliance_ratio\{tier="turbo"\} [01]', text)
        found = set(
            re.findall(
                r"^# TYPE ((?:sprint|runtime|bitcoin)_\w+?)(?:_created|_gsum|_gcount)? ", text, re.MULTILINE
            )
        )
        documented = re.findall(
            r"`((?:sprint|runtime|bitcoin)_[a-z_]+)", section("http-api.md", "Admin and metrics")
        )
        assert found - set(documented) == set()
        checked = await asyncio.to_thread(
            lambda: subprocess.run(
                [PROMTOOL_PATH, "check", "metrics"],
                input=text.encode(),
                capture_output=True,
                timeout=30,
                check=False,
            )
        )
        assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")

    with_a_tuned_relay(tmp_path, scene)
