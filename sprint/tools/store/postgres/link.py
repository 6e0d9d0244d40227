"""Connections to one PostgreSQL that no silence can hold up, and what its errors mean in our words.

A server that is frozen acknowledges packets and answers nothing, so neither TCP nor the server's own
`statement_timeout` ends the wait for it. Each wait of a connection here therefore has an end of its own,
after which the connection is closed.
"""

from __future__ import annotations

import os
import re
import secrets
import socket
from collections.abc import Generator
from contextlib import suppress
from typing import Any, TypeVar

import psycopg
from psycopg import conninfo
from psycopg.rows import TupleRow

from sprint.core.database_url import DatabaseUrl, without_password
from sprint.core.errors import ConfigError, StoreFailing, StoreMismatch
from sprint.tools.runtime import clock
from sprint.tools.store.migrating.postgres_encoding import refuse_other_encoding
from sprint.tools.store.settings import StoreSettings

SERVER_VERSION_MIN = 130_000
CLIENT_GRACE_S = 2.0  # the server ends a statement first, as its error tells more than silence does
WAIT_STEP_S = 0.1
APPLICATION_NAME_LENGTH_MAX = 63  # of PostgreSQL
# Seconds of silence, seconds between probes, probes. Asked of the server too: by itself it would keep the
# session of a relay whose machine lost its power, and with that the lock, for two hours.
KEEPALIVES = (10, 5, 3)
# How often a server looks, within a statement, whether its client is there still; from version 14 on.
CLIENT_CHECK = "500ms"
CLIENT_CHECK_SINCE = 140_000
# What warns that a commit's wait was ended, in all versions since 9.1 (src/backend/replication/syncrep.c).
_STANDBY_WAIT = "SyncRepWaitForLSN"
_T = TypeVar("_T")
_QUOTED = re.compile(r'"([^"]*)"')
_ADVICE = {
    "08": "it is tried again",
    "25006": "a standby, or one with default_transaction_read_only: name the primary in store.url",
    "28": "the role may not log in so: look at its password and at pg_hba.conf",
    "3D000": "make it: createdb",
    "3F000": "a schema is missing: sprint migrate validate",
    "42501": "grant the relay's role what it needs, see docs/howto/postgresql.md",
    "42P01": "a table is missing: sprint migrate validate",
    "53100": "make room on the server's disk",
    "53300": "raise max_connections, or lower store.readers",
    "55P03": "somebody holds a lock: look at pg_locks",
    "57014": "it took longer than store.answer_timeout_s",
    "57P": "the server stops or starts",
}


class NoAnswer(psycopg.OperationalError):
    """A server that was asked and was silent for too long."""


class NotReplicated(psycopg.OperationalError):
    """A commit that its server keeps, while somebody ended its wait for the standby that should have it."""


class Connection(psycopg.Connection[TupleRow]):
    """A connection whose every wait ends, `answer_s` after it began at the latest."""

    answer_s = 0.0
    _wait_for_standby_ended = False

    def wait(
        self, gen: Generator[Any, Any, _T], interval: float = WAIT_STEP_S, timeout: float | None = None
    ) -> _T:
        """Wait for the server; NoAnswer, the connection then closed, where it took too long.

        NotReplicated, the connection closed too, where the server says that a commit's wait was cancelled:
        the COMMIT itself is answered like any other.
        """
        ends_at = clock() + (self.answer_s or float("inf"))
        found = super().wait(self._ending(gen, ends_at), min(interval, WAIT_STEP_S), timeout)
        if self._wait_for_standby_ended:
            self.pgconn.finish()
            raise NotReplicated("a commit's wait for a synchronous standby was cancelled: it isn't confirmed")
        return found

    def heed_warnings(self) -> None:
        """Take note of what the server says of commits beside its answers."""
        self.execute("SELECT set_config('client_min_messages', 'warning', false)")
        self.add_notice_handler(self._heed)

    def _heed(self, notice: psycopg.errors.Diagnostic) -> None:
        # Its words are in the server's language; where in the server it comes from is not.
        if notice.source_function == _STANDBY_WAIT:
            self._wait_for_standby_ended = True

    def _ending(self, gen: Generator[Any, Any, _T], ends_at: float) -> Generator[Any, Any, _T]:
        ready = None
        try:
            while True:
                wanted = gen.send(ready)
                ready = yield wanted
                if not ready and clock() >= ends_at:
                    self.pgconn.finish()
                    raise NoAnswer(f"no answer within {self.answer_s:g} s")
        except StopIteration as end:
            value: _T = end.value
            return value


