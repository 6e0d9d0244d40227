"""What can be asked of a load test, and what is said of what can't."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.duration import SECOND_NS
from sprint.core.errors import ConfigError
from sprint.core.loadtest.plan import (
    DURATION_NS_MAX,
    PATTERNS,
    RATE_PER_S_MAX,
    SCENARIOS,
    STAGES_MAX,
    Asked,
    Segment,
    Stage,
    make_plan,
    parse_stage,
)
from sprint.core.loadtest.scenario import failure_rate_at


def test_a_stage_is_a_duration_and_a_rate() -> None:
    assert parse_stage("30s:100") == Stage(30 * SECOND_NS, 100)
    for text in ("30s", "30s:", "30s:-1", "30s:1.5", ":5", "x:5"):
        with pytest.raises(ConfigError, match="--stage"):
            parse_stage(text)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"rate_per_s": 0}, ("--rps 0", "1 to 200,000")),
        ({"rate_per_s": 200_001}, ("--rps 200,001", "1 to 200,000")),
        ({"duration_ns": SECOND_NS - 1_000_000}, ("--duration 999ms", "1s to 24h")),
        ({"duration_ns": DURATION_NS_MAX + SECOND_NS}, ("--duration 24h1s", "1s to 24h")),
        ({"workers": 0}, ("--workers 0", "1 to 10,000")),
        ({"workers": 10_001}, ("--workers 10,001", "1 to 10,000")),
        ({"processes": 65}, ("--processes 65", "1 to 64")),
        ({"pattern": "wavy"}, ("--pattern 'wavy'", "sustained, ramp, spike, step")),
        ({"scenario": "bad"}, ("--scenario 'bad'", "standard, spike, gradual-failure, recovery")),
        ({"pattern": "ramp", "stages": (Stage(SECOND_NS, 1),)}, ("--pattern ramp", "leave one out")),
        ({"stages": (Stage(SECOND_NS, 1),) * (STAGES_MAX + 1)}, ("101 stages", "the limit is 100")),
        ({"stages": (Stage(SECOND_NS, 0), Stage(SECOND_NS, 0))}, ("--stage", "each is a pause")),
        ({"stages": (Stage(SECOND_NS, 200_001),)}, ("--stage rate 200,001",)),
        ({"stages": (Stage(0, 1), Stage(SECOND_NS, 1))}, ("no duration",)),
    ],
    ids=repr,
)
def test_what_cannot_be_is_refused_with_value_and_limit(asked: dict[str, object], words: tuple[str]) -> None:
    with pytest.raises(ConfigError) as refused:
        make_plan(Asked(**asked))  # type: ignore[arg-type]
    assert all(word in str(refused.value) for word in words), refused.value


@pytest.mark.parametrize(
    "asked",
    [
        {"rate_per_s": 1, "duration_ns": SECOND_NS, "workers": 1},
        {"rate_per_s": RATE_PER_S_MAX, "duration_ns": DURATION_NS_MAX, "workers": 10_000, "processes": 64},
        {"stages": (Stage(SECOND_NS, 1),) * STAGES_MAX},
    ],
    ids=["least", "most", "stages"],
)
def test_the_limits_themselves_can_be_asked(asked: dict[str, object]) -> None:
    assert make_plan(Asked(**asked)).segments  # type: ignore[arg-type]


@given(st.sampled_from(PATTERNS), st.integers(1, RATE_PER_S_MAX), st.integers(SECOND_NS, DURATION_NS_MAX))
def test_every_pattern_lasts_as_asked_and_reaches_the_rate_but_never_more(
    pattern: str, rate_per_s: int, duration_ns: int
) -> None:
    plan = make_plan(Asked(rate_per_s=rate_per_s, duration_ns=duration_ns, pattern=pattern))
    assert sum(segment.duration_ns for segment in plan.segments) == duration_ns
    rates = [rate for each in plan.segments for rate in (each.from_per_s, each.to_per_s)]
    assert max(rates) == rate_per_s
    assert min(rates) >= (0 if pattern == "ramp" else 1)


def test_stages_are_the_plan() -> None:
    plan = make_plan(Asked(stages=(parse_stage("30s:100"), parse_stage("1m:0"), parse_stage("10s:1000"))))
    assert plan.segments == (
        Segment(30 * SECOND_NS, 100, 100),
        Segment(60 * SECOND_NS, 0, 0),
        Segment(10 * SECOND_NS, 1_000, 1_000),
    )
    assert (plan.rate_per_s, plan.duration_s) == (1_000, 100.0)


def test_the_spike_scenario_brings_its_pattern_and_an_asked_one_stays() -> None:
    assert make_plan(Asked(scenario="spike")).pattern == "spike"
    assert make_plan(Asked(scenario="spike", pattern="ramp")).pattern == "ramp"
    assert make_plan(Asked(scenario="recovery")).pattern == "sustained"


@given(st.sampled_from(SCENARIOS), st.floats(-1, 2), st.floats(0, 1))
def test_no_scenario_fails_more_than_was_asked(scenario: str, share: float, failure_rate: float) -> None:
    assert 0 <= failure_rate_at(scenario, share, failure_rate) <= failure_rate  # type: ignore[arg-type]


def test_scenarios_fail_as_their_names_say() -> None:
    assert [failure_rate_at("standard", share, 0.4) for share in (0, 0.5, 1)] == [0.4, 0.4, 0.4]
    assert [failure_rate_at("gradual-failure", share, 0.4) for share in (0, 0.5, 1)] == [0, 0.2, 0.4]
    assert [round(failure_rate_at("recovery", share, 0.4), 9) for share in (0, 0.3, 0.5, 0.7, 1)] == [
        0.4, 0.4, 0.2, 0, 0,
    ]  # fmt: skip
