"""The TLS that a URL asks for is what the store's connections have, those that write and those that read."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sprint.core.database_url import parse_database_url
from sprint.core.errors import StoreFailing
from sprint.tools.store.postgres.store import PostgresStore, open_store
from sprint.tools.store.settings import StoreSettings
from tests.integration.postgres_server import PostgresServer
from tests.integration.real_servers import HOST
from tests.tools.store.commits import Clock

pytestmark = pytest.mark.real("postgres")


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """A server with a certificate for 127.0.0.1 that nobody has signed but itself."""
    folder = Path(tempfile.mkdtemp(prefix="sprint-tls-"))
    names = f"/CN=sprint-test/subjectAltName=IP:{HOST}".split("/")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-keyout", "server.key", "-out", "server.pem", "-subj", f"/{names[1]}", "-addext", names[2]),
        ],
        cwd=folder,
        check=True,
        stderr=subprocess.DEVNULL,
    )
    (folder / "server.key").chmod(0o600)
    found = PostgresServer(
        folder,
        {
            "ssl": "on",
            "ssl_cert_file": str(folder / "server.pem"),
            "ssl_key_file": str(folder / "server.key"),
        },
    )
    found.give_to_server(folder / "server.key")
    yield found.start()
    found.remove()
    shutil.rmtree(folder)


def opened(url: str) -> PostgresStore:
    return open_store(parse_database_url(url), StoreSettings(), wall_clock=Clock(), random_bytes=os.urandom)


def test_a_certificate_is_checked_as_the_url_asks(server: PostgresServer) -> None:
    url = server.url()
    strict = f"{url}?sslmode=verify-full&sslrootcert="
    with closing(opened(f"{strict}{server.folder}/server.pem")) as store:
        store.bounds()
        with server.connect() as admin:
            sessions = admin.execute(
                "SELECT count(*), bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)"
                " WHERE application_name = %s",
                (store._link.name,),
            ).fetchone()
        # The one that writes and one that reads.
        assert sessions == (2, True)
    with pytest.raises(StoreFailing, match="certificate verify failed"):
        opened(f"{strict}system")
    with pytest.raises(StoreFailing, match='does not match host name "localhost"'):
        opened(f"{strict}{server.folder}/server.pem".replace(HOST, "localhost"))
