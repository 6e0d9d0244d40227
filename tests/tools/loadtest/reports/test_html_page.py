"""The HTML report: whole, safe whatever the target said, from no other host, small enough for any run."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import msgspec

from sprint.core.loadtest.compare import compare
from sprint.core.loadtest.report import NameCount
from sprint.tools.loadtest.reports.html_page import html_of
from tests.tools.loadtest.reports.made_reports import HOSTILE, empty_report, full_report, longest_report

VOID = {"meta", "br", "hr", "img", "input", "link"}
ELEMENTS = {
    "html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "div", "span", "b", "i", "ul", "li",
    "section", "figure", "figcaption", "table", "thead", "tbody", "tr", "th", "td", "svg", "line", "text",
    "path", "rect", "circle",
}  # fmt: skip
PAGE_SIZE_MAX = 1_000_000


class Reader(HTMLParser):
    """Takes a page to its parts, and holds that each element that is opened is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def attributes(self) -> list[tuple[str, str]]:
        return [pair for _, attributes in self.tags for pair in attributes.items()]

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def text(self) -> str:
        return " ".join(self.words)


def test_a_page_has_every_part_of_the_report() -> None:
    report = full_report()
    text = Reader(html_of(report, compare(report, report))).text
    for words in (
        "1 of 2 thresholds not met", "NOT MET", "The generator was the limit.", "too slow",
        "Requests a second",
        "Response time", "Latency by percentile", "Without success, a second", "States of breakers",
        "Thresholds", "Latency", "Requests", "Failures by kind", "Limits that were named (429)", "Never sent",
        "Breakers", f"Beside the run of {report.environment.started_at}", "stopped after", "p99.9",
    ):  # fmt: skip
        assert words in text, words


def test_nothing_that_a_target_said_becomes_part_of_the_page() -> None:
    page = html_of(full_report())
    reader = Reader(page)
    assert {tag for tag, _ in reader.tags} <= ELEMENTS
    assert "\x1b" not in page
    assert HOSTILE.split("\x1b")[0] in reader.text
    assert not [name for name, _ in reader.attributes if name.startswith("on")]


def test_a_page_needs_no_other_host_and_no_script() -> None:
    page = html_of(full_report())
    reader = Reader(page)
    names = {name for name, _ in reader.attributes}
    assert not names & {"src", "href", "xlink:href", "srcset", "data"}
    assert not re.search(r"url\(|@import", page)
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in reader.attributes
    assert "prefers-color-scheme: dark" in page


def test_each_chart_is_well_formed_and_within_its_frame() -> None:
    page = html_of(full_report())
    charts = re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL)
    assert len(charts) == 6
    for chart in charts:
        read = Reader(chart)
        width, height = (float(each) for each in read.all("svg")[0]["viewbox"].split()[2:])
        for path in read.all("path"):
            places = re.findall(r"[ML](-?[\d.]+),(-?[\d.]+)", path["d"])
            assert places
            assert all(0 <= float(x) <= width and 0 <= float(y) <= height for x, y in places)
        for box in read.all("rect"):
            assert 0 <= float(box["x"]) <= width
            assert float(box["x"]) + float(box["width"]) <= width + 1


def test_the_page_of_the_longest_run_is_small() -> None:
    page = html_of(longest_report())
    assert len(page) < PAGE_SIZE_MAX
    assert "24 h" in page


def test_a_run_without_any_answer_has_its_page() -> None:
    text = Reader(html_of(empty_report())).text
    assert "nothing was recorded" in text
    assert "stopped after" in text


def test_a_part_without_rows_is_left_out() -> None:
    report = msgspec.structs.replace(full_report(), limits=())
    assert "Limits that were named" not in html_of(report)
    named = msgspec.structs.replace(report, limits=(NameCount(name="x", count=1),))
    assert "Limits that were named" in html_of(named)
