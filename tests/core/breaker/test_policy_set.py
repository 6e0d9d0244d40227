"""Policies of a relay: a tier, what is called over it, one breaker over that; where each figure is from."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.breaker.policy_set import PackagedPolicies, PolicySet, parse_policy_set
from sprint.core.errors import ConfigError

PACKAGED = PackagedPolicies(
    tiers="[low]\ntrial_lease_s = 1\nhalf_open_calls = 2\n[high]\ntrial_lease_s = 2\nhalf_open_calls = 3\n",
    callees="[source]\nhalf_open_calls = 1\nbackoff = { base_s = 4 }\n",
)
ONE = "source:bitcoin:one"


def laid(tier: str = "high", **overrides: dict[str, Any]) -> PolicySet:
    named = {name.replace("one", ONE): fields for name, fields in overrides.items()}
    return parse_policy_set(PACKAGED, named, tier)


def test_what_is_called_stands_on_the_tier_that_is_served() -> None:
    for tier, lease_s in (("low", 1), ("high", 2)):
        source = laid(tier).named["source"]
        assert (source.trial_lease_s, source.half_open_calls, source.backoff.base_s) == (lease_s, 1, 4)


def test_each_layer_is_laid_over_the_one_below_figure_by_figure() -> None:
    found = laid(high={"trial_lease_s": 5}, source={"failures_to_open": 4}, one={"backoff": {"longest_s": 9}})
    assert found.named["low"].trial_lease_s == 1
    one = found.own[ONE]
    assert (one.name, one.trial_lease_s, one.failures_to_open) == (ONE, 5, 4)
    assert (one.backoff.base_s, one.backoff.longest_s) == (4, 9)
    assert list(found.in_use) == ["high", "source", ONE]


def test_a_figure_is_taken_from_the_layer_below_unless_it_is_packaged_with_its_own() -> None:
    found = laid(one={})
    assert found.laid_under(ONE, "trial_lease_s") == "source"
    assert found.laid_under("source", "trial_lease_s") == "high"
    assert found.laid_under("source", "backoff.base_s") is None
    assert found.laid_under("source", "backoff.longest_s") == "high"
    assert found.laid_under("high", "trial_lease_s") is None


@pytest.mark.parametrize(
    ("name", "fields", "said"),
    [
        (
            "sorce",
            {},
            "breakers.sorce: no such policy; there are low, high, source, and a breaker's own by its",
        ),
        ("sink:x", {}, 'breakers."sink:x": a breaker\'s name begins with what it calls'),
        ("source", {"half_open_calls": 2}, "breakers.source.half_open_calls = 2; want 1: a source makes one"),
        (ONE, {"half_open_calls": 2}, f'breakers."{ONE}".half_open_calls = 2; want 1: a source makes one'),
        (ONE, {"half_open_calls": 0}, f'breakers."{ONE}".half_open_calls: 0; want `int` >= 1'),
        (
            ONE,
            {"trial_lease_s": 500},
            f'breakers."{ONE}".half_open_longest_s = 120 is below trial_lease_s = 500',
        ),
        (
            "high",
            {"trial_lease_s": 500},
            "breakers.high.half_open_longest_s = 120 is below trial_lease_s = 500",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(name: str, fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_policy_set(PACKAGED, {name: fields}, "high")
    assert str(refused.value).startswith(said)


@given(st.sampled_from(["low", "high", "source", "one"]), st.integers(1, 1_000))
def test_a_figure_holds_for_all_that_stand_upon_it_and_have_none_of_their_own(name: str, calls: int) -> None:
    figures: dict[str, Any] = {"one": {}, name: {"failures_to_open": calls}}
    before, after = laid(one={}), laid(**figures)
    stand_upon = {"low": ["low"], "high": ["high", "source", ONE], "source": ["source", ONE], "one": [ONE]}
    everyone = [*after.named.items(), *after.own.items()]
    for each, policy in everyone:
        untouched = (before.named | before.own)[each].failures_to_open
        assert policy.failures_to_open == (calls if each in stand_upon[name] else untouched)
