"""Which database and which files `sprint migrate` works on: by URL, or the embedded store's own file."""

from __future__ import annotations

from pathlib import Path

import msgspec

from sprint.core.database_url import parse_database_url, scheme_of
from sprint.core.errors import ConfigError, StoreError
from sprint.core.migrate.files import Migration, new_files
from sprint.core.migrate.tokens import DIALECTS, Dialect
from sprint.tools.store.migrating import STATEMENT_LOCK_WAIT_S, Database
from sprint.tools.store.migrating.packaged import packaged_folder, packaged_migrations, read_migrations
from sprint.tools.store.migrating.sqlite_dialect import open_sqlite


class Target(msgspec.Struct, frozen=True):
    """A database that is not opened yet: a `postgresql://` URL, or a SQLite file."""

    url: str | None = None
    file: Path | None = None
    shadow_url: str | None = None
    statement_lock_wait_s: float = STATEMENT_LOCK_WAIT_S

    @property
    def dialect(self) -> Dialect:
        return "sqlite" if self.url is None else "postgres"


def target_of(url: str) -> Target:
    """Read a store's URL, or a plain path of a SQLite file; ConfigError for any other."""
    if not scheme_of(url):
        return Target(file=Path(url).expanduser())
    where = parse_database_url(url)
    return Target(file=Path(where.path)) if where.kind == "sqlite" else Target(url=where.secret)


def open_target(target: Target, *, to_write: bool) -> Database:
    """Open a database; StoreFailing where that fails, StoreError where psycopg isn't installed."""
    if target.file is not None:
        return open_sqlite(target.file, to_write=to_write)
    try:
        from sprint.tools.store.migrating.postgres_dialect import open_postgres
    except ImportError as error:
        raise StoreError(
            f"PostgreSQL needs psycopg, which is not installed ({error}); "
            "pip install 'bitcoin-sprint[postgres]'"
        ) from error
    return open_postgres(
        target.url or "", shadow_url=target.shadow_url, statement_lock_wait_s=target.statement_lock_wait_s
    )


def known_of(folder: Path | None, dialect: Dialect) -> tuple[Migration, ...]:
    """Read the package's files, or those of a folder with a folder for each dialect."""
    return packaged_migrations(dialect) if folder is None else read_migrations(folder / dialect)


def write_new(folder: Path | None, title: str) -> tuple[Path, ...]:
    """Write the next version's files for both dialects, to be filled in; return where they are.

    ConfigError where the package's folder is none that can be written to, or the dialects are not abreast.
    """
    place = folder if folder is not None else Path(str(packaged_folder()))
    wanted: dict[Path, str] = {}
    names = set()
    for dialect in DIALECTS:
        (place / dialect).mkdir(parents=True, exist_ok=True)
        files = new_files(known_of(place, dialect), title)
        names.add(frozenset(files))
        wanted.update({place / dialect / name: text for name, text in files.items()})
    if len(names) > 1:
        raise ConfigError(f"{place}: the dialects have not the same versions: {', '.join(map(str, wanted))}")
    for path, text in wanted.items():
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    return tuple(wanted)
