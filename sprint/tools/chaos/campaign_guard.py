"""Guards a campaign from its first moment to its last: one at a relay, told to halt, its detours still there.

An experiment's journal is there only while faults may be on. This one is there before a relay is asked or
changed, so that `--halt` reaches a campaign that has not come to its faults yet, or is between two of them.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from sprint.core.chaos.journal import Run
from sprint.core.errors import ConfigError, FaultError, StoreFailing
from sprint.tools.chaos import processes
from sprint.tools.chaos.faults import FaultKeeper, new_run
from sprint.tools.chaos.journal_file import FILE_MODE, FOLDER_MODE, JournalFile, default_folder
from sprint.tools.chaos.taking_off import write_ended

NAME_END = "-campaign"
LOCK_END = ".lock"
LOOK_S = 0.1
HALTED = "all runs were told to halt"
DETOURS_OVER = "the detours' time is over: ask for fewer experiments at once, or a shorter --duration"


class CampaignGuard:
    """Held while a campaign runs. ConfigError where another one has the same relay.

    `target` is the relay's admin URL; empty for the tool's own, which nobody else knows of. Who names
    another journal folder isn't seen: the names of its detours tell of it.
    """

    def __init__(self, folder: Path | None, target: str) -> None:
        self.folder = folder or default_folder()
        self._lock = _locked(self.folder, target) if target else -1
        self._watched: list[tuple[FaultKeeper, int]] = []
        self.stopped = ""
        run = new_run() + NAME_END
        try:
            first = Run(run, time.time(), processes.name_of(os.getpid()))
            self._journal = JournalFile.create(self.folder, run, first)
        except BaseException:
            self._unlock()
            raise

    def __repr__(self) -> str:
        return f"CampaignGuard({self._journal!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def halted(self) -> bool:
        """Tell whether somebody asked all runs to end."""
        return self._journal.halt_path.exists()

    def watch(self, keeper: FaultKeeper) -> None:
        """Have a keeper of detours looked at too, after its detours are on."""
        self._watched.append((keeper, len(keeper.on())))

    def reason_to_stop(self) -> str:
        """Say why the campaign must not go on, or nothing. Blocking where a keeper has died."""
        self.stopped = self.stopped or self._found()
        return self.stopped

    def _found(self) -> str:
        if self.halted():
            return HALTED
        for keeper, detours in tuple(self._watched):
            try:
                keeper.check()
            except FaultError as error:
                return f"the tool itself failed: {error}"
            if len(keeper.on()) < detours:
                # Who halts all runs takes the detours off as well, and maybe a moment before this is told.
                return HALTED if keeper.halted else DETOURS_OVER
        return ""

    async def stopping(self, stop: Callable[[str], None]) -> None:
        """Look again and again; call `stop` with the first reason, and end."""
        reason = ""
        while not reason:
            await asyncio.sleep(LOOK_S)
            reason = await asyncio.to_thread(self.reason_to_stop)
        stop(reason)

    def close(self) -> None:
        """End it: its journal says nothing that is worth keeping. Twice does no harm."""
        with suppress(ConfigError, StoreFailing, OSError):
            write_ended(self._journal)
        self._journal.path.unlink(missing_ok=True)
        self._journal.halt_path.unlink(missing_ok=True)
        self._journal.close()
        self._unlock()

    def _unlock(self) -> None:
        descriptor, self._lock = self._lock, -1
        if descriptor >= 0:
            os.close(descriptor)


def _locked(folder: Path, target: str) -> int:
    """Return the descriptor of a locked file that stands for a relay; it ends with the process as well."""
    path = folder / f"relay-{_name_of(target)}{LOCK_END}"
    try:
        folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, FILE_MODE)
    except OSError as error:
        raise StoreFailing(f"lock {path}: {error}; name another folder by --journal-dir") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise ConfigError(
            f"--target {target}: another run is at this relay; what both do would be told as the relay's "
            "doing. Wait for it, or end it by --halt"
        ) from error
    return descriptor


def _name_of(target: str) -> str:
    """Return what the lock of a relay is called: the same however its loopback address is written."""
    parts = urlsplit(target)
    host = "127.0.0.1" if parts.hostname in {"localhost", "::1"} else parts.hostname
    return hashlib.sha256(f"{host}:{parts.port}".encode()).hexdigest()[:16]
