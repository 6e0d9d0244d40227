"""What an operator may have silenced, and what a silence covers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.errors import ConfigError
from sprint.core.monitor.alerts.rules import RULES
from sprint.core.monitor.alerts.silences import SILENCE_S_MAX, WHY_LENGTH_MAX, Silence, silence_of
from sprint.core.monitor.alerts.standing import Subject

# 2025-09-05T18:55:07Z
NOW_S = 1_757_098_507.0
GIVEN = {"breaker": "source:*", "for": "2h", "by": "anna", "why": "a new disk"}


def made(**fields: Any) -> Silence:
    given = {name: value for name, value in {**GIVEN, **fields}.items() if value is not None}
    return silence_of(given, silence_id="1", now_unix_s=NOW_S, rules=[rule.name for rule in RULES])


def covers(rule: str = "state", relay: str = "main", breaker: str = "store", **fields: Any) -> bool:
    return made(**fields).covers(Subject(rule, relay, breaker))


def test_patterns_are_a_shell_s_and_one_that_is_left_out_fits_all() -> None:
    assert covers(breaker="source:bitcoin:a", relay="edge")
    assert not covers(breaker="store")
    assert made(rule="health", breaker=None).covers(Subject("health", "main", "store"))
    assert not made(rule="health", breaker=None).covers(Subject("state", "main", "store"))
    assert made(relay="m?in", breaker=None).covers(Subject("relay", "main", ""))
    assert made(breaker="*").covers(Subject("relay", "main", ""))


@given(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=40))
def test_a_name_as_it_is_always_fits_itself(name: str) -> None:
    assert made(breaker=name, relay=name).covers(Subject("state", name, name))


def test_it_ends_after_a_duration_or_at_a_time() -> None:
    assert (made().from_s, made().until_s) == (NOW_S, NOW_S + 7_200.0)
    until = {"for": None, "until": "2025-09-05T22:55:07+02:00"}
    assert made(**until).until_s == NOW_S + 7_200.0


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"breaker": None}, "nothing is named: give one of rule, relay, breaker"),
        ({"breaker": 7}, "breaker: 7; want a pattern of up to 256"),
        ({"breaker": "x" * 257}, "breaker: 257 characters; want"),
        ({"breaker": "a\nb"}, "breaker: "),
        ({"rule": "stat"}, "rule: 'stat' fits none; there is state, failure_rate"),
        ({"for": None}, 'want one of "for", a duration as 2h, and "until"'),
        ({"until": "2026-01-01T00:00:00Z"}, 'want one of "for"'),
        ({"for": 7_200}, "for: 7200; want a duration"),
        ({"for": "0s"}, "for 0s: 0 s; want 1 s to"),
        ({"for": "2161h"}, "want 1 s to"),
        ({"for": "1" * 100}, "for: "),
        ({"for": None, "until": "2025-09-05T22:55:07"}, "want a time with its offset"),
        ({"for": None, "until": "tomorrow"}, "until: 'tomorrow'; want a time"),
        ({"for": None, "until": 7}, "until: 7; want a time"),
        ({"for": None, "until": "2025-09-05T18:55:07Z"}, "is 0 s from now; want 1 to"),
        ({"for": None, "until": "0001-01-01T00:00:00+23:59"}, "s from now; want 1 to"),
        ({"for": None, "until": "9999-12-31T23:59:59-23:59"}, f"want 1 to {SILENCE_S_MAX:.0f} s"),
        ({"by": None}, "by: nothing; want one line of 1 to 64"),
        ({"by": "  "}, "by: '  '; want one line"),
        ({"by": "a\x1b[31m"}, "by: "),
        ({"why": "y" * (WHY_LENGTH_MAX + 1)}, "why: 201 characters; want one line of 1 to 200"),
        ({"hwy": "x"}, "no key 'hwy'; there is rule"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_by_its_key(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        made(**fields)
    assert said in str(raised.value)
    assert len(str(raised.value)) < 400
