"""A PostgreSQL that is stopped, frozen, full, read-only, restarted or killed under a relay that serves.

What holds in each: whoever is given an event finds it in the log under the same number ever after, nobody is
given one twice or out of order, the relay answers throughout, and the store's breaker tells why it opened.
The same of the embedded store: `test_store_failing`, `test_kill`.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Protocol, Self

import psycopg
import pytest

from tests.integration.devnet_process import DevnetProcess
from tests.integration.postgres_server import PostgresServer
from tests.integration.real_servers import free_ports, require, wait_until
from tests.integration.relay_breakers import RelayBreakers
from tests.integration.relay_process import RelayProcess
from tests.integration.subscribers import Listener, blocks_of, latest_hash
from tests.integration.test_kill import TYPES, disagreement
from tests.integration.test_store_failing import SmallDisk, health_of, ready_status_of

pytestmark = pytest.mark.real("postgres")
CHAIN = "litecoin-regtest"
# Of a tmpfs: a new cluster has 40 MB, and two segments of 16 MB of write-ahead log.
DISK_SIZE = "112m"
SMALL_LOG = {"min_wal_size": "32MB", "max_wal_size": "48MB"}
# A frozen server is waited for so long; the default would make each test last ten times as long.
IMPATIENT = {"SPRINT_STORE__ANSWER_TIMEOUT_S": "1", "SPRINT_STORE__CONNECT_TIMEOUT_S": "1"}
FAILS_S_MAX = 60.0
BURST = 20
ANSWER_S_MAX = 2.0
MINED_MEANWHILE = 30
SOAK = os.environ.get("SPRINT_SOAK") == "1"
ROUNDS = 100 if SOAK else 1
RESTARTS = 10 if SOAK else 1
LONG = ("frozen", "full")
BLOCK_INTERVAL_MS = 200.0  # a synced commit for each header and each block, on a busy machine
# The longest delay of the store's breaker is 2 s; a trial and what was mined meanwhile, on a busy machine.
BACK_S_MAX = 15.0
# What a breaker does without an operator.
BY_ITSELF = {"tripped", "trial_due", "trial_failed", "trials_undecided", "trials_succeeded"}


class Fault(Protocol):
    """Something that keeps a server from writing, and its end."""

    def begin(self, server: PostgresServer) -> None: ...
    def end(self, server: PostgresServer) -> None: ...


class Stopped:
    def begin(self, server: PostgresServer) -> None:
        server.stop()

    def end(self, server: PostgresServer) -> None:
        server.start()


class Frozen:
    def begin(self, server: PostgresServer) -> None:
        server.freeze()

    def end(self, server: PostgresServer) -> None:
        server.thaw()


class ReadOnly:
    def begin(self, server: PostgresServer) -> None:
        self._set(server, "on")

    def end(self, server: PostgresServer) -> None:
        self._set(server, "off")

    @staticmethod
    def _set(server: PostgresServer, value: str) -> None:
        with server.connect() as connection:
            connection.execute(f"ALTER SYSTEM SET default_transaction_read_only = {value}".encode())
            connection.execute("SELECT pg_reload_conf()")


class Full:
    """The server's disk is filled to the last block; it may end over that, and is started again."""

    def begin(self, server: PostgresServer) -> None:
        SmallDisk(server.folder).refuse_now()

    def end(self, server: PostgresServer) -> None:
        SmallDisk(server.folder).relent_now()
        try:
            server.connect().close()
        except psycopg.OperationalError:
            server.kill()
            server.start()


FAULTS: dict[str, Fault] = {"stopped": Stopped(), "frozen": Frozen(), "read-only": ReadOnly(), "full": Full()}


class PostgresRelay:
    """A relay on a database of its own, on a port that it keeps over restarts."""

    def __init__(self, folder: Path, server: PostgresServer, devnet: DevnetProcess) -> None:
        (self._port,) = free_ports(1)
        self._folder = folder
        self.database = server.new_database()
        self._options = (
            *("--source", devnet.source_url, "--database-url", server.url(self.database)),
            *("--auto-migrate", "--data-dir", str(folder / "data")),
        )
        self.relay = self.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.relay.kill()

    def start(self) -> RelayProcess:
        self.relay = RelayProcess(
            self._folder, *self._options, port=self._port, environment=IMPATIENT, ready_timeout_s=60.0
        )
        return self.relay


@pytest.fixture(scope="module")
def own_server() -> Iterator[PostgresServer]:
    """A server for this module alone: the others' must not be stopped."""
    require("postgres")
    server = PostgresServer()
    try:
        yield server.start()
    finally:
        server.remove()


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[PostgresServer]:
    """The module's server, but for the full disk: one on a small tmpfs."""
    if "full" not in request.node.name:
        yield request.getfixturevalue("own_server")
        return
    # Not below pytest's folder: each pytest that starts closes that to others, as to the server's user.
    folder = Path(tempfile.mkdtemp(prefix="sprint-pg-full-"))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_SIZE},mode=0755", "sprint-test", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        folder.rmdir()
        pytest.skip("a tmpfs can't be mounted here")
    small = PostgresServer(folder, SMALL_LOG)
    try:
        yield small.start()
    finally:
        small.kill()
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()


def mine_until_it_fails(relay: RelayProcess, devnet: DevnetProcess) -> None:
    """Mine until the store refuses; the relay answers all the while."""
    deadline = time.monotonic() + FAILS_S_MAX
    while time.monotonic() < deadline:
        devnet.mine(BURST)
        began = time.monotonic()
        failing = health_of(relay)["status"] == "failing"
        assert time.monotonic() - began < ANSWER_S_MAX
        if failing:
            return
    raise AssertionError(f"the store did not fail within {FAILS_S_MAX:g} s")


