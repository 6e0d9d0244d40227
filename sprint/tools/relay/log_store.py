"""Opens the store that a relay keeps its log in; with the devnet, a temporary one."""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path

import msgspec

from sprint.core.config import StoreSection
from sprint.tools.relay.embedded_devnet import temporary_folder
from sprint.tools.runtime import log_fields, random_bytes, wall_clock
from sprint.tools.store import Store
from sprint.tools.store.opening import open_store, store_settings
from sprint.tools.store.settings import STORE_FILE, Durability

log = logging.getLogger(__name__)


class LogPlace(msgspec.Struct, frozen=True, kw_only=True):
    """Where the log is kept and how long: a folder for the embedded store, or what `section` names."""

    folder: Path | None
    section: StoreSection
    durability: Durability
    history_s: float


def open_log_store(place: LogPlace, stack: contextlib.AsyncExitStack, *, demo: bool) -> Store:
    """Open the store. `demo`: a devnet runs, whose chains begin anew at each start; nothing is kept then."""
    folder, section = place.folder, place.section
    if demo and place.durability != "memory":
        folder = Path(stack.enter_context(temporary_folder(folder, STORE_FILE, wall_clock)))
        log_fields(log, logging.INFO, "with the devnet the log is kept in a temporary folder", folder=folder)
    if demo:
        if section.url is not None:
            log.warning("with the devnet store.url counts for nothing: each devnet mines a new chain")
        # Nobody could bring a temporary store up to date beforehand.
        section = msgspec.structs.replace(section, url=None, auto_migrate=True)
    return open_store(
        folder / STORE_FILE if folder is not None else None,
        section.url,
        store_settings(section, place.durability, place.history_s),
        wall_clock=wall_clock,
        random_bytes=random_bytes,
    )
