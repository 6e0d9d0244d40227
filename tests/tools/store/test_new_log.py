"""After a restore an operator ends the log, so that no old cursor is misread; no running relay lets him."""

from __future__ import annotations

from contextlib import closing

from typer.testing import CliRunner, Result

from sprint.cli.migrate import app
from sprint.tools.store import LogBounds, Store
from tests.tools.store.commits import Answers, block_commit, hash_at, log_of
from tests.tools.store.homes import Home, PostgresHome, SqliteHome


def repaired(home: Home, *options: str) -> Result:
    assert isinstance(home, (PostgresHome, SqliteHome))
    url = home.url if isinstance(home, PostgresHome) else str(home.path)
    return CliRunner().invoke(app, ["repair", "--url", url, "--wait", "0s", *options])


def left_by_a_relay(home: Home) -> str:
    """Leave a log of two blocks after a clean stop; return its id."""
    with closing(home.opened()) as store:
        fill(store)
        return store.log_id


def fill(store: Store) -> None:
    answers = Answers()
    store.start(answers)
    log = log_of(store)
    for height in (1, 2):
        store.submit(block_commit(log, "bitcoin", height))
    answers.wait_in(2)


def test_a_restored_database_went_on_under_the_same_log_id_and_old_cursors_gave_other_blocks(
    home: Home,
) -> None:
    old_id = left_by_a_relay(home)
    with closing(home.opened()) as store:
        assert store.log_id == old_id, "by itself a database can't tell that it is a copy"
    done = repaired(home, "--new-log")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith(f"log {old_id} has ended; the next relay begins a new one")
    with closing(home.opened()) as store:
        assert store.log_id != old_id
        assert store.bounds() == LogBounds(0, 0)
        snapshot = store.snapshot("bitcoin", 10)
        assert (snapshot.head, snapshot.seq) == (hash_at("bitcoin", 2), 0), "the chain goes on"
        new_id = store.log_id
    with closing(home.opened()) as store:
        assert store.log_id == new_id, "it was asked for once"


def test_a_relays_log_is_not_ended_under_it(home: Home) -> None:
    with closing(home.opened()) as store:
        refused = repaired(home, "--new-log")
        assert refused.exit_code == 3
        assert "in use by" in refused.stderr
        log_id = store.log_id
    with closing(home.opened()) as store:
        assert store.log_id == log_id


def test_before_the_first_relay_no_log_can_end(home: Home) -> None:
    assert repaired(home, "--new-log").stdout == "no log is there yet; the first relay begins one\n"
