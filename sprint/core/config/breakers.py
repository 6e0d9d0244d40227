"""`[breakers]` as the relay takes it: figures laid over packaged policies, and what stands beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from sprint.core.breaker.policy_set import OWN_MARK
from sprint.core.breaker.rounds import Intervals
from sprint.core.config.breaker_keys import EJECTED_KEY, EJECTED_PERCENT_MAX, INTERVALS, NO_POLICIES
from sprint.core.config.formats import key_text
from sprint.core.config.keys import read_leaves
from sprint.core.errors import ConfigError

SOURCE_KIND = "source"


class BreakerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a config says of breakers. `overrides` are figures by the name of a policy or of one breaker."""

    overrides: dict[str, dict[str, Any]] = {}
    group_ejected_percent_max: float = EJECTED_PERCENT_MAX
    intervals: Intervals = Intervals()

    def changed_keys(self, other: BreakerSettings) -> tuple[str, ...]:
        """Return the keys that differ, by their dotted names, sorted."""
        one, two = dict(_leaves(self)), dict(_leaves(other))
        return tuple(sorted(key for key in {**one, **two} if one.get(key, ...) != two.get(key, ...)))


def breaker_settings(section: Mapping[str, Any]) -> BreakerSettings:
    """Return what `[breakers]` says, each value converted to its key's kind. It was looked at before."""
    table: dict[str, Any] = {name: {} for name, fields in section.items() if isinstance(fields, Mapping)}
    for leaf in read_leaves({"breakers": section})[0]:
        within = table
        for name in leaf.path[1:-1]:
            within = within.setdefault(str(name), {})
        within[str(leaf.path[-1])] = leaf.key.convert(leaf.value)
    return BreakerSettings(
        overrides={name: fields for name, fields in table.items() if name not in NO_POLICIES},
        group_ejected_percent_max=table.get(EJECTED_KEY, EJECTED_PERCENT_MAX),
        intervals=Intervals(**table.get(INTERVALS, {})),
    )


def check_breaker_names(settings: BreakerSettings, id_of: Callable[[str], str]) -> None:
    """Refuse a single breaker that no source could have; `id_of` knows which chains there are."""
    for name in settings.overrides:
        if OWN_MARK not in name:
            continue
        place = f"breakers.{key_text(name)}"
        kind, _, rest = name.partition(OWN_MARK)
        chain, _, source = rest.partition(OWN_MARK)
        if kind != SOURCE_KIND or not chain or not source:
            raise ConfigError(
                f"{place}: want breakers.{key_text('source:CHAIN:NAME')}, of a source of a chain"
            )
        try:
            chain_id = id_of(chain)
        except ConfigError as error:
            raise ConfigError(f"{place}: {error}") from error
        if chain_id != chain:
            meant = key_text(OWN_MARK.join((kind, chain_id, source)))
            raise ConfigError(f"{place}: the breaker is called by the chain's own name: breakers.{meant}")


def figures(record: msgspec.Struct, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Return each field of a record and of those within, by its dotted path."""
    for field in record.__struct_fields__:
        value = getattr(record, field)
        if isinstance(value, msgspec.Struct):
            yield from figures(value, f"{prefix}{field}.")
        else:
            yield f"{prefix}{field}", value


def _leaves(settings: BreakerSettings) -> Iterator[tuple[str, Any]]:
    yield f"breakers.{EJECTED_KEY}", settings.group_ejected_percent_max
    yield from figures(settings.intervals, f"breakers.{INTERVALS}.")
    for name, fields in settings.overrides.items():
        yield from _inner(f"breakers.{key_text(name)}", fields)


def _inner(place: str, fields: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in fields.items():
        if isinstance(value, Mapping):
            yield from _inner(f"{place}.{name}", value)
        else:
            yield f"{place}.{name}", value
