"""Figures laid over a policy: all of them or none, and a refusal says key, value and limit."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.breaker.policy import Policy
from sprint.core.breaker.policy_overlay import policy_with
from sprint.core.breaker.policy_table import check_policy
from sprint.core.errors import ConfigError

BASE = Policy(name="source", failures_to_open=3)
SECTIONS = ("backoff", "window", "adaptive", "latency", "health", "recovery", "prediction")
KEYS = [field.encode_name for field in msgspec.structs.fields(Policy)]
INNER = sorted(
    {field.encode_name for name in SECTIONS for field in msgspec.structs.fields(type(getattr(BASE, name)))}
)
VALUES = st.none() | st.booleans() | st.integers(-5, 2_000) | st.floats() | st.text(max_size=5)
FIELDS = st.dictionaries(
    st.sampled_from(KEYS) | st.text(max_size=6),
    VALUES | st.dictionaries(st.sampled_from(INNER) | st.text(max_size=6), VALUES, max_size=3),
    max_size=4,
)


def test_figures_are_laid_over_and_the_rest_stays() -> None:
    policy = policy_with(BASE, {"half_open_calls": 2, "backoff": {"base_s": 1}})
    assert (policy.half_open_calls, policy.backoff.base_s) == (2, 1.0)
    assert (policy.name, policy.failures_to_open) == ("source", 3)
    assert policy.backoff.longest_s == BASE.backoff.longest_s
    assert policy_with(BASE, {}) == BASE


def test_the_keys_that_a_refusal_lists_can_all_be_set() -> None:
    with pytest.raises(ConfigError) as refused:
        policy_with(BASE, {"zzz": 1})
    listed = str(refused.value).partition("there are ")[2].split(", ")
    assert "name" not in listed
    assert len(listed) == len(KEYS) - 1
    fields = msgspec.to_builtins(BASE)
    assert policy_with(BASE, {key: fields[key] for key in listed}) == BASE


@pytest.mark.parametrize("off", [None, "none"])
def test_a_detector_is_switched_off_by_null_or_by_the_configs_word(off: str | None) -> None:
    assert policy_with(BASE, {"failures_to_open": off}).failures_to_open is None


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"half_open_calls": 0}, "half_open_calls: 0; want `int` >= 1"),
        ({"backoff": {"base_s": -1}}, "backoff.base_s: -1; want `float` > 0.0"),
        ({"backoff": {"base_s": 900}}, "backoff.longest_s = 300 is below backoff.base_s = 900"),
        ({"half_open_cals": 2}, "no key 'half_open_cals'; did you mean half_open_calls?"),
        ({"backoff": {"bas_s": 2}}, "no key 'backoff.bas_s'; did you mean backoff.base_s?"),
        ({"backoff": 3}, "backoff: 3; want `object`, got `int`"),
        ({"name": "mine"}, "name: a policy keeps its name; leave it out"),
        ({"window": {"kind": "calls"}}, "window.kind: 'calls'; want time, count"),
        ({"backoff": {"jitter": "some"}}, "backoff.jitter: 'some'; want none, full, equal"),
        ({"slow_rate_max": "nome"}, "slow_rate_max: 'nome'; want a number or \"none\""),
        ({"slow_rate_max": 2}, "slow_rate_max: 2; want `float` <= 1.0"),
        (
            {"health": {"throughput_per_s_target": []}},
            'health.throughput_per_s_target: []; want a number or "none"',
        ),
        ({"shadow": None}, "shadow: nothing; want `bool`, got `null`"),
    ],
)
def test_a_refusal_says_key_value_and_what_would_be_right(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        policy_with(BASE, fields)
    assert str(refused.value) == said


@given(FIELDS)
def test_any_fields_make_a_policy_that_can_be_or_are_refused(fields: dict[str, Any]) -> None:
    refused = ""
    try:
        policy = policy_with(BASE, fields)
    except ConfigError as error:
        refused = str(error)
    else:
        assert check_policy(policy, "") == policy
        assert policy.name == BASE.name
    assert refused.isprintable()
