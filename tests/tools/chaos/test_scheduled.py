"""Runs by a schedule, on a clock that goes as fast as nothing happens, and that is set while they wait."""

from __future__ import annotations

import asyncio
import itertools
import selectors
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from sprint.core.chaos.schedule import Cron, Immediate, Periodic, Random, Schedule, seeded_draw
from sprint.tools.chaos.scheduled import Chance, Scheduled

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 11, 22, 12, tzinfo=BERLIN)
HOUR_S = 3_600.0


class Jumping(selectors.SelectSelector):
    """Waits for nothing: what time would have passed has passed."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is not None:
            self.now_s += max(timeout, 0.0)
        return ready


class Simulated:
    """A schedule run on a simulated clock. `begun` are the times at which runs began, in UTC."""

    def __init__(
        self, schedule: Schedule, begin: datetime, *, runs: int, takes_s: float = 0.0, seed: int = 0
    ) -> None:
        self.begun: list[datetime] = []
        self.said: list[str] = []
        self.takes_s = takes_s
        self.going_on = self.most_at_once = 0
        # Moments at which the clock is set, and by how much.
        self.set_at: list[tuple[float, timedelta]] = []
        self.stop_at: float | None = None
        self._selector = Jumping()
        self._begin = begin
        self._chance = Chance(self.now, seeded_draw(seed))
        self._scheduled = Scheduled(schedule, self._once, self._tell, runs_max=runs, chance=self._chance)

    def now(self) -> datetime:
        passed = timedelta(seconds=self._selector.now_s)
        passed += sum((by for at_s, by in self.set_at if at_s <= self._selector.now_s), timedelta())
        return (self._begin.astimezone(UTC) + passed).astimezone(self._begin.tzinfo)

    def run(self) -> list[datetime]:
        loop = asyncio.SelectorEventLoop(self._selector)
        loop.time = lambda: self._selector.now_s  # type: ignore[method-assign]
        if self.stop_at is not None:
            loop.call_at(self.stop_at, self._scheduled.stop)
        try:
            loop.run_until_complete(self._scheduled.run())
        finally:
            loop.close()
        return self.begun

    async def _once(self) -> None:
        self.begun.append(self.now().astimezone(UTC))
        self.going_on += 1
        self.most_at_once = max(self.most_at_once, self.going_on)
        await asyncio.sleep(self.takes_s)
        self.going_on -= 1

    def _tell(self, phase: str, text: str) -> None:
        self.said.append(f"{phase} {text}")


def local(times: list[datetime]) -> list[str]:
    return [f"{each.astimezone(BERLIN):%d %H:%M}" for each in times]


def test_immediate_is_one_run_without_a_wait() -> None:
    simulated = Simulated(Immediate(), NOON, runs=5)
    assert simulated.run() == [NOON]
    assert simulated.said == []


def test_every_night_at_two_is_that_and_is_announced() -> None:
    simulated = Simulated(Cron("0 2 * * *"), NOON, runs=3, takes_s=40.0)
    assert local(simulated.run()) == ["23 02:00", "24 02:00", "25 02:00"]
    assert simulated.said[0] == "waiting the next run is due at 2026-11-23T02:00:00+01:00"


@pytest.mark.parametrize(
    ("begin", "expected"),
    [
        # Two o'clock is left out on that night, and comes twice on this one: it is run once on each.
        (datetime(2026, 3, 28, 12, tzinfo=BERLIN), ["29 03:00", "30 02:00"]),
        (datetime(2026, 10, 24, 12, tzinfo=BERLIN), ["25 02:00", "26 02:00"]),
    ],
)
def test_on_the_nights_on_which_clocks_are_set_there_is_one_run(begin: datetime, expected: list[str]) -> None:
    assert local(Simulated(Cron("0 2 * * *"), begin, runs=2).run()) == expected


def test_every_ten_minutes_stays_that_while_clocks_are_set_back() -> None:
    begin = datetime(2026, 10, 25, 1, 55, tzinfo=BERLIN)
    begun = Simulated(Cron("*/10 * * * *"), begin, runs=14).run()
    assert {later - earlier for earlier, later in itertools.pairwise(begun)} == {timedelta(minutes=10)}


def test_a_clock_that_is_set_back_gives_no_run_a_second_time() -> None:
    simulated = Simulated(Cron("0 13 * * *"), NOON, runs=2, takes_s=60.0)
    # Amid the run, so that it is due again by the clock when it ends.
    simulated.set_at = [(HOUR_S + 30, timedelta(minutes=-20))]
    assert local(simulated.run()) == ["22 13:00", "23 13:00"]


def test_a_clock_that_is_set_forward_is_noticed_while_it_waits() -> None:
    simulated = Simulated(Cron("0 2 * * *"), NOON, runs=1)
    simulated.set_at = [(100.0, timedelta(hours=15))]
    (begun,) = simulated.run()
    assert begun - NOON <= timedelta(hours=15, seconds=100 + 30)


@pytest.mark.parametrize(
    ("takes_s", "gaps_s"),
    [(0.0, [600, 600, 600]), (599.0, [600, 600, 600]), (1_500.0, [1_800, 1_800, 1_800])],
)
def test_a_run_that_takes_longer_than_its_period_leaves_times_out(takes_s: float, gaps_s: list[int]) -> None:
    simulated = Simulated(Periodic(600.0), NOON, runs=4, takes_s=takes_s)
    begun = simulated.run()
    assert begun[0] == NOON
    assert [(later - one).total_seconds() for one, later in itertools.pairwise(begun)] == gaps_s
    assert simulated.most_at_once == 1


def test_random_runs_follow_from_the_seed() -> None:
    def begun(seed: int) -> list[datetime]:
        return Simulated(Random(600.0), NOON, runs=20, takes_s=5.0, seed=seed).run()

    assert begun(1) == begun(1)
    assert begun(1) != begun(2)
    assert len(begun(1)) == 20


@pytest.mark.parametrize("stop_at", [1.0, HOUR_S - 1])
def test_who_is_stopped_while_waiting_runs_nothing(stop_at: float) -> None:
    simulated = Simulated(Cron("0 13 * * *"), NOON, runs=1)
    simulated.stop_at = stop_at
    assert simulated.run() == []
    assert simulated.now() - NOON < timedelta(seconds=stop_at + 1)


def test_who_is_stopped_amid_a_run_ends_it_and_begins_no_other() -> None:
    simulated = Simulated(Periodic(60.0), NOON, runs=5, takes_s=50.0)
    simulated.stop_at = 70.0
    assert len(simulated.run()) == 2
    assert simulated.going_on == 0


def test_a_run_that_raises_ends_the_schedule() -> None:
    async def fails() -> None:
        raise ZeroDivisionError

    async def main(tell: Callable[[str, str], None]) -> None:
        await Scheduled(Immediate(), fails, tell).run()

    with pytest.raises(ZeroDivisionError):
        asyncio.run(main(lambda _phase, _text: None))
