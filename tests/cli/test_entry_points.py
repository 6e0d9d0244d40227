"""The commands that installing the package gives: each name leads to what runs, and runs as a process."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest

from sprint.cli import cb_chaos, cb_loadtest, cb_monitor, main

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
TIMEOUT_S = 60
RUNS = {
    "sprint": main.run,
    "cb-loadtest": cb_loadtest.run,
    "cb-chaos": cb_chaos.run,
    "cb-monitor": cb_monitor.run,
}


def test_what_is_installed_is_what_the_project_says() -> None:
    installed = {
        each.name: each.value
        for each in distribution(PROJECT["name"]).entry_points
        if each.group == "console_scripts"
    }
    assert installed == PROJECT["scripts"]


@pytest.mark.parametrize("name", RUNS)
def test_each_entry_point_leads_to_what_runs_its_command(name: str) -> None:
    found = [
        each
        for each in distribution(PROJECT["name"]).entry_points
        if (each.group, each.name) == ("console_scripts", name)
    ]
    assert [each.load() for each in found] == [RUNS[name]]


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("sprint", ["--help"], "cb-loadtest"),
        ("sprint", ["cb-loadtest", "--help"], "--fault"),
        ("cb-loadtest", ["--help"], "--fault"),
        ("cb-chaos", ["--experiment"], "network-partition"),
        ("cb-monitor", ["--once"], "breakers: "),
        ("cb-loadtest", ["--rps", "20", "--duration", "1s"], "answered"),
    ],
)
def test_an_installed_command_runs_from_any_folder(
    tmp_path: Path, name: str, arguments: list[str], said: str
) -> None:
    """Nothing had run `cb-loadtest` by the name that it is installed under."""
    command = Path(sysconfig.get_path("scripts")) / name
    done = subprocess.run(
        [str(command), *arguments],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    assert said in done.stdout
    assert sys.prefix in str(command)