def assert_log_is_whole(server: PostgresServer, database: str) -> int:
    """Positions and seqs without a hole up to where the log says that it ends; return that."""
    with server.connect(database) as connection:
        row = connection.execute(
            "SELECT count(*), coalesce(max(position), 0), coalesce(max(seq), 0),"
            " (SELECT position FROM sprint_core.log), (SELECT max(seq) FROM sprint_core.heads)"
            " FROM sprint_core.events"
        ).fetchone()
    assert row is not None
    assert len(set(row)) == 1, f"count, last position, last seq, the log's end, the head's seq: {row}"
    return int(str(row[0]))


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.soak] * (name in LONG)) for name in FAULTS]
)
def test_nothing_given_is_lost_or_repeated_and_the_relay_serves(
    name: str, tmp_path: Path, server: PostgresServer
) -> None:
    fault = FAULTS[name]
    with (
        DevnetProcess(CHAIN) as devnet,
        PostgresRelay(tmp_path, server, devnet) as kept,
        Listener(kept.relay.url, types=TYPES) as listener,
        contextlib.ExitStack() as undo,
    ):
        relay = kept.relay
        listener.wait_for_block(devnet.mine(5)[-1])
        fault.begin(server)
        undo.callback(server.thaw if name == "frozen" else lambda: None)
        mine_until_it_fails(relay, devnet)
        assert ready_status_of(relay) == 503
        # What went out before the refusal may still be on its way to the subscriber.
        listener.wait_for_block(latest_hash(listener.client, CHAIN) or "")
        seen = blocks_of(listener.events)
        devnet.mine(MINED_MEANWHILE)
        wait_until(lambda: health_of(relay)["status"] == "failing", "it still fails")
        assert blocks_of(listener.events) == seen
        with RelayBreakers(relay) as breakers:
            what = "the breaker opens"
            wait_until(lambda: bool(breakers.history("store")), what, timeout_s=FAILS_S_MAX)
        print(f"{name}: {health_of(relay)['parts']['store']['reason']}")
        fault.end(server)
        listener.wait_for_block(devnet.tip, timeout_s=60.0)
        assert disagreement(listener, relay.url, devnet) is None
        assert health_of(relay)["status"] == "ok"
        with RelayBreakers(relay) as breakers:
            first, *_, last = breakers.history("store")
        assert (first["to"], first["reason"]) == ("open", "tripped")
        assert f":{server.port}/" in first["evidence"]["text"]
        assert (last["to"], last["reason"]) == ("closed", "trials_succeeded")
        relay.terminate()
        assert assert_log_is_whole(server, kept.database) >= len(blocks_of(listener.events))


def test_restarts_under_load_cost_no_event(tmp_path: Path, server: PostgresServer) -> None:
    with (
        DevnetProcess(CHAIN, interval_ms=BLOCK_INTERVAL_MS) as devnet,
        PostgresRelay(tmp_path, server, devnet) as kept,
        Listener(kept.relay.url, types=TYPES) as listener,
    ):
        for _ in range(RESTARTS):
            listener.wait_for_block(devnet.tip)
            server.stop()
            assert health_of(kept.relay)["status"] in ("ok", "failing", "degraded")
            server.start()
        assert disagreement(listener, kept.relay.url, devnet) is None
        kept.relay.terminate()
        assert_log_is_whole(server, kept.database)


def seconds_until_it_goes_on(relay: RelayProcess, listener: Listener, devnet: DevnetProcess) -> float:
    """Return how long after its database is back a relay that nobody helps has given out all."""
    back_at = time.monotonic()
    listener.wait_for_block(devnet.tip, timeout_s=BACK_S_MAX)
    assert health_of(relay)["parts"]["store"]["status"] == "ok"
    return time.monotonic() - back_at


@pytest.mark.parametrize("victim", ["relay", "server"])
def test_kills_leave_log_and_cursors_consistent(victim: str, tmp_path: Path, server: PostgresServer) -> None:
    """Each at another moment of the blocks' way; the subscriber resumes by its cursor."""
    began = time.monotonic()
    back_s: list[float] = []
    with (
        DevnetProcess(CHAIN, interval_ms=BLOCK_INTERVAL_MS) as devnet,
        PostgresRelay(tmp_path, server, devnet) as kept,
        Listener(kept.relay.url, types=TYPES) as listener,
    ):
        log_id = kept.relay.log_id
        for number in range(ROUNDS):
            listener.wait_for_block(devnet.tip)
            time.sleep(BLOCK_INTERVAL_MS / 1000 * number / ROUNDS)
            if victim == "relay":
                kept.relay.kill()
                assert kept.start().log_id == log_id
            else:
                server.kill()
                server.start()
                back_s.append(seconds_until_it_goes_on(kept.relay, listener, devnet))
        if back_s:
            with RelayBreakers(kept.relay) as breakers:
                assert {each["reason"] for each in breakers.history("store")} <= BY_ITSELF
            print(f"\nback by itself in {median(back_s):.1f} s (median), {max(back_s):.1f} s at most")
        assert disagreement(listener, kept.relay.url, devnet) is None
        kept.relay.terminate()
        position = assert_log_is_whole(server, kept.database)
        print(
            f"\n{ROUNDS} kills of the {victim} in {time.monotonic() - began:.0f} s: "
            f"{len(blocks_of(listener.events))} blocks seen once each, in order; log whole up to {position}"
        )
