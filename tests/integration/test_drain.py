"""How a relay starts and ends as a process: exit codes, what it says, and that a stop loses nothing."""

from __future__ import annotations

import base64
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from sprint import Client
from sprint.core.model import BlockEvent, ChainStatusEvent, Event, SourceStatusEvent, decode_event
from tests.integration.devnet_process import DevnetProcess
from tests.integration.real_servers import free_ports, wait_until
from tests.integration.relay_process import COMMAND, RelayProcess
from tests.integration.subscribers import Listener, wait_until_delivered

CHAIN = "litecoin-regtest"
CHAIN_OF_NOBODY = "litecoin:regtest=p2p://127.0.0.1:{port}"
DRAIN_S_MAX = 5.0
RUN_TIMEOUT_S = 30.0
RECEIVE_TIMEOUT_S = 10.0
TURBO_PORT = 9000
WEBSOCKET_KEY = base64.b64encode(bytes(16)).decode()
SWITCHING = b"HTTP/1.1 101 "
FREE_PORTS = ("--admin-port", "0", "--metrics-port", "0", "--log-format", "json")


def run_relay(*arguments: str) -> tuple[int, str]:
    """Run a relay that is expected not to start; return its exit code and what it said on stderr."""
    done = subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, timeout=RUN_TIMEOUT_S, check=False
    )
    assert done.stdout == ""
    return done.returncode, done.stderr


@pytest.fixture
def mining() -> Iterator[DevnetProcess]:
    """A devnet node that mines as fast as a relay can be expected to follow."""
    with DevnetProcess(CHAIN, interval_ms=10.0) as devnet:
        yield devnet


@contextmanager
def subscribed(relay: RelayProcess) -> Iterator[ClientConnection]:
    """A bare WebSocket that asked for all events from the earliest on."""
    with connect(relay.url.replace("http:", "ws:") + "/ws/v1/events", proxy=None) as websocket:
        websocket.send('{"op":"subscribe","id":1,"from":"earliest"}')
        assert '"op":"subscribed"' in str(websocket.recv(RECEIVE_TIMEOUT_S))
        yield websocket


def read_to_the_end(websocket: ClientConnection) -> tuple[list[Event], int | None]:
    """Read all events; return them and the close code, None where the connection was cut."""
    events: list[Event] = []
    try:
        while True:
            events.append(decode_event(websocket.recv(RECEIVE_TIMEOUT_S)))
    except ConnectionClosed as closed:
        return events, closed.rcvd.code if closed.rcvd is not None else None


def test_sigterm_delivers_what_is_logged_closes_with_1001_and_exits_0(
    mining: DevnetProcess, tmp_path: Path
) -> None:
    arguments = ("--source", mining.source_url, "--data-dir", str(tmp_path / "data"))
    with RelayProcess(tmp_path, *arguments) as relay, subscribed(relay) as websocket:
        early = [decode_event(websocket.recv(RECEIVE_TIMEOUT_S)) for _ in range(40)]
        began = time.monotonic()
        assert relay.terminate() == 0
        stopped_s = time.monotonic() - began
        rest, code = read_to_the_end(websocket)
    assert stopped_s < DRAIN_S_MAX
    assert code == 1001
    given = early + rest
    mining.kill()
    with RelayProcess(tmp_path, *arguments) as again, Listener(again.url) as listener:
        assert again.log_id == relay.log_id
        listener.wait_for(lambda events: len(events) >= len(given), "the log is read")
        assert listener.events[: len(given)] == given
        assert not any(isinstance(event, BlockEvent) for event in listener.events[len(given) :])
    print(f"stopped in {stopped_s:.2f} s, {len(given)} events, {len(rest)} of them while it stopped")


def test_sigterm_ends_within_its_bound_beside_a_websocket_that_never_answers(
    mining: DevnetProcess, tmp_path: Path
) -> None:
    with RelayProcess(tmp_path, "--source", mining.source_url, "--data-dir", str(tmp_path)) as relay:
        host = relay.url.removeprefix("http://")
        with socket.create_connection(("127.0.0.1", int(host.rpartition(":")[2])), RECEIVE_TIMEOUT_S) as deaf:
            deaf.sendall(
                f"GET /ws/{CHAIN}/blocks HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\n"
                "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                f"Sec-WebSocket-Key: {WEBSOCKET_KEY}\r\n\r\n".encode()
            )
            assert deaf.recv(len(SWITCHING)) == SWITCHING
            with Client(relay.url) as client:
                wait_until(lambda: client.health()["subscribers"] == 1, "it is subscribed")
            began = time.monotonic()
            assert relay.terminate() == 0
            stopped_s = time.monotonic() - began
    print(f"stopped in {stopped_s:.2f} s")
    assert stopped_s < DRAIN_S_MAX


def test_sigint_exits_130(tmp_path: Path) -> None:
    with RelayProcess(tmp_path, "--demo") as relay:
        assert relay.interrupt() == 130


