"""Whatever clock, upkeep and restarts do, what is kept is one unbroken end of all that was committed."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sprint.core.relay.event_log import LoggedEvent
from sprint.tools.store.postgres.store import PostgresStore
from sprint.tools.store.settings import StoreSettings
from tests.tools.store.commits import Clock, block_commit, log_of
from tests.tools.store.homes import PostgresHome

pytestmark = pytest.mark.real("postgres")
DAY_S = 86_400.0
START_S = 20_000 * DAY_S
HISTORY_DAYS = 2
TURNS = 3  # each drops `DROPS_MAX` days, some of them such as had no event
LIMITS = StoreSettings(history_s=HISTORY_DAYS * DAY_S, retention_interval_s=1e9)
AHEAD = st.sampled_from((0.3, 1.0, 1.7, 9.0))
BACK = st.sampled_from((-0.3, -2.0, -400.0))


def rounds(days: st.SearchStrategy[float]) -> st.SearchStrategy[list[tuple[int, float, bool]]]:
    """Each commits some, moves the clock by days, has the upkeep run, and may start the store again."""
    return st.lists(st.tuples(st.integers(0, 30), days, st.booleans()), min_size=1, max_size=5)


class Model:
    """What was committed, with the store that is to have the end of it."""

    def __init__(self, home: PostgresHome) -> None:
        home.begin_anew()
        self.home = home
        self.clock = Clock(START_S)
        self.stepped_back = False
        self.events: list[tuple[LoggedEvent, float]] = []
        self.store: PostgresStore = home.opened(LIMITS, wall_clock=self.clock)

    def commit(self, count: int) -> None:
        log = log_of(self.store)
        commits = [block_commit(log, "bitcoin", log.position + 1) for _ in range(count)]
        if commits:
            self.store._session.write(commits)
        self.events += [(event, self.clock.now_s) for each in commits for event in each.events]

    def move_clock(self, days: float) -> None:
        self.stepped_back |= days < 0
        self.clock.now_s = max(0.0, self.clock.now_s + days * DAY_S)

    def upkeep(self) -> None:
        for _ in range(TURNS):
            self.store._upkeep.turn()
        if not self.stepped_back:
            oldest_s = self.clock.now_s - (HISTORY_DAYS + 1) * DAY_S
            assert all(at_s >= oldest_s for _, at_s in self.events[self.store.bounds().earliest :])

    def restart(self) -> None:
        self.store.close()
        self.store = self.home.opened(LIMITS, wall_clock=self.clock)

    def check(self) -> None:
        bounds = self.store.bounds()
        assert bounds.latest == len(self.events)
        kept = [event for event, _ in self.events[bounds.earliest :]]
        assert self.store.read_events(0, 10_000, (), (), 10_000) == kept
        middle = (bounds.earliest + bounds.latest) // 2
        assert self.store.read_events(middle, 10_000, (), (), 3) == [
            event for event, _ in self.events[middle : middle + 3]
        ]
        if not self.stepped_back:
            oldest_s = self.clock.now_s - HISTORY_DAYS * DAY_S
            assert all(at_s < oldest_s for _, at_s in self.events[: bounds.earliest])


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.one_of(rounds(AHEAD), rounds(st.one_of(AHEAD, BACK))))
def test_what_is_kept_is_an_unbroken_end_of_what_was_committed(
    postgres_home: PostgresHome, steps: list[tuple[int, float, bool]]
) -> None:
    model = Model(postgres_home)
    try:
        for count, days, restarts in steps:
            model.commit(count)
            model.check()
            model.move_clock(days)
            model.upkeep()
            model.check()
            if restarts:
                model.restart()
                model.check()
    finally:
        model.store.close()
