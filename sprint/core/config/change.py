"""What differs between the config that runs and one that was read again, and what can be done about it.

`running_values` flattens a config to what can be compared; `ConfigChange` says what a reload applies at once
and which keys are read at the start only. The relay applies it; `applied` says what runs from then on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from sprint.core.config.breakers import BreakerSettings
from sprint.core.config.keys import KEYS, find_key
from sprint.core.config.origins import Resolved
from sprint.core.relay.source_url import SourceSpec
from sprint.core.relay.tiers import find_tier

# Dotted names to values; a source stands as one, under its own name, and so does all of `[breakers]`.
Values = Mapping[str, Any]
BREAKERS = "breakers"


class ConfigChange(msgspec.Struct, frozen=True, kw_only=True):
    """A reload's difference.

    A source that was changed is in `sources_removed` as it was and in `sources_added` as it is to be.
    `tiers` has the changed fields of each tier served, by its name. `breakers` is all of `[breakers]` as it
    is to be, `breaker_keys` what of it differs. It and `log_level` are None where they stay.
    `restart` names what differs and is read at the start only.
    """

    sources_removed: tuple[SourceSpec, ...] = ()
    sources_added: tuple[SourceSpec, ...] = ()
    tiers: dict[str, dict[str, Any]] = {}
    features: dict[str, bool] = {}
    log_level: str | None = None
    breakers: BreakerSettings | None = None
    breaker_keys: tuple[str, ...] = ()
    restart: tuple[str, ...] = ()

    @property
    def at_once(self) -> tuple[str, ...]:
        """The keys that are applied at once, sorted."""
        keys = {source_key(spec) for spec in (*self.sources_removed, *self.sources_added)}
        keys |= {f"tiers.{tier}.{field}" for tier, fields in self.tiers.items() for field in fields}
        keys |= {f"features.{name}" for name in self.features} | {*self.breaker_keys}
        return tuple(sorted(keys | ({"log.level"} if self.log_level is not None else set())))

    def __bool__(self) -> bool:
        return bool(self.at_once or self.restart)


def source_key(spec: SourceSpec) -> str:
    """Return the key that a source goes by in a change: `chains.litecoin-regtest.sources.core-1`."""
    chain = spec.chain + (f"-{spec.network}" if spec.network else "")
    return f"chains.{chain}.sources.{spec.name}"


def running_values(resolved: Resolved, sources: Sequence[SourceSpec], *, quiet: bool = False) -> Values:
    """Flatten a config: every key with the value it has, of tiers those that are served.

    `quiet` is the flag that holds the log at warnings whatever the config says.
    """
    config = resolved.config
    values: dict[str, Any] = {}
    for key in KEYS.values():
        section = key.name.split(".")[0]
        if section not in ("chains", "tiers", BREAKERS):
            values[key.name] = getattr(getattr(config, section), key.field)
    for tier in (find_tier(resolved.tiers, name) for name in config.relay.tiers):
        fields = msgspec.structs.asdict(tier)
        values |= {f"tiers.{tier.name}.{field}": v for field, v in fields.items() if field != "name"}
    for name, chain in config.chains.items():
        fields = msgspec.structs.asdict(chain)
        values |= {f"chains.{name}.{field}": v for field, v in fields.items() if field != "sources"}
    if quiet:
        values["log.level"] = "warning"
    values[BREAKERS] = resolved.breakers
    return values | {source_key(spec): spec for spec in sources}


def change_between(running: Values, wanted: Values) -> ConfigChange:
    """Return what it takes to come from what runs to what is wanted."""
    differing = [name for name in {**running, **wanted} if _differs(name, running, wanted)]
    removed, added = [], []
    tiers: dict[str, dict[str, Any]] = {}
    features: dict[str, bool] = {}
    restart: list[str] = []
    for name in differing:
        old, new = running.get(name), wanted.get(name)
        if isinstance(old, SourceSpec) or isinstance(new, SourceSpec):
            removed += [old] if isinstance(old, SourceSpec) else []
            added += [new] if isinstance(new, SourceSpec) else []
        elif name == BREAKERS:
            continue
        elif not find_key(name).at_once or name not in running or name not in wanted:
            restart.append(name)
        elif name.startswith("tiers."):
            _, tier, field = name.split(".")
            tiers.setdefault(tier, {})[field] = new
        elif name.startswith("features."):
            features[name.partition(".")[2]] = bool(new)
    return ConfigChange(
        sources_removed=tuple(removed),
        sources_added=tuple(added),
        tiers=tiers,
        features=features,
        log_level=wanted["log.level"] if "log.level" in differing else None,
        breakers=wanted[BREAKERS] if BREAKERS in differing else None,
        breaker_keys=wanted[BREAKERS].changed_keys(running[BREAKERS]) if BREAKERS in differing else (),
        restart=tuple(sorted(restart)),
    )


def applied(running: Values, wanted: Values, change: ConfigChange, refused: Sequence[str] = ()) -> Values:
    """Return what runs once a change was applied, but for the keys that could not be."""
    values = dict(running)
    names = {BREAKERS if name in change.breaker_keys else name for name in change.at_once}
    for name in names - set(refused):
        if name in wanted:
            values[name] = wanted[name]
        else:
            del values[name]
    return values


def _differs(name: str, running: Values, wanted: Values) -> bool:
    """Tell whether a key differs; one of a chain that is on one side only, where it is not its default.

    A tier that is on one side only is served there only, and that is what `relay.tiers` says.
    """
    if name in running and name in wanted:
        return bool(running[name] != wanted[name])
    value = running[name] if name in running else wanted[name]
    if isinstance(value, SourceSpec):
        return True
    return not name.startswith("tiers.") and bool(value != find_key(name).default)
