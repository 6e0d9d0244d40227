"""What the relay keeps beside its log: a table as data, and one row of it.

The log is the promise, and no event waits for a record. Records ride a side queue: they are written when no
commit waits, kept while the database fails, dropped and counted beyond a bound. `record_tables` describes the
tables; both databases make their statements from that, so that a new one needs a migration and an entry.
"""

from __future__ import annotations

from typing import Literal

import msgspec

# `history`: as long as the log's events, which is what the highest tier served is promised.
# `audit`: who ordered what outlives them.
Keep = Literal["history", "audit"]
Value = str | int | float | bytes | None


class RecordTable(msgspec.Struct, frozen=True, kw_only=True):
    """A table that records go to. `name` is SQLite's; PostgreSQL's has a dot after the schema.

    `key`: columns that make a row one of a kind; without one every record is a row. A later record of the
    same key replaces the columns of the earlier one, but for those that are `kept` where the later one has
    none, those that are `added` up, and those of which the `highest` stays. `at` is the column, in Unix
    milliseconds, that tells a row's age.
    """

    name: str
    columns: tuple[str, ...]
    at: str
    key: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    highest: tuple[str, ...] = ()
    keep: Keep = "history"


class Record(msgspec.Struct, frozen=True):
    """One row: values in the order of the table's columns."""

    table: RecordTable
    values: tuple[Value, ...]
