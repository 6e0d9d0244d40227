"""What the page asks besides: events of before it was opened, and what figures may be."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from sprint.core.breaker.policy import Policy
from sprint.core.breaker.policy_overlay import policy_with
from sprint.core.monitor.events_page import LIMIT_MAX
from sprint.core.monitor.figures_form import figures
from sprint.tools.monitor.monitor import Monitor
from tests.tools.monitor.fakes import story_board
from tests.tools.monitor.relay_stand_in import serving


def asked(*paths: str) -> list[httpx.Response]:
    """Return what a monitor of the story's board answers."""

    async def scene() -> list[httpx.Response]:
        async with (
            serving(Monitor(story_board())) as (url, _),
            httpx.AsyncClient(base_url=url, trust_env=False) as client,
        ):
            return [await client.get(path) for path in paths]

    return asyncio.run(scene())


def test_events_are_told_the_newest_first_with_whose_they_are_and_how_to_ask_on() -> None:
    (first,) = asked("/api/events?limit=3")
    told = first.json()
    assert [(each["relay"], each["number"], each["to"]) for each in told["events"]] == [
        ("north", 4, "open"), ("north", 3, "closed"), ("north", 2, "half_open"),
    ]  # fmt: skip
    (second,) = asked(f"/api/events?limit=3&before={told['next']}")
    assert [each["number"] for each in second.json()["events"]] == [1]
    assert second.json()["next"] is None


@pytest.mark.parametrize(
    "query", ["limit=0", f"limit={LIMIT_MAX + 1}", "limit=x", "limit=-1", "before=x", "after=1"]
)
def test_what_is_no_page_of_events_is_refused(query: str) -> None:
    (refused,) = asked(f"/api/events?{query}")
    assert (refused.status_code, refused.json()["code"]) == (400, "bad_query")


def test_figures_are_told_with_bounds_that_a_policy_takes() -> None:
    told = asked("/api/figures")[0].json()["figures"]
    assert [each["name"] for each in told] == [figure.name for figure in figures()]
    for each in told:
        if each["kind"] in {"number", "count"}:
            record, dot, inner = each["name"].rpartition(".")
            greatest = int(each["greatest"]) if each["kind"] == "count" else each["greatest"]
            laid = {record: {inner: greatest}} if dot else {inner: greatest}
            if each["name"] not in {"trial_lease_s", "backoff.base_s", "adaptive.least", "recovery.base"}:
                policy_with(Policy(), laid)  # those four may not exceed another figure
