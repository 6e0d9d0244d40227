"""Whatever clock, upkeep and restarts do, what is kept is one unbroken end of all that was committed."""

from __future__ import annotations

from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sprint.core.relay.event_log import LoggedEvent
from sprint.tools.store import LogBounds
from sprint.tools.store.postgres.store import PostgresStore
from sprint.tools.store.settings import StoreSettings
from tests.tools.store.commits import Clock, block_commit, log_of
from tests.tools.store.homes import PostgresHome

pytestmark = pytest.mark.real("postgres")
DAY_S = 86_400.0
START_S = 20_000 * DAY_S
HISTORY_DAYS = 2
LIMITS = StoreSettings(history_s=HISTORY_DAYS * DAY_S, retention_interval_s=1e9)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("commit"), st.integers(1, 40)),
        st.tuples(st.just("clock"), st.sampled_from((0.3, 1.0, 1.7, 9.0, -0.3, -2.0, -400.0))),
        st.tuples(st.just("upkeep"), st.just(0)),
        st.tuples(st.just("restart"), st.just(0)),
    ),
    max_size=12,
)


class Model:
    """What was committed, with the store that is to have the end of it."""

    def __init__(self, home: PostgresHome) -> None:
        home.begin_anew()
        self.home = home
        self.clock = Clock(START_S)
        self.stepped_back = False
        self.events: list[tuple[LoggedEvent, float]] = []
        self.store: PostgresStore = home.opened(LIMITS, wall_clock=self.clock)

    def commit(self, count: float) -> None:
        log = log_of(self.store)
        commits = [block_commit(log, "bitcoin", log.position + 1) for _ in range(int(count))]
        self.store._session.write(commits)
        self.events += [(event, self.clock.now_s) for each in commits for event in each.events]

    def move_clock(self, days: float) -> None:
        self.stepped_back |= days < 0
        self.clock.now_s = max(0.0, self.clock.now_s + days * DAY_S)

    def upkeep(self, _: float) -> None:
        self.store._upkeep.turn()
        if not self.stepped_back:
            oldest_s = self.clock.now_s - (HISTORY_DAYS + 1) * DAY_S
            assert all(at_s >= oldest_s for _, at_s in self.events[self.store.bounds().earliest :])

    def restart(self, _: float) -> None:
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


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_what_is_kept_is_an_unbroken_end_of_what_was_committed(
    postgres_home: PostgresHome, steps: list[tuple[str, float]]
) -> None:
    model = Model(postgres_home)
    act = {
        "commit": model.commit,
        "clock": model.move_clock,
        "upkeep": model.upkeep,
        "restart": model.restart,
    }
    try:
        for what, how_much in steps:
            act[what](how_much)
            model.check()
        assert model.store.bounds() == LogBounds(model.store.bounds().earliest, len(model.events))
    finally:
        with closing(model.store):
            pass
