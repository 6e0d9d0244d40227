"""The Chaos Toolkit itself takes what we write: all of it is valid, and one runs with a real fault."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sprint.core.chaos.experiment import Activity, Experiment, Hypothesis, Pauses, PythonProvider
from sprint.core.chaos.experiment_codec import document_of, read_experiment
from sprint.core.chaos.named import NAMED, Wishes, build
from sprint.tools.chaos.actions import use_keeper
from sprint.tools.chaos.activity import Running, run_activities, run_hypothesis
from sprint.tools.chaos.experiment_file import experiment_text, load_experiment
from sprint.tools.chaos.faults import FaultKeeper
from tests.core.chaos.a_relay import a_relay, all_wired
from tests.integration.devnet_process import DevnetProcess
from tests.integration.fault_proxy_process import NAME, FaultProxyProcess
from tests.integration.real_servers import HOST

CHAOS = Path(sys.executable).with_name("chaos")
ROOT = Path(__file__).resolve().parents[2]
COMMAND_TIMEOUT_S = 120.0
LATENCY_MS = 250
# Validating imports the toolkit anew each time; one process for all of them takes as long as two.
VALIDATE_ALL = """
import json, sys
from chaoslib.experiment import ensure_experiment_is_valid, load_experiment
for path in sys.argv[1:]:
    ensure_experiment_is_valid(load_experiment(path))
    print(path)
"""


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the toolkit in a folder of its own, where it leaves its journal and log."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(folder), "XDG_STATE_HOME": str(folder)}
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=COMMAND_TIMEOUT_S,
        check=False,
    )


def written(folder: Path, experiment: Experiment, name: str) -> Path:
    path = folder / f"{name}.json"
    path.write_text(experiment_text(experiment), encoding="utf-8")
    return path


def python(name: str, func: str, tolerance: Any = None, after_s: float = 0.0, **arguments: Any) -> Activity:
    module = "sprint.tools.chaos." + ("probes" if tolerance is not None else "actions")
    return Activity(
        type="probe" if tolerance is not None else "action",
        name=name,
        provider=PythonProvider(module=module, func=func, arguments=arguments),
        tolerance=tolerance,
        pauses=Pauses(after=after_s),
    )


def late(proxy: FaultProxyProcess) -> Experiment:
    """A harmless one: a real proxy is late, and its steady state is that it takes connections."""
    where: dict[str, Any] = {"control_url": proxy.control_url, "proxy": NAME}
    slow = {"type": "range", "range": [LATENCY_MS, 10 * LATENCY_MS]}
    trip = python("round trip", "round_trip_ms", slow, host=HOST, port=proxy.port)
    add = python("late", "add_toxic", kind="latency", figures={"latency_ms": LATENCY_MS}, ttl_s=30.0, **where)
    return Experiment(
        title="late",
        description="a proxy is late",
        hypothesis=Hypothesis(
            "it connects", (python("up", "connects", tolerance=True, host=HOST, port=proxy.port),)
        ),
        method=(add, trip),
        rollbacks=(python("off", "undo_all"),),
    )


def test_the_toolkit_takes_every_named_experiment(tmp_path: Path) -> None:
    relay = a_relay()
    paths = [str(written(tmp_path, build(name, relay, all_wired(relay), Wishes()), name)) for name in NAMED]
    done = run(tmp_path, sys.executable, "-c", VALIDATE_ALL, *paths)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == paths


def test_chaos_validate_accepts_one_and_refuses_one_with_a_wrong_argument(tmp_path: Path) -> None:
    relay = a_relay()
    right = build("network-partition", relay, all_wired(relay), Wishes())
    validate = (str(CHAOS), "--no-version-check", "validate")
    assert run(tmp_path, *validate, str(written(tmp_path, right, "right"))).returncode == 0
    document = document_of(right)
    document["method"][0]["provider"]["arguments"]["control"] = "x"
    wrong = written(tmp_path, read_experiment(document), "wrong")
    assert run(tmp_path, *validate, str(wrong)).returncode != 0


@pytest.mark.parametrize("runner", ["chaos run", "ours"])
def test_both_runners_put_the_fault_on_see_it_and_take_it_off(tmp_path: Path, runner: str) -> None:
    with DevnetProcess("litecoin-regtest") as devnet, FaultProxyProcess(devnet.port) as proxy:
        path = written(tmp_path, late(proxy), "late")
        if runner == "chaos run":
            done = run(tmp_path, str(CHAOS), "--no-version-check", "run", str(path))
            assert done.returncode == 0, done.stdout + done.stderr
            journal = json.loads((tmp_path / "journal.json").read_text(encoding="utf-8"))
            assert journal["status"] == "completed"
            round_trip_ms = journal["run"][1]["output"]
            assert [each["status"] for each in journal["rollbacks"]] == ["succeeded"]
        else:
            with FaultKeeper(tmp_path / "journals") as keeper, use_keeper(keeper):
                round_trip_ms = run_ours(load_experiment(path))
        assert LATENCY_MS <= round_trip_ms < 10 * LATENCY_MS
        view = proxy.view()
        assert view["toxics"] == []
        assert view["connections_made"] >= 2


def run_ours(experiment: Experiment) -> float:
    running = Running()
    assert [each.tolerance_met for each in run_hypothesis(experiment.hypothesis, running)] == [True]
    runs = run_activities(experiment.method, running)
    assert [each.error for each in runs] == ["", ""]
    undone = run_activities(experiment.rollbacks, running, to_the_last=True)
    assert [each.status for each in undone] == ["succeeded"]
    return float(runs[1].output)
