"""The health score: its weights, each part against its target, and what counts where there is no figure."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.breaker.health_score import NEUTRAL, health
from sprint.core.breaker.interfaces import Health, HealthFigures
from sprint.core.breaker.policy import HealthPolicy

POLICY = HealthPolicy(
    success_rate_target=0.99,
    latency_s_target=1.0,
    error_rate_target=0.01,
    resource_share_target=0.8,
    throughput_per_s_target=10.0,
)
AT_TARGET = {
    "success_rate": 0.99,
    "latency_s": 1.0,
    "error_rate": 0.01,
    "resource_share": 0.8,
    "throughput_per_s": 10.0,
}
PART_OF_FIGURE = {
    "success_rate": "success_rate",
    "latency_s": "latency",
    "error_rate": "error_rate",
    "resource_share": "resources",
    "throughput_per_s": "throughput",
}
ANY_FIGURE = st.none() | st.floats(allow_nan=True, allow_infinity=True)


def part_score(found: Health, name: str) -> float:
    return next(part.score for part in found.parts if part.name == name)


def score_of(**figures: float | None) -> float:
    return health(POLICY, HealthFigures(**{**AT_TARGET, **figures})).score


def test_all_at_their_targets_is_one() -> None:
    assert score_of() == pytest.approx(1.0)


def test_each_part_that_is_as_bad_as_can_be_costs_its_weight() -> None:
    assert score_of(success_rate=0.0) == pytest.approx(0.70)
    assert score_of(latency_s=1e12) == pytest.approx(0.75)
    assert score_of(error_rate=1.0) == pytest.approx(0.80)
    assert score_of(resource_share=1.0) == pytest.approx(0.85)
    assert score_of(throughput_per_s=0.0) == pytest.approx(0.90)


@pytest.mark.parametrize(
    ("figure", "value", "expected"),
    [
        ("success_rate", 0.495, 0.5),
        ("latency_s", 2.0, 0.5),
        ("latency_s", 1.0001, 1 / 1.0001),
        ("error_rate", 0.505, 0.5),
        ("resource_share", 0.9, 0.5),
        ("throughput_per_s", 5.0, 0.5),
    ],
)
def test_each_part_is_held_against_its_target(figure: str, value: float, expected: float) -> None:
    found = health(POLICY, HealthFigures(**{**AT_TARGET, figure: value}))
    assert part_score(found, PART_OF_FIGURE[figure]) == pytest.approx(expected)


@pytest.mark.parametrize("figure", AT_TARGET)
def test_better_than_its_target_is_no_better_than_one(figure: str) -> None:
    better = {"success_rate": 1.0, "throughput_per_s": 1000.0}.get(figure, 0.0)
    found = health(POLICY, HealthFigures(**{**AT_TARGET, figure: better}))
    assert part_score(found, PART_OF_FIGURE[figure]) == 1.0


@pytest.mark.parametrize("figure", AT_TARGET)
def test_a_part_without_a_figure_is_neutral_and_says_so(figure: str) -> None:
    found = health(POLICY, HealthFigures(**{**AT_TARGET, figure: None}))
    parts = {part.name: part for part in found.parts}
    missing = parts.pop(PART_OF_FIGURE[figure])
    assert (missing.score, missing.measured, missing.neutral) == (NEUTRAL, None, True)
    assert not any(part.neutral for part in parts.values())
    assert found.score == pytest.approx(1.0 - missing.weight * (1 - NEUTRAL))


def test_nothing_known_is_neutral_and_does_not_open_by_default() -> None:
    found = health(POLICY, HealthFigures())
    assert found.score == NEUTRAL == 0.5
    assert not found.score < POLICY.opens_below


def test_a_throughput_that_has_no_target_is_neutral() -> None:
    found = health(HealthPolicy(), HealthFigures(throughput_per_s=5.0))
    assert next(part for part in found.parts if part.name == "throughput").neutral


def test_a_part_of_weight_zero_is_off_and_the_others_make_one() -> None:
    policy = HealthPolicy(weight_latency=0.0, weight_resources=0.0, weight_throughput=0.0)
    found = health(policy, HealthFigures(success_rate=1.0, error_rate=1.0, latency_s=100.0))
    assert {part.name: part.weight for part in found.parts} == {
        "success_rate": pytest.approx(0.6),
        "error_rate": pytest.approx(0.4),
    }
    assert found.score == pytest.approx(0.6)


def test_with_every_part_off_the_score_is_neutral() -> None:
    policy = HealthPolicy(
        weight_success_rate=0.0,
        weight_latency=0.0,
        weight_error_rate=0.0,
        weight_resources=0.0,
        weight_throughput=0.0,
    )
    assert health(policy, HealthFigures(success_rate=0.0)) == Health(score=NEUTRAL, parts=())


def test_a_target_of_all_leaves_room_for_none_above() -> None:
    policy = HealthPolicy(error_rate_target=1.0)
    assert part_score(health(policy, HealthFigures(error_rate=1.0)), "error_rate") == 1.0
    assert part_score(health(policy, HealthFigures(error_rate=1.5)), "error_rate") == 0.0


@given(ANY_FIGURE, ANY_FIGURE, ANY_FIGURE, ANY_FIGURE, ANY_FIGURE)
def test_no_figures_lead_out_of_zero_to_one(
    success: float | None,
    latency: float | None,
    errors: float | None,
    resources: float | None,
    throughput: float | None,
) -> None:
    found = health(
        POLICY,
        HealthFigures(
            success_rate=success,
            latency_s=latency,
            error_rate=errors,
            resource_share=resources,
            throughput_per_s=throughput,
        ),
    )
    assert 0.0 <= found.score <= 1.0
    assert math.fsum(part.weight for part in found.parts) == pytest.approx(1.0)
    assert found.score == pytest.approx(math.fsum(part.score * part.weight for part in found.parts))


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_a_better_success_rate_never_scores_worse(one: float, other: float) -> None:
    worse, better = sorted((one, other))
    assert score_of(success_rate=worse) <= score_of(success_rate=better)
