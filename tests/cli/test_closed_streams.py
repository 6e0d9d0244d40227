"""Every command runs where its standard streams are closed, as by `>&-` in a shell."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

import sprint

TIMEOUT_S = 60
COMMANDS = {
    "relay": ("relay", "config", "show"),
    "cb-loadtest": ("cb-loadtest", "--rps", "20", "--duration", "1s", "--json"),
    "cb-chaos": ("cb-chaos", "--experiment"),
}
CLOSED = {
    "stdout": ">&-",
    "stderr": "2>&-",
    "all": "<&- >&- 2>&-",
}


def environment(home: Path) -> dict[str, str]:
    folder = str(Path(sprint.__file__).parents[1])
    return {"PATH": "/usr/bin:/bin", "HOME": str(home), "PYTHONPATH": folder}


def in_a_shell(*words: str, closed: str) -> list[str]:
    command = [sys.executable, "-m", "sprint.cli.main", *words]
    return ["/bin/sh", "-c", f'exec "$@" {closed}', "sh", *command]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("closed", CLOSED)
def test_a_closed_stream_is_one_that_leads_nowhere(tmp_path: Path, command: str, closed: str) -> None:
    """Python has None in its place: what asked that for a terminal, or wrote bytes to it, ended with 1."""
    done = subprocess.run(
        in_a_shell(*COMMANDS[command], closed=CLOSED[closed]),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        cwd=tmp_path,
        env=environment(tmp_path),
    )
    assert "Traceback" not in done.stderr
    assert done.returncode == 0, done.stderr


def test_a_relay_serves_and_stops_without_any_stream(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = ("--demo", "--tier", "turbo", "--port", "0", "--admin-port", str(port), "--metrics-port", "0")
    with subprocess.Popen(
        in_a_shell("relay", *options, closed=CLOSED["all"]), cwd=tmp_path, env=environment(tmp_path)
    ) as relay:
        deadline = time.monotonic() + TIMEOUT_S
        while not _answers(port):
            assert relay.poll() is None
            assert time.monotonic() < deadline
        relay.terminate()
        assert relay.wait(TIMEOUT_S) == 0


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/api/v1/health", timeout=1).status_code > 0
    except httpx.TransportError:
        return False
