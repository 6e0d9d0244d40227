"""Results of a bench: verdicts of subjects, and which level is worth it."""

from __future__ import annotations

import math

import pytest

from sprint.core.optimize.bench_result import (
    SettingState,
    Subject,
    decode_result,
    encode_result,
    figure_of,
    subject_of,
    worth_it,
)
from tests.core.optimize.bench_results import BEFORE, a_figure, a_level, a_result


def test_a_result_is_read_back_as_it_was_written() -> None:
    for result in (a_result(), a_result(interrupted=True)):
        assert decode_result(encode_result(result), "bench.json") == result
    assert [subject.name for subject in a_result().levels] == ["basic", "turbo"]
    assert [subject.name for subject in a_result().settings] == ["nice"]


def test_a_gain_is_the_mean_of_all_figures_and_what_is_no_change_counts_as_none() -> None:
    assert math.isclose(a_level("turbo", 0.5, 1.0).gain, math.sqrt(2))
    assert a_level("turbo", 1.01, 0.99).gain == 1.0
    assert math.isclose(a_level("turbo", 0.5, 2.0).gain, 1.0)
    assert math.isclose(a_level("turbo", 1e-6, 1.0).gain, math.sqrt(10))
    rising = figure_of("rate", "per_s", "more", (BEFORE, [3 * value for value in BEFORE]), 0.95)
    assert math.isclose(subject_of("turbo", "", [rising], []).gain, 3.0)


@pytest.mark.parametrize(
    ("levels", "worth"),
    [
        ([], None),
        ([a_level("basic", 1.0), a_level("turbo", 1.0)], "basic"),
        ([a_level("basic", 1.0), a_level("standard", 0.5), a_level("turbo", 0.49)], "standard"),
        ([a_level("basic", 1.0), a_level("standard", 0.5), a_level("turbo", 0.2)], "turbo"),
        ([a_level("basic", 1.0), a_level("standard", 0.5, 1.0), a_level("turbo", 0.2, 8.0)], "standard"),
        ([a_level("turbo", 3.0)], "basic"),
    ],
)
def test_the_lowest_level_that_is_hardly_worse_than_the_best_is_worth_it(
    levels: list[Subject], worth: str | None
) -> None:
    found, why = worth_it(levels)
    assert found == worth
    assert why


def test_where_a_level_was_not_measured_to_its_end_none_is_told_as_worth_it() -> None:
    """Ctrl-C in turbo's rounds had basic told as enough, as turbo had gained nothing by then."""
    unjudged = subject_of("turbo", "", [a_figure(0.5, rounds=3)], [])
    worth, why = worth_it([a_level("basic", 1.0), unjudged])
    assert worth is None
    assert why.startswith("turbo: too few rounds")


def test_a_level_that_helps_one_figure_and_hurts_another_is_not_told_as_a_help() -> None:
    both = a_level("turbo", 0.5, 2.0)
    assert both.verdict == "hurt"
    assert both.says == "helped figure 0; hurt figure 1"


def test_a_setting_that_was_refused_has_its_refusal_for_a_verdict() -> None:
    refused = subject_of("turbo", "nice", [a_figure(0.5)], [SettingState("nice", "denied", "EPERM")])
    assert (refused.verdict, refused.says) == ("no effect here", "denied: EPERM")


def test_rounds_that_are_too_few_give_figures_without_a_verdict() -> None:
    figure = a_figure(0.5, rounds=3)
    assert figure.change is None
    assert subject_of("turbo", "", [figure], []).says == "too few rounds for a verdict"