class Link:
    """Where the database is. `name` is what the server's lists of sessions show of this store."""

    def __init__(self, url: DatabaseUrl, settings: StoreSettings) -> None:
        self._settings = settings
        try:
            given = conninfo.conninfo_to_dict(url.secret)
        except psycopg.ProgrammingError as error:
            said = _QUOTED.sub(lambda found: _if_key(found, url.secret), _one_line(str(error)))
            raise ConfigError(f"store.url {without_password(url.secret)!r}: {said}") from None
        self._secrets = [str(given[key]) for key in ("password", "sslpassword") if given.get(key)]
        if os.environ.get("PGPASSWORD"):
            self._secrets.append(os.environ["PGPASSWORD"])
        place = {"host": "local socket", "port": "", "dbname": given.get("user", ""), **given}
        port = f":{place['port']}" if place["port"] else ""
        self.place = f"PostgreSQL {place['host']}{port}/{place['dbname']}"
        name = f"sprint {socket.gethostname()[:24]} pid {os.getpid()} {secrets.token_hex(4)}"
        self.name = name[:APPLICATION_NAME_LENGTH_MAX]
        self.parameters: dict[str, Any] = {
            "connect_timeout": max(1, round(settings.connect_timeout_s)),
            "keepalives_idle": KEEPALIVES[0],
            "keepalives_interval": KEEPALIVES[1],
            "keepalives_count": KEEPALIVES[2],
            "tcp_user_timeout": int((settings.answer_timeout_s + CLIENT_GRACE_S) * 1000),
            "fallback_application_name": self.name,
            **given,
        }

        # When a reader's connection could last not be made, and why.
        self.last_failure: tuple[float, psycopg.Error] | None = None

    def __repr__(self) -> str:
        return f"Link({self.place})"

    def connect(self) -> Connection:
        """Connect; a psycopg.Error where that cannot be."""
        connection = Connection.connect(**self.parameters, autocommit=True)
        try:
            self.configure(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def configure(self, connection: Connection) -> None:
        """Give a new connection its limits. They are set here, as poolers refuse them as start-up options."""
        connection.answer_s = self._settings.answer_timeout_s + CLIENT_GRACE_S
        if connection.info.server_version < SERVER_VERSION_MIN:
            raise StoreMismatch(
                f"{self.place}: PostgreSQL {connection.info.server_version // 10_000}, "
                f"want {SERVER_VERSION_MIN // 10_000} or newer"
            )
        refuse_other_encoding(connection.info.parameter_status("server_encoding"), self.place)
        timeout_ms = int(self._settings.answer_timeout_s * 1000)
        connection.heed_warnings()
        connection.execute(
            "SELECT set_config('application_name', %s, false), set_config('statement_timeout', %s, false),"
            " set_config('idle_in_transaction_session_timeout', %s, false),"
            " set_config('search_path', 'pg_catalog', false), set_config('timezone', 'UTC', false),"
            " set_config('client_encoding', 'UTF8', false),"
            " set_config('tcp_keepalives_idle', %s, false), set_config('tcp_keepalives_interval', %s, false),"
            " set_config('tcp_keepalives_count', %s, false)",
            (self.name, str(timeout_ms), str(timeout_ms * 2), *map(str, KEEPALIVES)),
        )
        if connection.info.server_version >= CLIENT_CHECK_SINCE:
            # Some systems that a server runs on cannot tell; the statement then lasts its time.
            with suppress(psycopg.errors.InvalidParameterValue):
                connection.execute(
                    "SELECT set_config('client_connection_check_interval', %s, false)", (CLIENT_CHECK,)
                )

    def failing(self, error: Exception) -> StoreFailing:
        """Say what the server refused, and what would help."""
        said = _one_line(str(error)) or type(error).__name__
        for secret in self._secrets:
            said = said.replace(secret, "…")
        state = getattr(error, "sqlstate", None) or ""
        advice = next((text for key, text in _ADVICE.items() if state.startswith(key)), "")
        shown = f" ({state})" if state else ""
        return StoreFailing(f"{self.place}: {said}{shown}" + (f"; {advice}" if advice else ""))


def _if_key(found: re.Match[str], url: str) -> str:
    """Return a quoted word of an error where it is a parameter's name: it might be a piece of a password."""
    return found[0] if f"{found[1]}=" in url.rpartition("?")[2] else '"…"'


def _one_line(text: str) -> str:
    return "; ".join(line.strip() for line in text.splitlines() if line.strip())
