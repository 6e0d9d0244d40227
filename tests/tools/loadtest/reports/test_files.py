"""Reports as files: JSON and CSV are read back as what was recorded; other forms are refused."""

from __future__ import annotations

import csv
import io

import pytest

from sprint.core.errors import ConfigError
from sprint.core.loadtest.report import decode_report
from sprint.core.loadtest.series import Point
from sprint.tools.loadtest.reports import FORMATS, file_of
from tests.tools.loadtest.reports.made_reports import full_report


def test_json_is_read_back_as_the_report() -> None:
    report = full_report()
    assert decode_report(file_of("json", report)) == report


def test_csv_has_a_row_for_each_point_with_all_its_figures() -> None:
    report = full_report()
    rows = list(csv.DictReader(io.StringIO(file_of("csv", report).decode(), newline="")))
    assert tuple(rows[0]) == Point.__struct_fields__
    read = [{name: None if not text else float(text) for name, text in row.items()} for row in rows]
    assert read == [
        {name: getattr(point, name) for name in Point.__struct_fields__} for point in report.points
    ]


def test_html_is_a_page() -> None:
    assert file_of("html", full_report()).startswith(b"<!doctype html>")


def test_another_form_is_refused_with_those_there_are() -> None:
    assert FORMATS == ("console", "json", "html", "csv")
    for form in ("xml", "console"):
        with pytest.raises(ConfigError, match="console, json, html, csv"):
            file_of(form, full_report())
