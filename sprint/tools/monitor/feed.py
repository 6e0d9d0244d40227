"""What a monitor knows, told to whoever watches it: pages over WebSocket, and files of NDJSON.

A watcher is given a snapshot and from then on everything: transitions and figures at once, rows and relays
that have changed at most every 250 ms. While nobody watches nothing is compared.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from sprint.core.monitor.board import Happened
from sprint.core.monitor.fleet import (
    FleetAlert,
    FleetChanges,
    FleetMessage,
    FleetMetrics,
    FleetTape,
    FleetTransition,
    encode_fleet,
)
from sprint.core.monitor.rows import MetricsPoint, rfc3339
from sprint.tools.monitor.monitor import Monitor, Turned, Unlisten

DELTA_INTERVAL_S = 0.25


class Watcher(Protocol):
    """Somebody who is told everything, within bounds of its own."""

    def introduce(self, parts: Sequence[bytes], seq: int) -> None:
        """Take the parts of a snapshot; what is told next follows on `seq`."""

    def tell(self, payload: bytes, seq: int) -> None:
        """Take a message."""


class FleetFeed:
    """Tells watchers of a monitor. It runs on the event loop that the monitor runs on."""

    def __init__(self, monitor: Monitor) -> None:
        self.monitor = monitor
        self._changes = FleetChanges()
        self._seq = 0
        self._watchers: list[Watcher] = []
        self._task: asyncio.Task[None] | None = None
        self._unlisten: tuple[Unlisten, ...] = (
            monitor.listen(self._happened),
            monitor.listen_figures(self._measured),
        )
        if monitor.replay is not None:
            self._unlisten = (*self._unlisten, monitor.replay.listen(self._turned))
        if monitor.alerts is not None:
            monitor.alerts.listen(self.alerted)

    def __repr__(self) -> str:
        return f"FleetFeed({len(self._watchers)} watchers)"

    @property
    def watchers(self) -> int:
        """How many watch."""
        return len(self._watchers)

    def __contains__(self, watcher: object) -> bool:
        return watcher in self._watchers

    def watch(self, watcher: Watcher) -> None:
        """Tell a watcher all, and from then on everything."""
        self._compare()  # the others are told what has changed before the snapshot is taken
        monitor = self.monitor
        parts = self._changes.snapshot(self._seq, self._at(), demo=monitor.demo, read_only=monitor.read_only)
        self._watchers.append(watcher)
        if self._task is None:
            self._task = asyncio.create_task(self._compare_while_watched(), name="monitor feed")
        watcher.introduce([encode_fleet(part) for part in parts], self._seq)
        if monitor.replay is not None or self._recording() is not None:
            self.tell_tape()

    def leave(self, watcher: Watcher) -> None:
        """Tell a watcher no more."""
        with contextlib.suppress(ValueError):  # it has left already
            self._watchers.remove(watcher)

    def stop(self) -> None:
        """Tell nobody anything any more."""
        for unlisten in self._unlisten:
            unlisten()
        self._unlisten = ()
        self._watchers.clear()
        if self._task is not None:
            self._task.cancel()

    def alerted(self, alert: Mapping[str, Any]) -> None:
        """Tell of an alert as it is by now."""
        if self._watchers:
            self._tell(FleetAlert(seq=self._next_seq(), at=self._at(), alert=dict(alert)))

    def tell_tape(self) -> None:
        """Tell whether it is recorded what is told, and whether it comes of a recording."""
        if self._watchers:
            replay = self.monitor.replay
            told = None if replay is None else replay.told()
            self._tell(
                FleetTape(seq=self._next_seq(), at=self._at(), recording=self._recording(), replay=told)
            )

    # -- within

    def _recording(self) -> str | None:
        recorder = self.monitor.recorder
        return None if recorder is None or recorder.path is None else str(recorder.path)

    def _turned(self, what: Turned) -> None:
        """Tell how a recording is shown; from another place of it everything anew."""
        if what == "elsewhere":
            watchers, self._watchers = self._watchers, []
            for watcher in watchers:
                self.watch(watcher)
        else:
            self.tell_tape()

    def _happened(self, happened: Happened) -> None:
        if self._watchers:
            self._tell(
                FleetTransition(
                    seq=self._next_seq(),
                    at=self._at(),
                    relay=happened.relay,
                    transition=happened.transition,
                )
            )

    def _measured(self, relay: str, points: Mapping[str, MetricsPoint]) -> None:
        if self._watchers:
            self._tell(FleetMetrics(seq=self._next_seq(), at=self._at(), relay=relay, points=dict(points)))

    async def _compare_while_watched(self) -> None:
        try:
            while self._watchers:
                await asyncio.sleep(DELTA_INTERVAL_S)
                self._compare()
        finally:
            self._task = None

    def _compare(self) -> None:
        delta = self._changes.delta(self.monitor.board, self._seq + 1, self._at())
        if delta is not None and self._watchers:
            self._seq = delta.seq
            self._tell(delta)

    def _tell(self, message: FleetMessage) -> None:
        payload = encode_fleet(message)
        for watcher in tuple(self._watchers):
            watcher.tell(payload, message.seq)

    def _next_seq(self) -> int:
        self._seq += 1
        return self._seq

    def _at(self) -> str:
        return rfc3339(self.monitor.now())
