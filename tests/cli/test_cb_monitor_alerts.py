"""`sprint cb-monitor --alerts` as a process: a test send, wrong use, `kill -9` before anybody receives."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sprint.cli.cb_monitor import app
from tests.cli.test_cb_monitor import NOBODY, TIMEOUT_S, line_of, running_with
from tests.tools.monitor.alert_receivers import free_port, http_receiver, mail_receiver

LINES_MAX = 200


def alert_told(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """Return the next alert among the lines of JSON."""
    for _ in range(LINES_MAX):
        line = json.loads(line_of(process.stdout))
        if line["type"] == "alert":
            alert: dict[str, Any] = line["alert"]
            return alert
    raise AssertionError(f"no alert within {LINES_MAX} lines")


def test_an_alert_outlives_a_kill_and_is_sent_once_by_the_next_process(tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/hook?token=in-the-url"
    options = (
        *("--json", "--target", f"main={NOBODY}", "--interval", "1s"),
        *("--alerts", "--webhook", url, "--alerts-file", str(tmp_path / "alerts.sqlite")),
    )
    with running_with(*options) as process:
        told = alert_told(process)
        assert (told["rule"], told["level"], told["relay"]) == ("relay", "emergency", "main")
        process.kill()
        process.wait(TIMEOUT_S)
    with http_receiver(port) as receiver:
        with running_with(*options) as process:
            receiver.received.wait(1)
            process.terminate()
            assert process.wait(TIMEOUT_S) == 0
            assert process.stderr is not None
            assert b"in-the-url" not in process.stderr.read()
        assert [told | alert for alert in receiver.alerts()] == [told]
        assert len(receiver.alerts()) == 1


def test_a_test_is_sent_to_every_sink_and_its_result_is_the_exit_code(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n")
    config = tmp_path / "monitor.toml"
    with http_receiver() as receiver, mail_receiver() as mail:
        config.write_text(
            f'[monitor.alerts.email]\nhost = "127.0.0.1"\nport = {mail.port}\nstarttls = false\n'
            'sender = "a@example.org"\nto = ["b@example.org"]\n'
        )
        asked = ["--test-alert", "--webhook", receiver.url, "--webhook-secret-file", str(secret)]
        done = CliRunner().invoke(app, [*asked, "--config", str(config)])
        assert (done.exit_code, done.stderr.count("confirmed")) == (0, 2)
        assert receiver.alerts()[0]["rule"] == "test"
        assert "a test by" in mail.received.wait(1)[0]
        receiver.statuses = [500]
        failed = CliRunner().invoke(app, asked)
        assert failed.exit_code == 3
        assert "answers 500" in failed.stderr
        for hidden in ("s3cret", "in-the-url"):
            assert hidden not in done.stderr + failed.stderr


def test_slack_is_found_by_the_file_with_its_url(tmp_path: Path) -> None:
    config, url = tmp_path / "monitor.toml", tmp_path / "url"
    config.write_text(f'[monitor.alerts]\nslack_url_file = "{url}"\n')
    with http_receiver() as receiver:
        url.write_text(receiver.url)
        done = CliRunner().invoke(app, ["--test-alert", "--config", str(config)])
        assert (done.exit_code, done.stderr.count("slack at 127.0.0.1")) == (0, 1)
        ((_, body),) = receiver.received.wait(1)
    assert list(json.loads(body)) == ["text"]
    assert "in-the-url" not in done.stderr


def wrong_config(tmp_path: Path, text: str) -> str:
    config = tmp_path / "monitor.toml"
    config.write_text(text)
    ended = CliRunner().invoke(app, ["--test-alert", "--config", str(config)])
    assert ended.exit_code == 2, ended.stderr
    return ended.stderr


def test_a_section_that_can_t_be_is_refused_by_its_key(tmp_path: Path) -> None:
    assert "`webhok`" in wrong_config(tmp_path, '[monitor.alerts]\nwebhok = ["http://h"]\n')
    assert "no sink" in wrong_config(tmp_path, "[monitor.alerts]\n")
    said = wrong_config(tmp_path, '[monitor.alerts.email]\nhost = "h"\nsender = "a@b"\nto = []\n')
    assert "want host, sender and to" in said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--test-alert",), "no sink"),
        (("--alerts", "--once"), "leave out --once"),
        (("--alerts", "--replay", "x"), "leave out --once and --replay"),
        (("--target", NOBODY, "--webhook", "ftp://token"), "--webhook: want http"),
        (("--target", NOBODY, "--webhook-secret-file", "absent"), "without --webhook"),
        (("--target", NOBODY, "--webhook", "http://h", "--webhook-secret-file", "absent"), "No such file"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_use_of_alerts_exits_with_2(options: tuple[str, ...], said: str, tmp_path: Path) -> None:
    ended = CliRunner().invoke(app, [*options, "--alerts-file", str(tmp_path / "a")])
    assert ended.exit_code == 2, ended.stderr
    assert said in ended.stderr
    assert "token" not in ended.stderr
