"""The SQL files, in the package or in a folder of one's own: a folder for each dialect."""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from sprint.core.errors import StoreMismatch
from sprint.core.migrate.files import FILE_BYTES_MAX, Migration, migrations_of
from sprint.core.migrate.tokens import Dialect


def packaged_migrations(dialect: Dialect) -> tuple[Migration, ...]:
    """Read the package's own migrations."""
    return read_migrations(packaged_folder() / dialect)


def packaged_folder() -> Traversable:
    """Return the folder of the dialects' folders."""
    return resources.files("sprint.tools.store") / "sql"


def read_migrations(folder: Traversable) -> tuple[Migration, ...]:
    """Read a dialect's folder of `NNNN_name.up.sql` and `.down.sql`; StoreMismatch names what isn't right."""
    if not folder.is_dir():
        raise StoreMismatch(f"{folder}: there is no such folder of migrations")
    texts = {}
    for file in folder.iterdir():
        if not file.name.endswith(".sql"):
            continue
        if isinstance(file, Path) and file.stat().st_size > FILE_BYTES_MAX:
            raise StoreMismatch(f"migration {file.name}: {file.stat().st_size} bytes, limit {FILE_BYTES_MAX}")
        try:
            texts[file.name] = file.read_text("utf-8")
        except UnicodeDecodeError as error:
            raise StoreMismatch(f"migration {file.name}: not UTF-8 at byte {error.start}") from error
    return migrations_of(texts)
