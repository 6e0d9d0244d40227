"""`sprint cb-loadtest` as a person and a pipeline meet it: lines, files, exit codes, Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

import sprint
from sprint.cli import cb_loadtest

COMMAND = (sys.executable, "-c", "from sprint.cli.cb_loadtest import run; run()")
TIMEOUT_S = 60


class _Ok(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def target() -> Iterator[str]:
    """A server of the standard library, on a free port."""
    server = ThreadingHTTPServer(("localhost", 0), _Ok)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://localhost:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join(TIMEOUT_S)


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        cwd=cwd,
        env=_environment(cwd),
    )


def _environment(cwd: Path) -> dict[str, str]:
    folder = str(Path(sprint.__file__).parents[1])
    return {"PATH": "/usr/bin:/bin", "HOME": str(cwd), "PYTHONPATH": folder}


def test_without_a_target_its_first_line_says_what_is_loaded(tmp_path: Path) -> None:
    done = run("--rps", "100", "--duration", "1s", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith(
        "no --target: the breaker of tier business around a simulated service, in process"
    )
    assert "successes" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr


def test_a_url_is_loaded_as_asked(tmp_path: Path, target: str) -> None:
    done = run("--target", target, "--rps", "100", "--duration", "1s", "--json", cwd=tmp_path)
    report = json.loads(done.stdout)
    assert (report["totals"]["asked"], report["totals"]["successes"]) == (100, 100)
    assert done.stderr == f"target: {target}/\n"


def test_chaos_with_a_tier_in_capitals_needs_no_target(tmp_path: Path) -> None:
    done = run("--chaos", "--failure-rate", "0.1", "--tier", "BUSINESS", "--duration", "1s", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "0.1 of its calls fail" in done.stderr
    assert "simulated" in done.stdout


def test_what_is_loaded_is_said_once_where_both_streams_lead_to_one_place(tmp_path: Path) -> None:
    """On a terminal the line without --target stood there twice: when the run began, and in the report."""
    both = tmp_path / "both.txt"
    with both.open("wb") as file:
        options = ("--rps", "20", "--duration", "1s")
        command = [*COMMAND, *options]
        subprocess.run(
            command,
            stdout=file,
            stderr=file,
            timeout=TIMEOUT_S,
            check=True,
            cwd=tmp_path,
            env=_environment(tmp_path),
        )
    assert both.read_text().count("no --target:") == 1


def test_what_is_loaded_is_in_a_report_that_goes_elsewhere(tmp_path: Path) -> None:
    done = run("--rps", "20", "--duration", "1s", cwd=tmp_path)
    assert (done.stdout.count("no --target:"), done.stderr.count("no --target:")) == (1, 1)


def test_faults_are_named_before_the_run_and_in_its_report(tmp_path: Path, target: str) -> None:
    faults = ("--fault", "latency:latency_ms=20,jitter_ms=5", "--fault", "slicer:piece_bytes=9")
    done = run("--target", target, "--rps", "50", "--duration", "1s", "--json", *faults, cwd=tmp_path)
    report = json.loads(done.stdout)
    assert "latency (latency_ms 20, jitter_ms 5), downstream, on all connections; slicer" in done.stderr
    assert [fault["kind"] for fault in report["faults"]] == ["latency", "slicer"]
    assert report["totals"]["response"]["ms_min"] >= 20


def test_a_report_is_written_as_json(tmp_path: Path) -> None:
    options = ("--report", "--format", "json", "--output", "results.json", "--duration", "1s", "--rps", "50")
    done = run(*options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "results.json").read_bytes())["totals"]["successes"] == 50


@pytest.mark.parametrize(
    ("name", "begins"), [("r.html", b"<!doctype html>"), ("r.csv", b"at_s,"), ("r.txt", b"Load test")]
)
def test_the_form_of_a_file_follows_from_its_name(tmp_path: Path, name: str, begins: bytes) -> None:
    done = run("--output", name, "--duration", "1s", "--rps", "20", "-q", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / name).read_bytes().lower().startswith(begins.lower())
    assert done.stdout == done.stderr == ""


def test_a_threshold_that_is_not_met_is_exit_code_1_and_one_that_is_0(tmp_path: Path) -> None:
    options = ("--duration", "1s", "--rps", "50", "-q", "--threshold")
    assert run(*options, "p99<1ns", cwd=tmp_path).returncode == 1
    assert run(*options, "successes>=50", cwd=tmp_path).returncode == 0


def test_nobody_at_the_target_is_exit_code_3(tmp_path: Path) -> None:
    done = run("--target", "http://127.0.0.1:1", "--duration", "1s", cwd=tmp_path)
    assert done.returncode == 3
    assert "error: http://127.0.0.1:1/ cannot be reached" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run_with_a_true_report(tmp_path: Path, target: str, number: signal.Signals) -> None:
    with subprocess.Popen(
        [*COMMAND, "--target", target, "--rps", "200", "--duration", "1h", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env=_environment(tmp_path),
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith(b"target: ")
        # The report is of what was done by then: from nothing at all, where it comes before the start.
        threading.Timer(1.5, os.kill, (process.pid, number)).start()
        out, _ = process.communicate(timeout=TIMEOUT_S)
    report = json.loads(out)
    totals = report["totals"]
    assert process.returncode == 0
    assert report["interrupted"]
    assert totals["duration_s"] < 30
    assert totals["answered"] + totals["unanswered"] + totals["never_sent"] == totals["asked"]


def test_a_file_gives_options_and_flags_go_over_it(tmp_path: Path) -> None:
    (tmp_path / "load.toml").write_text('[loadtest]\nrps = 30\nduration = "1s"\nlatency-max = 2\n')
    done = run("--config", "load.toml", "--rps", "40", "--json", cwd=tmp_path)
    report = json.loads(done.stdout)
    assert (report["asked"]["rate_per_s"], report["asked"]["duration_s"]) == (40, 1)
    assert report["asked"]["options"]["latency"] == "1-2ms"


def test_a_number_in_a_file_is_a_duration_as_a_flag_is(tmp_path: Path) -> None:
    """`duration = 1` was refused, where `--duration 1` is a second."""
    (tmp_path / "load.toml").write_text("[loadtest]\nrps = 30\nduration = 1\ntimeout = 0.5\n")
    done = run("--config", "load.toml", "--json", cwd=tmp_path)
    asked = json.loads(done.stdout)["asked"]
    assert (asked["duration_s"], asked["options"]["timeout"]) == (1, "0.5s")


def test_a_report_that_cannot_be_written_in_the_end_is_printed(tmp_path: Path) -> None:
    """It was lost with the run that it was of."""
    done = run("--duration", "1s", "--rps", "20", "-q", "--output", "/dev/full", cwd=tmp_path)
    assert done.returncode == 3
    assert "error: --output /dev/full: " in done.stderr
    assert "No space left on device" in done.stderr
    assert "successes" in done.stdout


def test_a_report_in_a_form_that_nobody_asked_for_is_told(tmp_path: Path) -> None:
    """`--output r.htm` was text without a word."""
    options = ("--duration", "1s", "--rps", "20", "--output")
    page, other = run(*options, "r.htm", cwd=tmp_path), run(*options, "r.pdf", cwd=tmp_path)
    assert (tmp_path / "r.htm").read_bytes().startswith(b"<!doctype html>")
    assert "--output" not in page.stderr
    assert "--output r.pdf: nothing is known of .pdf, it is written as text; --format says" in other.stderr
    assert (tmp_path / "r.pdf").read_text().startswith("Load test")


def test_the_processors_of_a_report_are_those_that_may_be_used(tmp_path: Path) -> None:
    """They were all of the machine, where `taskset` had left one."""
    one = min(os.sched_getaffinity(0))
    command = ["taskset", "-c", str(one), *COMMAND, "--duration", "1s", "--rps", "20", "--json", "-q"]
    done = subprocess.run(
        command,
        capture_output=True,
        timeout=TIMEOUT_S,
        check=True,
        cwd=tmp_path,
        env=_environment(tmp_path),
    )
    assert json.loads(done.stdout)["environment"]["cpus"] == 1


def test_an_earlier_report_stands_beside_the_new_one(tmp_path: Path) -> None:
    options = ("--duration", "1s", "--rps", "20")
    run(*options, "-q", "--output", "before.json", cwd=tmp_path)
    done = run(*options, "--compare", "before.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "earlier" in done.stdout.lower()


WRONG = [
    (("--rps", "0"), "--rps 0: from 1 to 200,000 requests a second"),
    (("--rps", "200001"), "--rps 200,001: from 1 to 200,000"),
    (("--rps", "many"), "Input should be a valid integer"),
    (("--duration", "0s"), "--duration 0s: it is from 1s to 24h"),
    (("--duration", "25h"), "it is from 1s to 24h"),
    (("--duration", "soon"), "write it as 300s, 5m"),
    (("--stage", "30s"), "write it as DURATION:RPS"),
    (("--stage", "30s:10", "--pattern", "ramp"), "stages are a pattern, leave one out"),
    (("--pattern", "zigzag"), "it is one of sustained, ramp, spike, step"),
    (("--scenario", "doom"), "it is one of standard, spike, gradual-failure, recovery"),
    (("--workers", "0"), "--workers 0: from 1 to 10,000"),
    (("--workers", "10001"), "from 1 to 10,000 workers"),
    (("--processes", "65"), "--processes 65: from 1 to 64"),
    # Both ran, for half a minute, as if they had not been given.
    (("--processes", "0"), "--processes 0: from 1 to 64"),
    (("--connections", "0"), "--connections 0: from 1 to 10,000 WebSockets"),
    (("--target", "localhost:80"), "want http://host:port/path"),
    (("--target", "http://h", "--method", "FETCH"), "--method 'FETCH': want one of"),
    (("--target", "http://h", "--header", "x"), "want 'Name: value'"),
    (("--timeout", "1ms"), "--timeout 0.001s: it is from 10ms to 300s"),
    (("--connections", "5"), "--connections needs a target"),
    (("--connections", "10001", "--target", "ws://h"), "from 1 to 10,000 WebSockets"),
    (("--failure-rate", "10"), "it is a share from 0 to 1"),
    (("--failure-rate", "nan"), "it is a share from 0 to 1"),
    (("--latency-min", "5", "--latency-max", "1"), "want 0 <= min <= max"),
    (("--tier", "gold"), "there are free, developer, business, turbo, enterprise"),
    (("--fault", "stall"), "--fault 'stall' needs a target"),
    (("--fault", "lag", "--target", "http://h"), "kind: 'lag'; want one of latency, bandwidth"),
    (("--fault", "latency:latency_ms=x", "--target", "http://h"), "latency_ms: 'x'; want a whole number"),
    (("--fault", "down", "--failure-rate", "0.5", "--target", "http://h"), "leave the rate out"),
    (("--threshold", "p99"), "write METRIC, one of < <= > >= =="),
    (("--threshold", "p98<1ms"), "did you mean p99?"),
    (("--profile", "relay"), "--profile relay needs a target"),
    (("--profile", "web", "--target", "http://h"), "--profile 'web': there is relay"),
    (("--seed", "-1"), "--seed -1"),
    (("--format", "pdf"), "pdf"),
    (("--compare", "absent.json"), "--compare absent.json: No such file"),
    (("--config", "absent.toml"), "--config absent.toml: No such file"),
    (("--output", "absent/r.json"), "there is no folder absent"),
    (("--output", "."), "--output .: that is a folder; name a file in it"),
    (("--output", ""), "that is a folder"),
    (("--output", "/proc/r.json"), "--output /proc/r.json: no file can be made in /proc: No such file"),
    (("--stage", "1s:0"), "--stage: each is a pause"),
    (("--stage", "1s:7", "--rps", "900"), "--rps 900 with --stage: stages have theirs"),
    (("--stage", "1s:7", "--duration", "9s"), "--duration 9s with --stage: stages have theirs"),
    (("--stage", "1s:7", "--scenario", "spike"), "--scenario spike with --stage: both are a pattern"),
    (("--method", "POST"), "--method POST needs a target"),
    (("--header", "a: b"), "--header a: b needs a target"),
    (("--data", "x"), "--data x needs a target"),
    (("--tls-insecure",), "--tls-insecure needs a target"),
    (("--latency-max", "5", "--target", "http://h"), "--latency-max 5.0 with a --target: it is of the simul"),
    (("--scenario", "recovery", "--target", "http://h"), "--scenario recovery with a --target is how"),
    (("--scenario", "gradual-failure", "--fault", "stall", "--target", "http://h"), "leave --fault out"),
    (("--failure-rate", "0.1", "--target", "http://h"), "does nothing by itself: --chaos resets that share"),
    (
        ("--tier", "turbo", "--target", "http://h"),
        "--tier turbo with a --target: it is of the breaker around",
    ),
    (
        ("--workers", "5", "--connections", "5", "--target", "ws://h"),
        "--workers 5 is of requests, and WebSockets are held here",
    ),
    (("--connections", "2", "--target", "ws://h", "--method", "POST"), "--method POST is of requests"),
    (("--target", "ws://h", "--rps", "5"), "--rps 5 is of requests, and WebSockets are held here"),
]


@pytest.mark.parametrize(
    ("arguments", "said"), WRONG, ids=lambda v: " ".join(v) if isinstance(v, tuple) else ""
)
def test_wrong_use_exits_with_2_and_says_what_would_be_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cb_loadtest.app, arguments)
    assert done.exit_code == 2, done.output
    assert said in " ".join(done.stderr.split())
    assert done.stdout == ""


CONFIGS = [
    ("[loadtest]\nrsp = 3\n", "unknown key loadtest.rsp; did you mean rps?"),
    ("rps = 3\n", "rps stands outside of [loadtest]; write it under that line"),
    ("rps = 3\n[loadtest]\nduration = '1s'\n", "rps stands outside of [loadtest]"),
    ("[relay]\nport = 3\n", "there is no [loadtest] in it; write the options under that line"),
    ("[loadtest]\nrps = 'x'\n", "loadtest: Expected `int`, got `str` - at `$.rps`"),
    ("loadtest = 3\n", "loadtest is not a table"),
    ("[loadtest\n", "not valid TOML"),
]


@pytest.mark.parametrize(("text", "said"), CONFIGS)
def test_a_wrong_file_is_refused_with_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "load.toml").write_text(text)
    done = CliRunner().invoke(cb_loadtest.app, ("--config", "load.toml"))
    assert done.exit_code == 2
    assert "load.toml" in done.stderr
    assert said in done.stderr


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_a_file_may_be_json_or_yaml(tmp_path: Path, form: str) -> None:
    text = '{"loadtest": {"rps": 25, "duration": "1s"}}'  # which is YAML too
    (tmp_path / f"load.{form}").write_text(text)
    done = run("--config", f"load.{form}", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["asked"]["rate_per_s"] == 25
