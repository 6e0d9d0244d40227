"""`sprint cb-monitor` as a process: what it serves and says, what it refuses, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import select
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import httpx
import msgspec
import pytest
from typer.testing import CliRunner

from sprint.cli.cb_monitor import app
from sprint.core.errors import ConfigError
from sprint.core.monitor.fleet import FleetSnapshot, FleetTape, decode_fleet, encode_fleet
from sprint.core.monitor.rows import rfc3339
from sprint.tools.monitor import running
from sprint.tools.monitor.demo import Demo
from sprint.tools.monitor.given import Given, options_of, target_of
from sprint.tools.monitor.monitor import Monitor
from sprint.tools.monitor.probe import Target
from sprint.tools.monitor.service import KEY_VARIABLE
from tests.tools.certificates import self_signed

TIMEOUT_S = 30
COMMAND = (sys.executable, "-m", "sprint.cli.main", "cb-monitor")
LINES_MAX = 8
ALTERNATE_SCREEN = b"\x1b[?1049h"
NOBODY = "http://127.0.0.1:9"


def done(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *options], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )


@contextlib.contextmanager
def running_with(*options: str, env: dict[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [*COMMAND, *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=env,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def line_of(stream: IO[bytes] | None) -> str:
    assert stream is not None
    return stream.readline().decode().rstrip()


def url_of(process: subprocess.Popen[bytes], scheme: str = "http") -> str:
    """Where it serves; on the way there it may say that a relay is lost."""
    line = ""
    for _ in range(LINES_MAX):
        line = line_of(process.stderr)
        if line.startswith(f"cb-monitor serves at {scheme}://127.0.0.1:"):
            return line.rpartition(" ")[2]
    raise AssertionError(line)


def test_a_service_says_whom_it_watches_and_where_it_is_and_ends_by_sigterm_with_0() -> None:
    with running_with("--port", "0", "--target", f"main={NOBODY}") as process:
        assert line_of(process.stderr) == f"cb-monitor watches main at {NOBODY}"
        url = url_of(process)
        health = httpx.get(f"{url}/api/health", trust_env=False).json()
        assert (health["status"], health["demo"]) == ("failing", False)
        page = httpx.get(url, trust_env=False)
        assert page.headers["Content-Type"].startswith("text/html")
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(TIMEOUT_S) == 0


def test_without_a_relay_the_first_line_and_the_snapshot_say_that_it_is_a_demo(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A relay of somebody's own may be on this machine, so the look at its port is led elsewhere."""
    monkeypatch.setattr(running, "RELAY_DEFAULT", Target("local", NOBODY))
    said: list[str] = []

    async def scene() -> Monitor:
        async with running.watching(options_of(Given(tier="TURBO")), said.append) as monitor:
            await running.once(monitor)
            return monitor

    monitor = asyncio.run(scene())
    assert monitor.demo
    assert said[0].startswith(
        f"cb-monitor: no relay answers at {NOBODY}, so this is a demo: breakers of tier turbo"
    )
    assert {key.relay for key in monitor.board.rows} == {"demo"}


def test_a_relay_on_this_machine_is_watched_where_no_target_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []

    async def scene() -> bool:
        async with Demo() as demo:
            monkeypatch.setattr(running, "RELAY_DEFAULT", Target("local", demo.target.url))
            async with running.watching(options_of(Given()), said.append) as monitor:
                assert said == [f"cb-monitor watches local at {demo.target.url}"]
                return monitor.demo

    assert not asyncio.run(scene())


def test_lines_of_json_begin_with_a_snapshot_and_end_with_their_reader(tmp_path: Path) -> None:
    recording = tmp_path / "a.ndjson"
    options = ("--json", "--record", str(recording), "--target", f"main={NOBODY}", "--interval", "1s")
    with running_with(*options) as process:
        first = decode_fleet(line_of(process.stdout))
        assert isinstance(first, FleetSnapshot)
        assert [each.name for each in first.relays] == ["main"]
        process.send_signal(signal.SIGINT)
        assert process.wait(TIMEOUT_S) == 130
    assert isinstance(decode_fleet(recording.read_bytes().splitlines()[0]), FleetSnapshot)
    again = CliRunner().invoke(app, ["--json", "--record", str(recording), "--target", NOBODY])
    assert (again.exit_code, again.stdout) == (2, "")
    assert "there is one already" in again.stderr
    with running_with("--replay", str(recording), "--json") as process:
        assert isinstance(decode_fleet(line_of(process.stdout)), FleetSnapshot)
        assert "shows the recording" in line_of(process.stderr)


def test_lines_of_a_recording_with_a_bad_line_end_with_3_and_the_line(tmp_path: Path) -> None:
    recording = tmp_path / "a.ndjson"
    snapshot = FleetSnapshot(
        seq=0, at=rfc3339(0.0), part=1, parts=1, demo=False, read_only=False, relays=(), breakers=()
    )
    recording.write_bytes(encode_fleet(snapshot) + b"\n{}\n")
    ended = done("--replay", str(recording), "--json")
    assert ended.returncode == 3
    assert "line 2: no message of a monitor" in ended.stderr
    told = [decode_fleet(line) for line in ended.stdout.splitlines()]
    reasons = [each.replay.reason for each in told if isinstance(each, FleetTape) and each.replay is not None]
    assert "line 2: no message of a monitor" in reasons[-1]


