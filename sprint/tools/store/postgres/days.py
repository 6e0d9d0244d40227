"""The partitions of the events, one for each day in UTC: which there are, which is due, which can go.

A commit's day is that of the clock, or the newest that has events where the clock has stepped back, so that
positions grow from partition to partition. Partitions are made ahead; a day that has none, after a week in
which no relay ran, gets its own with the first commit. They are made beside the table and attached, which
waits for no reader; dropping one does, so that it is tried for a moment only, and later again.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from psycopg import sql

from sprint.tools.store.postgres.link import Connection

DAYS_AHEAD = 7
_DAY = timedelta(days=1)
_EXISTING = """
SELECT child.relname FROM pg_inherits
JOIN pg_class AS child ON child.oid = inhrelid
WHERE inhparent = 'sprint_core.events'::regclass"""
_NEWEST = "SELECT max(day) FROM sprint_core.event_days"
_USED = "SELECT day FROM sprint_core.event_days"
_PREFIX = "events_"


class Days:
    """The partitions that one connection knows of."""

    def __init__(self, existing: set[date], newest: date | None) -> None:
        self.existing = existing
        self.newest = newest

    def __repr__(self) -> str:
        return f"Days({len(self.existing)} partitions, events up to {self.newest})"

    @classmethod
    def read(cls, connection: Connection) -> Days:
        """Look at which partitions there are, and which day has the newest events."""
        names = [str(name) for (name,) in connection.execute(_EXISTING).fetchall()]
        newest = connection.execute(_NEWEST).fetchone()
        return cls({found for name in names if (found := _day_of(name))}, newest[0] if newest else None)

    def due(self, now_s: float) -> date:
        """Return the day that a commit belongs to."""
        today = datetime.fromtimestamp(now_s, UTC).date()
        return today if self.newest is None else max(today, self.newest)

    def missing(self, now_s: float, ahead: int = DAYS_AHEAD) -> list[date]:
        """Return the days from the one that is due on that have no partition yet."""
        first = self.due(now_s)
        wanted = [first + number * _DAY for number in range(ahead + 1)]
        return [day for day in wanted if day not in self.existing]

    def unused(self, connection: Connection, now_s: float) -> date | None:
        """Return a day before the one that is due that has a partition and no event; None will ever come."""
        past = {day for day in self.existing if day < self.due(now_s)}
        used = {day for (day,) in connection.execute(_USED).fetchall()} if past else set()
        return min(past - used, default=None)


def partition_of(day: date) -> str:
    """Return the name of a day's partition in the schema `sprint_core`."""
    return f"{_PREFIX}{day:%Y%m%d}"


def make(connection: Connection, day: date) -> None:
    """Make a day's partition and attach it, in the transaction that is open."""
    table = sql.Identifier("sprint_core", partition_of(day))
    if day in Days.read(connection).existing:
        return  # somebody else was first, as an administrator who knows what is coming
    connection.execute(
        sql.SQL("CREATE TABLE IF NOT EXISTS {} (LIKE sprint_core.events INCLUDING DEFAULTS)").format(table)
    )
    connection.execute(
        sql.SQL("ALTER TABLE sprint_core.events ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})").format(
            table, sql.Literal(day.isoformat()), sql.Literal((day + _DAY).isoformat())
        )
    )


def drop(connection: Connection, day: date) -> None:
    """Forget a day and drop its partition, in the transaction that is open."""
    connection.execute("DELETE FROM sprint_core.event_days WHERE day = %s", (day,))
    connection.execute(
        sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier("sprint_core", partition_of(day)))
    )


def _day_of(name: str) -> date | None:
    try:
        return datetime.strptime(name.removeprefix(_PREFIX), "%Y%m%d").replace(tzinfo=UTC).date()
    except ValueError:
        return None
