"""The programs in C that stand for the least pass on every byte and keep every moment, or are absent."""

from __future__ import annotations

import argparse
import random
import socket
import threading
from pathlib import Path

import pytest

from tests.bench import bench_loadtest, c_programs, tcp_peers
from tests.bench.bench_faultproxy import BESIDE_C, Way, process, report
from tests.bench.bench_loadtest import LATENESS_BESIDE_C, LATENESS_HIGH, Ours, Pacer, pacer, tell_high
from tests.bench.c_programs import Absent
from tests.bench.load_peers import Run
from tests.bench.machine import compiler
from tests.bench.rows import rows_in

SIZE = 3_000_000
ASKED_PER_S = 2_000
NO_COMPILER = Absent("no C compiler (cc, gcc, clang) on PATH")
needs_compiler = pytest.mark.skipif(compiler() is None, reason=NO_COMPILER.reason)


@pytest.fixture
def without_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))


def echo(listening: socket.socket) -> None:
    """Send one connection back what it sends, once it has sent all."""
    connected, _ = listening.accept()
    with connected:
        connected.sendall(b"".join(iter(lambda: connected.recv(65_536), b"")))


def send_all(connected: socket.socket, data: bytes) -> None:
    connected.sendall(data)
    connected.shutdown(socket.SHUT_WR)


@needs_compiler
@pytest.mark.parametrize("way", tcp_peers.FORWARD_WAYS)
def test_the_program_that_forwards_passes_on_every_byte_both_ways(
    tmp_path: Path, way: str, seed: int
) -> None:
    assert c_programs.build(tcp_peers.FORWARD, tmp_path / "forward") is None
    sent = random.Random(f"{seed}/forward").randbytes(SIZE)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        words = [str(tmp_path / "forward"), str(listening.getsockname()[1]), *tcp_peers.FORWARD_WAYS[way]]
        echoing = threading.Thread(target=echo, args=(listening,))
        echoing.start()
        with (
            tcp_peers.telling_its_port(words) as (port, _),
            socket.create_connection(("127.0.0.1", port)) as client,
        ):
            sending = threading.Thread(target=send_all, args=(client, sent))
            sending.start()
            received = b"".join(iter(lambda: client.recv(65_536), b""))
            sending.join()
        echoing.join()
    assert received == sent


@needs_compiler
def test_the_loop_in_c_asks_as_often_as_it_is_told(tmp_path: Path) -> None:
    options = argparse.Namespace(seconds=1, connections=8)
    with process("tests.bench.bench_loadtest", "--serve") as (line, _):
        found = pacer(tmp_path / "pacer", int(line), ASKED_PER_S, options)
    assert isinstance(found, Pacer)
    assert found.answers == ASKED_PER_S
    assert 0 <= found.late_us_p50 <= found.late_us_p99
    assert found.cpu_s > 0


@pytest.mark.usefixtures("without_compiler")
def test_without_a_compiler_the_rows_beside_c_are_skipped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = pacer(tmp_path / "pacer", 1, 1, argparse.Namespace(seconds=1, connections=1))
    assert found == NO_COMPILER
    totals = {"schedule_error": {"ms_p50": 0.01, "ms_p99": 0.2}, "response": {"ms_p50": 1.0}}
    asked_per_s = bench_loadtest.HIGH_PER_S
    tell_high(Ours(asked_per_s, Run(asked_per_s, 1.0, 1.0, 0.0, ""), totals, "reference"), found)
    ways = [
        Way(name, 1, 1, None, [1e-5], [1e-4], [1_000.0], [100.0], [[0.1, 0.0, 0.0, 0.1]])
        for name in ("direct", "proxied")
    ]
    report(ways, 1.0)
    rows = {row.name: row for row in rows_in(capsys.readouterr().out)}
    assert rows[LATENESS_HIGH].found == pytest.approx(200)
    assert (rows[LATENESS_BESIDE_C].found, rows[LATENESS_BESIDE_C].ours) == (None, NO_COMPILER.reason)
    assert (rows[BESIDE_C].found, rows[BESIDE_C].ours) == (None, "no C compiler")
