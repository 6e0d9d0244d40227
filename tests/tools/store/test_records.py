"""Records beside the log get in, are merged by their key, kept for their time, and never hold an event up."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from contextlib import closing

import pytest

from sprint.core.errors import StoreFailing
from sprint.core.relay import record_tables as tables
from sprint.core.relay.records import Record, RecordTable, Value
from sprint.tools.store import side_queue
from sprint.tools.store.settings import StoreSettings
from sprint.tools.store.side_queue import SideQueue
from tests.tools.store.commits import Answers, Clock, block_commit, log_of
from tests.tools.store.homes import Home, PostgresHome, SqliteHome

SETTINGS = StoreSettings(idle_wait_ms=5.0)
_NAME = re.compile(r"sprint_(core|chains|enterprise|analytics)_(\w+)")
_COLUMNS = """
SELECT column_name FROM information_schema.columns
WHERE table_schema || '_' || table_name = '{}' ORDER BY ordinal_position"""
_TEXTS = {"hash", "parent", "chain", "source", "removed", "added", "name", "scheme", "provider", "user_agent"}
_TEXTS |= {"state", "reason", "demoted", "actor", "client", "action", "target", "outcome", "stage"}
Rows = list[tuple[object, ...]]


def ask(home: Home, query: str) -> Rows:
    """Run a query with SQLite's names, in PostgreSQL with its own."""
    if isinstance(home, PostgresHome):
        with home.connect() as connection:
            return connection.execute(_NAME.sub(r"sprint_\1.\2", query).encode()).fetchall()
    assert isinstance(home, SqliteHome)
    with closing(sqlite3.connect(home.path)) as connection:
        return connection.execute(query).fetchall()


def record(table: RecordTable, **given: Value) -> Record:
    """A row with 0 where no value is given, and an empty list where a number would not do."""
    defaults = dict.fromkeys(table.columns, 0) | dict.fromkeys(_TEXTS & set(table.columns), "[]")
    return Record(table, tuple({**defaults, **given}.values()))


@pytest.mark.parametrize("table", tables.RECORD_TABLES, ids=lambda table: str(table.name))
def test_a_table_is_as_it_is_described(home: Home, table: RecordTable) -> None:
    home.opened().close()
    if isinstance(home, PostgresHome):
        with home.connect() as connection:
            found = [row[0] for row in connection.execute(_COLUMNS.format(table.name).encode())]
    else:
        found = [row[1] for row in ask(home, f"PRAGMA table_info({table.name})")]
    assert [column for column in found if column != "entry"] == list(table.columns)


def test_a_record_of_the_same_key_is_merged(home: Home) -> None:
    store = home.opened(SETTINGS)
    first = record(
        tables.LATENCY, minute_ms=60_000, chain="c", stage="relay", blocks=3, p50_ms=1.0, p95_ms=None
    )
    again = record(
        tables.LATENCY, minute_ms=60_000, chain="c", stage="relay", blocks=2, p50_ms=0.5, p95_ms=7.0
    )
    store.submit_records([first, again])
    header: dict[str, Value] = {"chain": "c", "height": 7, "hash": "ab", "at_ms": 10**9}
    store.submit_records(
        [record(tables.HEADERS, **header, tx_count=5), record(tables.HEADERS, **header, tx_count=None)]
    )
    store.start(Answers())
    store.close()
    query = "SELECT blocks, p50_ms, p95_ms FROM sprint_analytics_latency"
    assert ask(home, query) == [(5, 1.0, 7.0)]
    assert ask(home, "SELECT tx_count FROM sprint_chains_headers") == [(5,)]


def test_records_get_in_while_commits_come(home: Home) -> None:
    store = home.opened(SETTINGS)
    log, answers = log_of(store), Answers()
    store.start(answers)
    for height in range(1, 51):
        store.submit_records([record(tables.REORGS, chain="c", seq=height, at_ms=10**9)])
        store.submit(block_commit(log, "bitcoin", height))
    assert len(answers.wait_in(50)) == 50
    store.close()
    assert ask(home, "SELECT count(*) FROM sprint_chains_reorgs") == [(50,)]


def test_one_that_no_database_takes_is_dropped_alone(home: Home) -> None:
    store = home.opened(SETTINGS)
    bad = record(tables.SOURCES, chain="c", name="bad", wins=2**70)
    store.submit_records([record(tables.SOURCES, chain="c", name=each, at_ms=10**9) for each in "ab"])
    store.submit_records([bad, record(tables.SOURCES, chain="c", name="z", at_ms=10**9)])
    store.start(Answers())
    store.close()
    query = "SELECT name FROM sprint_chains_sources ORDER BY name"
    assert ask(home, query) == [("a",), ("b",), ("z",)]


def test_what_is_too_old_goes_and_audit_stays_longer(home: Home) -> None:
    clock = Clock(200 * 86_400.0)
    settings = StoreSettings(
        idle_wait_ms=5.0, retention_interval_s=0.0, history_s=86_400.0, delete_rows_max=10
    )
    store = home.opened(settings, wall_clock=clock)
    now_ms = int(clock.now_s * 1000)
    day_ms = 86_400_000
    for age_days in (0, 2, 80, 100):
        at_ms = now_ms - age_days * day_ms - (1 if age_days else 0)
        store.submit_records([record(tables.THROUGHPUT, minute_ms=at_ms, chain=f"c{n}") for n in range(15)])
        store.submit_records([record(tables.AUDIT_LOG, at_ms=at_ms, status=200, target=str(age_days))])
    answers, log = Answers(), log_of(store)
    store.start(answers)
    for height in range(1, 80):  # each commit is followed by a turn of upkeep
        store.submit(block_commit(log, "bitcoin", height))
        answers.wait_in(1)
    store.close()
    assert ask(home, "SELECT count(*) FROM sprint_analytics_throughput") == [(15,)]
    kept = ask(home, "SELECT target FROM sprint_enterprise_audit_log ORDER BY at_ms DESC")
    assert kept == [("0",), ("2",), ("80",)]


def test_records_wait_for_a_failing_database_and_the_oldest_are_dropped_beyond_the_limit(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(side_queue, "RECORDS_WAITING_MAX", 10)
    written: list[Record] = []
    fails = True

    def write(records: Sequence[Record]) -> None:
        if fails:
            raise StoreFailing("no space left")
        written.extend(records)

    queue = SideQueue(write)
    queue.put([record(tables.AUDIT_LOG, target="order")])
    queue.put([record(tables.REORGS, seq=number) for number in range(13)])
    for _ in range(3):
        assert queue.run() is False
    assert (queue.waiting, queue.dropped) == (11, 3)
    assert caplog.text.count("records wait for the store") == 1
    fails = False
    queue.finish(float("inf"))
    assert [each.table.name for each in written[:1]] == [tables.AUDIT_LOG.name]
    assert [each.values[1] for each in written[1:]] == list(range(3, 13))
