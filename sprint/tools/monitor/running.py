"""A monitor as its command runs it: whom it watches, and which faces it has until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import IO, Any, NamedTuple

import msgspec

from sprint.core.errors import SprintError, StoreError
from sprint.core.monitor.fleet import row_told
from sprint.core.monitor.rows import rfc3339
from sprint.tools.monitor.demo import Demo
from sprint.tools.monitor.feed import FleetFeed
from sprint.tools.monitor.given import MonitorOptions
from sprint.tools.monitor.monitor import Monitor
from sprint.tools.monitor.probe import Target
from sprint.tools.monitor.recording import Recorder, lines_to, open_recording
from sprint.tools.monitor.relay_api import RelayApi, RelayLost
from sprint.tools.monitor.replaying import Replay
from sprint.tools.monitor.service import OPEN_TO_ALL, served
from sprint.tools.runtime import StopSignal
from sprint.tools.web.access import Access

# Where a relay's admin listener is if nobody says otherwise.
RELAY_DEFAULT = Target("local", "http://127.0.0.1:8081")
LOOK_TIMEOUT_S = 1.0
FIRST_ANSWER_S_MAX = 6.0
LOOK_INTERVAL_S = 0.02

log = logging.getLogger(__name__)
Say = Callable[[str], None]


class Faces(NamedTuple):
    """What shows the monitor: a service on a socket, lines of JSON, a terminal; None where not wanted."""

    bound: socket.socket | None = None
    access: Access = OPEN_TO_ALL
    lines: IO[bytes] | None = None
    recording: IO[bytes] | None = None
    terminal: Callable[[Monitor], Awaitable[None]] | None = None
    opens: Callable[[str], object] | None = None

    def close(self) -> None:
        """Let the port and the recording's file go, also where nothing came of them."""
        if self.bound is not None:
            self.bound.close()
        if self.recording is not None:
            self.recording.close()


@contextlib.asynccontextmanager
async def watching(options: MonitorOptions, say: Say) -> AsyncIterator[Monitor]:
    """Watch the relays that were named, the one on this machine, or a demo; say which."""
    async with contextlib.AsyncExitStack() as stack:
        targets, demo = options.targets, False
        if not targets and await _answers(RELAY_DEFAULT.url):
            targets = (RELAY_DEFAULT,)
        if not targets:
            made = await stack.enter_async_context(Demo(options.tier))
            targets, demo = (made.target,), True
            say(
                f"cb-monitor: no relay answers at {RELAY_DEFAULT.url}, so this is a demo: breakers of tier "
                f"{made.tier} under simulated traffic; --target URL watches a relay"
            )
        else:
            say(f"cb-monitor watches {', '.join(f'{each.name} at {each.url}' for each in targets)}")
        monitor = Monitor(
            targets=targets, demo=demo, read_only=options.read_only, following=options.following
        )
        yield await stack.enter_async_context(monitor)


@contextlib.asynccontextmanager
async def replaying(path: Path, say: Say) -> AsyncIterator[Monitor]:
    """Show what a recording has; the last of it stays."""
    monitor = Monitor(read_only=True)
    with open_recording(path) as file:
        say(f"cb-monitor shows the recording {path}; nothing of it happens now")
        task = asyncio.create_task(Replay(monitor, file, path).run(), name="replay")
        # As a log: a terminal may be on the screen by then, which keeps logs off it.
        task.add_done_callback(_say_why_it_ended)
        try:
            yield monitor
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def show(monitor: Monitor, faces: Faces, say: Say) -> int:
    """Show a monitor until SIGTERM or SIGINT, its terminal's user, or the reader of its lines ends it.

    Returns the exit code. StoreError where lines are wanted of a recording that can't be shown on.
    """
    stop = StopSignal()
    stop.install()
    feed = FleetFeed(monitor)
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(feed.stop)
        if faces.bound is not None:
            listener = await stack.enter_async_context(served(feed, faces.bound, faces.access))
            say(f"cb-monitor serves at {listener.url}")
            if faces.opens is not None:
                await asyncio.to_thread(faces.opens, listener.url)
        waits: list[Awaitable[object]] = [stop.wait()]
        if monitor.replay is None:

            def failed(reason: str) -> None:
                log.error("the recording has ended: %s", reason)

            monitor.recorder = Recorder(feed, Path.cwd(), failed)
            stack.push_async_callback(monitor.recorder.stop)
            if faces.recording is not None:
                monitor.recorder.record(faces.recording, Path(faces.recording.name))
        if faces.lines is not None:
            writer = await stack.enter_async_context(lines_to(feed, faces.lines))
            waits.append(writer.ended.wait())
            if monitor.replay is not None:
                waits.append(_broken(monitor.replay))
        if faces.terminal is not None:
            waits.append(faces.terminal(monitor))
        await _first(waits)
    return stop.exit_code


async def once(monitor: Monitor) -> dict[str, Any]:
    """Return what is known when each relay has answered or is lost. RelayLost where none has."""
    deadline_s = asyncio.get_running_loop().time() + FIRST_ANSWER_S_MAX
    while asyncio.get_running_loop().time() < deadline_s:
        relays = list(monitor.board.relays.values())
        if all(each.connection == "lost" or each.health for each in relays):
            break
        await asyncio.sleep(LOOK_INTERVAL_S)
    relays = list(monitor.board.relays.values())
    if not any(each.connection == "live" for each in relays):
        raise RelayLost("; ".join(f"{each.name}: {each.reason or each.connection}" for each in relays))
    rows = [row_told(key, row) for key, row in monitor.board.rows.items()]
    told: dict[str, Any] = msgspec.to_builtins(
        {"at": rfc3339(monitor.now()), "demo": monitor.demo, "relays": relays, "breakers": rows}
    )
    return told


async def _answers(url: str) -> bool:
    """Tell whether a relay answers at a URL."""
    api = RelayApi(url, timeout_s=LOOK_TIMEOUT_S)
    try:
        health = await api.get("/api/health", dict[str, Any])
    except SprintError:
        return False
    finally:
        await api.close()
    return "breakers" in health


async def _broken(replay: Replay) -> None:
    """Wait until a recording can't be shown on; who reads lines would take them for all there are."""
    await replay.broken.wait()
    raise StoreError(f"{replay.path}: {replay.reason}; what was before it is told")


async def _first(waits: list[Awaitable[object]]) -> None:
    """Wait for the first of these and end the others; what it raised is raised."""
    tasks = [asyncio.ensure_future(each) for each in waits]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _say_why_it_ended(done: asyncio.Task[None]) -> None:
    """Say a mistake of ours: what is wrong with a recording it tells itself."""
    error = None if done.cancelled() else done.exception()
    if error is not None:
        log.error("the recording can't be shown on", exc_info=error)
