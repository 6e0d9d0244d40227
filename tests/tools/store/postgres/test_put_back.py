"""A PostgreSQL that was put back: by pg_restore, or as a copy of its files, which looks like the server."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sprint.tools.store import LogBounds, Store
from sprint.tools.store.opening import open_store
from sprint.tools.store.settings import StoreSettings
from tests.integration.postgres_server import PostgresServer
from tests.integration.real_servers import POSTGRES_PATH
from tests.tools.store.commits import Clock, hash_at
from tests.tools.store.homes import PostgresHome
from tests.tools.store.test_high_water import NOTICED, commit

pytestmark = pytest.mark.real("postgres")
TABLES = "sprint_core.log, sprint_core.events, sprint_core.event_days, sprint_core.blocks, sprint_core.heads"


def opened(folder: Path, url: str) -> Store:
    """Open it as a relay does whose data directory is `folder`."""
    file, settings = folder / "sprint.db", StoreSettings(auto_migrate=True)
    return open_store(file, url, settings, wall_clock=Clock(), random_bytes=os.urandom)


def run(program: str, *arguments: str) -> None:
    command = [str(POSTGRES_PATH.with_name(program)), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def log_id_of(folder: Path, url: str) -> str:
    with closing(opened(folder, url)) as store:
        return store.log_id


def check_new_log(folder: Path, url: str, old_id: str) -> None:
    with closing(opened(folder, url)) as store:
        assert store.log_id != old_id, "positions are given out a second time"
        assert store.bounds() == LogBounds(0, 0)
        assert store.snapshot("bitcoin", 10).head == hash_at("bitcoin", 2), "the chain goes on"
        new_id = store.log_id
    assert log_id_of(folder, url) == new_id, "once"


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    server = PostgresServer()
    try:
        yield server.start()
    finally:
        server.remove()


def test_a_servers_files_that_were_put_back_looked_like_the_server_itself(
    tmp_path: Path, own_server: PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    """As of a disk's snapshot or a base backup: the same server, database, table and timeline."""
    url = own_server.url(own_server.new_database())
    commit(opened(tmp_path, url), 2)
    own_server.stop()
    copy = own_server.folder / "copy"
    run_as_is(own_server.data, copy)
    own_server.start()
    old_id = commit(opened(tmp_path, url), 3)
    own_server.stop()
    shutil.rmtree(own_server.data)
    run_as_is(copy, own_server.data)
    own_server.start()
    assert log_id_of(tmp_path / "of another host", url) == old_id, "without its mark it can't be told"
    caplog.clear()
    check_new_log(tmp_path, url, old_id)
    assert NOTICED in caplog.text


def run_as_is(source: Path, target: Path) -> None:
    """Copy files with their owners."""
    subprocess.run(["cp", "-a", str(source), str(target)], check=True)


@pytest.mark.parametrize("data_alone", [False, True])
def test_a_dump_that_was_put_back_begins_a_new_log(
    tmp_path: Path, postgres_home: PostgresHome, *, data_alone: bool
) -> None:
    url, dump = postgres_home.url, str(tmp_path / "dump")
    old_id = commit(
        opened(tmp_path, url),
        2,
        then=lambda: run("pg_dump", "--format=custom", f"--file={dump}", url),
        after=3,
    )
    if data_alone:  # into the tables as they are, which then are the same ones
        with postgres_home.connect() as connection:
            connection.execute(f"TRUNCATE {TABLES}".encode())
        run("pg_restore", "--data-only", "--schema=sprint_core", f"--dbname={url}", dump)
    else:
        postgres_home.server.drop_database(postgres_home.name)
        run("pg_restore", "--create", f"--dbname={postgres_home.server.url()}", dump)
    check_new_log(tmp_path, url, old_id)


def test_a_kill_of_the_relay_ends_no_log(tmp_path: Path, postgres_home: PostgresHome) -> None:
    commit(opened(tmp_path, postgres_home.url), 2)
    with postgres_home.connect() as connection:
        connection.execute("UPDATE sprint_core.log SET clean_stop = false")
    with closing(opened(tmp_path, postgres_home.url)) as store:
        assert store.bounds() == LogBounds(0, 2)
