"""What a relay does about its store's schema as it starts: bring it up to date, or refuse it.

A store that is newer than this version knows, or that the files do not explain, is refused in any case; one
that is older is migrated with `auto_migrate`, which is on by default for the embedded store alone: a
PostgreSQL belongs to more than one relay's start.
"""

from __future__ import annotations

import logging

from sprint.core.errors import StoreMismatch
from sprint.core.migrate.files import Migration
from sprint.core.migrate.order import check_applied, pending
from sprint.tools.store.migrating import Database, Tell
from sprint.tools.store.migrating.packaged import packaged_migrations
from sprint.tools.store.migrating.runner import Done, Running, migrate_up

log = logging.getLogger(__name__)


def bring_up(database: Database, *, now_ms: int, auto_migrate: bool, tell: Tell = log.info) -> list[Done]:
    """Migrate what is older and return what was run; StoreMismatch where that is not to be, or cannot."""
    try:
        done, is_new = _brought_up(database, now_ms, tell, auto_migrate=auto_migrate)
    except StoreMismatch as error:
        raise StoreMismatch(f"{database.address}: {error}") from error
    if done and not is_new:
        tell(f"the schema of {database.address} was brought up to date: {done[-1].name}")
    return done


def _brought_up(
    database: Database, now_ms: int, tell: Tell, *, auto_migrate: bool
) -> tuple[list[Done], bool]:
    """Return what was run, and whether nothing was there before."""
    known = packaged_migrations(database.dialect)
    waiting = _pending(database, known, auto_migrate=auto_migrate)
    done = migrate_up(Running(database, known, now_ms, tell)) if waiting else []
    return done, waiting == known


def _pending(
    database: Database, known: tuple[Migration, ...], *, auto_migrate: bool
) -> tuple[Migration, ...]:
    applied = database.applied()
    check_applied(known, applied)
    waiting = pending(known, applied)
    if waiting and not auto_migrate:
        raise StoreMismatch(
            f"{len(waiting)} migrations are not applied, {waiting[0].name} to {waiting[-1].name}; "
            "run `sprint migrate up`, or start the relay with --auto-migrate"
        )
    return waiting
