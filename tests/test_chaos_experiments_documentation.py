"""The page on chaos experiments has each of them, its figures, each action and probe, and what is refused."""

from __future__ import annotations

import inspect
import re
from types import ModuleType

import pytest

from sprint.core.chaos import cron_line, document_parts, experiment_codec, plain_values, provider_codec
from sprint.core.chaos.faults import TTL_S_MAX
from sprint.core.chaos.library import LIBRARY
from sprint.core.chaos.named import NAMED
from sprint.tools.chaos import actions, experiment_file, outside, probes
from tests.test_documentation import DOCS, rows, section

PAGE = "chaos-experiments.md"
# Of all that puts a fault on, and said once above the table.
SAID_ONCE = {"ttl_s", "target"}


def functions_of(module: ModuleType) -> dict[str, list[str]]:
    return {
        name: [each for each in inspect.signature(function).parameters if each not in SAID_ONCE]
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and not name.startswith("_") and name != "use_keeper"
    }


def test_every_experiment_has_its_row_with_its_figures_and_their_defaults() -> None:
    told = rows(section(PAGE, "Named experiments"))
    assert list(told) == [*NAMED, *LIBRARY]
    for name, named in NAMED.items():
        assert named.says in told[name]
        figures = {key: float(value) for key, value in re.findall(r"`(\w+)` \(([^)]+)\):", told[name])}
        assert figures == {key: each.default for key, each in named.figures.items()}


def test_every_set_has_its_row_with_its_experiments() -> None:
    told = rows(section(PAGE, "Named experiments"))
    for name, series in LIBRARY.items():
        cells = told[name].split("|")
        assert series.says in cells[0]
        names = tuple(NAMED) if "all of the above" in cells[1] else tuple(re.findall(r"`([^`]+)`", cells[1]))
        assert names == series.names


@pytest.mark.parametrize(("heading", "module"), [("Actions", actions), ("Probes", probes)])
def test_every_function_has_its_row_with_its_arguments(heading: str, module: ModuleType) -> None:
    told = rows(section(PAGE, heading))
    arguments = {name: re.findall(r"`([^`]+)`", row.split("|")[0]) for name, row in told.items()}
    assert arguments == functions_of(module)


def test_what_is_refused_has_its_row() -> None:
    text = section(PAGE, "Files")
    for key in experiment_codec.REFUSED_KEYS | provider_codec.REFUSED_KEYS | {"runtime"}:
        assert re.search(rf"^\| .*`{key}`", text, re.MULTILINE), key


def test_the_limits_are_those_of_the_code() -> None:
    text = section(PAGE, "Files")
    assert experiment_file.FILE_SIZE_MAX == outside.ANSWER_SIZE_MAX == 1024 * 1024
    assert f"| activities of a part | {experiment_codec.ACTIVITIES_MAX} |" in text
    assert f"| {plain_values.VALUES_MAX:,}, and {plain_values.NESTING_MAX} |" in text
    assert experiment_codec.PAUSE_S_MAX == 86_400.0
    assert f"after {outside.COMMAND_TIMEOUT_S:g} s" in text
    assert f"There are {actions.BURSTS_MAX} bursts at most" in section(PAGE, "Named experiments")
    lasts_min = (TTL_S_MAX - document_parts.TTL_MARGIN_S) / 60
    assert f"an experiment lasts {lasts_min:g} minutes at most" in section(PAGE, "What a document has")
    assert f"{actions.TTL_S:g} where it is left out and {TTL_S_MAX:,.0f} at most" in section(PAGE, "Actions")


def test_the_decision_on_cron_names_the_fields_that_there_are() -> None:
    text = (DOCS / "adr" / "0018-cron-by-cronsim.md").read_text(encoding="utf-8")
    assert len(cron_line.FIELDS.split()) == 5
    assert "**Five fields.**" in text
