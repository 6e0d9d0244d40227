"""The pages on results and score have a row for every field and part, and the figures of the code."""

from __future__ import annotations

import re

import msgspec
import pytest

from sprint.core.chaos import abort, advice, bystanders, expectation, observation, score, stream_check
from sprint.core.chaos.bystanders import Contained, FalseOpen, Hit
from sprint.core.chaos.expectation import EXPECTED
from sprint.core.chaos.facts import BreakerFacts, Facts, FaultFacts, FaultSpan, Recovery
from sprint.core.chaos.result import EXIT_CODES, RESULT_VERSION, ActivityDone, Result
from sprint.core.chaos.stream_check import Finding, StreamVerdict
from sprint.tools.chaos import observer
from sprint.tools.chaos.reports import FORMATS
from sprint.tools.chaos.reports.tables import ROWS_MAX
from tests.test_documentation import DOCS, REFERENCE, rows

PAGE = REFERENCE / "chaos-result.md"
SCORE_PAGE = DOCS / "explanation" / "chaos-score.md"
SECTIONS: dict[str, type[msgspec.Struct]] = {
    "## The result": Result,
    "### faults": FaultSpan,
    "### activities": ActivityDone,
    "### facts": Facts,
}
# Fields that stand within a row of their owner's.
WITHIN: dict[str, tuple[type[msgspec.Struct], ...]] = {
    "faults": (FaultFacts,),
    "breakers": (BreakerFacts,),
    "contained": (Contained, Hit),
    "recovery": (Recovery,),
    "false_opens": (FalseOpen,),
    "stream": (StreamVerdict, Finding),
}
NAMED_ELSEWHERE = {"fault", "kind", "target", "breaker"}


def text_under(heading: str) -> str:
    found = re.search(
        rf"^{re.escape(heading)}$(.*?)(?=^##|\Z)", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    assert found, heading
    return found[1]


@pytest.mark.parametrize("heading", SECTIONS)
def test_every_field_of_a_result_has_its_row_and_in_its_order(heading: str) -> None:
    fields = list(SECTIONS[heading].__struct_fields__)
    found = list(rows(text_under(heading)))
    assert sorted(found) == sorted(fields) if heading == "### facts" else found == fields


@pytest.mark.parametrize("row", WITHIN)
def test_every_field_of_a_fact_is_named_in_its_row(row: str) -> None:
    told = rows(text_under("### facts"))[row]
    fields = {name for record in WITHIN[row] for name in record.__struct_fields__}
    missing = {name for name in fields - NAMED_ELSEWHERE if f"`{name}`" not in told}
    assert missing == set()


def test_transitions_parts_and_advice_name_their_fields() -> None:
    told = rows(text_under("## The result"))
    for row, record in (
        ("transitions", observation.TransitionSeen),
        ("score", score.Part),
        ("advice", advice.Advice),
    ):
        assert [name for name in record.__struct_fields__ if f"`{name}`" not in told[row]] == []


def test_forms_verdicts_and_exit_codes_are_those_of_the_code() -> None:
    forms = re.findall(r"^\| (\w+) \|", text_under("## The forms"), re.MULTILINE)
    assert forms[1:] == list(FORMATS)
    told = rows(text_under("## Verdict and exit code"))
    del told["verdict"]
    assert {verdict: int(text.split("|")[0]) for verdict, text in told.items()} == EXIT_CODES


def test_the_score_page_has_each_part_with_its_weight() -> None:
    told = rows(SCORE_PAGE.read_text(encoding="utf-8"))
    weights = {name: float(told[name].split("|")[0]) for name in score.WEIGHTS}
    assert weights == score.WEIGHTS


def test_kinds_named_on_the_score_page_are_due_what_it_says() -> None:
    for row in re.findall(r"^\| (`[a-z_`, ]+(?: of a node)?) \| (.+?) \| (.+?) \|", due_text(), re.MULTILINE):
        for kind in re.findall(r"`([a-z_]+)`", row[0]):
            expected = EXPECTED[kind]
            due = (expected.seen_within_s, expected.opens_within_s)
            assert due == tuple(
                None if cell == "not due" else float(cell.removesuffix(" s")) for cell in row[1:3]
            )


def due_text() -> str:
    return SCORE_PAGE.read_text(encoding="utf-8").partition("## What is due")[2].partition("\n## ")[0]


@pytest.mark.parametrize(
    ("words", "holds"),
    [
        ("of this format, 1", RESULT_VERSION == 1),
        ("after 60 rows", ROWS_MAX == 60),
        ("no answer for 10 s", abort.AbortLimits().unanswered_s_max == 10.0),
        ("`failing` for 30 s", abort.AbortLimits().failing_s_max == 30.0),
        ("10,000 at most", observer.TRANSITIONS_MAX == 10_000),
        ("16 at most", advice.ADVICE_MAX == 16),
        ("100 at most", stream_check.FINDINGS_MAX == 100),
        ("at least five were due", bystanders.BLOCKS_EXPECTED_MIN == 5.0),
    ],
)
def test_the_figures_of_the_result_page_are_those_of_the_code(words: str, *, holds: bool) -> None:
    assert words in PAGE.read_text(encoding="utf-8")
    assert holds


@pytest.mark.parametrize(
    ("words", "holds"),
    [
        ("five samples a second", observer.SAMPLES_PER_S == 5.0),
        ("50,000 blocks a chain", stream_check.BLOCKS_REMEMBERED_MAX == 50_000),
        ("0.7 for the steady state", score.STEADY_SHARE == 0.7),
        ("| 3 |", advice.FAILURES_TO_OPEN == 3),
        ("can't be judged by twenty", expectation.STALL_OPENS_WITHIN_S == 20.0),
    ],
)
def test_the_figures_of_the_score_page_are_those_of_the_code(words: str, *, holds: bool) -> None:
    assert words in SCORE_PAGE.read_text(encoding="utf-8")
    assert holds
