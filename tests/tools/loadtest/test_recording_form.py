"""A generator records compiled where its rate is high, and says so where it had to do without."""

from __future__ import annotations

import random

import pytest

from sprint.core.duration import SECOND_NS
from sprint.core.kernels.histogram import PlainHistogram
from sprint.core.kernels.tiers import REFERENCE
from sprint.core.loadtest.recorder import BATCH_MAX, Recorder
from sprint.core.loadtest.recording import Recording
from sprint.tools.loadtest import recording_form as forms
from sprint.tools.loadtest.recording_form import COMPILED, COMPILED_FROM_PER_S, recording_form
from tests.core.loadtest.runs import plan_of

REQUESTS = 10 * BATCH_MAX + 7


def test_a_low_rate_loads_no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forms, "import_module", _nothing_there)
    assert recording_form(COMPILED_FROM_PER_S - 1)[::2] == (REFERENCE, "")


def test_where_nothing_can_be_compiled_plain_python_records_and_the_report_says_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(forms, "import_module", _nothing_there)
    form = recording_form(COMPILED_FROM_PER_S)
    assert (form.name, form.new_histogram) == (REFERENCE, PlainHistogram)
    assert "no compiler here" in form.said


def test_one_that_counts_otherwise_is_not_recorded_with(monkeypatch: pytest.MonkeyPatch) -> None:
    class Wrong(PlainHistogram):
        def record_many(self, values: object, /) -> None:
            self.record(1)

    monkeypatch.setattr(forms, "import_module", lambda _: type("Module", (), {"CompiledHistogram": Wrong}))
    form = recording_form(COMPILED_FROM_PER_S)
    assert (form.name, form.new_histogram) == (REFERENCE, PlainHistogram)
    assert "otherwise than plain Python" in form.said


def test_both_forms_record_the_same_to_the_last_request() -> None:
    pytest.importorskip("numba")
    form = recording_form(COMPILED_FROM_PER_S)
    if form.name != COMPILED:
        pytest.skip(form.said)
    assert _totals(form) == _totals(recording_form(0))


def _totals(form: forms.RecordingForm) -> object:
    rng = random.Random(7)
    recorder = Recorder(new_histogram=form.new_histogram)
    for number in range(REQUESTS):
        scheduled_ns = number * SECOND_NS // REQUESTS * 2
        recorder.began(scheduled_ns, scheduled_ns + rng.randrange(50_000))
        recorder.succeeded(
            scheduled_ns, scheduled_ns + 60_000, scheduled_ns + rng.randrange(60_000, 10**9), 7
        )
    plan = plan_of()
    recording = Recording(plan.segments)
    for cell in recorder.cells(4 * SECOND_NS, last=True):
        recording.add(cell)
    totals = recording.totals(plan.duration_ns)
    assert (totals.begun, totals.successes, totals.bytes_in) == (REQUESTS, REQUESTS, 7 * REQUESTS)
    return totals, recording.distribution()


def _nothing_there(_: str) -> None:
    raise ImportError("no compiler here")
