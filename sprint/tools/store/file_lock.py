"""One relay per data file: a lock beside it that the kernel frees when its holder ends, however it ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from sprint.core.errors import StoreError

_PID_LENGTH_MAX = 32


def lock_path(database: Path) -> Path:
    """Return where the lock of a database lies."""
    return database.with_name(database.name + ".lock")


def is_held(database: Path) -> bool:
    """Tell whether a process holds a database's lock, if there is one. OSError if it can't be told."""
    try:
        descriptor = os.open(lock_path(database), os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


class FileLock:
    """Holds `<database>.lock` until `release`. The file stays; only the lock on it tells anything."""

    def __init__(self, database: Path) -> None:
        self._path = lock_path(database)
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._descriptor, _PID_LENGTH_MAX, 0).decode("ascii", "replace").strip()
            os.close(self._descriptor)
            raise StoreError(
                f"{database} is in use by process {holder or 'unknown'}; stop it or give another --data-dir"
            ) from error
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def __repr__(self) -> str:
        return f"FileLock({self._path})"

    def release(self) -> None:
        """Free the lock; again is harmless."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
