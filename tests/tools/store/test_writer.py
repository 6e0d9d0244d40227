"""The writer keeps the order, groups only what waits, tries again what failed, and ends when told."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.errors import StoreError, StoreFailing
from sprint.core.relay.event_log import Commit, LoggedEvent
from sprint.tools.store.settings import StoreSettings
from sprint.tools.store.writer import Writer
from tests.tools.store.commits import WAIT_S, Answers

QUICK = StoreSettings(retry_ms_first=0.1, retry_ms_max=0.4, close_timeout_s=WAIT_S)


def commit(number: int, events: int = 1) -> Commit:
    return Commit(
        "bitcoin",
        tuple(LoggedEvent(number + step, "bitcoin", number + step, "gap", "", b"") for step in range(events)),
    )


class Database:
    """Writes groups to a list; fails as often as told, and may be held still."""

    def __init__(self, failures: Sequence[bool] = ()) -> None:
        self.groups: list[list[Commit]] = []
        self.failures = list(failures)
        self.entered = threading.Semaphore(0)
        self.may_write = threading.Event()
        self.may_write.set()
        self.idle_turns = 0
        self.written_at_upkeep: list[int] = []

    def write_group(self, commits: Sequence[Commit]) -> None:
        self.entered.release()
        assert self.may_write.wait(WAIT_S)
        if self.failures and self.failures.pop(0):
            raise StoreFailing("disk full")
        self.groups.append(list(commits))

    def keep_up(self, *, idle: bool) -> None:
        self.idle_turns += idle
        if not idle:
            self.written_at_upkeep.append(sum(map(len, self.groups)))


def test_what_waits_while_a_commit_runs_goes_in_one_group_up_to_the_limit() -> None:
    database = Database()
    database.may_write.clear()
    writer = Writer(database.write_group, database.keep_up, StoreSettings(group_commits_max=3))
    writer.start(Answers())
    commits = [commit(number) for number in range(1, 6)]
    writer.submit(commits[0])
    assert database.entered.acquire(timeout=WAIT_S)
    for late in commits[1:]:
        writer.submit(late)
    assert writer.in_flight == 5
    database.may_write.set()
    writer.close()
    assert database.groups == [commits[:1], commits[1:4], commits[4:]]
    assert writer.in_flight == 0


def test_a_group_ends_where_its_events_reach_the_limit() -> None:
    database = Database()
    writer = Writer(database.write_group, database.keep_up, StoreSettings(group_events_max=4))
    commits = [commit(1, 2), commit(3, 2), commit(5, 9), commit(14, 1)]
    for each in commits:
        writer.submit(each)
    writer.start(Answers())
    writer.close()
    assert database.groups == [commits[:2], commits[2:3], commits[3:]]


@given(failures=st.lists(st.booleans(), max_size=12), count=st.integers(1, 12), group=st.integers(1, 4))
def test_whatever_fails_nothing_is_skipped_or_swapped_and_each_try_is_told(
    failures: list[bool], count: int, group: int
) -> None:
    database, answers = Database(failures), Answers()
    settings = StoreSettings(retry_ms_first=0.01, retry_ms_max=0.02, group_commits_max=group)
    writer = Writer(database.write_group, database.keep_up, settings)
    commits = [commit(number) for number in range(1, count + 1)]
    writer.start(answers)
    for each in commits:
        writer.submit(each)
    failed = 0
    found: list[Commit] = []
    while len(found) < count:
        told, error = answers.wait()
        if error is None:
            found.extend(told)
        else:
            failed += 1
            assert told[0] == commits[len(found)]
    assert found == commits == [each for written in database.groups for each in written]
    assert failed == failures.count(True) - database.failures.count(True)
    writer.close()


def test_after_a_failed_group_its_commits_are_tried_one_by_one() -> None:
    database, answers = Database([True, False, False, False]), Answers()
    writer = Writer(database.write_group, database.keep_up, QUICK)
    commits = [commit(number) for number in (1, 2, 3)]
    for each in commits:
        writer.submit(each)
    writer.start(answers)
    told, error = answers.wait()
    assert told == tuple(commits)
    assert isinstance(error, StoreFailing)
    answers.wait_in(3)
    writer.close()
    assert database.groups[0] == commits[:1]


def test_pauses_double_up_to_their_limit() -> None:
    writer = Writer(Database().write_group, Database().keep_up, StoreSettings())
    pauses = [writer._pause_s(failures) for failures in (1, 2, 3, 7, 8, 10_000)]
    assert pauses == [0.01, 0.02, 0.04, 0.64, 1.0, 1.0]


def test_close_while_failing_ends_and_names_what_is_not_in() -> None:
    database, answers = Database([True] * 10_000), Answers()
    writer = Writer(database.write_group, database.keep_up, StoreSettings(retry_ms_first=3_600_000.0))
    writer.start(answers)
    writer.submit(commit(7))
    writer.submit(commit(8, 2))
    _, error = answers.wait()
    assert error is not None
    with pytest.raises(StoreFailing, match=r"2 commits not in \(positions 7 to 9\).*disk full"):
        writer.close()


def test_close_does_not_wait_for_a_disk_that_hangs() -> None:
    database = Database()
    database.may_write.clear()
    writer = Writer(database.write_group, database.keep_up, StoreSettings(close_timeout_s=0.01))
    writer.start(Answers())
    writer.submit(commit(1))
    with pytest.raises(StoreFailing, match="the writer did not answer"):
        writer.close()
    database.may_write.set()


def test_submit_takes_up_to_its_limit_and_refuses_one_more() -> None:
    database = Database()
    database.may_write.clear()
    writer = Writer(database.write_group, database.keep_up, StoreSettings(in_flight_max=2))
    writer.start(Answers())
    writer.submit(commit(1))
    writer.submit(commit(2))
    with pytest.raises(StoreError, match="2 commits wait, limit 2"):
        writer.submit(commit(3))
    database.may_write.set()
    writer.close()
    assert sum(map(len, database.groups)) == 2


def test_an_idle_writer_keeps_the_database_in_shape() -> None:
    turned = threading.Event()

    def keep_up(*, idle: bool) -> None:
        if idle:
            turned.set()

    writer = Writer(Database().write_group, keep_up, StoreSettings(idle_wait_ms=0.1))
    writer.start(Answers())
    assert turned.wait(WAIT_S)
    writer.close()


def test_a_writer_starts_once() -> None:
    writer = Writer(Database().write_group, Database().keep_up, StoreSettings())
    writer.start(Answers())
    with pytest.raises(StoreError, match="started before"):
        writer.start(Answers())
    writer.close()


def test_upkeep_lets_what_waits_go_first_but_not_for_ever() -> None:
    database = Database()
    database.may_write.clear()
    writer = Writer(
        database.write_group, database.keep_up, StoreSettings(group_commits_max=1, upkeep_commits_max=3)
    )
    for number in range(1, 6):
        writer.submit(commit(number))
    writer.start(Answers())
    database.may_write.set()
    writer.close()
    assert database.written_at_upkeep == [3, 5]


def test_an_upkeep_that_fails_unforeseen_is_told_and_the_writer_goes_on() -> None:
    broken, answers, database = threading.Event(), Answers(), Database()
    broken.set()

    def keep_up(*, idle: bool) -> None:
        if broken.is_set():
            raise ZeroDivisionError("a mistake of ours")

    writer = Writer(database.write_group, keep_up, StoreSettings(idle_wait_ms=0.1))
    writer.start(answers)
    told, error = answers.wait()
    assert told == ()
    assert isinstance(error, StoreFailing)
    assert "a mistake of ours" in str(error)
    writer.submit(commit(1))
    assert answers.wait_in(1) == [commit(1)]
    broken.clear()
    while answers.wait() != ((), None):
        pass
    writer.close()


def test_a_write_that_fails_unforeseen_is_told_and_tried_again() -> None:
    answers, written, failures = Answers(), list[Commit](), [True, True, False]

    def write_group(commits: Sequence[Commit]) -> None:
        if failures.pop(0):
            raise OSError("a device that has gone")
        written.extend(commits)

    writer = Writer(write_group, Database().keep_up, QUICK)
    writer.start(answers)
    writer.submit(commit(1))
    for _ in range(2):
        told, error = answers.wait()
        assert told == (commit(1),)
        assert isinstance(error, StoreFailing)
    assert answers.wait_in(1) == [commit(1)] == written
    writer.close()
