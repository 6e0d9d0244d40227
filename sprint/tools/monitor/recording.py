"""What watchers are told as lines of JSON: to stdout, to a file, and from a file back onto a board.

    async with lines_to(feed, sys.stdout.buffer):
        await stop.wait()

A recording is the messages of `/ws`, one a line, from a snapshot on; `replay` tells a monitor's listeners of
them in the time that they came in. Writing is done in a thread, so that a pipe that nobody reads holds up
nothing: what came meanwhile is left out then, and a new snapshot follows.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import IO

import msgspec

from sprint.core.errors import ConfigError
from sprint.core.monitor.fleet import FleetMessage, FleetSnapshot, decode_fleet
from sprint.tools.monitor.feed import FleetFeed
from sprint.tools.monitor.monitor import Monitor

WAITING_SIZE_MAX = 32 * 1024 * 1024
RECORDING_SIZE_MAX = 2 * 1024 * 1024 * 1024
LINE_SIZE_MAX = 4 * 1024 * 1024
# A pause of a recording in which nothing happened is no longer than this.
PAUSE_S_MAX = 60.0
# What waits is written for so long at the end.
STOP_S_MAX = 2.0

log = logging.getLogger(__name__)


class LineWriter:
    """A watcher that writes what it is told. `ended` is set when nothing can be written any more."""

    def __init__(self, feed: FleetFeed, file: IO[bytes], size_max: int = RECORDING_SIZE_MAX) -> None:
        self.ended = asyncio.Event()
        self.reason = ""
        self.written_size = 0
        self._feed = feed
        self._file = file
        self._size_max = size_max
        self._waiting: deque[bytes] = deque()
        self._waiting_size = 0
        self._stopping = False
        self._something = asyncio.Event()

    def __repr__(self) -> str:
        return f"LineWriter({self.written_size} bytes)"

    def introduce(self, parts: Sequence[bytes], _seq: int) -> None:
        """Take a snapshot."""
        self._take(*parts)

    def tell(self, payload: bytes, _seq: int) -> None:
        """Take a message; where too much waits, leave until that is written."""
        if self._waiting_size > WAITING_SIZE_MAX:
            self._feed.leave(self)
        else:
            self._take(payload)

    async def run(self) -> None:
        """Write until it is stopped, or nothing more can be written; `reason` then says why."""
        try:
            while not self._stopping:
                self._feed.watch(self)
                while self._waiting or self in self._feed:
                    await self._something.wait()
                    await self._write()
        except (OSError, ValueError) as error:  # ValueError: the file is closed
            self.reason = f"{error}"
        finally:
            self._feed.leave(self)
            self.ended.set()

    def stop(self) -> None:
        """Take no more, and end when what waits is written."""
        self._stopping = True
        self._feed.leave(self)
        self._something.set()

    def _take(self, *payloads: bytes) -> None:
        for payload in payloads:
            self._waiting.append(payload + b"\n")
            self._waiting_size += len(payload) + 1
        self._something.set()

    def _taken(self) -> list[bytes]:
        lines = [*self._waiting]
        self._waiting.clear()
        self._waiting_size = 0
        self._something.clear()
        return lines

    async def _write(self) -> None:
        lines = b"".join(self._taken())
        if self.written_size + len(lines) > self._size_max:
            raise OSError(f"over {self._size_max} bytes")
        self.written_size += len(lines)
        await asyncio.to_thread(self._put, lines)

    def _put(self, lines: bytes) -> None:
        self._file.write(lines)
        self._file.flush()


@contextlib.asynccontextmanager
async def lines_to(
    feed: FleetFeed, file: IO[bytes], failed: Callable[[str], None] | None = None
) -> AsyncIterator[LineWriter]:
    """Write what is told to a file while within. `failed` is told why, where that can't go on."""
    writer = LineWriter(feed, file)
    task = asyncio.create_task(writer.run(), name="lines")
    if failed is not None:
        task.add_done_callback(lambda _: failed(writer.reason) if writer.reason else None)
    try:
        yield writer
    finally:
        writer.stop()
        await asyncio.wait((task,), timeout=STOP_S_MAX)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def new_recording(path: Path) -> IO[bytes]:
    """Make a file for a recording. ConfigError where there is one, or where it can't be made."""
    try:
        return path.open("xb")
    except FileExistsError as error:
        raise ConfigError(f"--record {path}: there is one already; name a new file") from error
    except OSError as error:
        raise ConfigError(f"--record {path}: {error.strerror or error}") from error


def open_recording(path: Path) -> IO[bytes]:
    """Open a recording. ConfigError where it is none: its first line is the first part of a snapshot."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise ConfigError(f"--replay {path}: {error.strerror or error}") from error
    try:
        first = _message(file.readline(LINE_SIZE_MAX), 1)
    except ConfigError as error:
        file.close()
        raise ConfigError(f"--replay {path}: {error}") from error
    if not isinstance(first, FleetSnapshot) or first.part != 1:
        file.close()
        raise ConfigError(f"--replay {path}: it does not begin with a snapshot; want what --record wrote")
    file.seek(0)
    return file


async def replay(monitor: Monitor, file: IO[bytes], speed: float = 1.0) -> None:
    """Tell a monitor what a recording has, `speed` times as fast as it came; ConfigError names a bad line.

    A last line that was cut off is passed over, as it is of a recorder that was killed.
    """
    before_s: float | None = None
    number = 0
    while line := await asyncio.to_thread(file.readline, LINE_SIZE_MAX):
        number += 1
        if not line.endswith(b"\n") and len(line) < LINE_SIZE_MAX:
            log.warning("the recording's last line is cut off; it is passed over")
            return
        message = _message(line, number)
        at_s = _unix_s(message.at, number)
        if before_s is not None:
            await asyncio.sleep(min(PAUSE_S_MAX, max(0.0, at_s - before_s)) / speed)
        before_s = at_s
        try:
            monitor.retold(message, at_s)
        except msgspec.ValidationError as error:
            raise ConfigError(f"line {number}: {error}") from error


def _message(line: bytes, number: int) -> FleetMessage:
    try:
        return decode_fleet(line)
    except msgspec.DecodeError as error:
        raise ConfigError(f"line {number}: no message of a monitor: {error}") from error


def _unix_s(at: str, number: int) -> float:
    try:
        return datetime.fromisoformat(at).timestamp()
    except ValueError as error:
        raise ConfigError(f"line {number}: at: {error}") from error
