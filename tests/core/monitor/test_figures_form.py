"""The form of figures: every figure of a policy has its field, and its bounds are the policy's."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.breaker.policy import Policy
from sprint.core.breaker.policy_overlay import policy_with
from sprint.core.errors import ConfigError
from sprint.core.monitor.figures_form import Figure, figures, laid_in, plan_of, said, values_in

CONFIG: dict[str, Any] = msgspec.to_builtins(Policy())
NUMBERS = [figure for figure in figures() if figure.kind in ("number", "count")]


def detail(laid: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return a relay's answer where this is laid over."""
    policy = policy_with(Policy(), laid or {})
    over = None if laid is None else {"fields": laid, "at": "2025-09-05T18:55:07.000Z"}
    return {"config": msgspec.to_builtins(policy), "laid_over": over}


def test_every_figure_of_a_policy_has_a_field_but_for_its_name() -> None:
    assert [figure.name for figure in figures()] == [name for name in values_in(CONFIG) if name != "name"]


def test_what_a_field_wants_is_said_in_words() -> None:
    wants = {figure.name: figure.wants for figure in figures()}
    assert wants["failures_to_open"] == "a whole number 1 to 1,000,000, or none"
    assert wants["failure_rate_max"] == "above 0, up to 1, or none"
    assert wants["backoff.jitter"] == "equal or full or none"
    assert wants["shadow"] == "true or false"
    assert wants["window.buckets"] == "a whole number 1 to 10"


@pytest.mark.parametrize("figure", NUMBERS, ids=lambda figure: figure.name)
def test_the_bounds_of_a_field_are_those_of_the_policy(figure: Figure) -> None:
    step = 1 if figure.kind == "count" else 0.001
    assert figure.least is not None
    assert figure.greatest is not None
    below = figure.least if figure.least_excluded else figure.least - step
    for value in (below, figure.greatest + step):
        text = said(value)
        with pytest.raises(ConfigError, match=figure.name):
            plan_of(detail(), {figure.name: text})
        record, dot, inner = figure.name.rpartition(".")
        fields = {record: {inner: value}} if dot else {inner: value}
        with pytest.raises(ConfigError):
            policy_with(Policy(), fields)


def test_nothing_typed_changes_nothing_and_keeps_what_is_laid_over() -> None:
    laid = {"failures_to_open": 3, "backoff": {"base_s": 2.0}}
    plan = plan_of(detail(laid), {})
    assert plan.fields == laid
    assert plan.changes == ()


def test_a_change_is_laid_over_beside_what_was_and_told_in_words() -> None:
    plan = plan_of(detail({"failures_to_open": 3}), {"backoff.base_s": " 2.5 ", "shadow": "on"})
    assert plan.fields == {"failures_to_open": 3, "backoff": {"base_s": 2.5}, "shadow": True}
    assert plan.changes == ("shadow: false -> true", "backoff.base_s: 30 -> 2.5")


def test_an_emptied_field_is_as_the_config_has_it_again() -> None:
    laid = {"failures_to_open": 3, "backoff": {"base_s": 2.0}}
    plan = plan_of(detail(laid), {"backoff.base_s": "", "window.span_s": ""})
    assert plan.fields == {"failures_to_open": 3}
    assert plan.changes == ("backoff.base_s: 2 is taken back",)


def test_none_switches_off_what_may_be_off_and_nothing_else() -> None:
    assert plan_of(detail(), {"failures_to_open": "None"}).fields == {"failures_to_open": None}
    assert plan_of(detail(), {"backoff.jitter": "none"}).fields == {"backoff": {"jitter": "none"}}
    with pytest.raises(ConfigError, match="half_open_calls: 'none'; want a whole number 1 to 1,000"):
        plan_of(detail(), {"half_open_calls": "none"})


@pytest.mark.parametrize("text", ["nan", "inf", "-1", "1.5", "0x10", "1,000", "x" * 999])
def test_what_is_no_such_number_is_refused_in_words_of_bounded_length(text: str) -> None:
    with pytest.raises(ConfigError) as refused:
        plan_of(detail(), {"window.buckets": text})
    assert len(str(refused.value)) < 200


@given(
    st.dictionaries(st.sampled_from([figure.name for figure in figures()]), st.text(max_size=12), max_size=4)
)
def test_whatever_is_typed_is_refused_or_is_what_a_policy_is_made_of(typed: dict[str, str]) -> None:
    try:
        plan = plan_of(detail(), typed)
    except ConfigError:
        return
    assert msgspec.json.decode(msgspec.json.encode(plan.fields)) == plan.fields
    assert len(plan.changes) == len(values_in(plan.fields))


def test_an_answer_of_another_version_that_lacks_all_is_a_form_without_values() -> None:
    assert laid_in({}) == {}
    assert plan_of({}, {"shadow": "true"}).fields == {"shadow": True}
