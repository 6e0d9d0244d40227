"""The points of a report as CSV: a row a second, a column for each figure of a point (RFC 4180)."""

from __future__ import annotations

import csv
import io

import msgspec

from sprint.core.loadtest.report import Report
from sprint.core.loadtest.series import Point

COLUMNS = Point.__struct_fields__


def csv_of(report: Report) -> str:
    """Return the points with a header; a figure that there is none of is empty."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows(msgspec.structs.astuple(point) for point in report.points)
    return text.getvalue()
