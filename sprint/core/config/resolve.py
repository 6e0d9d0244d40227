"""Lays flags over environment over file over tiers over defaults; an error where one of them is wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from sprint.core.breaker.policy_set import PackagedPolicies, parse_policy_set
from sprint.core.config.breakers import breaker_settings
from sprint.core.config.environment import URL_KEY, environment_notes, environment_settings, shared_url
from sprint.core.config.formats import key_text
from sprint.core.config.keys import read_leaves
from sprint.core.config.optimize_layers import section_layers
from sprint.core.config.origins import Origin, Resolved, Setting
from sprint.core.config.sections import Config
from sprint.core.database_url import parse_database_url
from sprint.core.errors import ConfigError
from sprint.core.optimize.asked import asked, find_level
from sprint.core.relay.tiers import TierPolicy, find_tier, highest_tier, parse_tiers

_POLICY = re.compile(r'breakers\.("(?:[^"\\]|\\.)*"|[^\s.:="]+)')


class Layers(msgspec.Struct, frozen=True, kw_only=True):
    """What a config is made of. `name` is the file's, `notes` what was said of it when it was read."""

    table: Mapping[str, Any] = {}
    name: str = "defaults"
    environment: Mapping[str, str] = {}
    flags: tuple[Setting, ...] = ()
    tiers_text: str
    policies: PackagedPolicies
    notes: tuple[str, ...] = ()


def resolve(layers: Layers) -> Resolved:
    """Return the config that holds; ConfigError names the first thing that is wrong."""
    resolved, problems = try_resolve(layers)
    if resolved is None:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise ConfigError(problems[0] + more)
    return resolved


def try_resolve(layers: Layers) -> tuple[Resolved | None, list[str]]:
    """Return the config, or None and all that is wrong with it."""
    leaves, found = read_leaves(layers.table)
    problems = [f"{layers.name}: {problem}" for problem in found]
    variables, wrong = environment_settings(layers.environment)
    problems += wrong
    if problems:
        return None, problems
    origins = {leaf.name: Origin("file", layers.name) for leaf in leaves}
    laid = _copied(layers.table)
    given = [
        origins.get(URL_KEY),
        *(each.origin for each in (*variables, *layers.flags) if each.name == URL_KEY),
    ]
    shared, noted = shared_url(layers.environment, given[-1])
    for setting in (*variables, *layers.flags, *shared):
        _lay(laid, setting)
        origins[setting.name] = setting.origin
    try:
        config = msgspec.convert(laid, Config, strict=False)
        tiers = _tiers(config, layers.tiers_text, origins)
        asked(section_layers(config.optimize, origins, ("file", "environment", "flag")))
        _check_url(config, origins)
        breakers = breaker_settings(config.breakers)
        served = [find_tier(tiers, name) for name in config.relay.tiers]
        policies = parse_policy_set(layers.policies, breakers.overrides, highest_tier(served).name)
    except (msgspec.ValidationError, ConfigError) as error:
        return None, [_blamed(str(error), layers, origins)]
    said = (*layers.notes, *noted, *environment_notes(layers.environment))
    return Resolved(
        config=config, tiers=tiers, breakers=breakers, policies=policies, origins=origins, notes=said
    ), []


def _check_url(config: Config, origins: Mapping[str, Origin]) -> None:
    """ConfigError, with the layer it comes from, where the store's URL is none."""
    if config.store.url is None:
        return
    try:
        parse_database_url(config.store.url)
    except ConfigError as error:
        origin = origins[URL_KEY]
        where = {"flag": origin.name, "environment": f"environment: {origin.name}"}.get(origin.kind, URL_KEY)
        raise ConfigError(f"{where}: {error}") from error


def _tiers(config: Config, tiers_text: str, origins: Mapping[str, Origin]) -> dict[str, TierPolicy]:
    """Return the tiers; ConfigError where one is overridden or served that there isn't, or served twice."""
    tiers = parse_tiers(tiers_text, config.tiers)
    for tier in tiers.values():
        try:
            find_level(tier.optimize_level)
        except ConfigError as error:
            raise ConfigError(f"tiers.{tier.name}.optimize_level: {error}") from error
    served = config.relay.tiers
    origin = origins.get("relay.tiers")
    where = "relay.tiers"
    if origin is not None and origin.kind != "file":
        where = f"{origin.name}" if origin.kind == "flag" else f"environment: {origin.name}"
    try:
        found = [find_tier(tiers, tier).name for tier in served]
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error
    if len(set(found)) < len(found):
        raise ConfigError(f"{where}: {', '.join(served)}: a tier stands there twice")
    return tiers


def _blamed(message: str, layers: Layers, origins: Mapping[str, Origin]) -> str:
    """Put before a message where it comes from: variables that set a policy's figures, and else the file."""
    if message.startswith(("environment:", "--", f"{layers.name}:")):
        return message
    place = _POLICY.match(message)
    if place is None:
        return f"{layers.name}: {message}"
    in_file = any(f"breakers.{key_text(name)}" == place[0] for name in layers.table.get("breakers", {}))
    of_policy = [origin for key, origin in origins.items() if key.startswith(f"{place[0]}.")]
    # What is called stands on the tier's policy, so that a tier's figure may be what is wrong with it.
    if not of_policy and not in_file:
        of_policy = [origin for key, origin in origins.items() if key.startswith("breakers.")]
    variables = sorted(origin.name for origin in of_policy if origin.kind == "environment")
    in_file = in_file or any(origin.kind == "file" for origin in of_policy) or not variables
    said = [layers.name] if in_file else []
    said += [f"environment: {', '.join(variables)}"] if variables else []
    return f"{' and '.join(said)}: {message}"


def _copied(table: Mapping[str, Any]) -> dict[str, Any]:
    """Copy the tables that a layer may be laid into; the leaves are left as they are."""
    return {
        name: _copied(section) if isinstance(section, dict) else section for name, section in table.items()
    }


def _lay(table: dict[str, Any], setting: Setting) -> None:
    *sections, field = setting.name.split(".")
    for section in sections:
        table = table.setdefault(section, {})
    table[field] = setting.value
