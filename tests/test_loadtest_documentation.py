"""The page on reports of load tests has a row for every field and metric, and the figures of the code."""

from __future__ import annotations

import re

import msgspec
import pytest

from sprint.core.loadtest import compare, recorder, recording, series, verdict
from sprint.core.loadtest.faults import FaultDone
from sprint.core.loadtest.plan import PATTERNS, SCENARIOS
from sprint.core.loadtest.recording import Latency, Totals
from sprint.core.loadtest.report import REPORT_VERSION, Environment, PlanAsked, Report
from sprint.core.loadtest.series import Point
from sprint.core.loadtest.verdict import METRICS, GeneratorCheck, ThresholdResult
from sprint.tools.loadtest.reports import FORMATS
from tests.test_documentation import REFERENCE, rows

PAGE = REFERENCE / "loadtest-report.md"
SECTIONS: dict[str, type[msgspec.Struct]] = {
    "## The report": Report,
    "### asked": PlanAsked,
    "### environment": Environment,
    "### totals": Totals,
    "### points": Point,
    "### generator": GeneratorCheck,
    "### faults": FaultDone,
}


def text_under(heading: str) -> str:
    found = re.search(
        rf"^{re.escape(heading)}$(.*?)(?=^##|\Z)", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    assert found, heading
    return found[1]


@pytest.mark.parametrize("heading", SECTIONS)
def test_every_field_of_a_report_has_its_row_and_in_its_order(heading: str) -> None:
    assert list(rows(text_under(heading))) == list(SECTIONS[heading].__struct_fields__)


def test_the_fields_of_latencies_and_thresholds_are_named() -> None:
    assert all(f"`{name}`" in text_under("### totals") for name in Latency.__struct_fields__)
    told = rows(text_under("## The report"))["thresholds"]
    assert all(f"`{name}`" in told for name in ThresholdResult.__struct_fields__)


def test_every_metric_of_a_threshold_is_named() -> None:
    text = text_under("## Thresholds")
    names = set(re.findall(r"`([a-z0-9_.]+)`", text))
    prefixes = {name for name in names if name.endswith("_")}
    latencies = {metric for metric in METRICS if metric.rpartition("_")[0] + "_" in prefixes}
    assert set(METRICS) - latencies <= names
    assert {metric.rpartition("_")[0] + "_" for metric in latencies} == prefixes


def test_forms_patterns_and_scenarios_are_named() -> None:
    forms = re.findall(r"^\| (\w+) \|", text_under("## The forms"), re.MULTILINE)
    assert forms[1:] == list(FORMATS)
    asked = rows(text_under("### asked"))
    assert re.findall(r"`([a-z-]+)`", asked["pattern"]) == list(PATTERNS)
    assert re.findall(r"`([a-z-]+)`", asked["scenario"]) == list(SCENARIOS)


@pytest.mark.parametrize(
    ("words", "holds"),
    [
        ("of this format, 1", REPORT_VERSION == 1),
        ("at most 64 kinds", recorder.KINDS_MAX == 64),
        ("at most 10,000, `state_changes`", recording.CHANGES_MAX == 10_000),
        ("1 up to 24 hours, then 2", series.POINTS_MAX >= 86_400),
        ("less than 99.5 % of what was due", verdict.BEGUN_SHARE_MIN == 0.995),
        ("is above 1 ms and above a tenth", verdict.SCHEDULE_ERROR_MS_MAX == 1.0),
        ("above a tenth of the same percentile of response time", verdict.SCHEDULE_ERROR_SHARE_MAX == 0.1),
        ("more than 0.5 % of the requests waited", verdict.WORKER_WAIT_SHARE_MAX == 0.005),
        ("or than 5 %", compare.CHANGE_SHARE_MIN == 0.05),
        ("less than seven seconds", compare.POINTS_MIN + 2 == 7),
        ("three standard errors", compare.STANDARD_ERRORS == 3.0),
    ],
)
def test_each_limit_on_the_page_is_the_one_in_the_code(words: str, *, holds: bool) -> None:
    assert words in " ".join(PAGE.read_text(encoding="utf-8").split())
    assert holds
