"""Days come and go: partitions are there before they are needed, and positions grow over all of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import closing

import msgspec
import pytest

from sprint.core.chains import display_hash
from sprint.core.errors import StoreFailing
from sprint.core.relay.event_log import Commit
from sprint.tools.store import LogBounds
from sprint.tools.store.postgres.days import DAYS_AHEAD
from sprint.tools.store.postgres.store import PostgresStore
from sprint.tools.store.settings import StoreSettings
from tests.tools.store.commits import Answers, Clock, block_commit, hash_at, log_of
from tests.tools.store.homes import PostgresHome

pytestmark = pytest.mark.real("postgres")
DAY_S = 86_400.0
NOON_S = 20_000 * DAY_S + DAY_S / 2
NOON = dt.date(2024, 10, 4)
DAY = dt.timedelta(days=1)
LIMITS = StoreSettings(
    history_s=2 * DAY_S, retry_ms_first=1.0, retry_ms_max=5.0, blocks_keep=5, retention_interval_s=1e9
)


class Scene:
    """A store, its clock, and a chain that grows."""

    def __init__(self, home: PostgresHome) -> None:
        self.home = home
        self.clock = Clock(NOON_S)
        self.store: PostgresStore = home.opened(LIMITS, wall_clock=self.clock)
        self.answers = Answers()
        self.height = 0
        self.start()

    def start(self) -> None:
        self.log = log_of(self.store)
        self.store.start(self.answers)

    def open_again(self) -> None:
        self.store = self.home.opened(LIMITS, wall_clock=self.clock)
        self.start()

    def commit(self, count: int = 1) -> None:
        for _ in range(count):
            self.height += 1
            self.store.submit(block_commit(self.log, "bitcoin", self.height))
            self.answers.wait_in(1)

    def days(self) -> list[tuple[dt.date, int]]:
        """The days that have events, with their first positions."""
        with self.home.connect() as connection:
            rows = connection.execute("SELECT day, first_position FROM sprint_core.event_days ORDER BY 1")
            return [(day, first) for day, first in rows.fetchall() if isinstance(day, dt.date)]  # type: ignore[misc]

    def partitions(self) -> list[str]:
        with self.home.connect() as connection:
            rows = connection.execute(
                "SELECT inhrelid::regclass::text FROM pg_inherits"
                " WHERE inhparent = 'sprint_core.events'::regclass ORDER BY 1"
            )
            return [str(name) for (name,) in rows.fetchall()]

    def turn(self) -> None:
        """Have the upkeep do all that is due, while nothing is written."""
        for _ in range(4):
            self.store._upkeep.turn()


@pytest.fixture
def scene(postgres_home: PostgresHome) -> Iterator[Scene]:
    scene = Scene(postgres_home)
    with closing(scene.store):
        yield scene


def test_partitions_are_there_a_week_ahead_and_an_empty_one_of_the_past_goes(scene: Scene) -> None:
    first = [f"sprint_core.events_{NOON + DAY * number:%Y%m%d}" for number in range(DAYS_AHEAD + 1)]
    assert scene.partitions() == first
    scene.clock.now_s += DAY_S
    scene.turn()
    assert scene.partitions() == [*first[1:], f"sprint_core.events_{NOON + DAY * (DAYS_AHEAD + 1):%Y%m%d}"]


def test_midnight_parts_the_positions_and_a_replay_reads_over_it(scene: Scene) -> None:
    scene.clock.now_s = 20_001 * DAY_S - 0.001
    scene.commit(3)
    scene.clock.now_s = 20_001 * DAY_S
    scene.commit(2)
    assert scene.days() == [(NOON, 1), (NOON + DAY, 4)]
    for after in range(6):
        for limit in (1, 2, 9):
            events = scene.store.read_events(after, 9, (), (), limit)
            assert [event.position for event in events] == list(range(after + 1, 6))[:limit]
    assert [event.position for event in scene.store.read_events(1, 4, (), (), 9)] == [2, 3, 4]


def test_a_clock_that_steps_back_keeps_to_the_newest_day(scene: Scene) -> None:
    scene.commit()
    scene.clock.now_s += DAY_S
    scene.commit()
    for back_s in (DAY_S, 300 * DAY_S, NOON_S):
        scene.clock.now_s = NOON_S + DAY_S - back_s
        scene.commit()
    assert scene.days() == [(NOON, 1), (NOON + DAY, 2)]
    scene.clock.now_s = NOON_S + 2 * DAY_S
    scene.commit()
    assert scene.days()[-1] == (NOON + 2 * DAY, 6)
    assert [event.position for event in scene.store.read_events(0, 9, (), (), 9)] == [1, 2, 3, 4, 5, 6]


def test_what_a_clock_that_was_far_behind_wrote_is_not_dropped_early(scene: Scene) -> None:
    scene.commit()
    scene.clock.now_s = 0.0
    scene.commit()
    scene.clock.now_s = NOON_S + DAY_S
    scene.commit()
    scene.turn()
    assert scene.store.bounds() == LogBounds(0, 3)


def test_a_relay_that_was_off_for_weeks_finds_its_day(scene: Scene) -> None:
    scene.commit(2)
    scene.store.close()
    scene.clock.now_s += 3 * 7 * DAY_S
    scene.open_again()
    scene.commit()
    assert scene.days() == [(NOON, 1), (NOON + 21 * DAY, 3)]
    assert len(scene.partitions()) == 2 * (DAYS_AHEAD + 1)
    scene.turn()
    assert scene.store.bounds() == LogBounds(2, 3)
    assert scene.partitions()[0] == f"sprint_core.events_{NOON + 21 * DAY:%Y%m%d}"
    scene.store.close()


def test_a_commit_makes_the_partition_that_the_upkeep_did_not_come_to_make(scene: Scene) -> None:
    scene.commit()
    scene.clock.now_s += 30 * DAY_S
    scene.commit()
    assert scene.days()[-1] == (NOON + 30 * DAY, 2)


def test_a_day_goes_whole_when_its_newest_event_is_too_old_and_not_before(scene: Scene) -> None:
    scene.commit(2)
    scene.clock.now_s += DAY_S
    scene.commit(2)
    scene.clock.now_s = NOON_S + 2 * DAY_S
    scene.commit()
    scene.turn()
    assert scene.store.bounds() == LogBounds(0, 5)
    scene.clock.now_s += 0.01
    scene.turn()
    assert scene.store.bounds() == LogBounds(2, 5)
    assert [event.position for event in scene.store.read_events(0, 9, (), (), 9)] == [3, 4, 5]
    scene.clock.now_s += 10 * DAY_S
    scene.turn()
    assert scene.store.bounds() == LogBounds(5, 5)
    scene.commit()
    assert [event.position for event in scene.store.read_events(0, 9, (), (), 9)] == [6]
    assert scene.store.snapshot("bitcoin", 0).seq == 6


def test_blocks_go_when_their_events_have_gone_and_stay_near_the_head(scene: Scene) -> None:
    scene.commit(10)
    scene.turn()
    assert len(scene.store.snapshot("bitcoin", 99).blocks) == 10
    scene.clock.now_s += 4 * DAY_S
    scene.turn()
    scene.turn()
    heights = [block.height for block in scene.store._reader.snapshot("bitcoin", 99).blocks]
    # `snapshot` asked for 99 blocks and more, so that as many are kept for the next start.
    assert heights == list(range(1, 11))
    assert scene.store.block_by_hash(display_hash(hash_at("bitcoin", 10))) == []


def test_a_reader_holds_up_dropping_a_day_and_no_commit(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    scene.commit()
    scene.clock.now_s += 9 * DAY_S
    with scene.home.connect() as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM sprint_core.events")
        scene.store._upkeep._due_s = 0.0
        scene.store._upkeep.run(idle=True)
        assert "lock timeout" in caplog.text
        scene.commit()
        assert scene.store.bounds() == LogBounds(0, 2)
        reader.execute("ROLLBACK")
    scene.turn()
    assert scene.store.bounds() == LogBounds(1, 2)


@pytest.mark.parametrize("what", ["position", "seq", "block"])
def test_nothing_is_there_twice_though_each_partition_knows_only_itself(scene: Scene, what: str) -> None:
    scene.commit()
    scene.clock.now_s += DAY_S
    position, seq, height = {"position": (1, 2, 2), "seq": (2, 1, 2), "block": (2, 2, 1)}[what]
    scene.log.position, scene.log._seq_by_chain["bitcoin"] = position - 1, seq - 1
    again: Commit = block_commit(scene.log, "bitcoin", height)
    scene.store.submit(again)
    told, error = scene.answers.wait()
    assert told == (again,)
    assert isinstance(error, StoreFailing)
    said = {
        "position": "position 1 is not after the log's",
        "seq": "bitcoin: seq 1 is in the log already",
        "block": "of 1 blocks some were delivered in this log before",
    }
    assert said[what] in str(error)
    assert scene.store.bounds() == LogBounds(0, 1)
    with pytest.raises(StoreFailing, match="1 commits not in"):
        scene.store.close()


def test_a_partition_that_an_administrator_made_is_used(scene: Scene) -> None:
    day = NOON + 30 * DAY
    with scene.home.connect() as connection:
        connection.execute(
            f"CREATE TABLE sprint_core.events_{day:%Y%m%d} PARTITION OF sprint_core.events"
            f" FOR VALUES FROM ('{day}') TO ('{day + DAY}')".encode()
        )
    scene.clock.now_s += 30 * DAY_S
    scene.commit()
    assert scene.days() == [(day, 1)]


def test_a_clock_that_was_far_ahead_stopped_the_upkeep_until_the_calendar_got_there_unsaid(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    scene.commit()
    upkeep = scene.store._upkeep
    upkeep._settings = msgspec.structs.replace(upkeep._settings, retention_interval_s=60.0)
    scene.clock.now_s = NOON_S + 300 * DAY_S
    scene.commit()
    scene.turn()
    assert caplog.messages == []
    scene.clock.now_s = NOON_S + DAY_S
    upkeep.run(idle=True)
    scene.clock.now_s += 60.0
    upkeep.run(idle=True)
    scene.turn()
    said = [message for message in caplog.messages if "lie in the day" in message]
    assert len(said) == 1, "it is said once, not at each turn"
    assert "lie in the day 2025-07-31, 299 days ahead of the clock (2024-10-05)" in said[0]
