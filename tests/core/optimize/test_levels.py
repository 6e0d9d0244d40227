"""The levels are the specification's table, and a field is set only within its limits."""

from __future__ import annotations

import msgspec
import pytest

from sprint.core.errors import ConfigError
from sprint.core.optimize.levels import LEVELS, LIMITS, LevelFields, changed, lower_level

# The rows of the specification's table that are figures: basic, standard, aggressive, enterprise, turbo.
TABLE: dict[str, tuple[object, ...]] = {
    "cpus_pinned": ("off", "wanted", "wanted", "required", "required"),
    "cpus_pinned_from_cpus": (0, 4, 0, 0, 0),
    "cpus_pinned_max": (0, 0, 0, 4, 2),
    "isolated_cpus": (False, False, False, False, True),
    "memory_lock": ("off", "wanted", "wanted", "required", "required"),
    "threads_per_cpu": (1, 2, 2, 2, 1),
    "preallocate_buffers": (False, False, True, True, True),
    "realtime": ("off", "off", "asked", "required", "required"),
    "memory_limit_percent": (50, 75, 80, 90, 95),
    "thread_stack_mb": (8, 8, 4, 8, 4),
    "huge_pages": ("off", "wanted", "wanted", "wanted", "wanted"),
    "huge_pages_from_cpus": (0, 8, 0, 0, 0),
    "numa": ("off", "wanted", "wanted", "wanted", "wanted"),
    "numa_from_cpus": (0, 16, 0, 0, 0),
    "gc_percent": (100, 50, 25, 10, 0),
    "gc_freeze": (False, True, True, True, True),
    "gc_full_when_idle": (False, False, False, True, True),
    "realtime_priority": (10, 10, 10, 10, 10),
}


@pytest.mark.parametrize("field", TABLE)
def test_a_row_of_the_table(field: str) -> None:
    assert tuple(getattr(level.fields, field) for level in LEVELS.values()) == TABLE[field]


def test_the_seeds_words_are_labels() -> None:
    assert [level.label for level in LEVELS.values()] == ["basic", "standard", "high", "maximum", "maximum"]


def test_basic_leaves_everything_of_the_host_as_it_is() -> None:
    assert LEVELS["basic"].fields == LevelFields()


def test_the_way_down_ends_below_basic() -> None:
    assert [lower_level(name) for name in LEVELS] == [None, "basic", "standard", "aggressive", "enterprise"]


def test_texts_are_read_as_their_fields_type() -> None:
    fields = changed(LevelFields(), {"nice": "-5", "gc_freeze": "on", "realtime": "required"})
    assert (fields.nice, fields.gc_freeze, fields.realtime) == (-5, True, "required")
    assert changed(fields, {"gc_freeze": "off", "system": False}).gc_freeze is False


@pytest.mark.parametrize("field", LIMITS)
def test_a_number_is_taken_at_its_limits_and_refused_one_over(field: str) -> None:
    least, most = LIMITS[field]
    for value in (least, most):
        assert getattr(changed(LevelFields(), {field: str(value)}), field) == value
    for value in (least - 1, most + 1):
        with pytest.raises(ConfigError, match=rf"{field} = {value}: may be {least} to {most}"):
            changed(LevelFields(), {field: value})


def test_every_number_has_limits() -> None:
    numbers = {each.name for each in msgspec.structs.fields(LevelFields) if each.type is int}
    assert numbers == set(LIMITS)


@pytest.mark.parametrize(
    ("key", "value"),
    [("nise", 1), ("nice", "x"), ("realtime", "yes"), ("gc_freeze", "perhaps"), ("numa", None)],
)
def test_what_is_no_field_or_no_value_of_it_is_refused_by_name(key: str, value: object) -> None:
    with pytest.raises(ConfigError, match=key):
        changed(LevelFields(), {key: value})


def test_levels_themselves_are_within_the_limits() -> None:
    for level in LEVELS.values():
        assert changed(level.fields, msgspec.structs.asdict(level.fields)) == level.fields
