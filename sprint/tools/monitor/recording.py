"""What watchers are told as lines of JSON: to stdout, or to a file that an operator has it recorded in.

    async with lines_to(feed, sys.stdout.buffer):
        await stop.wait()

A recording is the messages of `/ws`, one a line, from a snapshot on; `replaying` shows it again. Writing is
done in a thread, so that a pipe that nobody reads holds up nothing: what came meanwhile is left out then, and
a new snapshot follows.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import msgspec

from sprint.core.errors import ConfigError
from sprint.core.monitor.fleet import FleetMessage, FleetSnapshot, decode_fleet
from sprint.tools.monitor.feed import FleetFeed

WAITING_SIZE_MAX = 32 * 1024 * 1024
RECORDING_SIZE_MAX = 2 * 1024 * 1024 * 1024
LINE_SIZE_MAX = 4 * 1024 * 1024
# What waits is written for so long at the end.
STOP_S_MAX = 2.0
# Recordings that begin in one second are told apart by a number.
SAME_SECOND_MAX = 100


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


class Recorder:
    """Records what a feed tells while it is asked to. `path` is the file, None while nothing is recorded."""

    def __init__(self, feed: FleetFeed, folder: Path, failed: Callable[[str], None] | None = None) -> None:
        self.path: Path | None = None
        self._feed = feed
        self._folder = folder
        self._failed = failed
        self._writer: LineWriter | None = None
        self._task: asyncio.Task[None] | None = None
        self._file: IO[bytes] | None = None

    def __repr__(self) -> str:
        return f"Recorder({self.path})"

    @property
    def written_size(self) -> int:
        """How many bytes the recording has by now."""
        return 0 if self._writer is None else self._writer.written_size

    def start(self, now_unix_s: float) -> Path:
        """Record to a new file in the folder, called by the time. ConfigError where it can't be made."""
        stamp = datetime.fromtimestamp(now_unix_s, UTC).strftime("%Y%m%dT%H%M%SZ")
        names = (
            f"cb-monitor-{stamp}{f'-{number}' if number else ''}.ndjson" for number in range(SAME_SECOND_MAX)
        )
        path = next((self._folder / name for name in names if not (self._folder / name).exists()), None)
        if path is None:
            raise ConfigError(f"{SAME_SECOND_MAX} recordings of {stamp} are there already")
        self.record(new_recording(path), path)
        return path

    def record(self, file: IO[bytes], path: Path) -> None:
        """Record to a file that was opened, and is closed at the end."""
        self.path, self._file = path, file
        self._writer = LineWriter(self._feed, file)
        self._task = asyncio.create_task(self._writer.run(), name="recording")
        self._task.add_done_callback(self._ended)
        self._feed.tell_tape()

    async def stop(self) -> Path | None:
        """Write what waits and record no more; return the file, None where nothing was recorded."""
        path, task = self.path, self._task
        if self._writer is not None and task is not None:
            self._writer.stop()
            await asyncio.wait((task,), timeout=STOP_S_MAX)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        return path

    def _ended(self, task: asyncio.Task[None]) -> None:
        reason = "" if self._writer is None else self._writer.reason
        if self._file is not None:
            with contextlib.suppress(OSError):  # a full disk is told by the reason
                self._file.close()
        self.path = self._writer = self._task = self._file = None
        self._feed.tell_tape()
        if self._failed is not None and (reason and not task.cancelled()):
            self._failed(reason)


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
        first = message_of(file.readline(LINE_SIZE_MAX), 1)
    except ConfigError as error:
        file.close()
        raise ConfigError(f"--replay {path}: {error}") from error
    if not isinstance(first, FleetSnapshot) or first.part != 1:
        file.close()
        raise ConfigError(f"--replay {path}: it does not begin with a snapshot; want what --record wrote")
    file.seek(0)
    return file


def message_of(line: bytes, number: int) -> FleetMessage:
    try:
        return decode_fleet(line)
    except msgspec.DecodeError as error:
        raise ConfigError(f"line {number}: no message of a monitor: {error}") from error


def unix_s_of(at: str, number: int) -> float:
    try:
        return datetime.fromisoformat(at).timestamp()
    except ValueError as error:
        raise ConfigError(f"line {number}: at: {error}") from error
