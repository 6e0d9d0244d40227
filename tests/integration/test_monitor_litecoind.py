"""The monitor on a real relay with a real litecoind: what becomes of the node is on every face at once."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import msgspec
import pytest
from websockets.asyncio.client import connect

from sprint.core.monitor.board import Happened, Key
from sprint.core.monitor.fleet import FleetTransition, decode_fleet
from sprint.core.monitor.rows import TransitionRow
from sprint.tools import runtime
from sprint.tools.monitor.monitor import Monitor
from sprint.tools.monitor.probe import Target
from tests.integration.real_servers import Litecoind
from tests.integration.relay_process import RelayProcess
from tests.tools.monitor.relay_stand_in import serving

TOLD_WITHIN_S = 0.25
CHANGE_S_MAX = 60.0
LOOK_INTERVAL_S = 0.02
BREAKER = "source:litecoin-regtest:node"


async def within(condition: Callable[[], object], what: str) -> None:
    deadline_s = asyncio.get_running_loop().time() + CHANGE_S_MAX
    while not condition():
        if asyncio.get_running_loop().time() > deadline_s:
            raise AssertionError(f"not within {CHANGE_S_MAX:g} s: {what}")
        await asyncio.sleep(LOOK_INTERVAL_S)


def late_s(transition: TransitionRow, now_s: float) -> float:
    """How long after the relay's own time of it a transition was told."""
    return now_s - datetime.fromisoformat(transition.at).timestamp()


@pytest.mark.real("litecoind")
def test_a_node_that_stops_is_an_open_breaker_on_board_and_socket_at_once_and_closes_again(
    litecoind_factory: Callable[[], Litecoind], tmp_path: Path
) -> None:
    litecoind, other = litecoind_factory(), litecoind_factory()
    # Of a chain's sources the last one stays in use, so that its breaker would not open.
    other.connect_to(litecoind)

    async def scene(relay: RelayProcess) -> None:
        key = Key("main", BREAKER)
        told: list[tuple[TransitionRow, float]] = []
        on_socket: list[tuple[TransitionRow, float]] = []

        def take(happened: Happened) -> None:
            told.append((happened.transition, runtime.wall_clock()))

        async def watch(url: str) -> None:
            async with connect(f"ws{url.removeprefix('http')}/ws", proxy=None) as connection:
                async for payload in connection:
                    message = decode_fleet(payload)
                    if isinstance(message, FleetTransition):
                        on_socket.append((message.transition, runtime.wall_clock()))

        target = Target("main", str(relay.serving.admin))
        async with Monitor(targets=(target,)) as monitor, serving(monitor) as (url, feed):
            monitor.listen(take)
            watcher = asyncio.create_task(watch(url))
            await within(lambda: feed.watchers and key in monitor.board.rows, "the relay is heard")
            await asyncio.to_thread(litecoind.stop)
            await within(lambda: monitor.board.rows[key].state == "open", "the breaker is open")
            await asyncio.to_thread(litecoind.start)
            await within(lambda: monitor.board.rows[key].state == "closed", "the breaker is closed again")
            await within(lambda: len(on_socket) == len(told), "the socket has them all")
            assert await monitor.order(key, "force_open", "from the monitor")
            await within(lambda: monitor.board.rows[key].state == "force_open", "the relay holds it open")
            detail = await monitor.detail(key)
            assert detail["state"] == "force_open"
            watcher.cancel()
            await asyncio.gather(watcher, return_exceptions=True)
        states = [each.to_state for each, _ in told]
        print("told:", [(each.to_state, f"{late_s(each, at) * 1000:.1f} ms") for each, at in told])
        assert states[0] == "open"
        assert "closed" in states
        assert states[-1] == "force_open"
        # The relay's time is cut to the millisecond.
        for each, at in (*told, *on_socket):
            assert late_s(each, at) < TOLD_WITHIN_S

    sources = ("--source", f"node@{litecoind.source_url}", "--source", f"other@{other.source_url}")
    with RelayProcess(tmp_path / "relay", *sources, "--data-dir", str(tmp_path / "data")) as relay:
        asyncio.run(scene(relay))


@pytest.mark.real("litecoind")
def test_a_relay_that_is_killed_and_started_again_is_lost_and_live_with_its_history(
    litecoind: Litecoind, tmp_path: Path
) -> None:
    arguments = ("--source", f"node@{litecoind.source_url}", "--data-dir", str(tmp_path / "data"))
    key = Key("main", BREAKER)

    async def scene() -> None:
        with RelayProcess(tmp_path / "relay", *arguments) as relay:
            admin = str(relay.serving.admin)
            monitor = Monitor(targets=(Target("main", admin),))
            await monitor.start()
            await within(lambda: key in monitor.board.rows, "the relay is heard")
            await monitor.order(key, "force_open", "before")
            await within(lambda: monitor.board.transitions(key), "its transition is known")
            os.kill(relay.pid, signal.SIGSTOP)
            await within(lambda: monitor.board.relays["main"].connection == "lost", "a stopped one is lost")
            await asyncio.to_thread(relay.kill)
        assert monitor.board.rows[key].state == "force_open", "what it said last stays"
        again = ("--admin-port", admin.rpartition(":")[2])
        with await asyncio.to_thread(RelayProcess, tmp_path / "relay", *arguments, *again):
            await within(lambda: monitor.board.relays["main"].connection == "live", "it is back")
            # It is heard before it has a breaker again.
            states = monitor.board.rows
            await within(
                lambda: key in states and states[key].state == "closed", "a restart forgets force_open"
            )
            await monitor.order(key, "force_open", "after")
            await within(lambda: len(monitor.board.transitions(key)) > 1, "its transition is known")
            reasons = [each.evidence.text for each in monitor.board.transitions(key)]
            assert [reasons[0], reasons[-1]] == [
                "operator via admin API: before",
                "operator via admin API: after",
            ]
            await monitor.stop()

    asyncio.run(scene())


@pytest.mark.real("litecoind")
def test_the_command_prints_how_a_real_relay_is(litecoind: Litecoind, tmp_path: Path) -> None:
    async def asked(*options: str) -> tuple[int, bytes, bytes]:
        command = (sys.executable, "-m", "sprint.cli.main", "cb-monitor", *options)
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        out, err = await process.communicate()
        return process.returncode or 0, out, err

    with RelayProcess(
        tmp_path / "relay",
        *("--source", f"node@{litecoind.source_url}", "--data-dir", str(tmp_path / "data")),
    ) as relay:
        target = f"main={relay.serving.admin}"
        code, out, err = asyncio.run(asked("--once", "--target", target))
        assert (code, err.decode()) == (0, f"cb-monitor watches main at {relay.serving.admin}\n")
        assert f"relay main at {relay.serving.admin}: live, ok" in out.decode()
        assert "regtest:node" in out.decode()
        code, out, _ = asyncio.run(asked("--once", "--json", "--target", target))
        told = msgspec.json.decode(out)
        assert {row["name"] for row in told["breakers"]} == {BREAKER, "store"}
        assert list(told["relays"][0]["sources"]) == ["litecoin-regtest"]
    code, out, err = asyncio.run(asked("--once", "--target", target))
    assert (code, out) == (3, b"")
    assert b"nobody answers" in err
