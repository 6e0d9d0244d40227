"""A monitor's service that shows a recording, which stands still until a test turns it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Self

from sprint.tools.monitor.feed import FleetFeed
from sprint.tools.monitor.monitor import Monitor
from sprint.tools.monitor.replaying import Replay
from sprint.tools.monitor.service import served
from sprint.tools.net import bind
from tests.integration.real_servers import HOST

WAIT_S = 20.0


class ReplayService:
    """Runs on an event loop in a thread of its own while within; `url` is where it serves."""

    def __init__(self, path: Path) -> None:
        self.url = ""
        self._path = path
        self._replay: Replay | None = None
        self._loop = asyncio.new_event_loop()
        self._ended = asyncio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="replay", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(WAIT_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(WAIT_S)

    def turn(self, doing: Callable[[Replay], None]) -> None:
        """Have an operator do something with the recording."""
        assert self._replay is not None
        self._loop.call_soon_threadsafe(doing, self._replay)

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        with self._path.open("rb") as file:
            monitor = Monitor(read_only=True)
            self._replay = Replay(monitor, file, self._path)
            self._replay.pause()
            task = asyncio.create_task(self._replay.run())
            feed = FleetFeed(monitor)
            async with served(feed, bind(HOST, 0)) as listener:
                self.url = listener.url
                self._ready.set()
                await self._ended.wait()
            feed.stop()
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
