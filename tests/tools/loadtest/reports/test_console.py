"""The report on a terminal: within its width, in colour where wanted, harmless whatever a target said."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from sprint.core.loadtest.compare import compare
from sprint.tools.loadtest.reports.console import bars_text, print_report, text_of
from tests.tools.loadtest.reports.made_reports import empty_report, full_report

COLOUR = re.compile(r"\x1b\[[\d;]*m")


def printed(width: int, environment: dict[str, str]) -> str:
    text = io.StringIO()
    console = Console(
        file=text,
        width=width,
        force_terminal=True,
        legacy_windows=False,
        _environ={"TERM": "xterm", **environment},
    )
    report = full_report()
    print_report(report, console, compare(report, report))
    return text.getvalue()


@pytest.mark.parametrize("width", [60, 80, 100, 160])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    report = full_report()
    lines = text_of(report, compare(report, report), width=width).splitlines()
    assert max(map(len, lines)) <= width


@pytest.mark.parametrize("width", [60, 120])
def test_every_figure_of_latency_is_there_wide_and_narrow(width: int) -> None:
    text = text_of(full_report(), width=width)
    for name in ("min", "mean", "p50", "p90", "p95", "p99", "p99.9", "max"):
        assert re.search(rf"(^| ){re.escape(name)}( |$)", text, flags=re.MULTILINE), name
    assert "1 of 2 thresholds not met" in text
    assert "The generator was the limit: too slow." in text


def test_a_terminal_gets_colours_and_no_color_takes_them_away() -> None:
    assert COLOUR.search(printed(100, {}))
    plain = printed(100, {"NO_COLOR": "1"})
    assert not re.search(r"\x1b\[[\d;]*3[0-7]", plain)


def test_a_file_gets_no_escape_and_nothing_that_a_target_meant_as_markup() -> None:
    text = text_of(full_report(), width=160)
    assert "\x1b" not in text
    assert "<script>alert(1)</script>" in text
    assert "[red]" in text


def test_a_run_without_any_answer_is_printed() -> None:
    text = text_of(empty_report())
    assert "asked for" in text
    assert "Latency" not in text


def test_bars_follow_the_values_and_leave_gaps() -> None:
    assert bars_text([0, 4, None, 7]) == "▁▅ █"
    assert bars_text([None, 0.0]) == ""
    assert len(bars_text([1.0] * 10_000)) <= 60
