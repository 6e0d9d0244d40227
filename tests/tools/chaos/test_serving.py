"""The chaos server as it is started: who may be served, what a request may ask, and a run from end to end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from sprint.core.errors import ConfigError
from sprint.tools.chaos.given import Given, options_of
from sprint.tools.chaos.serving import ASKED, KEY_VARIABLE, access_of, laid_over
from sprint.tools.web.server import TlsFiles

KEY = "k" * 32
COMMAND = (sys.executable, "-c", "from sprint.cli.cb_chaos import run; run()")
TIMEOUT_S = 120


def test_loopback_needs_neither_key_nor_certificate() -> None:
    for host in ("127.0.0.1", "127.0.0.2", "::1", "localhost"):
        assert access_of(host, "", "", "").tls is None


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (
            ("192.0.2.1", "", "", ""),
            "wants a key of 32 characters or more in SPRINT_CHAOS_KEY and a certificate",
        ),
        (("192.0.2.1", KEY, "", ""), "wants a certificate by --tls-cert and --tls-key"),
        (("chaos.example", "", "c.pem", "k.pem"), "wants a key of 32"),
        (("0.0.0.0", KEY, "c.pem", "k.pem"), "name one address"),
        (("::", KEY, "c.pem", ""), "name one address"),
        (("127.0.0.1", KEY[:-1], "", ""), f"{KEY_VARIABLE}: 31 characters; want 32 or more"),
        (("127.0.0.1", "", "", "k.pem"), "name its certificate too"),
    ],
)
def test_what_is_lacking_to_be_served_is_named(given: tuple[str, str, str, str], says: str) -> None:
    with pytest.raises(ConfigError) as refused:
        access_of(*given)
    assert says in str(refused.value)
    assert KEY[:-1] not in str(refused.value)


def test_off_loopback_is_served_with_key_and_certificate() -> None:
    access = access_of("Chaos.Example", KEY, "c.pem", "k.pem")
    assert (access.host, access.key, access.tls) == ("chaos.example", KEY, TlsFiles("c.pem", "k.pem"))


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"target": "http://192.0.2.1"}, "target: not for a request; it takes experiment, duration"),
        ({"allow": ["192.0.2.1"], "journal_dir": "/etc"}, "allow, journal_dir: not for a request"),
        ({"experiment": "/etc/passwd"}, "a file is only run where the server was started with it"),
        ({"experiment": ["latency", "other.yaml"]}, "'other.yaml': a file is only run"),
        ({"experiment": []}, "experiment []: name one, or leave it out"),
        ({"source": "alice"}, "--source 'alice': write it as CHAIN:NAME"),
        ({"experiment": 3}, "Expected `array`"),
        ({"experiment": [3]}, "Expected `str`"),
        ({"seed": "x"}, "Expected `int`"),
        ({"validate": "yes"}, "Expected `bool`"),
    ],
)
def test_a_request_says_what_is_tried_and_not_upon_whom(asked: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as refused:
        options_of(laid_over(Given(target="http://127.0.0.1:8081", experiment=("mine.json",)), asked))
    assert says in str(refused.value)


def test_what_a_request_asks_goes_over_what_the_server_was_started_with() -> None:
    started = Given(target="http://127.0.0.1:8081", experiment=("mine.json",), duration="9s", seed=7)
    made = laid_over(started, {"experiment": "latency", "figure": "latency_ms=5"})
    assert (made.target, made.experiment, made.figure) == (started.target, ("latency",), ("latency_ms=5",))
    assert (made.duration, made.seed) == ("9s", 7)
    assert laid_over(started, {"experiment": ["mine.json"]}).experiment == ("mine.json",)
    assert set(ASKED) <= set(Given.__struct_fields__)


def test_a_run_over_http_from_end_to_end(tmp_path: Path) -> None:
    environment = {**os.environ, "SPRINT_CHAOS_JOURNAL": str(tmp_path / "journal")}
    with subprocess.Popen(
        [*COMMAND, "--serve", "--port", "0"], stderr=subprocess.PIPE, env=environment
    ) as process:
        assert process.stderr is not None
        try:
            url = process.stderr.readline().decode().split()[3].rstrip(";")
            with httpx.Client(base_url=url, trust_env=False, timeout=TIMEOUT_S) as client:
                started = client.post("/api/runs", json={"experiment": "force-open", "duration": "1s"})
                assert started.json()["run"]["state"] == "running"
                events = client.get("/api/runs/1/events").text
                *notes, last = map(json.loads, events.splitlines())
        finally:
            process.send_signal(signal.SIGTERM)
            code = process.wait(TIMEOUT_S)
    phases = [each["phase"] for each in notes]
    assert phases == ["opening", "experiment", "steady", "method", "rollback", "recovery"]
    assert (last["state"], last["results"][0]["verdict"]) == ("ended", "met")
    assert code == 0
