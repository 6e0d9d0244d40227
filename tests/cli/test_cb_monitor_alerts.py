"""`sprint cb-monitor --alerts` as a process: a test send, wrong use, `kill -9` before anybody receives."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sprint.cli.cb_monitor import app
from sprint.tools.monitor.alerts_given import AlertsGiven, alerting
from sprint.tools.monitor.monitor import Monitor
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
            said = process.stderr.read()
            assert b"in-the-url" not in said
            assert b"raises alerts by 5 rules; info to webhook; warning to webhook; critical" in said
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


def test_chats_and_pagerduty_are_found_by_the_files_with_their_urls_and_key(tmp_path: Path) -> None:
    config, url, key = tmp_path / "monitor.toml", tmp_path / "url", tmp_path / "key"
    key.write_text("R0" * 16)
    with http_receiver() as receiver:
        url.write_text(receiver.url)
        config.write_text(
            f'[monitor.alerts]\nslack_url_file = "{url}"\npagerduty_url = "{receiver.url}"\n'
            f'pagerduty_key_file = "{key}"\n'
        )
        asked = ["--test-alert", "--config", str(config), "--teams-url-file", str(url)]
        done = CliRunner().invoke(app, asked)
        assert done.exit_code == 0, done.stderr
        for kind in ("slack", "teams", "pagerduty"):
            assert done.stderr.count(f"{kind} at 127.0.0.1") == 1
        bodies = [json.loads(body) for _, body in receiver.received.wait(3)]
    assert [next(iter(body)) for body in bodies] == ["text", "type", "routing_key"]
    for hidden in ("in-the-url", "R0R0"):
        assert hidden not in done.stderr


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


RULE = '[[monitor.alerts.rules]]\nname = "a"\n'
WRONG_KEYS = (
    (f'{RULE}reads = "calls"\nwarnnig = 1\n', "`warnnig` - at `$.alerts.rules[0]`"),
    (f'{RULE}reads = "calls"\nwarning = "1"\n', "rules[0].warning`"),
    (f'{RULE}reads = "cals"\nwarning = 1\n', "(a).reads: 'cals'; did you mean"),
    ('[monitor.alerts.routes]\nwarnings = ["email"]\n', "routes: level 'warnings'; there are info"),
    ('[monitor.alerts.routes]\nwarning = ["mail"]\n', "routes.warning: 'mail'; want webhook or slack"),
    ('[monitor.alerts.escalate_after]\nwarning = "1s"\n', "escalate_after.warning 1s: 1 s; want 60 s to"),
    ('[monitor.alerts.escalate_after]\nemergency = "1h"\n', "emergency: there is no level above"),
    ('[monitor.alerts]\npagerduty_key_file = "KEY"\n', "want the 32 letters and digits"),
    ('[monitor.alerts]\nteams_url_file = "KEY"\n', "--teams-url-file: want http"),
)


def test_each_key_that_can_t_be_is_refused_by_its_place_before_anything_is_sent(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("s3cret\n")
    for text, said in WRONG_KEYS:
        told = wrong_config(tmp_path, text.replace("KEY", str(key)))
        assert said in told
        assert "s3cret" not in told


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--test-alert",), "no sink"),
        (("--alerts", "--once"), "--once prints and ends: leave out --alerts, --alerts-file"),
        (("--once", "--webhook", "http://h"), "--once prints and ends: leave out --webhook, --alerts-file"),
        (
            ("--replay", "x", "--alerts"),
            "--replay shows a file of what was: leave out --alerts, --alerts-file",
        ),
        (("--replay", "x", "--slack-url-file", "f"), "leave out --slack-url-file, --alerts-file"),
        (("--test-alert", "--port", "0", "--host", "h"), "and ends: leave out --port, --host"),
        (("--test-alert", "--record", "f", "--once"), "and ends: leave out --record, --once"),
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


def test_it_is_said_at_the_start_which_level_goes_to_nobody(tmp_path: Path) -> None:
    said: list[str] = []

    async def scene(given: AlertsGiven) -> None:
        async with alerting(Monitor(), given, said.append):
            pass

    url = tmp_path / "url"
    url.write_text("http://127.0.0.1:9/hook")
    file = str(tmp_path / "alerts.sqlite")
    asyncio.run(scene(AlertsGiven(file=file)))
    asyncio.run(scene(AlertsGiven(file=file, slack_url_file=str(url))))
    assert "they are sent to nobody: give --webhook URL" in said[0]
    assert "info to nobody; warning to slack; critical to slack; emergency to slack" in said[1]
