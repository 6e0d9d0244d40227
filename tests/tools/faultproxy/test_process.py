"""Fault proxies as a process: it says where it is, does what it is told, and ends as it should."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

WAIT_S = 30.0


@contextmanager
def started(*words: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "sprint.tools.faultproxy", *words],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        yield process, json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.wait(WAIT_S)
        process.stdout.close()
        process.stdin.close()


def test_it_says_where_it_listens_passes_bytes_and_is_told_over_http() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(WAIT_S)
        target = f"127.0.0.1:{server.getsockname()[1]}"
        with started("--proxy", f"a={target}", "--proxy", f"b=127.0.0.1:0/{target}") as (_, told):
            assert list(told["proxies"]) == ["a", "b"]
            for name, listen in told["proxies"].items():
                host, _, port = listen.rpartition(":")
                with socket.create_connection((host, int(port)), WAIT_S) as client:
                    accepted, _ = server.accept()
                    with accepted:
                        client.sendall(name.encode())
                        assert accepted.recv(10) == name.encode()
                        url = f"{told['control']}/api/proxies/{name}/toxics"
                        answer = httpx.post(url, json={"kind": "reset"}, trust_env=False)
                        assert answer.status_code == 201
                        with pytest.raises(ConnectionResetError):
                            client.recv(10)


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_ends_it_and_its_ports_are_free(sent: signal.Signals, code: int) -> None:
    with started("--proxy", "a=127.0.0.1:9") as (process, told):
        process.send_signal(sent)
        assert process.wait(WAIT_S) == code
        for address in (told["control"].rpartition("/")[2], told["proxies"]["a"]):
            host, _, port = address.rpartition(":")
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((host, int(port)))


def test_it_ends_with_its_standard_input_where_it_is_asked_to() -> None:
    with started("--until-eof") as (process, _):
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(WAIT_S) == 0


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--proxy", "a"), 2, "--proxy: target: ''; want HOST:PORT"),
        (("--proxy", "=127.0.0.1:1"), 2, "--proxy: name: ''"),
        (("--control-port", "x"), 2, "want 0 to 65535"),
        (("--proxy", "a=192.0.2.1:1"), 3, "target: 192.0.2.1:1 is not on loopback"),
        (("--proxy", "a=127.0.0.1:1", "--proxy", "a=127.0.0.1:1"), 3, "a proxy 'a' is there already"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_promised(
    words: tuple[str, ...], code: int, said: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sprint.tools.faultproxy", *words],
        capture_output=True, text=True, check=False, timeout=WAIT_S,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr


def test_a_target_beyond_loopback_is_taken_where_it_is_listed() -> None:
    with started("--proxy", "a=192.0.2.1:1", "--allow-target", "192.0.2.1:1") as (_, told):
        shown = httpx.get(f"{told['control']}/api/proxies/a", trust_env=False).json()
        assert shown["target"] == "192.0.2.1:1"
        answer = httpx.post(
            f"{told['control']}/api/proxies", json={"name": "b", "target": "192.0.2.1:2"}, trust_env=False
        )
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_query")
