"""Which encoding a PostgreSQL database must have: UTF-8, as that is what is written to it."""

from __future__ import annotations

from sprint.core.errors import StoreMismatch

ENCODING = "UTF8"


def refuse_other_encoding(encoding: str | None, address: str) -> None:
    """Raise StoreMismatch where a database keeps its texts in another encoding, its `server_encoding`.

    SQL_ASCII knows no characters, so that texts come back as bytes; others lack some of those we write.
    """
    if encoding != ENCODING:
        raise StoreMismatch(
            f"{address}: its encoding is {encoding}, want {ENCODING}; nothing was changed. Make another one: "
            f"CREATE DATABASE … ENCODING '{ENCODING}' TEMPLATE template0"
        )
