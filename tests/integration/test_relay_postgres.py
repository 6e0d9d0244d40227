"""A relay that keeps its log in PostgreSQL: started, killed, started again, refused a second time."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.integration.devnet_process import DevnetProcess
from tests.integration.postgres_server import PostgresServer
from tests.integration.real_servers import free_ports
from tests.integration.relay_process import COMMAND, PLAIN_KERNELS, RelayProcess
from tests.integration.subscribers import Listener, blocks_of

pytestmark = pytest.mark.real("postgres")
CHAIN = "litecoin-regtest"
COMMAND_TIMEOUT_S = 60.0


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=COMMAND_TIMEOUT_S,
        check=False,
        env={**PLAIN_KERNELS, **os.environ, **environment},
    )


def test_the_log_goes_on_over_kills_of_the_relay_and_of_the_server(tmp_path: Path) -> None:
    """A subscriber that resumes by itself sees each block once, in order; both are killed in between."""
    server = PostgresServer()
    (port,) = free_ports(1)
    try:
        url = server.start().url(server.new_database())
        with DevnetProcess(CHAIN) as devnet:
            options = (
                *("--source", devnet.source_url, "--database-url", url, "--auto-migrate"),
                *("--data-dir", str(tmp_path / "data")),
            )
            mined: list[str] = []
            relay = RelayProcess(tmp_path, *options, port=port)
            log_id = relay.log_id
            try:
                with Listener(relay.url, types=("block", "gap")) as listener:
                    listener.wait_for_block(devnet.tip)
                    mined.append(devnet.tip)
                    listener.wait_for_block(mined[-1])
                    relay.kill()
                    relay = RelayProcess(tmp_path, *options, port=port)
                    mined += devnet.mine(2)
                    listener.wait_for_block(mined[-1])
                    server.kill()
                    mined += devnet.mine(2)
                    server.start()
                    listener.wait_for_block(mined[-1])
                assert blocks_of(listener.events) == mined
                assert relay.log_id == log_id
                assert not list((tmp_path / "data").glob("*.db*"))
            finally:
                relay.kill()
    finally:
        server.remove()


def test_a_relay_is_checked_started_and_alone_on_its_database(tmp_path: Path, database_url: str) -> None:
    with DevnetProcess(CHAIN) as devnet:
        options = ("--source", devnet.source_url)
        start = (*options, "--tier", "turbo", "--port", "0", "--admin-port", "0", "--metrics-port", "0")
        refused = command(*start, SPRINT_DATABASE_URL=database_url)
        assert refused.returncode == 3, refused.stderr
        assert "run `sprint migrate up`, or start the relay with --auto-migrate" in refused.stderr
        checked = command("check", *options, "--database-url", database_url)
        assert checked.returncode == 1
        assert "migrations are not applied" in checked.stdout
        with RelayProcess(
            tmp_path, *options, "--auto-migrate", environment={"SPRINT_DATABASE_URL": database_url}
        ) as relay:
            second = command(*start, DATABASE_URL=database_url)
            assert second.returncode == 3
            assert f"pid {relay.pid}" in second.stderr
            checked = command("check", *options, SPRINT_DATABASE_URL=database_url)
            assert checked.returncode == 0, checked.stdout + checked.stderr
            assert f"; in use by sprint {os.uname().nodename[:24]} pid {relay.pid}" in checked.stdout
            assert "of-a-test" not in relay.stderr() + checked.stdout + refused.stderr + second.stderr
        again = command("check", *options, SPRINT_DATABASE_URL=database_url)
        assert "in use" not in again.stdout


def test_another_programs_variable_and_the_devnet_keep_to_the_embedded_store(tmp_path: Path) -> None:
    with RelayProcess(tmp_path, environment={"DATABASE_URL": "mysql://shop:hunter2@db/shop"}) as relay:
        assert "DATABASE_URL is set and counts for nothing: it is mysql://" in relay.stderr()
        assert "hunter2" not in relay.stderr()
    (port,) = free_ports(1)
    with RelayProcess(tmp_path, "--database-url", f"postgresql://127.0.0.1:{port}/x") as relay:
        assert "with the devnet store.url counts for nothing" in relay.stderr()
