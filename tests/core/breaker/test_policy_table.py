"""Policies as data: the packaged tiers are those of the contract, and what cannot be is refused whole."""

from __future__ import annotations

import math
from collections.abc import Iterator
from importlib import resources
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from sprint.core.breaker.policy import COUNT_MAX, FACTOR_MAX, SECONDS_MAX, Policy
from sprint.core.breaker.policy_table import POLICIES_MAX, check_policy, parse_policies
from sprint.core.errors import ConfigError

PACKAGED = resources.files("sprint.core.breaker").joinpath("policies.toml").read_text(encoding="utf-8")


def test_the_packaged_tiers_are_those_of_the_contract() -> None:
    rows = {
        name: (
            policy.failures_to_open,
            policy.backoff.base_s,
            policy.half_open_calls,
            policy.window.slow_call_s,
            policy.backoff.multiplier,
            policy.backoff.longest_s,
        )
        for name, policy in parse_policies(PACKAGED).items()
    }
    assert rows == {
        "free": (3, 120, 2, 10, 2.0, 1200),
        "developer": (5, 60, 3, 10, 2.0, 600),
        "business": (10, 30, 5, 5, 1.75, 300),
        "turbo": (20, 15, 10, 2, 1.5, 120),
        "enterprise": (20, 15, 10, 2, 1.5, 120),
    }


def test_adaptive_features_and_health_parts_grow_with_the_tier() -> None:
    tiers = parse_policies(PACKAGED)
    on = {
        name: (p.adaptive.enabled, p.latency.enabled, p.recovery.enabled, p.prediction.enabled)
        for name, p in tiers.items()
    }
    assert on["free"] == on["developer"] == (False, False, False, False)
    assert on["business"] == (True, True, False, False)
    # Prediction has no skill on held-out outages: off everywhere.
    assert on["turbo"] == on["enterprise"] == (True, True, True, False)
    parts = {name: health_parts(policy) for name, policy in tiers.items()}
    assert parts["free"] == parts["developer"] == ["success_rate", "error_rate"]
    assert parts["business"] == ["success_rate", "latency", "error_rate"]
    assert len(parts["turbo"]) == len(parts["enterprise"]) == 5


def health_parts(policy: Policy) -> list[str]:
    names = ("success_rate", "latency", "error_rate", "resources", "throughput")
    return [name for name in names if getattr(policy.health, f"weight_{name}") > 0]


def test_a_config_is_laid_over_field_by_field_also_within_a_record() -> None:
    laid = parse_policies(PACKAGED, {"free": {"failures_to_open": 4, "backoff": {"jitter": "none"}}})
    assert laid["free"].failures_to_open == 4
    assert (laid["free"].backoff.jitter, laid["free"].backoff.base_s) == ("none", 120)
    assert laid["developer"] == parse_policies(PACKAGED)["developer"]


def test_a_name_of_ones_own_is_a_policy_over_the_defaults() -> None:
    own = parse_policies(PACKAGED, {"wallet": {"half_open_calls": 1}})["wallet"]
    assert own == replace(Policy(name="wallet"), half_open_calls=1)


def test_a_detector_is_switched_off_by_a_word_as_toml_has_no_null() -> None:
    text = "[own]\nfailures_to_open = 'none'\nlatency.baseline_s = 'none'\nbackoff.jitter = 'none'\n"
    own = parse_policies(text)["own"]
    assert (own.failures_to_open, own.latency.baseline_s, own.backoff.jitter) == (None, None, "none")
    with pytest.raises(ConfigError, match="Expected `bool`, got `str`"):
        parse_policies("[own]\nshadow = 'none'\n")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            {"free": {"failures_to_opne": 3}},
            r"unknown key breakers\.free\.failures_to_opne; did you mean fail",
        ),
        (
            {"free": {"backoff": {"bse_s": 3}}},
            r"unknown key breakers\.free\.backoff\.bse_s; did you mean base",
        ),
        ({"free": {"half_open_calls": 0}}, r"breakers\.free: Expected `int` >= 1 - at `\$\.half_open_calls`"),
        (
            {"free": {"backoff": {"longest_s": 1}}},
            r"breakers\.free\.backoff\.longest_s = 1 is below backoff\.base_s = 120",
        ),
        ({"free": {"half_open_longest_s": 29}}, r"half_open_longest_s = 29 is below trial_lease_s = 30"),
        (
            {"turbo": {"recovery": {"base": 0.5}}},
            r"base = 0\.5 reaches recovery\.trial_from = 0\.5",
        ),
        ({"free": {"name": "x"}}, r"breakers\.free\.name: a policy is called as its table"),
        (
            {"free": {"health": {"weight_success_rate": 0, "weight_error_rate": 0}}},
            r"health\.weight_… = 0 in all",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_its_key(overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_policies(PACKAGED, overrides)


def test_a_text_that_is_no_toml_is_refused_with_its_place() -> None:
    with pytest.raises(ConfigError, match=r"breakers: .*line 1"):
        parse_policies("[free\n")


def test_the_number_of_policies_is_bounded() -> None:
    names = [f"p{number}" for number in range(POLICIES_MAX + 1)]
    assert len(parse_policies("", {name: {} for name in names[:-1]})) == POLICIES_MAX
    with pytest.raises(ConfigError, match=f"{POLICIES_MAX + 1} policies, limit {POLICIES_MAX}"):
        parse_policies("", {name: {} for name in names})


def test_the_default_policy_can_be() -> None:
    assert check_policy(Policy(), "default") == Policy()


def figures_with_no_end() -> list[str]:
    """Name the numbers of a policy that a greatest value alone bounds."""

    def of(record: type[msgspec.Struct], prefix: str) -> Iterator[str]:
        for field in msgspec.structs.fields(record):
            default = field.default
            if isinstance(default, msgspec.Struct):
                yield from of(type(default), f"{prefix}{field.name}.")
            elif not isinstance(default, bool | str):
                yield prefix + field.name

    return list(of(Policy, ""))


def nested(key: str, value: object) -> dict[str, Any]:
    head, _, rest = key.partition(".")
    return {head: nested(rest, value) if rest else value}


@pytest.mark.parametrize("key", figures_with_no_end())
def test_no_figure_is_taken_that_is_endless_or_no_number(key: str) -> None:
    for value in (math.inf, math.nan, 1e300, 10**15, math.nextafter(SECONDS_MAX, math.inf) + FACTOR_MAX):
        with pytest.raises(ConfigError, match=key.rpartition(".")[2]):
            parse_policies(PACKAGED, {"free": nested(key, value)})


@pytest.mark.parametrize(
    ("key", "greatest"),
    [
        ("backoff.longest_s", SECONDS_MAX),
        ("half_open_longest_s", SECONDS_MAX),
        ("window.span_s", SECONDS_MAX),
        ("latency.slow_for_s", SECONDS_MAX),
        ("failures_to_open", COUNT_MAX),
        ("adaptive.greatest", FACTOR_MAX),
    ],
)
def test_a_figure_is_taken_up_to_its_greatest_value_and_no_further(key: str, greatest: float) -> None:
    over = greatest + 1 if isinstance(greatest, int) else math.nextafter(greatest, math.inf)
    parse_policies(PACKAGED, {"free": nested(key, greatest)})
    with pytest.raises(ConfigError, match=key.rpartition(".")[2]):
        parse_policies(PACKAGED, {"free": nested(key, over)})
