"""What docs/howto/postgresql.md says of roles holds: a plain one runs the store, another may query it."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import psycopg
import pytest

from sprint.core.database_url import parse_database_url
from sprint.core.errors import StoreFailing
from sprint.tools.store.postgres.store import open_store
from sprint.tools.store.settings import StoreSettings
from tests.integration.postgres_server import PostgresServer
from tests.tools.store.commits import Answers, Clock, block_commit, log_of

pytestmark = pytest.mark.real("postgres")
PAGE = Path(__file__).resolve().parents[4] / "docs" / "howto" / "postgresql.md"


class Roles:
    """A server's roles for one test: `sprint`'s and `analyst`'s, under names of their own."""

    def __init__(self, server: PostgresServer) -> None:
        self.server = server
        mark = self.password = secrets.token_hex(4)
        self.relay, self.analyst = f"relay_{mark}", f"analyst_{mark}"
        with server.connect() as admin:
            for role in (self.relay, self.analyst):
                admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{mark}'".encode())

    def url(self, database: str, role: str) -> str:
        return self.server.url(database, user=role, password=self.password)

    def documented(self, database: str, first_words: str) -> None:
        """Run the page's block of SQL that begins with these words, as the administrator."""
        (block,) = re.findall(rf"```sql\n({first_words}.*?)```", PAGE.read_text("utf-8"), flags=re.DOTALL)
        text = block.replace("analyst", self.analyst).replace("sprint;", f"{self.relay};")
        with self.server.connect(database) as admin:
            admin.execute(text.replace("ROLE sprint ", f"ROLE {self.relay} ").encode())


@pytest.fixture
def roles(postgres_server: PostgresServer) -> Iterator[Roles]:
    found = Roles(postgres_server)
    yield found
    with postgres_server.connect() as admin, suppress(psycopg.Error):
        admin.execute(f"DROP ROLE {found.relay}, {found.analyst}".encode())


def run_a_store(url: str) -> None:
    store = open_store(parse_database_url(url), StoreSettings(), wall_clock=Clock(), random_bytes=os.urandom)
    with closing(store):
        answers = Answers()
        store.start(answers)
        store.submit(block_commit(log_of(store), "bitcoin", 1))
        answers.wait_in(1)


def test_a_role_that_owns_its_database_runs_the_store_and_an_analyst_may_query(roles: Roles) -> None:
    server = roles.server
    name = server.new_database()
    with server.connect() as admin:
        admin.execute(f'ALTER DATABASE "{name}" OWNER TO {roles.relay}'.encode())
    run_a_store(roles.url(name, roles.relay))
    roles.documented(name, "GRANT USAGE")
    with closing(psycopg.connect(roles.url(name, roles.analyst))) as analyst:
        (count,) = analyst.execute("SELECT count(*) FROM sprint_core.events").fetchone() or (None,)
        assert count == 1
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            analyst.execute("DELETE FROM sprint_core.events")
    server.drop_database(name)


def test_a_role_that_may_make_no_schemas_uses_those_made_for_it(roles: Roles) -> None:
    server = roles.server
    name = server.new_database()
    url = roles.url(name, roles.relay)
    with pytest.raises(StoreFailing, match="permission denied for database"):
        run_a_store(url)
    roles.documented(name, "CREATE SCHEMA")
    run_a_store(url)
    server.drop_database(name)
