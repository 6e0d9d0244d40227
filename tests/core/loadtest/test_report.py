"""The report: everything in one record, read as written, by a schema that is published."""

from __future__ import annotations

import json
import random
from pathlib import Path

import msgspec
import pytest

from sprint.core.duration import SECOND_NS
from sprint.core.errors import ConfigError
from sprint.core.loadtest.cell import StateChange
from sprint.core.loadtest.plan import Asked, Stage, make_plan
from sprint.core.loadtest.recorder import Recorder
from sprint.core.loadtest.recording import Recording
from sprint.core.loadtest.report import (
    PAST_A_LIMIT,
    REPORT_SIZE_MAX,
    REPORT_VERSION,
    Run,
    decode_report,
    encode_report,
    make_report,
    report_schema,
)
from tests.core.loadtest.runs import environment, plan_of, recording_of, report_of, requests_of

SCHEMA = Path(__file__).resolve().parents[3] / "docs" / "reference" / "loadtest-report.schema.json"


def test_a_report_is_read_as_it_was_written(seed: int) -> None:
    report = report_of(seed, thresholds=["p99<50ms", "error_rate<0.1%"])
    assert decode_report(encode_report(report)) == report


def test_the_published_schema_is_that_of_the_record() -> None:
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == report_schema()


def test_the_exit_code_is_that_of_the_thresholds(seed: int) -> None:
    assert report_of(seed).exit_code == 0
    assert report_of(seed, thresholds=["p99<1h", "requests>0"][1:]).exit_code == 0
    missed = report_of(seed, thresholds=["requests>0", "p99<1us"])
    assert (missed.met, missed.exit_code) == (False, 1)


def test_a_run_that_was_stopped_is_told_as_of_then(seed: int) -> None:
    plan = plan_of(rate_per_s=100, duration_s=100)
    requests = requests_of(plan, random.Random(seed))[:300]
    recording = recording_of(plan, requests)
    run = Run(plan=plan, environment=environment(), ended_ns=3 * SECOND_NS, interrupted=True)
    report = make_report(run, recording)
    assert report.interrupted
    assert (report.totals.asked, report.totals.duration_s) == (300, 3.0)
    assert report.totals.answered == 300
    assert report.totals.rate_answered_per_s == 100.0
    assert not report.generator.limited


def test_a_refusal_by_rate_limit_names_the_limit_and_how_to_get_past_it() -> None:
    recorder = Recorder()
    recorder.limited("1,000 a minute, tier free", 0, 5)
    plan = plan_of()
    recording = Recording(plan.segments)
    for packet in recorder.cells(0, last=True):
        recording.add(packet)
    report = make_report(Run(plan=plan, environment=environment(), ended_ns=SECOND_NS), recording)
    assert [(row.name, row.count) for row in report.limits] == [("1,000 a minute, tier free", 1)]
    assert report.notes == (PAST_A_LIMIT,)
    assert report.totals.limited == 1


def test_what_was_asked_and_the_changes_of_breakers_are_in_the_report() -> None:
    plan = make_plan(Asked(target="http://x/", stages=(Stage(SECOND_NS, 5), Stage(2 * SECOND_NS, 7))))
    recorder = Recorder()
    recorder.changed(StateChange(2 * SECOND_NS, "b", "half_open"))
    recorder.changed(StateChange(SECOND_NS, "b", "open", "too many"))
    recording = Recording(plan.segments)
    for packet in recorder.cells(0, last=True):
        recording.add(packet)
    run = Run(plan=plan, environment=environment(), ended_ns=3 * SECOND_NS, options={"tier": "free"})
    report = make_report(run, recording)
    assert [(stage.duration_s, stage.rate_per_s) for stage in report.asked.stages] == [(1.0, 5), (2.0, 7)]
    assert report.asked.options == {"tier": "free"}
    assert [(change.at_s, change.state) for change in report.breaker_changes] == [
        (1.0, "open"),
        (2.0, "half_open"),
    ]
    assert report.totals.never_sent == report.totals.asked == 19


def test_what_is_no_report_is_refused_with_the_name_of_the_file(seed: int) -> None:
    whole = encode_report(report_of(seed))
    later = whole.replace(b'"version": 1', b'"version": %d' % (REPORT_VERSION + 1), 1)
    torn = whole.replace(b"3.11.7", b"3.\xff.7")
    for data in (b"", b"{}", b"[1]", b"\xff\xfe", whole[:-20], later, torn):
        with pytest.raises(ConfigError, match=r"earlier\.json: no report of cb-loadtest"):
            decode_report(data, "earlier.json")
    with pytest.raises(ConfigError, match="the limit of a report"):
        decode_report(b" " * (REPORT_SIZE_MAX + 1))


def test_a_field_that_is_not_known_is_passed_over_so_that_reports_may_grow(seed: int) -> None:
    report = report_of(seed)
    fields = msgspec.json.decode(encode_report(report))
    fields["new"] = 1
    assert decode_report(msgspec.json.encode(fields)) == report
