"""Activities in their order, with pauses, in the background, after failures; what each provider gives."""

from __future__ import annotations

import http.server
import json
import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sprint.core.chaos.experiment import (
    Activity,
    HttpProvider,
    Hypothesis,
    Pauses,
    ProcessProvider,
    PythonProvider,
)
from sprint.core.errors import ConfigError
from sprint.tools.chaos.activity import ActivityRun, Running, run_activities, run_activity, run_hypothesis
from sprint.tools.chaos.experiment_file import FILE_SIZE_MAX, load_experiment
from tests.integration.real_servers import wait_until

done: list[Any] = []
gate = threading.Event()
stoppable: list[threading.Event] = []


def note(what: Any) -> Any:
    """What the experiments of these tests call."""
    done.append(what)
    return what


def fail(what: Any) -> None:
    done.append(what)
    raise KeyError(what)


def stop() -> None:
    stoppable.pop().set()


def wait_for_gate() -> bool:
    return gate.wait(10.0)


def given_configuration(configuration: dict[str, Any]) -> dict[str, Any]:
    return configuration


@pytest.fixture(autouse=True)
def nothing_done() -> None:
    done.clear()
    gate.clear()


def step(func: str = "note", kind: Any = "action", **more: Any) -> Activity:
    provider = PythonProvider(module=__name__, func=func, arguments=more.pop("arguments", {}))
    return Activity(type=kind, name=func, provider=provider, **more)


def noted(what: Any, **more: Any) -> Activity:
    return step(arguments={"what": what}, **more)


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """This module under its own name: pytest imports it without putting it there."""
    module = type(sys)(__name__)
    module.__dict__.update(globals())
    monkeypatch.setitem(sys.modules, __name__, module)


def statuses(runs: tuple[ActivityRun, ...]) -> list[str]:
    return [each.status for each in runs]


def test_activities_run_in_their_order_and_give_what_they_return() -> None:
    runs = run_activities([noted(1), noted(2)], Running())
    assert done == [1, 2]
    assert [each.output for each in runs] == [1, 2]
    assert all(each.began_s <= each.ended_s for each in runs)


def test_a_method_ends_at_an_action_that_failed_and_a_rollback_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    steps = [step("fail", arguments={"what": 1}), noted(2)]
    with caplog.at_level(logging.CRITICAL):
        running = Running()
        assert statuses(run_activities(steps, running)) == ["failed"]
        assert running.stopping.is_set()
        assert done == [1]
        assert statuses(run_activities(steps, running, to_the_last=True)) == ["failed", "succeeded"]
    assert done == [1, 1, 2]


def test_a_probe_that_failed_ends_nothing() -> None:
    runs = run_activities([step("fail", "probe", arguments={"what": 1}), noted(2)], Running())
    assert statuses(runs) == ["failed", "succeeded"]
    assert runs[0].error == "fail: KeyError: 1"


def test_what_is_in_the_background_runs_beside_the_others_and_is_waited_for() -> None:
    opens = step("wait_for_gate", background=True)
    module = step("note", arguments={"what": "beside"})
    runs = run_activities([opens, module, step("open_gate")], Running())
    assert [each.output for each in runs] == [True, "beside", None]


def open_gate() -> None:
    gate.set()


def test_a_stop_ends_pauses_and_keeps_what_has_not_begun_from_beginning() -> None:
    running = Running()
    hour = Pauses(after=3_600.0)
    later = noted("later", background=True, pauses=Pauses(before=3_600.0))
    stoppable.append(running.stopping)
    runs = run_activities([later, step("stop", pauses=hour), noted("second")], running)
    assert done == []
    assert [each.name for each in runs] == ["stop"]


def test_a_stop_amid_the_pause_before_an_action_ends_the_method_and_was_an_error() -> None:
    running = Running()
    threading.Timer(0.05, running.stopping.set).start()
    assert run_activities((noted(1, pauses=Pauses(before=30.0)), noted(2)), running) == ()
    assert done == []


def test_a_fault_that_could_not_be_put_on_is_not_held_for_its_time() -> None:
    failing = step("fail", arguments={"what": 1}, pauses=Pauses(after=30.0))
    (run,) = run_activities((failing, noted(2)), Running())
    assert run.status == "failed"
    assert done == [1]


def test_a_stopped_rollback_waits_for_nothing_and_is_done() -> None:
    running = Running()
    running.stopping.set()
    hour = Pauses(before=3_600.0, after=3_600.0)
    assert statuses(run_activities([noted(1, pauses=hour)], running, to_the_last=True)) == ["succeeded"]


def test_a_tolerance_is_judged_and_a_failure_meets_none() -> None:
    probes = (
        noted(5, kind="probe", tolerance=5),
        noted(6, kind="probe", tolerance=5),
        step("fail", "probe", arguments={"what": 1}, tolerance=5),
    )
    runs = run_hypothesis(Hypothesis("well", probes), Running())
    assert [each.tolerance_met for each in runs] == [True, False, False]
    assert run_activity(noted(5), Running()).tolerance_met is None


def test_a_function_that_wants_the_configuration_is_given_it() -> None:
    running = Running(configuration={"a": 1})
    assert run_activity(step("given_configuration"), running).output == {"a": 1}


