"""Advice: a real setting with its value, the run's own numbers, and the part of the score that it raises."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from sprint.core.chaos import advice
from sprint.core.chaos.advice import Value, advice_of, flattened
from sprint.core.chaos.score import JUDGES
from tests.core.chaos.run_stories import CHAIN, NAMES, Story, breaker, dependencies, facts, policies

CONFIGURATION = Path(__file__).resolve().parents[3] / "docs" / "reference" / "configuration.md"
STORIES = [
    Story(opens_s=38.0, shows_s=38.0),
    Story(opens_s=None, shadow=True),
    Story(closes_s=55.0),
    Story(closes_s=None),
    Story(false_opens=2),
    Story(chain_stops=True),
]


def settings(story: Story, **figures: Value) -> dict[str, tuple[str, str]]:
    found = advice_of(facts(story), policies(**figures), dependencies())
    return {each.setting: (each.now, each.proposed) for each in found}


def test_nothing_is_advised_where_nothing_went_wrong() -> None:
    assert settings(Story()) == {}


def test_a_breaker_that_opened_late_has_fewer_failures_proposed() -> None:
    late = Story(opens_s=38.0, shows_s=38.0)
    assert settings(late, failures_to_open=20) == {"breakers.source.failures_to_open": ("20", "3")}
    assert settings(late, failures_to_open=None) == {"breakers.source.failures_to_open": ('"none"', "3")}


def test_no_fewer_failures_than_packaged_are_proposed() -> None:
    assert settings(Story(opens_s=38.0, shows_s=38.0)) == {}


def test_a_breaker_in_shadow_is_to_be_let_act() -> None:
    found = settings(Story(shadow=True), shadow=True, failures_to_open=20)
    assert found == {"breakers.source.shadow": ("true", "false")}


def test_a_breaker_that_closed_late_has_shorter_waits_proposed() -> None:
    assert settings(Story(closes_s=55.0)) == {"breakers.source.backoff.longest_s": ("30", "3.333")}
    assert settings(Story(closes_s=None), backoff__base_s=15.0, backoff__longest_s=120.0) == {
        "breakers.source.backoff.base_s": ("15", "1"),
        "breakers.source.backoff.longest_s": ("120", "3.333"),
    }


def test_the_longest_wait_is_not_proposed_below_the_first_one() -> None:
    found = advice_of(facts(Story(closes_s=55.0), sla_s=1.2), policies(), dependencies())
    assert [each.proposed for each in found] == ["1"]


def test_an_opening_without_a_fault_has_the_detectors_own_figure_made_milder() -> None:
    assert settings(Story(false_opens=1)) == {"breakers.source.failures_to_open": ("3", "6")}


def test_a_chain_that_stopped_is_to_have_another_provider() -> None:
    found = settings(Story(chain_stops=True))
    three, four = "3 sources of 3 providers", "4 sources of 4 providers"
    assert found == {f"chains.{CHAIN}.sources": (three, four)}


def test_nothing_is_advised_of_a_breaker_whose_figures_are_not_known() -> None:
    assert advice_of(facts(Story(closes_s=None, false_opens=1)), {}, dependencies()) == ()


@pytest.mark.parametrize("story", STORIES)
def test_every_advice_names_a_key_of_the_config_its_evidence_and_a_part_of_the_score(story: Story) -> None:
    text = CONFIGURATION.read_text(encoding="utf-8")
    keys = set(re.findall(r"^\| `([a-z_.0-9]+)` \|", text, re.MULTILINE))
    found = advice_of(facts(story), policies(failures_to_open=20, shadow=story.shadow), dependencies())
    assert found
    for each in found:
        parts = re.fullmatch(r"(breakers\.source|chains\.[a-z-]+)\.(.+)", each.setting)
        assert parts
        assert parts[2] in keys
        assert re.search(r"\d", each.evidence)
        assert each.raises in JUDGES
        assert each.now != each.proposed


@pytest.mark.parametrize("name", [name for name, _ in advice._MILDER.values()])
def test_every_figure_that_is_made_milder_is_a_key_of_the_config(name: str) -> None:
    assert f"| `{name}` |" in CONFIGURATION.read_text(encoding="utf-8")


def test_a_policy_as_the_admin_api_gives_it_is_read_by_dotted_names() -> None:
    policy = {"failures_to_open": 3, "slow_rate_max": None, "backoff": {"base_s": 1.0}, "odd": [1]}
    assert flattened(policy) == {"failures_to_open": 3, "slow_rate_max": None, "backoff.base_s": 1.0}


def test_the_evidence_of_several_breakers_for_one_setting_is_joined() -> None:
    good = facts(Story())
    late = [msgspec.structs.replace(good.breakers[0], breaker=breaker(n), opened_after_s=None) for n in NAMES]
    bad = msgspec.structs.replace(good, breakers=tuple(late))
    (one,) = advice_of(bad, policies(failures_to_open=9), dependencies())
    assert all(breaker(name) in one.evidence for name in NAMES)
