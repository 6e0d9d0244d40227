"""The journal as a file: a line is on the disk before what it announces is done.

One file per run, `FOLDER/RUN.ndjson`. The tool, its keeper and `--rollback` may all have it open: whoever
takes a fault off holds the file's lock while doing so and writing it down.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from sprint.core.chaos.journal import Journal, Line, encode_line, read_journal, whole_length
from sprint.core.errors import ConfigError, StoreFailing
from sprint.tools.xdg import base_folder

FOLDER_VARIABLE = "SPRINT_CHAOS_JOURNAL"
NAME_END = ".ndjson"
HALT_END = ".halt"
SIZE_MAX = 16 * 1024 * 1024
LOCK_WAIT_S_MAX = 15.0
LOCK_LOOK_S = 0.02
JOURNALS_KEPT_MAX = 200
FOLDER_MODE = 0o700
FILE_MODE = 0o600


def default_folder() -> Path:
    """Return where journals are: $SPRINT_CHAOS_JOURNAL, or sprint/chaos in the user's state folder."""
    if named := os.environ.get(FOLDER_VARIABLE):
        return Path(named)
    return base_folder("XDG_STATE_HOME", os.environ) / "sprint" / "chaos"


def journals_in(folder: Path) -> list[Path]:
    """Return the journals of a folder, the oldest run first; none where there is no folder."""
    return sorted(folder.glob(f"*{NAME_END}"))


class JournalFile:
    """One run's journal. Threads of a process may share one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError as error:
            raise StoreFailing(f"journal {path}: {error}") from error
        self._thread_lock = threading.RLock()
        self._depth = 0

    def __repr__(self) -> str:
        return f"JournalFile({str(self.path)!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @classmethod
    def create(cls, folder: Path, run: str, first: Line) -> Self:
        """Make the journal of a run, with its first line. StoreFailing where it cannot be kept safe."""
        path = folder / f"{run}{NAME_END}"
        try:
            folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
            _prune(folder)
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, FILE_MODE))
        except OSError as error:
            raise StoreFailing(f"journal {path}: {error}; name another folder by --journal-dir") from error
        made = cls(path)
        try:
            made.add(first)
            _sync_folder(folder)
        except BaseException:
            made.close()
            path.unlink(missing_ok=True)
            raise
        return made

    @property
    def halt_path(self) -> Path:
        """The file whose being there tells the run to end."""
        return self.path.with_suffix(HALT_END)

    def close(self) -> None:
        """Close the file; it can still be read. Twice does no harm."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def version(self) -> tuple[int, int]:
        """Return what changes with each line, to see cheaply whether there is something new."""
        found = os.fstat(self._descriptor)
        return found.st_size, found.st_mtime_ns

    def read(self) -> Journal:
        """Return what it says now. ConfigError names a line that is none."""
        return read_journal(self._content())

    def add(self, line: Line) -> None:
        """Append a line and have it on the disk. StoreFailing where it is not: nothing of it stays then."""
        encoded = encode_line(line)
        with self.locked() as held:
            if not held:
                raise StoreFailing(f"journal {self.path}: locked by another for {LOCK_WAIT_S_MAX:g} s")
            journal = self.read()
            journal.add(line)
            end = whole_length(self._content())
            if end + len(encoded) > SIZE_MAX:
                raise ConfigError(f"journal {self.path}: over {SIZE_MAX:,} bytes; begin another run")
            try:
                self._write_at(encoded, end)
            except OSError as error:
                with contextlib.suppress(OSError):
                    os.ftruncate(self._descriptor, end)
                raise StoreFailing(f"journal {self.path}: {error}; nothing is put on without it") from error

    @contextlib.contextmanager
    def locked(self, wait_s: float = LOCK_WAIT_S_MAX) -> Iterator[bool]:
        """Hold the lock among processes and threads; False where another kept it longer than `wait_s`.

        A process that was stopped while it held the lock must not keep a fault on, so nobody waits for ever.
        """
        if not self._thread_lock.acquire(timeout=wait_s):
            yield False
            return
        try:
            held = self._depth > 0 or self._flocked(time.monotonic() + wait_s)
            if not held:
                yield False
                return
            self._depth += 1
            try:
                yield True
            finally:
                self._depth -= 1
                if self._depth == 0:
                    fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        finally:
            self._thread_lock.release()

    def _flocked(self, deadline: float) -> bool:
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    return False
                time.sleep(LOCK_LOOK_S)
            else:
                return True

    def _content(self) -> bytes:
        if self._descriptor < 0:
            return self.path.read_bytes()
        size = os.fstat(self._descriptor).st_size
        if size > SIZE_MAX:
            raise ConfigError(f"journal {self.path}: {size:,} bytes, limit {SIZE_MAX:,}; it is none of ours")
        return os.pread(self._descriptor, size, 0)

    def _write_at(self, encoded: bytes, end: int) -> None:
        """Write behind the last whole line: one that a crash cut short is written over."""
        if os.fstat(self._descriptor).st_size > end:
            os.ftruncate(self._descriptor, end)
        written = 0
        while written < len(encoded):
            written += os.pwrite(self._descriptor, encoded[written:], end + written)
        os.fsync(self._descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        raise StoreFailing(f"folder {folder}: {error}; name another one by --journal-dir") from error
    finally:
        os.close(descriptor)


def _prune(folder: Path) -> None:
    """Remove the oldest journals that have ended; one that has not is never removed."""
    paths = journals_in(folder)
    for path in paths[: max(0, len(paths) - JOURNALS_KEPT_MAX + 1)]:
        with contextlib.suppress(ConfigError, StoreFailing, OSError), JournalFile(path) as journal:
            if journal.read().ended:
                path.unlink()
                journal.halt_path.unlink(missing_ok=True)
