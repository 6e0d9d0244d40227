"""The monitor's terminal on a real relay with real litecoinds: a node that stops, an order from the keys."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from sprint.core.monitor.board import Key
from sprint.tools import runtime
from sprint.tools.monitor.monitor import Monitor
from sprint.tools.monitor.probe import Target
from sprint.tools.monitor.tui.app import MonitorApp
from tests.integration.real_servers import Litecoind
from tests.integration.relay_process import RelayProcess
from tests.tools.monitor.tui.piloted import NARROW, screen_lines

SHOWN_WITHIN_S = 0.25
CHANGE_S_MAX = 60.0
LOOK_INTERVAL_S = 0.01
NODE = Key("main", "source:litecoin-regtest:node")


async def within(condition: Callable[[], object], what: str) -> None:
    deadline_s = asyncio.get_running_loop().time() + CHANGE_S_MAX
    while not condition():
        if asyncio.get_running_loop().time() > deadline_s:
            raise AssertionError(f"not within {CHANGE_S_MAX:g} s: {what}")
        await asyncio.sleep(LOOK_INTERVAL_S)


@pytest.mark.alone
@pytest.mark.real("litecoind")
def test_a_node_that_stops_is_on_the_screen_within_250_ms_and_a_key_holds_its_breaker_open_in_the_relay(
    litecoind_factory: Callable[[], Litecoind], tmp_path: Path
) -> None:
    litecoind, other = litecoind_factory(), litecoind_factory()
    # Of a chain's sources the last one stays in use, so that its breaker would not open.
    other.connect_to(litecoind)

    async def scene(admin: str) -> None:
        async with Monitor(targets=(Target("main", admin),)) as monitor:
            app = MonitorApp(monitor)
            async with app.run_test(size=NARROW) as pilot:
                await within(lambda: NODE in monitor.board.rows, "the relay is heard")
                await asyncio.to_thread(litecoind.stop)
                await within(lambda: "OPEN  litecoin-regtest:node" in screen_lines(app)[1], "it is shown")
                shown_s = runtime.wall_clock()
                opened_at = datetime.fromisoformat(monitor.board.transitions(NODE)[-1].at)
                print(f"shown {1000 * (shown_s - opened_at.timestamp()):.0f} ms after the relay's transition")
                assert shown_s - opened_at.timestamp() < SHOWN_WITHIN_S
                await asyncio.to_thread(litecoind.start)
                await within(lambda: "closed: calls go through" in screen_lines(app)[1], "it is back")
                assert app.table.go_to(NODE)
                await pilot.press("f", *"disk", "enter")
                await within(
                    lambda: monitor.board.rows[NODE].state == "force_open", "the relay holds it open"
                )
                await within(lambda: "FORCED OPEN" in screen_lines(app)[1], "that is shown")
            assert (await monitor.detail(NODE))["reason"] == "operator via admin API: disk"

    sources = ("--source", f"node@{litecoind.source_url}", "--source", f"other@{other.source_url}")
    with RelayProcess(tmp_path / "relay", *sources, "--data-dir", str(tmp_path / "data")) as relay:
        asyncio.run(scene(str(relay.serving.admin)))
