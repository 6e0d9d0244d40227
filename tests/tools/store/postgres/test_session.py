"""Whatever becomes of the connection that writes: each commit is in once, in order, or is known not to be."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest

from sprint.core.errors import StoreError, StoreFailing
from sprint.tools.store.postgres import link
from sprint.tools.store.postgres.link import Connection
from sprint.tools.store.postgres.store import PostgresStore
from sprint.tools.store.settings import StoreSettings
from tests.integration.postgres_server import PostgresServer
from tests.tools.store.commits import Answers, block_commit, log_of
from tests.tools.store.homes import PostgresHome

pytestmark = pytest.mark.real("postgres")
QUICK = StoreSettings(retry_ms_first=1.0, retry_ms_max=20.0)
END_WRITER = """
SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND datname = current_database()"""


@pytest.fixture
def store(postgres_home: PostgresHome) -> Iterator[PostgresStore]:
    with closing(postgres_home.opened(QUICK)) as store:
        yield store


def lose(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    connection.pgconn.finish()
    raise psycopg.OperationalError("the connection was cut by a test")


def positions(store: PostgresStore) -> list[int]:
    return [event.position for event in store.read_events(0, 10_000, (), (), 10_000)]


def fill_one(store: PostgresStore) -> None:
    answers = Answers()
    store.start(answers)
    store.submit(block_commit(log_of(store), "bitcoin", 1))
    answers.wait_in(1)


@pytest.mark.parametrize("answered", [True, False], ids=["the commit got in", "the commit did not get in"])
def test_a_commit_whose_end_was_not_heard_of_is_in_once(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch, *, answered: bool
) -> None:
    execute = Connection.execute
    cuts = [True]

    def cut_at_commit(self: Connection, query: Any, *args: Any, **more: Any) -> Any:
        if query == "COMMIT" and cuts:
            cuts.pop()
            if answered:
                execute(self, query)
            lose(self)
        return execute(self, query, *args, **more)

    log = log_of(store)
    commits = [block_commit(log, "bitcoin", height) for height in range(1, 6)]
    monkeypatch.setattr(Connection, "execute", cut_at_commit)
    for commit in commits:
        store.submit(commit)
    answers = Answers()
    store.start(answers)
    assert answers.wait_in(len(commits)) == commits
    assert positions(store) == [1, 2, 3, 4, 5]
    assert not cuts


def test_cuts_at_any_statement_lose_and_repeat_nothing(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    rng = random.Random(seed)
    execute = Connection.execute
    left = [60]

    def cut_now_and_then(self: Connection, query: Any, *args: Any, **more: Any) -> Any:
        roll = rng.random()
        if left[0] and roll < 0.05:
            left[0] -= 1
            lose(self)
        found = execute(self, query, *args, **more)
        if left[0] and roll > 0.95:
            left[0] -= 1
            lose(self)
        return found

    log = log_of(store)
    commits = [block_commit(log, "bitcoin", height) for height in range(1, 201)]
    monkeypatch.setattr(Connection, "execute", cut_now_and_then)
    answers = Answers()
    store.start(answers)
    for commit in commits:
        store.submit(commit)
        if rng.random() < 0.1:
            assert answers.wait()
    while store.in_flight:
        answers.wait()
    monkeypatch.undo()
    assert positions(store) == list(range(1, 201)), f"seed {seed}"
    assert [block.height for block in store.snapshot("bitcoin", 999).blocks] == list(range(1, 201))


def test_a_session_that_the_server_ended_is_replaced_and_nobody_is_told(
    store: PostgresStore, postgres_home: PostgresHome
) -> None:
    answers = Answers()
    store.start(answers)
    log = log_of(store)
    for height in range(1, 4):
        commit = block_commit(log, "bitcoin", height)
        store.submit(commit)
        assert answers.wait() == ((commit,), None)
        with postgres_home.connect() as connection:
            assert connection.execute(END_WRITER).fetchall() == [(True,)]
    assert positions(store) == [1, 2, 3]


def test_a_stop_does_not_wait_for_a_server_that_is_gone(
    postgres_home: PostgresHome, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It connected anew to mark the stop as clean, for twice as long as connecting may take."""
    store = postgres_home.opened(QUICK)
    fill_one(store)
    with postgres_home.connect() as connection:
        connection.execute(END_WRITER)
    monkeypatch.setattr(store._link, "connect", lambda: pytest.fail("it connected anew"))
    store.close()
    assert "the stop could not be marked as clean: PostgreSQL" in caplog.text
    with closing(postgres_home.opened(QUICK)) as again:
        assert (again.log_id, positions(again)) == (store.log_id, [1])


