"""The folders of the XDG specification, whichever folder a command is run in."""

from __future__ import annotations

from pathlib import Path

import pytest

from sprint.cli.settings import data_dir
from sprint.core.config import Config
from sprint.tools.chaos import journal_file
from sprint.tools.monitor.alerts_given import AlertsGiven, file_of
from sprint.tools.optimize.bench.kept import result_path_default
from sprint.tools.optimize.journal import journal_folder_default
from sprint.tools.relay.config_file import find_config
from sprint.tools.xdg import Variable, base_folder

HOME = Path("/home/somebody")
DEFAULTS: dict[Variable, Path] = {
    "XDG_CONFIG_HOME": HOME / ".config",
    "XDG_CACHE_HOME": HOME / ".cache",
    "XDG_DATA_HOME": HOME / ".local/share",
    "XDG_STATE_HOME": HOME / ".local/state",
}


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(HOME))


@pytest.mark.parametrize("variable", DEFAULTS)
@pytest.mark.parametrize("named", ["", "relative", "./state", "../state"])
def test_a_relative_path_or_none_is_the_default(variable: Variable, named: str) -> None:
    assert base_folder(variable, {variable: named}) == DEFAULTS[variable]
    assert base_folder(variable, {}) == DEFAULTS[variable]


@pytest.mark.parametrize("variable", DEFAULTS)
def test_an_absolute_path_is_taken(variable: Variable) -> None:
    assert base_folder(variable, {variable: "/srv/of mine"}) == Path("/srv/of mine")
    assert base_folder(variable, {variable: "~/of mine"}) == HOME / "of mine"


def test_a_relative_folder_put_journals_and_data_under_the_current_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What one command wrote there, one run in another folder did not find: what was changed stayed so."""
    for variable in DEFAULTS:
        monkeypatch.setenv(variable, "relative")
    monkeypatch.delenv(journal_file.FOLDER_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "relative" / "sprint").mkdir(parents=True)
    (tmp_path / "relative" / "sprint" / "sprint.toml").write_text("")
    state, data = DEFAULTS["XDG_STATE_HOME"], DEFAULTS["XDG_DATA_HOME"]
    assert journal_folder_default() == state / "sprint/optimize"
    assert result_path_default().parent == state / "sprint/optimize"
    assert journal_file.default_folder() == state / "sprint/chaos"
    assert data_dir(Config(), devnet_only=False) == data / "sprint"
    assert file_of(AlertsGiven()).parent == data / "sprint"
    assert find_config(None, {"XDG_CONFIG_HOME": "relative"}) is None
