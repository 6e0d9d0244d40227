"""Reads the config again when it is told to, or when its file has changed, and has the difference applied.

The whole config is read and judged first; where anything is wrong, all stays as it was and the log names
the key. A file counts as changed when it is other than what was read and has stayed so for two looks, so
that one that is being written is let be.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge

from sprint.core.config import ConfigChange
from sprint.core.config.change import Values, applied, change_between
from sprint.core.errors import SprintError
from sprint.tools.runtime import log_fields

WATCH_INTERVAL_S = 1.0
NO_FILE = "none"
WATCH_KEY = "features.watch_config"
log = logging.getLogger(__name__)

# What tells one state of a file from another; None where there is none.
Signature = tuple[int, int, int] | None


class Loading(NamedTuple):
    """What is read again: the file, if there is one, what the config was, and all of it anew."""

    path: Path | None
    running: Values
    load: Callable[[], Values]


class ConfigReload:
    """Keeps what runs of the config. `load` is called in a thread; `apply` says what it could not apply."""

    def __init__(
        self,
        loading: Loading,
        apply: Callable[[ConfigChange], Awaitable[Mapping[str, str]]],
        registry: CollectorRegistry,
        *,
        watch_interval_s: float = WATCH_INTERVAL_S,
    ) -> None:
        self.running = loading.running
        self._path = loading.path
        self._load = loading.load
        self._apply = apply
        self._watch_interval_s = watch_interval_s
        self._told = asyncio.Event()
        self._read = self._seen = _signature(loading.path)
        self._reloads = Counter(
            "sprint_config_reloads", "Times the config was read again", ("outcome",), registry=registry
        )
        self._restart_needed = Gauge(
            "sprint_config_restart_needed", "Keys that differ and need a restart", registry=registry
        )

    def tell(self) -> None:
        """Have the config read again; SIGHUP's handler."""
        self._told.set()

    async def run(self) -> None:
        """Wait for being told and for changes, for ever."""
        if self._path is not None:  # it may be one that nobody thought of, in one of the usual places
            log_fields(log, logging.INFO, "config read", file=self._path)
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._watch_interval_s):
                    await self._told.wait()
            if self._told.is_set() or await self._changed():
                self._told.clear()
                await self.reload()

    async def reload(self) -> None:
        """Read the config again and apply what differs."""
        try:
            self._read = await asyncio.to_thread(_signature, self._path)
            wanted = await asyncio.to_thread(self._load)
            await self._take(wanted)
        except SprintError as error:
            self._reloads.labels("kept").inc()
            reason = str(error)
            log_fields(log, logging.ERROR, "config kept as it was", file=self._path or NO_FILE, reason=reason)
        except Exception:  # a mistake of ours must not end the watch
            self._reloads.labels("kept").inc()
            log.exception("config kept as it was")

    async def _take(self, wanted: Values) -> None:
        change = change_between(self.running, wanted)
        refused = dict(await self._apply(change)) if change.at_once else {}
        self.running = applied(self.running, wanted, change, tuple(refused))
        done = [key for key in change.at_once if key not in refused]
        self._reloads.labels("applied" if done else "unchanged").inc()
        said = ", ".join(done) or "nothing"
        log_fields(log, logging.INFO, "config read again", file=self._path or NO_FILE, applied=said)
        restart = {**dict.fromkeys(change.restart, "it is read at the start only"), **refused}
        self._restart_needed.set(len(restart))
        for key, why in restart.items():
            log_fields(log, logging.WARNING, "restart needed", key=key, reason=why)

    async def _changed(self) -> bool:
        if not self.running[WATCH_KEY] or self._path is None:
            return False
        before, self._seen = self._seen, await asyncio.to_thread(_signature, self._path)
        return self._seen == before and self._seen != self._read


def _signature(path: Path | None) -> Signature:
    if path is None:
        return None
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino)
