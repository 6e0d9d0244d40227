"""States in words: each by word and shape, the worst first, and what comes next for each of them."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.breaker.outcomes import State
from sprint.core.monitor.rows import rfc3339
from sprint.core.monitor.words import (
    STATE_WIDTH,
    STATE_WORDS,
    age,
    clock_time,
    needs_an_eye,
    next_text,
    rank_of,
    sentences,
    shown_state,
    state_text,
    tone_of,
    unix_s,
)
from tests.tools.monitor.fakes import NOW_UNIX_S, ago, opened, row, transition

STATES: tuple[State, ...] = get_args(State)
OUTAGE: tuple[tuple[State, State, str, str, float], ...] = (
    ("half_open", "closed", "trials_succeeded", "the trial call succeeded", 300.0),
    ("closed", "open", "tripped", "3 failures in a row: refused", 64.0),
    ("open", "half_open", "trial_due", "its delay is over", 15.0),
    ("half_open", "open", "trial_failed", "the trial call failed: timed out", 14.0),
)


def test_every_state_has_a_word_a_shape_and_an_ascii_form_of_its_own() -> None:
    assert set(STATE_WORDS) == set(STATES)
    for of in ("glyph", "word", "ascii"):
        assert len({getattr(each, of) for each in STATE_WORDS.values()}) == len(STATES)
    assert all(words.ascii.isascii() for words in STATE_WORDS.values())
    assert all(
        len(state_text(each, ascii_only=ascii_only)) <= STATE_WIDTH
        for each in STATES
        for ascii_only in (True, False)
    )


def test_open_comes_before_forced_before_trying_before_withheld_before_closed() -> None:
    rows = [
        row("open", "open"),
        row("forced", "force_open"),
        row("trying", "half_open"),
        row("withheld", withheld="3 failures in a row"),
        row("shadow", "open", shadow=True),
        row("held closed", "force_close"),
        row("failing", failures=1),
        row("well"),
    ]
    ranks = [rank_of(each) for each in rows]
    assert ranks == sorted(set(ranks))
    assert [each.name for each in rows if needs_an_eye(each)] == [
        "open",
        "forced",
        "trying",
        "withheld",
        "shadow",
    ]


def test_an_open_breaker_says_why_since_when_and_what_comes_next() -> None:
    told = sentences(opened("source:bitcoin:a", ago_s=14, trial_in_s=6), NOW_UNIX_S)
    assert told.what == "OPEN"
    assert told.since == "since 18:54:53 UTC (14 s)"
    assert told.why.startswith("3 failures in a row")
    assert told.next == "a trial call in 6 s (at 18:55:13 UTC); until then none goes through"


def test_a_trial_that_is_due_comes_with_the_next_call() -> None:
    told = sentences(opened("source:bitcoin:a", trial_in_s=-3), NOW_UNIX_S)
    assert "the next call goes through as a trial" in told.next
    assert next_text(opened("source:bitcoin:a", trial_in_s=-3), NOW_UNIX_S) == "due"


@pytest.mark.parametrize("state", ["force_open", "force_close"])
def test_a_forced_breaker_says_that_only_an_operator_ends_it(state: State) -> None:
    assert "until an operator says release or reset" in sentences(row("a", state), NOW_UNIX_S).next


def test_one_that_stays_closed_because_nobody_stands_in_says_so_and_is_not_green() -> None:
    withheld = row("source:bitcoin:a", withheld="3 failures in a row")
    told = sentences(withheld, NOW_UNIX_S)
    assert told.what == "held closed"
    assert told.why == "3 failures in a row"
    assert told.next == "calls go through though it fails, until another can stand in for it"
    assert tone_of(withheld) == "trying"
    assert next_text(withheld, NOW_UNIX_S) == "held"
    assert shown_state(withheld, ascii_only=False) == "● held closed"
    assert len(shown_state(withheld, ascii_only=True)) <= STATE_WIDTH


def test_an_operator_who_holds_one_open_is_not_overruled_by_what_is_withheld() -> None:
    assert shown_state(row("a", "force_open", withheld="it fails"), ascii_only=True) == "[FORCED OPEN]"


def test_one_that_was_tried_in_vain_says_also_what_opened_it_first_and_when() -> None:
    past = [
        transition("a", before, after, cause, text, number=number, ago_s=ago_s)
        for number, (before, after, cause, text, ago_s) in enumerate(OUTAGE, 1)
    ]
    again = row("a", "open", since=ago(14), reason=OUTAGE[-1][3], next_trial_at=ago(-6))
    told = sentences(again, NOW_UNIX_S, past)
    assert told.why == "the trial call failed: timed out"
    assert told.first == "first opened 18:54:03 UTC (1m04s ago): 3 failures in a row: refused"
    trying = row("a", "half_open", since=ago(15), reason="its delay is over")
    assert sentences(trying, NOW_UNIX_S, past[:3]).first == told.first
    assert sentences(row("a"), NOW_UNIX_S, past).first == "", "it is closed again"
    first = row("a", "open", since=past[1].at, reason="3 failures in a row: refused")
    assert sentences(first, NOW_UNIX_S, past[:2]).first == "", "its reason is the first cause"
    assert sentences(again, NOW_UNIX_S, past[2:]).first == "", "the history doesn't reach back so far"


def test_one_in_shadow_says_that_calls_go_through() -> None:
    shadow = row("a", "open", shadow=True, next_trial_at=ago(-5))
    told = sentences(shadow, NOW_UNIX_S)
    assert told.what == "OPEN in shadow"
    assert told.next.endswith("in shadow, so calls go through meanwhile")


@given(st.floats(min_value=-1e9, max_value=1e9))
def test_an_age_has_at_most_seven_letters(seconds: float) -> None:
    assert len(age(seconds)) <= 7


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0 s"),
        (0, "0 s"),
        (59.9, "59 s"),
        (60, "1m00s"),
        (3_599, "59m59s"),
        (3_600, "1h00m"),
        (90_000, "1 d"),
    ],
)
def test_ages(seconds: float, text: str) -> None:
    assert age(seconds) == text


@given(st.floats(min_value=0, max_value=4e9))
def test_a_time_that_was_written_is_read_again(moment: float) -> None:
    assert unix_s(rfc3339(moment)) == pytest.approx(moment, abs=0.001)


@pytest.mark.parametrize("odd", [None, "", "yesterday", "2025-13-40T00:00:00Z", "T"])
def test_a_time_that_is_none_is_told_as_not_known(odd: str | None) -> None:
    assert unix_s(odd) is None
    assert clock_time(odd) == "-"
    assert "-" in sentences(row("a", since=odd or ""), NOW_UNIX_S).since