@pytest.mark.parametrize(
    ("module", "func", "error"),
    [("no.such", "f", "no.such.f: No module"), ("json", "no_such", "json.no_such: .*no attribute")],
)
def test_a_function_that_there_is_not_is_named(module: str, func: str, error: str) -> None:
    activity = Activity(type="action", name="x", provider=PythonProvider(module=module, func=func))
    with pytest.raises(AssertionError, match=error):
        raise AssertionError(run_activity(activity, Running()).error)


class _Echo(http.server.BaseHTTPRequestHandler):
    """Answers with what it was asked."""

    def do_GET(self) -> None:
        self._answer("")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers["Content-Length"])).decode())

    def log_message(self, *_: object) -> None:
        """Say nothing on stderr."""

    def _answer(self, body: str) -> None:
        status = 302 if self.path == "/away" else 503 if self.path == "/sick" else 200
        content = json.dumps({"path": self.path, "body": body}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        if status == 302:
            self.send_header("Location", "http://192.0.2.1/")
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def echo() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Echo) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def asked(url: str, running: Running | None = None, **fields: Any) -> ActivityRun:
    tolerance = fields.pop("tolerance", None)
    provider = HttpProvider(url=url, **fields)
    activity = Activity(type="probe", name="ask", provider=provider, tolerance=tolerance)
    return run_activity(activity, running or Running())


def test_a_request_gives_status_headers_and_body_as_the_toolkit_does() -> None:
    with echo() as url:
        got = asked(f"{url}/a", arguments={"q": 1}, tolerance=200)
        assert got.tolerance_met
        assert got.output["body"] == {"path": "/a?q=1", "body": ""}
        sick = asked(f"{url}/sick", tolerance=200)
        assert (sick.status, sick.tolerance_met) == ("succeeded", False)
        as_json = {"Content-Type": "application/json"}
        sent = asked(f"{url}/", method="POST", headers=as_json, arguments={"a": 1})
        assert json.loads(sent.output["body"]["body"]) == {"a": 1}
        assert asked(f"{url}/", method="POST", arguments={"a": 1}).output["body"]["body"] == "a=1"


def test_a_redirect_is_not_followed() -> None:
    with echo() as url:
        assert asked(f"{url}/away", timeout=[1.0, 2.0]).output["status"] == 302


def test_a_request_goes_to_loopback_or_to_a_host_that_is_allowed_and_nowhere_else() -> None:
    refused = asked("http://192.0.2.1/")
    assert "neither on loopback nor among the allowed hosts (none)" in refused.error
    tried = asked("http://no-such-host.invalid/", Running(allowed=["no-such-host.invalid"]))
    assert "allowed" not in tried.error
    assert tried.status == "failed"


def commanded(arguments: Any, path: str = "sh", timeout: float | None = None) -> ActivityRun:
    provider = ProcessProvider(path=path, arguments=arguments, timeout=timeout)
    return run_activity(Activity(type="action", name="run", provider=provider), Running())


def test_a_command_gives_its_status_and_what_it_said() -> None:
    ran = commanded(["-c", "echo out; echo err >&2; exit 3"])
    assert ran.output == {"status": 3, "stdout": "out\n", "stderr": "err\n"}
    assert commanded("-n a 'b c'", "echo").output["stdout"] == "a b c"
    assert commanded({"-n": "x"}, "echo").output["stdout"] == "x"


def test_what_a_shell_would_read_is_refused_as_there_is_none() -> None:
    assert "would be for a shell" in commanded("a; rm b", "echo").error
    assert "no such program" in commanded([], "no-such-program").error


def test_a_command_that_takes_too_long_is_killed_with_what_it_started(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    # Time enough for a busy machine to start a shell.
    ran = commanded(["-c", f"sleep 600 & echo $! > {pid_file}; wait"], timeout=1.5)
    assert "not done after 1.5 s, and killed" in ran.error
    stat = Path(f"/proc/{pid_file.read_text().strip()}/stat")
    # It has the signal; when it is gone is for the kernel to say.
    wait_until(lambda: not stat.exists() or state_in(stat) in "ZX", "the sleeping child is gone")


def state_in(stat: Path) -> str:
    try:
        return stat.read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "X"


@pytest.mark.parametrize("suffix", ["json", "yaml"])
def test_a_file_is_read_by_its_suffix_and_an_error_names_it(tmp_path: Path, suffix: str) -> None:
    texts = {
        "json": '{"title": "a", "description": "b", "method": [%s]}',
        "yaml": "title: a\ndescription: b\nmethod: [%s]\n",
    }
    path = tmp_path / f"x.{suffix}"
    path.write_text(texts[suffix] % "")
    assert load_experiment(path).title == "a"
    path.write_text(texts[suffix] % "5")
    with pytest.raises(ConfigError, match=rf"x\.{suffix}: method\[0\]: 5; want an object"):
        load_experiment(path)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for content, error in ((b"\xff", "byte 0 is no UTF-8"), (b" " * (FILE_SIZE_MAX + 1), "more than")):
        path = tmp_path / "x.json"
        path.write_bytes(content)
        with pytest.raises(ConfigError, match=error):
            load_experiment(path)
    with pytest.raises(ConfigError, match="No such file"):
        load_experiment(tmp_path / "none.json")
