"""When experiments run: at once, every so often, at random, or by a cron expression.

    due = schedule.next(now, last=due, draw=rng.random)

Times are planned ones: where a run took longer than its period, the times that it ran over are left out and
not made up for, so that runs never overlap nor pile up. All are reckoned in UTC, as two times of one zone
that sets its clocks are not as far apart as they look, and given in the zone of `now`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from itertools import count

import msgspec

from sprint.core.chaos.cron_line import check_cron, next_match
from sprint.core.errors import ConfigError

PERIOD_S_MIN = 1.0
PERIOD_S_MAX = 366 * 86_400.0
# Of a random schedule: an exponential time has no end, and one that waits for ever looks broken.
RANDOM_FACTOR_MAX = 10.0

# Gives a number from 0 on and below 1.
Draw = Callable[[], float]


class Immediate(msgspec.Struct, frozen=True, tag="immediate"):
    """Once, at once."""

    def next(self, now: datetime, last: datetime | None, draw: Draw) -> datetime | None:
        """Return when the next run is due; None after the first. `last` is when the last one was due."""
        del draw
        return now if last is None else None


class Periodic(msgspec.Struct, frozen=True, tag="periodic"):
    """At once, and then every `every_s` seconds, counted from when the first was due."""

    every_s: float

    def next(self, now: datetime, last: datetime | None, draw: Draw) -> datetime | None:
        """Return when the next run is due: after `now` and after `last`."""
        del draw
        if last is None:
            return now
        passed = max(math.floor((now.timestamp() - last.timestamp()) / self.every_s), 0)
        due = last.astimezone(UTC) + timedelta(seconds=self.every_s * (passed + 1))
        # The division may round up to what has just passed.
        if due <= now.astimezone(UTC):
            due += timedelta(seconds=self.every_s)
        return due.astimezone(now.tzinfo)


class Random(msgspec.Struct, frozen=True, tag="random"):
    """At random, `mean_s` seconds apart on average, as independent events come: exponentially distributed.

    From one due time to the next, ten times the mean at most, which moves the average by 0.05 %.
    """

    mean_s: float

    def next(self, now: datetime, last: datetime | None, draw: Draw) -> datetime | None:
        """Return when the next run is due: after `last`, or after `now` where that has passed."""
        wait_s = min(-math.log(1.0 - draw()), RANDOM_FACTOR_MAX) * self.mean_s
        wait = timedelta(seconds=max(wait_s, PERIOD_S_MIN))
        begin, due = now.astimezone(UTC), (last or now).astimezone(UTC) + wait
        return (due if due > begin else begin + wait).astimezone(now.tzinfo)


class Cron(msgspec.Struct, frozen=True, tag="cron"):
    """By a cron expression, in the zone of `now`."""

    expression: str

    def next(self, now: datetime, last: datetime | None, draw: Draw) -> datetime | None:
        """Return the next minute that matches: after `now` and after `last`."""
        del draw
        if last is None or last.timestamp() <= now.timestamp():
            return next_match(self.expression, now)
        return next_match(self.expression, last.astimezone(now.tzinfo))


def seeded_draw(seed: int) -> Draw:
    """Return draws that look random, evenly distributed, and are the same for one seed in each process."""
    numbers = count()

    def draw() -> float:
        digest = blake2b(f"{seed}:{next(numbers)}".encode(), digest_size=8).digest()
        return (int.from_bytes(digest, "big") >> 11) / (1 << 53)

    return draw


Schedule = Immediate | Periodic | Random | Cron


def checked(schedule: Schedule) -> Schedule:
    """Return a schedule; ConfigError with what it has and what would be right."""
    match schedule:
        case Periodic():
            _check_s("every", schedule.every_s)
        case Random():
            _check_s("mean", schedule.mean_s)
        case Cron():
            check_cron(schedule.expression)
        case Immediate():
            pass
    return schedule


def _check_s(name: str, value_s: float) -> None:
    if not PERIOD_S_MIN <= value_s <= PERIOD_S_MAX:
        raise ConfigError(f"{name} {value_s:g} s; want {PERIOD_S_MIN:g} s to {PERIOD_S_MAX:.0f} s (a year)")
