"""Opens the store that a URL names: PostgreSQL, or the embedded one, which is also what no URL means.

What speaks to PostgreSQL is imported only where one is named, and is an extra that may be missing.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from sprint.core.config import StoreSection
from sprint.core.database_url import DatabaseUrl, parse_database_url
from sprint.core.errors import ConfigError
from sprint.tools.store import Store
from sprint.tools.store import sqlite as embedded
from sprint.tools.store.high_water import high_water_of
from sprint.tools.store.settings import Durability, StoreSettings

if TYPE_CHECKING:
    from types import ModuleType

EXTRA_HINT = "PostgreSQL needs an extra that isn't installed: pip install 'bitcoin-sprint[postgres]'"
_EXTRA_MODULES = ("psycopg", "psycopg_pool", "psycopg_c", "psycopg_binary")


def store_settings(section: StoreSection, durability: Durability, history_s: float) -> StoreSettings:
    """Return a store's settings as the config has them; `history_s` is how long events are kept."""
    is_postgres = section.url is not None and parse_database_url(section.url).kind == "postgres"
    return StoreSettings(
        durability=durability,
        history_s=history_s,
        readers=section.readers,
        connect_timeout_s=section.connect_timeout_s,
        answer_timeout_s=section.answer_timeout_s,
        auto_migrate=not is_postgres if section.auto_migrate is None else section.auto_migrate,
    )


def open_store(
    path: Path | None,
    url: str | None,
    settings: StoreSettings,
    *,
    wall_clock: Callable[[], float],
    random_bytes: Callable[[int], bytes],
) -> Store:
    """Open the store that the URL names, or without one the embedded one in the file `path`.

    StoreError if it is in use, StoreMismatch if its schema is not one of this version's, StoreFailing if it
    cannot be used, ConfigError if the URL is none or the extra for it is missing. Beside that file lie the
    high-water marks of a log in PostgreSQL too.
    """
    where = parse_database_url(url) if url is not None else None
    if where is not None and where.kind == "postgres":
        store: Store = _postgres().open_store(
            where,
            settings,
            wall_clock=wall_clock,
            random_bytes=random_bytes,
            high_water=high_water_of(path),
        )
        return store
    file = Path(where.path) if where is not None else path
    return embedded.open_store(file, settings, wall_clock=wall_clock, random_bytes=random_bytes)


def look_at(url: str | None, settings: StoreSettings) -> str:
    """Reach the database that a URL names and say what is there; empty for the embedded one.

    StoreError, ConfigError as `open_store`, but that nothing is changed and nobody kept from it.
    """
    where: DatabaseUrl | None = parse_database_url(url) if url is not None else None
    if where is None or where.kind != "postgres":
        return ""
    found: str = _postgres().look_at(where, settings)
    return found


def _postgres() -> ModuleType:
    """Import what speaks to PostgreSQL; ConfigError where the extra is not installed."""
    try:
        return import_module("sprint.tools.store.postgres.store")
    except ImportError as error:
        if (error.name or "psycopg").partition(".")[0] in _EXTRA_MODULES:
            raise ConfigError(EXTRA_HINT) from error
        raise
