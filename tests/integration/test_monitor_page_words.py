"""What the monitor's page says of a breaker, as a browser reads its modules: why, since when, what next."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.integration.browser import chromium, opened
from tests.integration.monitored_breakers import MonitoredBreakers

pytestmark = pytest.mark.real("chromium")

NOW_MS = 1_757_098_507_000
CLOSED: dict[str, Any] = {
    "name": "source:dogecoin:much", "relay": "north", "state": "closed", "shadow": False, "failures": 16,
    "since": "2025-09-05T18:54:53.000Z", "reason": "closed since the start; 16 of the last 90 calls failed",
    "withheld": None, "next_trial_at": None, "health": 0.97,
}  # fmt: skip
HELD = {**CLOSED, "withheld": "16 failures in a row, limit 3: it serves invalid headers"}
OPEN = {**CLOSED, "state": "open", "reason": "the trial call failed: no answer in 5 s"}
SAID = """async ([row, past, now]) => {
    const words = await import("/page/words.js");
    const kind = words.kindOf(row);
    return {
        word: words.wordOf(kind), why: words.whyOf(row), short: words.nextOf(row, now),
        next: words.nextSentence(row, now), health: words.healthOf(row),
        first: words.firstSentence(row, past, now),
    };
}"""


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with chromium() as browser, MonitoredBreakers("store") as scene, opened(browser, scene.url) as found:
        yield found


def said(page: Page, row: dict[str, Any], past: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    told: dict[str, Any] = page.evaluate(SAID, [row, list(past), NOW_MS])
    return told


def step(before: str, after: str, at: str, text: str) -> dict[str, Any]:
    return {"from": before, "to": after, "at": at, "evidence": {"text": text}}


OUTAGE = (
    step("half_open", "closed", "2025-09-05T18:50:07.000Z", "the trial call succeeded"),
    step("closed", "open", "2025-09-05T18:54:03.000Z", "3 failures in a row: refused"),
    step("open", "half_open", "2025-09-05T18:54:52.000Z", "its delay is over"),
    step("half_open", "open", "2025-09-05T18:54:53.000Z", "the trial call failed: no answer in 5 s"),
)


def test_one_that_is_held_closed_says_what_would_open_it_and_what_ends_that(page: Page) -> None:
    told = said(page, HELD)
    assert told["word"] == "held closed"
    assert told["why"] == HELD["withheld"], "the real cause comes first"
    assert told["short"] == "until another can stand in"
    assert told["next"] == "Calls are let through though it fails, until another can stand in for it."


def test_one_that_an_operator_holds_is_told_as_forced_whatever_is_withheld(page: Page) -> None:
    told = said(page, {**HELD, "state": "force_open", "reason": "operator via admin API: new disk"})
    assert (told["word"], told["why"]) == ("forced open", "operator via admin API: new disk")


@pytest.mark.parametrize(
    ("state", "shadow", "health"),
    [("open", False, None), ("force_open", False, None), ("open", True, 0.97), ("half_open", False, 0.97)],
)
def test_while_nothing_is_let_through_there_is_no_health(
    page: Page, state: str, health: float | None, *, shadow: bool
) -> None:
    assert said(page, {**CLOSED, "state": state, "shadow": shadow})["health"] == health


def test_one_that_was_tried_in_vain_says_also_what_opened_it_first_and_when(page: Page) -> None:
    first = "First opened 18:54:03 UTC (1 min 4 s ago): 3 failures in a row: refused"
    assert said(page, OPEN, OUTAGE)["first"] == first
    assert said(page, {**OPEN, "since": OUTAGE[1]["at"]}, OUTAGE[:2])["first"] == "", (
        "it is the reason itself"
    )
    assert said(page, OPEN, OUTAGE[2:])["first"] == "", "the history doesn't reach back so far"
    assert said(page, CLOSED, OUTAGE)["first"] == ""


def test_counts_tell_those_that_are_held_closed_from_those_that_are_well(page: Page) -> None:
    counts = page.evaluate(
        """async (rows) => {
            const { Fleet } = await import("/page/fleet.js");
            const fleet = new Fleet();
            rows.forEach((row, at) => fleet.lay({ ...row, name: `${row.name}-${at}` }));
            return fleet.counts();
        }""",
        [CLOSED, HELD, OPEN],
    )
    assert {kind: count for kind, count in counts.items() if count} == {"open": 1, "withheld": 1, "closed": 1}
