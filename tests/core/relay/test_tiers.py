"""Tiers are data: the packaged table is the one of the contract, a config overrides it field by field."""

from __future__ import annotations

import re
from importlib import resources
from typing import Any

import pytest

from sprint.core.errors import ConfigError
from sprint.core.relay.tiers import find_tier, parse_tiers

PACKAGED = resources.files("sprint.core.relay").joinpath("tiers.toml").read_text(encoding="utf-8")


def test_the_packaged_tiers_have_the_figures_of_the_contract() -> None:
    tiers = parse_tiers(PACKAGED)
    figures = {
        t.name: (t.port, t.requests_per_minute, t.connections_max, t.coalescing_window_ms, t.rank)
        for t in tiers.values()
    }
    assert figures == {
        "free": (8080, 1_000, 100, 50.0, 1),
        "developer": (8080, 5_000, 500, 25.0, 2),
        "business": (8082, 10_000, 1_000, 10.0, 3),
        "turbo": (9000, 100_000, 10_000, 0.0, 5),
        "enterprise": (9000, 0, 0, 0.0, 4),
    }
    assert [t.delivery_goal_ms for t in tiers.values()] == [100.0, 50.0, 50.0, 5.0, 10.0]
    assert [t.history_days for t in tiers.values()] == [1, 1, 7, 30, 90]


@pytest.mark.parametrize(
    ("name", "found"),
    [("turbo", "turbo"), ("Turbo", "turbo"), ("DEV", "developer"), ("Professional", "business")],
)
def test_a_tier_is_found_by_name_or_alias_in_any_case(name: str, found: str) -> None:
    assert find_tier(parse_tiers(PACKAGED), name).name == found


def test_an_unknown_tier_is_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match="tier 'gold': there are free, developer, business, turbo"):
        find_tier(parse_tiers(PACKAGED), "gold")


def test_a_config_overrides_one_field_and_leaves_the_others() -> None:
    packaged, changed = parse_tiers(PACKAGED), parse_tiers(PACKAGED, {"free": {"port": 18080}})
    assert changed["free"].port == 18080
    assert changed["free"].rank == packaged["free"].rank
    assert {n: t for n, t in changed.items() if n != "free"} == {
        n: t for n, t in packaged.items() if n != "free"
    }


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"gold": {"port": 1}}, "tiers.gold: no such tier; there are free, developer"),
        ({"free": {"prot": 1}}, "unknown key tiers.free.prot; did you mean tiers.free.port?"),
        ({"free": {"x": 1}}, "unknown key tiers.free.x; there are aliases, port, rank"),
        ({"turbo": {"port": "x"}}, "tiers.turbo: Expected `int`, got `str` - at `$.port`"),
        ({"turbo": {"name": "x"}}, "tiers.turbo.name: a tier is called as its table"),
    ],
)
def test_a_wrong_override_is_refused_by_tier_and_field(overrides: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        parse_tiers(PACKAGED, overrides)
