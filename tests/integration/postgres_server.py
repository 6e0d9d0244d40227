"""A real PostgreSQL of a test's own: in a folder of its own, on a unix socket and a free port of 127.0.0.1.

It runs as `postgres` where the tests are root, who may not run it. `kill` ends every process of it at once,
as a crash of the machine would, `freeze` stops every one. `postgres_server` gives one a test process, and
`database_url` a new database in it to each test.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self

import psutil
import psycopg
import pytest

from tests.integration.child_process import ChildProcess
from tests.integration.real_servers import HOST, POSTGRES_PATH, free_ports, require

ADMIN = "postgres"
ADMIN_LOGIN = (ADMIN, "of-a-test")
POLL_INTERVAL_S = 0.01
READY_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 60.0
LOG_SHOWN_CHARS = 2_000
MEMORY = Path("/dev") / "shm"
MEMORY_BYTES_MIN = 2 << 30  # four processes at once, each with a server
_LOG = "server.log"
# A test's server holds little and is asked by few; what makes commits durable is as it is everywhere.
_SETTINGS: Mapping[str, str] = {
    "shared_buffers": "32MB",
    "max_connections": "60",
    "min_wal_size": "32MB",
    "max_wal_size": "96MB",
    "autovacuum_naptime": "1s",
    "log_line_prefix": "%m %p ",
}


class PostgresServer(ChildProcess):
    """One server. `settings` are laid over the tests' own; `postgres` must be able to reach the folder."""

    def __init__(self, folder: Path | None = None, settings: Mapping[str, str] | None = None) -> None:
        self._own_folder = folder is None
        self.folder = folder or Path(tempfile.mkdtemp(prefix="sprint-pg-"))
        self.data = self.folder / "data"
        self.port = 0
        self._settings = {**_SETTINGS, **(settings or {})}
        super().__init__()

    def __repr__(self) -> str:
        return f"PostgresServer(port={self.port}, folder={self.folder})"

    def url(self, database: str = ADMIN, *, user: str = ADMIN, password: str = ADMIN_LOGIN[1]) -> str:
        """Return what `sprint relay --database-url` takes, by TCP."""
        return f"postgresql://{user}:{password}@{HOST}:{self.port}/{database}"

    def socket_url(self, database: str = ADMIN, *, user: str = ADMIN) -> str:
        """Return the same by the unix socket, where no password is asked for."""
        return f"postgresql://{user}@/{database}?host={self.folder}&port={self.port}"

    def start(self) -> Self:
        """Start, or start again on the same folder and port, and return when it answers."""
        if not self.port:
            (self.port,) = free_ports(1)
        if not self.data.exists():
            self._make_cluster()
        return super().start()

    def stop(self) -> None:
        """Shut down in the way that waits for no client (SIGINT), frozen or not."""
        if self._process is None:
            return
        self.thaw()
        self.process.send_signal(signal.SIGINT)
        self.process.wait(STOP_TIMEOUT_S)
        self._reap()

    def kill(self) -> None:
        """Kill all of its processes with SIGKILL and return when they are gone."""
        if self._process is None:
            return
        members = self._members()
        for each in members:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
        psutil.wait_procs(members[1:], STOP_TIMEOUT_S)
        self._reap()

    def freeze(self) -> None:
        """Stop all of its processes where they stand; their sockets stay open. `thaw` lets them run on."""
        super().freeze()
        for each in self._members()[1:]:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.suspend()

    def thaw(self) -> None:
        for each in reversed(self._members()):
            with contextlib.suppress(psutil.NoSuchProcess):
                each.resume()

    def remove(self) -> None:
        """Kill it, and take its folder away if that is its own."""
        self.kill()
        if self._own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def connect(self, database: str = ADMIN) -> psycopg.Connection[tuple[object, ...]]:
        """Connect as the server's administrator, in autocommit."""
        return psycopg.connect(self.socket_url(database), autocommit=True, connect_timeout=10)

    def new_database(self, template: str | None = None) -> str:
        """Make a database, empty or like another one that nobody is connected to; return its name."""
        name = f"sprint_{secrets.token_hex(6)}"
        like = f' TEMPLATE "{template}"' if template else ""
        with self.connect() as connection:
            connection.execute(f'CREATE DATABASE "{name}"{like}'.encode())
        return name

    def drop_database(self, name: str) -> None:
        with self.connect() as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())

    def give_to_server(self, *paths: Path) -> None:
        """Make the account that the server runs as the owner of files, where that is another one."""
        if os.geteuid() == 0:
            owner = pwd.getpwnam(ADMIN)
            for path in paths:
                os.chown(path, owner.pw_uid, owner.pw_gid)

    def log_text(self) -> str:
        """Return what the server wrote to its log."""
        return (self.folder / _LOG).read_text(errors="replace")

    def _members(self) -> list[psutil.Process]:
        """Return its processes, the one that starts the others first."""
        parent = psutil.Process(self.pid)
        return [parent, *parent.children(recursive=True)]

    def _make_cluster(self) -> None:
        password_file = self.folder / "password"
        password_file.write_text(ADMIN_LOGIN[1])
        self.give_to_server(self.folder, password_file)
        # Without the sync of what initdb wrote, which no test needs to outlive.
        subprocess.run(
            [
                *_as_postgres(),
                str(POSTGRES_PATH.with_name("initdb")),
                *("--pgdata", str(self.data), "--username", ADMIN, "--pwfile", str(password_file)),
                *("--auth-local=trust", "--auth-host=scram-sha-256", "--no-sync"),
                *("--encoding=UTF8", "--locale=C"),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd="/",
        )

    def _spawn(self) -> subprocess.Popen[bytes]:
        settings = {
            "listen_addresses": HOST,
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
            **self._settings,
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self.folder / _LOG).open("ab") as log:
            return subprocess.Popen(
                [*_as_postgres(), str(POSTGRES_PATH), "-D", str(self.data), *options],
                stdout=log,
                stderr=log,
                cwd="/",
            )

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_TIMEOUT_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(
                    f"{self!r} ended with {self.process.returncode}: {self.log_text()[-2000:]}"
                )
            try:
                self.connect().close()
            except psycopg.OperationalError:
                time.sleep(POLL_INTERVAL_S)
            else:
                return
        raise RuntimeError(f"{self!r} does not answer after {READY_TIMEOUT_S:g} s")


def _as_postgres() -> list[str]:
    """Return what a command is run under: root may not run the server."""
    if os.geteuid() != 0:
        return []
    owner = pwd.getpwnam(ADMIN)
    return ["setpriv", f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups", "--"]


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One server for all tests of a process, which leave it as it is; started when the first one asks."""
    require("postgres")
    server = PostgresServer(_in_memory())
    try:
        yield server.start()
    finally:
        server.remove()
        shutil.rmtree(server.folder, ignore_errors=True)


def _in_memory() -> Path | None:
    """Return a folder in memory, where there is room: databases are made and dropped there in no time."""
    if not MEMORY.is_dir() or shutil.disk_usage(MEMORY).free < MEMORY_BYTES_MIN:
        return None
    return Path(tempfile.mkdtemp(prefix="sprint-pg-", dir=MEMORY))


@pytest.fixture
def database_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A new and empty database in the shared server."""
    name = postgres_server.new_database()
    yield postgres_server.url(name)
    postgres_server.drop_database(name)