def test_a_session_of_our_own_that_outlived_its_connection_is_ended(store: PostgresStore) -> None:
    log = log_of(store)
    session = store._session
    lost, session._connection = session._connection, None
    assert lost is not None
    session.write([block_commit(log, "bitcoin", 1)])
    with pytest.raises(psycopg.OperationalError, match="terminating"):
        lost.execute("SELECT 1")
    assert positions(store) == [1]


def test_what_somebody_else_wrote_ends_the_writing_and_is_said(
    store: PostgresStore, postgres_home: PostgresHome
) -> None:
    answers = Answers()
    store.start(answers)
    log = log_of(store)
    store.submit(block_commit(log, "bitcoin", 1))
    assert answers.wait_in(1)
    with postgres_home.connect() as connection:
        connection.execute("UPDATE sprint_core.log SET written = written + 1")
    store.submit(block_commit(log, "bitcoin", 2))
    _, error = answers.wait()
    assert "somebody else wrote after transaction 1" in str(error)
    store._session._drop()
    _, error = answers.wait()
    while "this is not the log as it was left" not in str(error):
        _, error = answers.wait()
    assert positions(store) == [1]
    with postgres_home.connect() as connection:
        connection.execute("UPDATE sprint_core.log SET written = written - 1")
    assert len(answers.wait_in(1)) == 1


def test_a_second_relay_is_refused_and_told_who_has_the_database(
    store: PostgresStore, postgres_home: PostgresHome
) -> None:
    with pytest.raises(StoreError, match=rf"is in use by {store._link.name} from 127\.0\.0\.1") as refused:
        postgres_home.opened()
    assert "stop that relay, or give this one a database of its own" in str(refused.value)
    assert not isinstance(refused.value, StoreFailing)


def test_a_read_only_database_is_said_and_the_commits_wait_for_it(
    store: PostgresStore, postgres_home: PostgresHome
) -> None:
    with postgres_home.server.connect() as connection:
        name = postgres_home.name
        connection.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'.encode())
    store._session._drop()
    answers = Answers()
    store.start(answers)
    log = log_of(store)
    commit = block_commit(log, "bitcoin", 1)
    store.submit(commit)
    told, error = answers.wait()
    assert told == (commit,)
    assert "(25006); a standby, or one with default_transaction_read_only" in str(error)
    with postgres_home.server.connect() as connection:
        connection.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only'.encode())
    assert answers.wait_in(1) == [commit]


def test_a_frozen_server_holds_no_thread_up_and_gets_each_commit_once(
    postgres_server: PostgresServer, postgres_home: PostgresHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "CLIENT_GRACE_S", 0.1)
    settings = StoreSettings(
        retry_ms_first=1.0, retry_ms_max=20.0, answer_timeout_s=0.3, connect_timeout_s=1.0
    )
    with closing(postgres_home.opened(settings)) as store:
        answers = Answers()
        store.start(answers)
        log = log_of(store)
        store.submit(block_commit(log, "bitcoin", 1))
        assert answers.wait_in(1)
        commits = [block_commit(log, "bitcoin", height) for height in range(2, 6)]
        postgres_server.freeze()
        try:
            for commit in commits:
                store.submit(commit)
            _, error = answers.wait()
            with pytest.raises(StoreFailing, match=r"no answer within|timeout expired"):
                store.bounds()
        finally:
            postgres_server.thaw()
        assert "no answer within 0.4 s" in str(error)
        assert answers.wait_in(len(commits)) == commits
        assert positions(store) == [1, 2, 3, 4, 5]
