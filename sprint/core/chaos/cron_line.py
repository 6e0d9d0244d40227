"""Cron expressions: five fields as Debian's cron(8) reads them, by the library cronsim.

    next_match("0 2 * * *", now)

Minute, hour, day of month, month, day of week; names of months and days, ranges, steps and lists. Where
neither day field begins with a star, either may match, else both must. Times are in `now`'s own zone. Of a
clock that is set forward, what would have run in the hour left out runs right after; of one that is set back,
what runs at a fixed hour runs once, and what runs every hour or every few minutes goes on (ADR 18).
"""

from __future__ import annotations

from datetime import UTC, datetime

from cronsim import CronSim, CronSimError

from sprint.core.errors import ConfigError

EXPRESSION_LENGTH_MAX = 200
FIELDS = "minute hour day-of-month month day-of-week"


def check_cron(expression: str) -> None:
    """Raise ConfigError for an expression that is none, or has other than five fields."""
    if len(expression) > EXPRESSION_LENGTH_MAX:
        raise ConfigError(f"cron: {len(expression)} characters, limit {EXPRESSION_LENGTH_MAX}")
    fields = len(expression.split())
    if fields != 5:
        raise ConfigError(f"cron {expression!r}: {fields} fields; want five: {FIELDS}")
    _reader(expression, datetime(2024, 1, 1, tzinfo=UTC))


def next_match(expression: str, now: datetime) -> datetime:
    """Return the first minute after `now` that an expression matches, in the zone of `now`.

    ConfigError for an expression that can't be, or matches nothing in fifty years, as 30 February.
    """
    check_cron(expression)
    for match in _reader(expression, now):
        # In the second of the two hours that a clock shows, a time of the first one is found, and has passed.
        if match.timestamp() > now.timestamp():
            return match
    raise ConfigError(f"cron {expression!r}: matches no minute in fifty years")


def _reader(expression: str, now: datetime) -> CronSim:
    try:
        return CronSim(expression, now)
    except (CronSimError, AssertionError) as error:
        raise ConfigError(f"cron {expression!r}: {str(error) or 'malformed'}; want {FIELDS}") from error
