"""The journal on disk: a file a run, in a folder of this user's alone; entries are there before changes are.

Whoever applies or restores holds the folder's lock meanwhile, so that two who change the same host do it one
after the other. A file is removed when all that it holds is undone.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from sprint.core.errors import StoreFailing
from sprint.core.optimize.journal import (
    BYTES_MAX,
    LINES_MAX,
    Journal,
    encode_entry,
    encode_header,
    read_journal,
)
from sprint.core.optimize.setting import Entry, Process
from sprint.tools.optimize.threads import boot_id
from sprint.tools.xdg import base_folder

NAME_END = ".jsonl"
LOCK_NAME = "lock"
FOLDER_MODE = 0o700
FILE_MODE = 0o600
OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH
LOCK_WAIT_S_MAX = 5.0
LOCK_LOOK_S = 0.02
JOURNALS_MAX = 1_000


def journal_folder_default() -> Path:
    """Return sprint/optimize in the user's state folder: $XDG_STATE_HOME, else ~/.local/state."""
    return base_folder("XDG_STATE_HOME", os.environ) / "sprint" / "optimize"


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder of journals, made if it isn't there. StoreFailing where it can't be, or isn't our own."""
    try:
        folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        _refuse_others(folder, folder.stat())
        flags = os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(folder / LOCK_NAME, flags, FILE_MODE)
    except (OSError, RuntimeError) as error:
        raise StoreFailing(
            f"journal folder {folder}: {error}; nothing that outlasts this process is changed without a "
            "journal: set XDG_STATE_HOME to a folder that this user may write"
        ) from error
    try:
        _wait_for_lock(folder, descriptor)
        yield
    finally:
        os.close(descriptor)


def journals_in(folder: Path) -> list[Path]:
    """Return a folder's journals, the newest first: what was changed last is undone first."""
    times = []
    for path in folder.glob(f"*{NAME_END}"):
        with contextlib.suppress(OSError):
            times.append((path.lstat().st_mtime_ns, path.name, path))
    return [path for _, _, path in sorted(times, reverse=True)[:JOURNALS_MAX]]


def write_journal(folder: Path, entries: Sequence[Entry], holder: Process) -> Path:
    """Write a run's journal; all of it and its name are on the disk when this returns. Within `locked`."""
    content = encode_header(holder, boot_id()) + b"".join(map(encode_entry, entries))
    if len(content) > BYTES_MAX or len(entries) >= LINES_MAX:
        raise StoreFailing(
            f"the undo of {len(entries)} changes has {len(content)} bytes; a journal has at most {LINES_MAX} "
            f"lines and {BYTES_MAX} bytes: a process with fewer threads"
        )
    path = folder / f"{os.getpid()}-{time.time_ns()}{NAME_END}"
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        with os.fdopen(os.open(path, flags, FILE_MODE), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _sync_folder(folder)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise StoreFailing(f"journal {path}: {error}") from error
    return path


def read_file(path: Path) -> Journal:
    """Return what a journal holds. StoreFailing where somebody else could have written it: it is not read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise StoreFailing(f"journal {path}: no regular file")
            _refuse_others(path, found)
            if found.st_size > BYTES_MAX:
                raise StoreFailing(
                    f"journal {path}: {found.st_size} bytes; a journal has at most {BYTES_MAX}"
                )
            return read_journal(file.read(BYTES_MAX + 1))
    except OSError as error:
        raise StoreFailing(f"journal {path}: {error}") from error


def _refuse_others(path: Path, found: os.stat_result) -> None:
    """StoreFailing for what somebody else could have written: what it says is written to the kernel."""
    if found.st_uid != os.geteuid() or found.st_mode & OTHERS_MAY_WRITE:
        raise StoreFailing(
            f"{path}: belongs to user {found.st_uid}, mode {found.st_mode & 0o7777:o}; only what is user "
            f"{os.geteuid()}'s own, and nobody else may write, is undone"
        )


def _wait_for_lock(folder: Path, descriptor: int) -> None:
    """Wait for the lock, but not for ever: who holds it may have been stopped."""
    for _ in range(int(LOCK_WAIT_S_MAX / LOCK_LOOK_S)):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(LOCK_LOOK_S)
        else:
            return
    raise StoreFailing(
        f"journal folder {folder}: another process has held its lock for {LOCK_WAIT_S_MAX:g} s"
    )


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
