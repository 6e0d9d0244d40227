"""Where the server has its commits confirmed by a standby, nothing is given out that no standby has."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from sprint.core.relay.event_log import Commit, EventLog
from sprint.tools.store.postgres import link
from sprint.tools.store.postgres.store import PostgresStore
from sprint.tools.store.settings import StoreSettings
from tests.integration.postgres_server import PostgresServer
from tests.tools.store.commits import WAIT_S, Answers, block_commit, log_of
from tests.tools.store.homes import PostgresHome

pytestmark = pytest.mark.real("postgres")
QUICK = StoreSettings(retry_ms_first=1.0, retry_ms_max=20.0, answer_timeout_s=0.3)
PATIENT = StoreSettings(retry_ms_first=1.0, retry_ms_max=20.0, answer_timeout_s=20.0)
CANCEL_WAITING = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
END_WAITING = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


@contextmanager
def standby_that_is_gone(server: PostgresServer) -> Iterator[None]:
    """Have each commit wait for a standby that never comes, until this ends."""
    with server.connect() as connection:
        connection.execute("ALTER SYSTEM SET synchronous_standby_names = 'nosuch'")
        connection.execute("SELECT pg_reload_conf()")
        try:
            yield
        finally:
            connection.execute("ALTER SYSTEM RESET synchronous_standby_names")
            connection.execute("SELECT pg_reload_conf()")


def test_a_commit_that_no_standby_has_was_given_out_after_a_reconnect(
    postgres_server: PostgresServer, postgres_home: PostgresHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The relay ended its own session that waited, found the commit in the log, and took it for confirmed."""
    monkeypatch.setattr(link, "CLIENT_GRACE_S", 0.1)
    with closing(postgres_home.opened(QUICK)) as store:
        answers = Answers()
        store.start(answers)
        log = log_of(store)
        with standby_that_is_gone(postgres_server):
            store.submit(block_commit(log, "bitcoin", 1))
            told, error = answers.wait()
            while error is None:  # until the server has read its configuration
                store.submit(block_commit(log, "bitcoin", log.position + 1))
                told, error = answers.wait()
            while "waits for a synchronous standby" not in str(error):
                _, error = answers.wait()
                assert error is not None, "a commit was given out that no standby has"
            # Somebody ends what waits: the commit is in the log then, and on no standby still.
            with postgres_home.connect() as connection:
                assert connection.execute(END_WAITING).fetchall() == [(True,)]
            for _ in range(2):
                _, error = answers.wait()
                assert error is not None, "a commit was given out that no standby has"
        assert answers.wait_in(1) == list(told)
        events = store.read_events(0, log.position, (), (), 10_000)
        assert [event.position for event in events] == list(range(1, log.position + 1))


def cancelled(home: PostgresHome, store: PostgresStore, log: EventLog) -> None:
    """Cancel the commit that waits for a standby, as an administrator may; commit until one does."""
    until = time.monotonic() + WAIT_S
    with home.connect() as connection:
        while connection.execute(CANCEL_WAITING).fetchall() != [(True,)]:
            assert time.monotonic() < until, "no commit waits for a standby"
            if not store.in_flight:
                store.submit(block_commit(log, "bitcoin", log.position + 1))


def test_a_commit_whose_wait_for_a_standby_was_cancelled_was_given_out(
    postgres_server: PostgresServer, postgres_home: PostgresHome
) -> None:
    """The server answers such a COMMIT like any other, and warns beside it that no standby may have it."""
    with closing(postgres_home.opened(PATIENT)) as store:
        answers = Answers()
        store.start(answers)
        log = log_of(store)
        with standby_that_is_gone(postgres_server):
            told: tuple[Commit, ...] = ()
            for _ in range(2):  # the commit itself, and then what makes sure of it
                cancelled(postgres_home, store, log)
                told, error = answers.wait()
                while error is None:
                    told, error = answers.wait()
                assert "wait for a synchronous standby was cancelled" in str(error)
                assert store.in_flight == 1
        assert answers.wait_in(1) == list(told)
        events = store.read_events(0, log.position, (), (), 10_000)
        assert [event.position for event in events] == list(range(1, log.position + 1))
