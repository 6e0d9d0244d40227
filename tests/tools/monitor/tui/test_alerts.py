"""The page of alerts in the terminal: what stands, and an operator's words about it."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import pytest

from sprint.core.errors import RequestError
from sprint.core.monitor.alerts.silences import Silence, silence_of
from sprint.core.monitor.alerts.standing import Subject
from sprint.tools.monitor.tui.alerts_page import alert_content
from sprint.tools.monitor.tui.operating import literal, silence_fields
from tests.tools.monitor.fake_desk import ALERTS, OPEN, FakeDesk
from tests.tools.monitor.fakes import NOW_UNIX_S, FakeMonitor, story_board
from tests.tools.monitor.tui.piloted import (
    WIDE,
    opened_terminal,
    pressed,
    screen_text,
    typed_at_once,
    under_pilot,
)


@pytest.fixture(autouse=True)
def _operator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "berta")


def monitor_with(desk: Any, *, read_only: bool = False) -> FakeMonitor:
    monitor = FakeMonitor(story_board(), read_only=read_only)
    monitor.alerts = desk
    return monitor


def desk() -> FakeDesk:
    return FakeDesk(*deepcopy(ALERTS))


def silenced(fields: Mapping[str, Any]) -> Silence:
    return silence_of(fields, silence_id="id", now_unix_s=NOW_UNIX_S, rules=("state", "relay"))


@under_pilot
async def test_alerts_are_told_with_time_level_text_and_what_became_of_them() -> None:
    async with opened_terminal(monitor_with(desk()), WIDE) as (app, pilot):
        await pressed(app, pilot, "2")
        shown = screen_text(app)
        assert f"18:54:53 WARNING   north  {OPEN}" in shown
        assert "goes a level up at 22:54:53 unless it is acknowledged" in shown
        assert "18:40:07 over      south  relay south is lost" in shown
        assert "acknowledged by anna" in shown
        assert "until 2025-09-05 20:54:07  */south/source:*  by anna: new disk" in shown


@under_pilot
async def test_two_own_rules_alerts_of_one_breaker_looked_the_same_as_neither_said_its_rule() -> None:
    async with opened_terminal(monitor_with(desk()), WIDE) as (app, pilot):
        await pressed(app, pilot, "2")
        assert "rule state; goes a level up" in screen_text(app)
        assert "rule relay; acknowledged by anna" in screen_text(app)


@under_pilot
async def test_what_is_typed_right_behind_the_key_of_a_silence_is_its_reason() -> None:
    asked = desk()
    async with opened_terminal(monitor_with(asked)) as (app, pilot):
        await pressed(app, pilot, "2")
        await typed_at_once(app, pilot, "zaxf")
        await pressed(app, pilot, "enter")
        assert asked.silenced[0]["why"] == "axf"
        assert asked.acknowledged == []


def test_a_field_that_an_alert_lacks_is_left_out() -> None:
    assert alert_content({}).plain.startswith("- ?")


@pytest.mark.parametrize(("absent", "said"), [(None, "start with --alerts"), (FakeDesk(), "no alert stands")])
def test_without_rules_or_alerts_the_page_says_which(absent: Any, said: str) -> None:
    @under_pilot
    async def scene() -> None:
        async with opened_terminal(monitor_with(absent)) as (app, pilot):
            await pressed(app, pilot, "2", "a", "z", "x")
            assert said in screen_text(app)

    scene()


@under_pilot
async def test_an_alert_is_acknowledged_by_who_is_at_the_terminal_once_that_was_confirmed() -> None:
    asked = desk()
    async with opened_terminal(monitor_with(asked), WIDE) as (app, pilot):
        await pressed(app, pilot, "2", "a")
        assert "Acknowledge this alert?" in screen_text(app)
        assert asked.acknowledged == []
        await pressed(app, pilot, "enter")
        assert asked.acknowledged == [(ALERTS[0]["id"], "berta")]
        assert "acknowledged by berta" in screen_text(app)


@under_pilot
async def test_a_silence_is_of_that_alert_alone_and_names_how_long_who_and_why() -> None:
    asked = desk()
    async with opened_terminal(monitor_with(asked), WIDE) as (app, pilot):
        await pressed(app, pilot, "2", "z", *"new disk", "enter")
        (fields,) = asked.silenced
        assert fields == {
            "rule": "state", "relay": "north", "breaker": "source:litecoin-regtest:alice",
            "for": "2h", "why": "new disk", "by": "berta",
        }  # fmt: skip
        assert silenced(fields).breaker == "source:litecoin-regtest:alice"


@under_pilot
async def test_a_silence_is_ended_and_keys_of_alerts_do_nothing_to_it() -> None:
    asked = desk()
    async with opened_terminal(monitor_with(asked), WIDE) as (app, pilot):
        await pressed(app, pilot, "2", "end", "a", "z")
        assert "Acknowledge this" not in screen_text(app)
        await pressed(app, pilot, "x")
        await pilot.click("#yes")
        await pressed(app, pilot)
        assert asked.ended == ["3f2a91c0"]
        assert "new disk" not in screen_text(app)


@under_pilot
async def test_a_refusal_is_shown_in_the_desks_words_and_read_only_asks_nothing() -> None:
    asked = desk()
    asked.refuses = RequestError("bad_query", "why: want a reason, such as [bold]a new disk[/]")
    async with opened_terminal(monitor_with(asked), WIDE) as (app, pilot):
        await pressed(app, pilot, "2", "a", "enter")
        assert "[bold]a new disk[/]" in screen_text(app)
    async with opened_terminal(monitor_with(asked, read_only=True), WIDE) as (app, pilot):
        await pressed(app, pilot, "2", "a")
        assert "--read-only" in screen_text(app)
        assert "Acknowledge this alert?" not in screen_text(app)


@under_pilot
async def test_under_no_color_the_cursor_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with opened_terminal(monitor_with(desk()), WIDE) as (app, pilot):
        await pressed(app, pilot, "2")
        strips = app.screen._compositor.render_strips()
        marked = "".join(
            each.text for strip in strips for each in strip if each.style and each.style.underline
        )
        assert OPEN in marked
        assert "relay south is lost" not in marked


@under_pilot
async def test_the_cursor_stays_with_its_alert_when_another_comes() -> None:
    asked = desk()
    async with opened_terminal(monitor_with(asked), WIDE) as (app, pilot):
        await pressed(app, pilot, "2")
        asked.alerts.insert(0, {**ALERTS[0], "id": "new", "text": "another"})
        await pressed(app, pilot, "a", "enter")
        assert asked.acknowledged == [(ALERTS[0]["id"], "berta")]


def test_a_name_with_signs_of_a_pattern_stands_for_itself() -> None:
    alert = {"rule": "state", "relay": "north", "breaker": "a[1]*?"}
    fields = silence_fields(alert, {"for": "2h", "by": "b", "why": "c"})
    assert silenced(fields).covers(Subject("state", "north", "a[1]*?"))
    assert not silenced(fields).covers(Subject("state", "north", "a1xx"))
    assert literal("plain") == "plain"
