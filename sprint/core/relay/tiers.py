"""A tier's policy: a record that rides on each subscriber, so that nothing in code compares tier names.

The packaged figures stand in `tiers.toml` beside this file; the edge reads it and hands its text here.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import msgspec

from sprint.core.errors import ConfigError


class TierPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one tier is given; 0 in `connections_max` or `requests_per_minute` means no limit of its own.

    `optimize_level` is of the process, so it counts where the tier alone is served.
    """

    name: str
    aliases: tuple[str, ...] = ()
    port: Annotated[int, msgspec.Meta(ge=0, le=65_535)]
    rank: Annotated[int, msgspec.Meta(ge=1)]
    coalescing_window_ms: Annotated[float, msgspec.Meta(ge=0, le=60_000)]
    delivery_goal_ms: Annotated[float, msgspec.Meta(gt=0)]
    connections_max: Annotated[int, msgspec.Meta(ge=0)]
    requests_per_minute: Annotated[int, msgspec.Meta(ge=0)]
    optimize_level: str = "standard"
    history_days: Annotated[int, msgspec.Meta(ge=1, le=36_500)]


def parse_tiers(text: str, overrides: Mapping[str, Mapping[str, Any]] | None = None) -> dict[str, TierPolicy]:
    """Read the packaged table, with a config's `[tiers.NAME]` laid over it field by field."""
    table: dict[str, dict[str, Any]] = tomllib.loads(text)
    for name, fields in (overrides or {}).items():
        if name not in table:
            raise ConfigError(f"tiers.{name}: no such tier; there are {', '.join(table)}")
        table[name] |= fields
    return {name: _policy(name, fields) for name, fields in table.items()}


def find_tier(tiers: Mapping[str, TierPolicy], name: str) -> TierPolicy:
    """Return a tier by its name or an alias, in any case."""
    wanted = name.lower()
    for tier in tiers.values():
        if wanted == tier.name or wanted in tier.aliases:
            return tier
    raise ConfigError(f"tier {name!r}: there are {', '.join(tiers)}")


def highest_tier(tiers: Iterable[TierPolicy]) -> TierPolicy:
    """Return the tier of highest rank; what belongs to the whole process goes by it."""
    return max(tiers, key=lambda tier: tier.rank)


def _policy(name: str, fields: Mapping[str, Any]) -> TierPolicy:
    if "name" in fields:
        raise ConfigError(f"tiers.{name}.name: a tier is called as its table; leave it out")
    known = [field.name for field in msgspec.structs.fields(TierPolicy) if field.name != "name"]
    for key in fields:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean tiers.{name}.{near[0]}?" if near else f"there are {', '.join(known)}"
            raise ConfigError(f"unknown key tiers.{name}.{key}; {hint}")
    try:
        return msgspec.convert({"name": name, **fields}, TierPolicy)
    except msgspec.ValidationError as error:
        raise ConfigError(f"tiers.{name}: {error}") from error
