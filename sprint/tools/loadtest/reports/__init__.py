"""The forms of a load test's report, all made of the one record of `core.loadtest.report`."""

from __future__ import annotations

from collections.abc import Callable

from sprint.core.errors import ConfigError
from sprint.core.loadtest.compare import Comparison
from sprint.core.loadtest.report import Report, encode_report
from sprint.tools.loadtest.reports.csv_table import csv_of
from sprint.tools.loadtest.reports.html_page import html_of

CONSOLE = "console"


def _json_of(report: Report, _: Comparison | None) -> bytes:
    return encode_report(report)


def _csv_of(report: Report, _: Comparison | None) -> bytes:
    return csv_of(report).encode()


def _html_of(report: Report, comparison: Comparison | None) -> bytes:
    return html_of(report, comparison).encode()


_FILES: dict[str, Callable[[Report, Comparison | None], bytes]] = {
    "json": _json_of,
    "html": _html_of,
    "csv": _csv_of,
}
FORMATS = (CONSOLE, *_FILES)


def file_of(form: str, report: Report, comparison: Comparison | None = None) -> bytes:
    """Return a report as the bytes of a file: json, html or csv. The console's is `console.print_report`."""
    if form not in _FILES:
        raise ConfigError(f"--format {form!r}: it is one of {', '.join(FORMATS)}")
    return _FILES[form](report, comparison)