WRONG = (
    (("--target", "ftp://x"), "want http://HOST:PORT"),
    (("--target", "http://h:1/api"), "want http://HOST:PORT"),
    (("--target", "a b=http://h:1"), "want a name of up to 64 letters"),
    (("--target", "http://h:1", "--target", "http://h:1"), "two relays are called 'h:1'; name them"),
    (("--interval", "1h"), "--interval 1h: 3600 s; want 1 s to 300 s"),
    (("--tier", "gold"), "there are free, developer, business, turbo, enterprise"),
    (("--replay", "absent"), "No such file"),
    (("--replay", "x", "--target", "http://h:1"), "leave out --target"),
    (("--once", "--port", "0"), "--once prints and ends"),
    (("--once", "--record", "x"), "--once prints and ends: leave out --record"),
    (("--once", "--replay", "x"), "--once prints and ends: leave out --replay"),
    (("--host", "0.0.0.0", "--port", "0"), "--host 0.0.0.0: name one address"),
    (("--tui", "--json"), "both want stdout"),
    (("--tls-key", "k.pem"), "--tls-key without --tls-cert"),
    (("--tls-ca", "absent.pem"), "absent.pem"),
    (("--config", "absent.toml"), "absent.toml"),
)


@pytest.mark.parametrize(
    ("options", "said"), WRONG, ids=lambda v: " ".join(v) if isinstance(v, tuple) else ""
)
def test_wrong_use_exits_with_2_and_says_what_would_be_right(options: tuple[str, ...], said: str) -> None:
    ended = CliRunner().invoke(app, options)
    assert ended.exit_code == 2, ended.stderr
    assert said in ended.stderr
    assert ended.stdout == ""


def test_a_relay_that_does_not_answer_ends_once_with_3() -> None:
    ended = done("--once", "--target", NOBODY)
    assert (ended.returncode, ended.stdout) == (3, "")
    assert "nobody answers" in ended.stderr


def test_an_address_beyond_loopback_wants_a_key_and_a_certificate() -> None:
    beyond = CliRunner().invoke(app, ["--host", "192.0.2.1", "--port", "0"], env={KEY_VARIABLE: ""})
    assert beyond.exit_code == 2
    assert f"a key of 32 characters or more in {KEY_VARIABLE} and a certificate" in beyond.stderr


def test_with_a_key_and_a_certificate_it_serves_over_tls_to_who_has_the_key(tmp_path: Path) -> None:
    files = self_signed(tmp_path)
    options = ("--port", "0", "--target", f"main={NOBODY}", "--tls-cert", str(files.certificate))
    key = "k" * 32
    with running_with(
        *options, "--tls-key", str(files.key), env={**os.environ, KEY_VARIABLE: key}
    ) as process:
        url = url_of(process, "https")
        context = ssl.create_default_context(cafile=str(files.certificate))
        with httpx.Client(base_url=url, trust_env=False, verify=context) as client:
            assert client.get("/api/health").status_code == 401
            known = client.get("/api/health", headers={"Authorization": f"Bearer {key}"})
            assert known.json()["status"] == "failing"


def test_a_port_that_is_taken_ends_with_3() -> None:
    with running_with("--port", "0", "--target", NOBODY) as process:
        port = url_of(process).rpartition(":")[2]
        ended = CliRunner().invoke(app, ["--port", port, "--target", NOBODY])
        assert ended.exit_code == 3
        assert "--port" in ended.stderr


def test_options_of_a_file_are_laid_under_those_given(tmp_path: Path) -> None:
    file = tmp_path / "sprint.toml"
    file.write_text('[monitor]\ntarget = ["a=http://127.0.0.1:9"]\ninterval = "2m"\nread_only = true\n')
    with running_with("--config", str(file), "--port", "0") as process:
        assert line_of(process.stderr) == "cb-monitor watches a at http://127.0.0.1:9"
        health = httpx.get(f"{url_of(process)}/api/health", trust_env=False).json()
        assert health["read_only"] is True
    file.write_text("[monitor]\ntargte = 1\n")
    assert "did you mean target?" in CliRunner().invoke(app, ["--config", str(file)]).stderr


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("http://127.0.0.1:8081", Target("127.0.0.1:8081", "http://127.0.0.1:8081")),
        ("main=http://localhost:8081/", Target("main", "http://localhost:8081")),
        ("https://relay.example", Target("relay.example", "https://relay.example")),
        ("six=http://[::1]:8081", Target("six", "http://[::1]:8081")),
    ],
)
def test_targets_have_a_name_or_are_called_by_host_and_port(text: str, target: Target) -> None:
    assert target_of(text) == target


def test_more_targets_than_may_be_are_refused() -> None:
    with pytest.raises(ConfigError, match="65 relays, limit 64"):
        options_of(Given(target=tuple(f"r{number}=http://h:1" for number in range(65))))


def test_once_as_json_is_one_object(tmp_path: Path) -> None:
    ended = subprocess.run(
        [*COMMAND, "--once", "--json"], capture_output=True, timeout=TIMEOUT_S, check=True, cwd=tmp_path
    )
    told = msgspec.json.decode(ended.stdout)
    assert set(told) == {"at", "demo", "relays", "breakers"}
    assert told["breakers"]


def test_on_a_terminal_it_opens_there_and_q_ends_it_with_0() -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, "--target", f"main={NOBODY}"], stdin=theirs, stdout=theirs, stderr=theirs,
        env={**os.environ, "TERM": "xterm-256color"},
    ) as process:  # fmt: skip
        os.close(theirs)
        said = b""
        while ALTERNATE_SCREEN not in said or b"main" not in said.partition(ALTERNATE_SCREEN)[2]:
            assert select.select([ours], [], [], TIMEOUT_S)[0], said
            said += os.read(ours, 65_536)
        os.write(ours, b"q")
        with contextlib.suppress(OSError):  # the terminal's other end has gone
            while select.select([ours], [], [], TIMEOUT_S)[0] and os.read(ours, 65_536):
                pass
        assert process.wait(TIMEOUT_S) == 0
    os.close(ours)
