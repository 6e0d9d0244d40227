"""A recording shown again, in the time that it came in: paused, faster, slower, and from another place of it.

    replay = Replay(monitor, file, Path("monday.ndjson"))
    task = asyncio.create_task(replay.run())
    replay.jump(-30)

What it tells a monitor happens there as it did when it was recorded. On the way to another place nothing
happens: the board is laid from the beginning, or on, and who watches is given it as it is there.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, NamedTuple

import msgspec

from sprint.core.errors import ConfigError
from sprint.core.monitor.fleet import FleetMessage, Replayed
from sprint.tools import runtime
from sprint.tools.monitor.monitor import Monitor, Turned, Unlisten
from sprint.tools.monitor.recording import LINE_SIZE_MAX, message_of, unix_s_of

# A time in which nothing happened is no longer than this.
PAUSE_S_MAX = 60.0
SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 60.0)
# So many lines are read at once, and on the way elsewhere laid on the board before others have their turn.
LINES_AT_ONCE = 256

log = logging.getLogger(__name__)


class _Told(NamedTuple):
    at_s: float
    message: FleetMessage
    number: int


class Replay:
    """Where a recording stands, and the keys of a player. `clock` is monotonic, in seconds."""

    def __init__(
        self,
        monitor: Monitor,
        file: IO[bytes],
        path: Path = Path(),
        speed: float = 1.0,
        clock: Callable[[], float] = runtime.clock,
    ) -> None:
        self.path = path
        self.speed = speed
        self.paused = False
        self.ended = False
        self.reason = ""
        self.broken = asyncio.Event()
        self._monitor = monitor
        self._file = file
        self._clock = clock
        self._anchor_s: float | None = None
        self._anchored_at = 0.0
        self._before_s: float | None = None
        self._jump_to_s: float | None = None
        self._read: deque[_Told] = deque()
        self._number = 0
        self._turned = asyncio.Event()
        self._listeners: list[Callable[[Turned], None]] = []
        monitor.replay = self

    def __repr__(self) -> str:
        return f"Replay({self.path}, {self.speed:g} x)"

    def now(self) -> float:
        """Return the time of the recording that is shown, in seconds since 1970; 0 before its first line."""
        if self._anchor_s is None:
            return 0.0
        passed_s = 0.0 if self.paused or self.ended else self._clock() - self._anchored_at
        return self._anchor_s + passed_s * self.speed

    def told(self) -> Replayed:
        """Return how it is shown, as watchers are told."""
        reason = self.reason if self.ended else ""
        return Replayed(
            file=str(self.path), speed=self.speed, paused=self.paused, ended=self.ended, reason=reason
        )

    def listen(self, callback: Callable[[Turned], None]) -> Unlisten:
        """Have a callback told of what an operator does, and of the end."""
        self._listeners.append(callback)
        return lambda: self._listeners.remove(callback)

    # -- what an operator does

    def pause(self) -> None:
        """Stand still, or go on."""
        self._anchor(self.now())
        self.paused = not self.paused
        self._turn()

    def change_speed(self, steps: int) -> None:
        """Go so many of SPEEDS faster, or slower."""
        self._anchor(self.now())
        at = min(range(len(SPEEDS)), key=lambda each: abs(SPEEDS[each] - self.speed))
        self.speed = SPEEDS[max(0, min(len(SPEEDS) - 1, at + steps))]
        self._turn()

    def jump(self, seconds: float) -> None:
        """Go on, or back, by so many seconds of the recording."""
        self._jump_to_s = (self.now() if self._jump_to_s is None else self._jump_to_s) + seconds
        self._turn()

    async def run(self) -> None:
        """Tell the monitor what the recording has.

        A bad line is its end: `reason` names it, and `broken` is set. A last line that was cut off is passed
        over, as it is of a recorder that was killed.
        """
        while True:
            if self._jump_to_s is not None:
                await self._go_to(self._jump_to_s)
            told = await self._next()
            if told is None:
                await self._wait_at_the_end()
            elif await self._is_due(told.at_s):
                self._take(self._read.popleft(), happens=True)

    # -- within

    async def _wait_at_the_end(self) -> None:
        if not self.ended:
            self._anchor(self.now() if self._before_s is None else self._before_s)
            self.ended = True
            if self.reason:
                log.warning("the recording can't be shown on: %s", self.reason)
            else:
                log.warning("the recording has ended")
            self._tell("turned")
            if self.reason:
                self.broken.set()
        await self._turned.wait()
        self._turned.clear()

    async def _is_due(self, at_s: float) -> bool:
        """Wait until it is time; False where something was turned meanwhile."""
        if self._before_s is None:
            self._anchor(at_s)  # the first line is shown also by one that stands still
            return True
        if at_s - self._before_s > PAUSE_S_MAX:
            self._before_s = at_s - PAUSE_S_MAX
            self._anchor(max(self.now(), self._before_s))
        wait_s = None if self.paused else (at_s - self.now()) / self.speed
        if wait_s is None or wait_s > 0.0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._turned.wait()
        turned = self._turned.is_set()
        self._turned.clear()
        return not turned

    async def _go_to(self, at_s: float) -> None:
        """Lay the board as it was at a time, at the first or the last line where it is beyond them."""
        if self._before_s is not None and at_s < self._before_s:
            self._monitor.forget_all()
            self._read.clear()
            self._number, self._before_s, self.reason = 0, None, ""
            await asyncio.to_thread(self._file.seek, 0)
        self.ended = False
        while True:
            told = await self._next()
            if told is None or (told.at_s > at_s and self._before_s is not None):
                break
            self._take(self._read.popleft(), happens=False)
        before_s = at_s if self._before_s is None else self._before_s
        self._anchor(before_s if told is None else max(before_s, at_s))
        self._jump_to_s = None
        self._tell("elsewhere")

    async def _next(self) -> _Told | None:
        """Return what is told next, None at the end."""
        if not (self._read or self.reason):
            try:
                self._put_down(await asyncio.to_thread(self._lines))
            except ConfigError as error:
                self.reason = str(error)
        return self._read[0] if self._read else None

    def _put_down(self, lines: Sequence[bytes]) -> None:
        """Take lines as what is told next, those before a bad one too."""
        for line in lines:
            self._number += 1
            if not line.endswith(b"\n") and len(line) < LINE_SIZE_MAX:
                log.warning("the recording's last line is cut off; it is passed over")
                continue
            message = message_of(line, self._number)
            self._read.append(_Told(unix_s_of(message.at, self._number), message, self._number))

    def _lines(self) -> list[bytes]:
        lines = (self._file.readline(LINE_SIZE_MAX) for _ in range(LINES_AT_ONCE))
        return [line for line in lines if line]

    def _take(self, told: _Told, *, happens: bool) -> None:
        self._before_s = told.at_s
        try:
            self._monitor.retold(told.message, told.at_s, happens=happens)
        except msgspec.ValidationError as error:
            self.reason = f"line {told.number}: {error}"
            self._read.clear()

    def _anchor(self, at_s: float) -> None:
        self._anchor_s, self._anchored_at = at_s, self._clock()

    def _turn(self) -> None:
        self._turned.set()
        self._tell("turned")

    def _tell(self, what: Turned) -> None:
        for listener in tuple(self._listeners):
            listener(what)
