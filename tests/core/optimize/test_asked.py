"""What is asked for: each layer goes over the one below and is named; what is wrong has its place."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprint.core.errors import ConfigError
from sprint.core.optimize.asked import (
    FIELDS,
    PROFILES,
    Layer,
    asked,
    environment_layers,
    find_level,
    overrides_of,
    set_layer,
)
from sprint.core.optimize.levels import LEVELS


def test_without_anybody_asking_it_is_standard_as_it_is() -> None:
    found = asked(())
    assert (found.level, found.level_origin, found.changes) == ("standard", "default", {})
    assert found.fields == LEVELS["standard"].fields


@given(st.lists(st.sampled_from(list(LEVELS)), min_size=1, max_size=5))
def test_the_last_layer_that_names_a_level_is_the_one_that_counts(levels: list[str]) -> None:
    found = asked([Layer(f"layer {number}", level) for number, level in enumerate(levels)])
    assert (found.level, found.level_origin) == (levels[-1], f"layer {len(levels) - 1}")


def test_a_field_stays_set_whichever_level_is_taken_above_it() -> None:
    found = asked(
        [
            Layer("file", "basic", {"gc_percent": 80}),
            Layer("--level", "turbo"),
            Layer("--set", None, {"nice": 3}),
        ]
    )
    assert found.level == "turbo"
    assert found.fields == msgspec.structs.replace(LEVELS["turbo"].fields, gc_percent=80, nice=3)
    assert found.origins == {"gc_percent": "file", "nice": "--set"}
    lower = found.at("enterprise", "--fallback")
    assert lower.fields == msgspec.structs.replace(LEVELS["enterprise"].fields, gc_percent=80, nice=3)


def test_a_level_that_is_none_is_refused_with_its_place_and_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"^--level: level 'tubro': did you mean turbo\?$"):
        asked([Layer("--level", "tubro")])
    with pytest.raises(ConfigError, match="there are basic, standard, aggressive, enterprise, turbo"):
        find_level("9")
    assert find_level(" Turbo ") == "turbo"


def test_the_papers_words_are_levels_and_one_with_two_meanings_is_noted() -> None:
    assert asked([Layer("file", "high")]).level == "aggressive"
    found = asked([Layer("file", "maximum")])
    assert found.level == "enterprise"
    assert "say turbo for that" in found.notes[0]


WRONG = [
    (["gc_percnt=5"], "--set: unknown key gc_percnt; did you mean gc_percent?"),
    (["gc_percent=lots"], "--set: gc_percent = 'lots'"),
    (["gc_percent=-1"], "--set: gc_percent = -1: may be 0 to"),
    (["memory_lock=maybe"], "--set: memory_lock = 'maybe'"),
    (["gc_freeze=5"], "--set: gc_freeze = '5'"),
    (["gc_percent"], "--set 'gc_percent': want KEY=VALUE"),
    (["gc_percent="], "want KEY=VALUE"),
    (["nice=1", "nice=2"], "--set nice is given twice"),
    (["realtime_priority=51"], "may be 1 to 50"),
]


@pytest.mark.parametrize(("texts", "said"), WRONG, ids=lambda value: str(value)[:40])
def test_what_is_set_wrong_names_the_key_and_what_would_be_right(texts: list[str], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        asked([set_layer(texts)])
    assert said in str(caught.value)


@given(st.sampled_from(FIELDS))
def test_each_field_may_be_set_to_what_it_is_at_any_level(name: str) -> None:
    for level in LEVELS.values():
        value = getattr(level.fields, name)
        text = str(value).lower() if isinstance(value, bool) else str(value)
        found = asked([set_layer([f"{name}={text}"])])
        assert getattr(found.fields, name) == value


def test_a_profile_names_its_level_and_ours_goes_before_the_papers() -> None:
    for word, level in PROFILES.items():
        assert asked(environment_layers({"SPRINT_ENV": word.upper()})).level == level
    both = {"SPRINT_ENV": "development", "BITCOIN_SPRINT_ENV": "hft"}
    found = asked(environment_layers(both))
    assert (found.level, found.level_origin) == ("basic", "SPRINT_ENV=development")
    assert asked(environment_layers({"BITCOIN_SPRINT_ENV": "hft", "SPRINT_ENV": ""})).level == "turbo"
    with pytest.raises(
        ConfigError, match=r"SPRINT_ENV=prodution: no such profile; did you mean production\?"
    ):
        environment_layers({"SPRINT_ENV": "prodution"})


def test_the_papers_variables_set_their_fields_over_the_profiles_level() -> None:
    given_by = {
        "SPRINT_ENV": "trading",
        "GC_PERCENT": "0",
        "MAX_CPU_CORES": "3",
        "HIGH_PRIORITY": "off",
        "LOCK_OS_THREAD": "yes",
        "PREALLOC_BUFFERS": "false",
        "OPTIMIZE_SYSTEM": "0",
    }
    found = asked(environment_layers(given_by))
    fields = found.fields
    assert (found.level, fields.gc_percent, fields.cpus_pinned_max, fields.realtime) == ("turbo", 0, 3, "off")
    assert (fields.cpus_pinned, fields.preallocate_buffers, fields.system) == ("wanted", False, False)
    assert found.origins["gc_percent"] == "GC_PERCENT=0"
    with pytest.raises(ConfigError, match="GC_PERCENT='lots': want a whole number"):
        environment_layers({"GC_PERCENT": "lots"})
    with pytest.raises(ConfigError, match="HIGH_PRIORITY='perhaps': want true or false"):
        environment_layers({"HIGH_PRIORITY": "perhaps"})
    with pytest.raises(ConfigError, match="GC_PERCENT=5000: gc_percent = 5000: may be 0 to 1000"):
        asked(environment_layers({"GC_PERCENT": "5000"}))


def test_no_cores_at_most_leaves_it_to_the_level_whether_to_pin() -> None:
    assert overrides_of("max_cpu_cores", 0, "x") == {"cpus_pinned_max": 0}


def test_what_an_operator_has_set_is_the_operators_when_a_program_orders_it_along() -> None:
    before = asked([Layer("anna", "turbo", {"nice": 3, "gc_percent": 10})])
    after = asked([Layer("a program", "standard", {"nice": 3, "gc_percent": 20})]).after(before)
    assert after.origins == {"nice": "anna", "gc_percent": "a program"}
    assert (after.level, after.changes) == ("standard", {"nice": 3, "gc_percent": 20})
