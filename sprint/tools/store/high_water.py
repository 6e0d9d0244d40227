"""How far a log was given out, kept beside the database, so that one put back from a copy is known for it.

A database that is put back to an earlier state can't tell: it holds the same log, only less of it, and would
give positions that subscribers hold cursors to out again, for other events. So a relay keeps a file for each
log, in a folder of its own data directory, with the last position that the database has confirmed. It is
written after each transaction and before anybody is given an event of it, without a sync: what the kernel
holds outlives `kill -9`, and after a power loss it tells of a position some seconds back, never ahead. A log
that is shorter than its file says doesn't go on. A log's id is random, so that the files of several databases
may lie in one folder, and those of copies that went on apart tell the truth of each.

Without the file all is as it would be without this module. Where it can't be written the relay says so and
goes on: it guards against a mistake of people, and no commit may fail by it.
"""

from __future__ import annotations

import logging
import os
import re
from contextlib import suppress
from pathlib import Path

from sprint.tools.runtime import log_fields

FOLDER = "high-water"
LOGS_KEPT_MAX = 64
_DIGITS = 19  # of any position that a database can hold
_CONTENT = re.compile(rb"(\d{%d})\n" % _DIGITS)
_LOG_ID = re.compile(r"[0-9a-f]{16}")
_log = logging.getLogger(__name__)


class HighWater:
    """The high-water marks of the logs that were kept by this relay; without a `folder`, none.

    One thread uses it at a time: who opens the store, then its writer, then who closes it.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._descriptor = -1

    def __repr__(self) -> str:
        return f"HighWater({self._folder}, open={self._descriptor >= 0})"

    def may_go_on(self, log_id: str, position: int) -> bool:
        """Tell whether a log that reaches to `position` is all that was given out of it; if not, say so."""
        given_out = self._read(log_id)
        if position >= given_out:
            return True
        log_fields(
            _log,
            logging.WARNING,
            "the database was put back to an earlier state: a new log begins, and cursors of the old one are "
            "told cursor_foreign",
            reason=f"log {log_id} is there up to position {position}, and was given out up to {given_out}",
        )
        return False

    def follow(self, log_id: str, position: int) -> None:
        """Keep the mark of this log from now on, which reaches to `position`."""
        self._open(log_id)
        self.note(position)
        self._sync()
        self._forget_oldest()

    def note(self, position: int) -> None:
        """Note that events up to `position` are confirmed. Called before anybody is given one of them."""
        if self._descriptor < 0:
            return
        try:
            os.pwrite(self._descriptor, b"%0*d\n" % (_DIGITS, position), 0)
        except OSError as error:
            self._fail(error)

    def close(self) -> None:
        """Let go of the file; again is harmless."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _read(self, log_id: str) -> int:
        """Return a log's mark, 0 where there is none."""
        if self._folder is None:
            return 0
        file = self._folder / log_id
        try:
            content = file.read_bytes()
        except FileNotFoundError:
            return 0
        except OSError as error:
            self._fail(error)
            return 0
        found = _CONTENT.fullmatch(content)
        if found is None:
            _log.warning("%s counts for nothing: want %d digits and a line's end", file, _DIGITS)
        return int(found[1]) if found else 0

    def _open(self, log_id: str) -> None:
        if self._folder is None:
            return
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._descriptor = os.open(
                self._folder / log_id, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
            )
        except OSError as error:
            self._fail(error)

    def _sync(self) -> None:
        if self._descriptor < 0 or self._folder is None:
            return
        try:
            os.fsync(self._descriptor)
            folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            self._fail(error)

    def _forget_oldest(self) -> None:
        """Drop the marks of the logs that were written to longest ago, beyond the limit."""
        if self._folder is None:
            return
        with suppress(OSError):
            marks = [each for each in self._folder.iterdir() if _LOG_ID.fullmatch(each.name)]
            marks.sort(key=lambda each: each.stat().st_mtime_ns, reverse=True)
            for old in marks[LOGS_KEPT_MAX:]:
                old.unlink()

    def _fail(self, error: OSError) -> None:
        """Go on without a mark."""
        self.close()
        folder, self._folder = self._folder, None
        log_fields(
            _log,
            logging.WARNING,
            "no high-water mark is kept: a database put back to an earlier state is not noticed",
            folder=folder,
            reason=str(error),
        )


def high_water_of(store_file: Path | None) -> HighWater:
    """Return the marks that lie beside a store's file; with none, as in memory, none are kept."""
    return HighWater(None if store_file is None else store_file.parent / FOLDER)
