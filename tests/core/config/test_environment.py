"""Variables of the environment as a layer of the config: those of other commands are none of the relay's."""

from __future__ import annotations

import re
from pathlib import Path

import sprint
from sprint.core.config.environment import URL_VARIABLE, environment_settings

# The name of a variable that a module takes from the environment, as it stands in a constant.
_READ = re.compile(r'^\w+ = "(SPRINT_[A-Z_]+)"$', re.MULTILINE)
_PREFIXES = {"SPRINT_"}


def test_a_key_for_the_chaos_server_or_a_folder_for_its_journal_stopped_the_relay() -> None:
    read = (
        {
            name
            for path in Path(sprint.__file__).parent.rglob("*.py")
            for name in _READ.findall(path.read_text(encoding="utf-8"))
        }
        - _PREFIXES
        - {URL_VARIABLE}
    )
    assert {"SPRINT_CHAOS_KEY", "SPRINT_CHAOS_JOURNAL"} <= read
    assert environment_settings(dict.fromkeys(read, "x")) == ([], [])