def test_an_explicit_port_that_is_taken_ends_with_3_naming_port_and_option() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, said = run_relay("--demo", "--tier", "turbo", "--port", port, *FREE_PORTS)
        assert (code, f"127.0.0.1:{port} (--port)" in said) == (3, True), said
        code, said = run_relay("--demo", "--tier", "turbo", "--port", "0", "--admin-port", port)
        assert (code, f"127.0.0.1:{port} (--admin-port)" in said) == (3, True), said


def test_a_default_port_that_is_taken_gives_way_to_a_free_one_while_only_the_devnet_runs(
    tmp_path: Path,
) -> None:
    with socket.socket() as taken:
        try:
            taken.bind(("127.0.0.1", TURBO_PORT))
            taken.listen()
        except OSError:
            pass  # taken by somebody else, which serves as well
        with RelayProcess(tmp_path, port=None) as relay:
            assert not relay.url.endswith(f":{TURBO_PORT}")
            assert f"port {TURBO_PORT} is taken; a free one serves instead" in relay.stderr()
        source = CHAIN_OF_NOBODY.format(port=1)
        code, said = run_relay(
            "--tier", "turbo", "--source", source, "--data-dir", str(tmp_path), *FREE_PORTS
        )
        assert (code, f"127.0.0.1:{TURBO_PORT} (--port)" in said) == (3, True), said


def test_a_second_relay_on_the_same_data_is_refused(tmp_path: Path) -> None:
    data = ("--source", CHAIN_OF_NOBODY.format(port=1), "--data-dir", str(tmp_path / "data"))
    with RelayProcess(tmp_path, *data) as first:
        code, said = run_relay(*data, "--tier", "turbo", "--port", "0", *FREE_PORTS)
        assert code == 3
        assert f"is in use by process {first.pid}" in said
        assert "--data-dir" in said
        assert first.running


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--source", "litecoin:regtest"), 2, "want [NAME@]CHAIN[:NETWORK]=SCHEME://host:port"),
        (("--source", "litecoin:regtest=ftp://127.0.0.1:1"), 2, "scheme 'ftp'"),
        (("--source", "litecoin:regtest=p2p://"), 2, "no DNS seeds"),
        (("--source", "litecoin:moon=p2p://127.0.0.1:1"), 2, "network 'moon'"),
        (("--source", "florincoin=p2p://127.0.0.1:1"), 2, "chain 'florincoin'"),
        (
            ("--source", "a@litecoin=p2p://h:1", "--source", "a@litecoin=p2p://h:2"),
            2,
            "two sources are called",
        ),
        (("--tier", "gold", "--port", "0"), 2, "tier 'gold'"),
        (("--port", "0"), 2, "--port needs --tier"),
        (("--tier", "turbo", "--port", "70000"), 2, "less than or equal to 65535"),
        (("--tier", "turbo", "--port", "0", "--host", "0.0.0.0"), 3, "only loopback addresses are served"),
        (("--config", "/nonexistent/sprint.toml"), 2, "/nonexistent/sprint.toml"),
        (("--chain", "monero"), 2, "monero"),
        (("--log-format", "xml"), 2, "xml"),
    ],
)
def test_what_cannot_be_ends_with_its_code_and_says_why(
    arguments: tuple[str, ...], code: int, words: str, tmp_path: Path
) -> None:
    found, said = run_relay(
        *arguments, "--data-dir", str(tmp_path), "--admin-port", "0", "--metrics-port", "0"
    )
    assert (found, words in said) == (code, True), said
    assert "Traceback" not in said


def test_without_a_source_it_serves_says_that_it_stalls_and_follows_when_the_node_comes(
    tmp_path: Path,
) -> None:
    (port,) = free_ports(1)
    source = CHAIN_OF_NOBODY.format(port=port)
    with (
        RelayProcess(tmp_path, "--source", source, "--data-dir", str(tmp_path)) as relay,
        Listener(relay.url) as listener,
    ):
        wait_until(lambda: "source cannot be reached" in relay.stderr(), "it says so")

        def view() -> dict[str, Any]:
            (found,) = listener.client.status(CHAIN)["sources"]
            return dict(found)

        # It may be seen in the midst of an attempt.
        wait_until(lambda: view()["state"] == "waiting", "it waits for the next attempt")
        assert "refused" in view()["reason"]
        listener.wait_for(lambda events: status_of(events) == "stalled", "the chain stalls")
        assert listener.client.health()["status"] == "degraded"
        with DevnetProcess(CHAIN, port=port) as devnet:
            wait_until_delivered(relay.url, CHAIN, devnet.tip)
            listener.wait_for_block(devnet.mine(3)[-1])
            assert listener.client.health()["status"] == "ok"
            assert status_of(listener.events) == "recovered"
        listener.wait_for(lambda events: source_status_of(events) == "lost", "the source is lost")
        assert relay.running


def status_of(events: Sequence[Event]) -> str | None:
    """Return the last status of the chain that was told."""
    found = [event.data.status for event in events if isinstance(event, ChainStatusEvent)]
    return found[-1] if found else None


def source_status_of(events: Sequence[Event]) -> str | None:
    found = [event.data.status for event in events if isinstance(event, SourceStatusEvent)]
    return found[-1] if found else None
