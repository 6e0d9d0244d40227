"""All policies of a relay out of one set of overrides: of tiers, of what is called, of single breakers."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from sprint.core.breaker.policy import Policy
from sprint.core.breaker.policy_overlay import policy_with
from sprint.core.breaker.policy_table import parse_policies
from sprint.core.errors import ConfigError

Overrides = Mapping[str, Mapping[str, Any]]
# What stands before it in the name of a breaker is the policy it is made of: `source:bitcoin:core-1`.
OWN_MARK = ":"
# What makes one call, its connection, and may be asked for nothing while that lasts: of several trials the
# second would never come, and it would be half open for ever.
CALLED_ONCE = ("source",)


class PackagedPolicies(NamedTuple):
    """The texts of the packaged tables: of the tiers, and of what a relay calls."""

    tiers: str
    callees: str


class PolicySet(NamedTuple):
    """Policies by name, those of single breakers by the breaker's name, and how they are laid.

    `tier` is the one that what is called stands on; `figures_of` names the figures that each of those has of
    its own, packaged, by their dotted paths.
    """

    named: dict[str, Policy]
    own: dict[str, Policy]
    tier: str
    figures_of: dict[str, frozenset[str]]

    @property
    def in_use(self) -> dict[str, Policy]:
        """What a relay's breakers go by: the tier's policy, that of what is called, single ones."""
        return {name: self.named[name] for name in (self.tier, *self.figures_of)} | self.own

    def laid_under(self, name: str, figure: str) -> str | None:
        """Return the name of the policy that a figure is taken from where `name` has none of its own.

        None: it is packaged with `name`.
        """
        if name in self.own:
            return name.partition(OWN_MARK)[0]
        return None if name == self.tier or figure in self.figures_of[name] else self.tier


def parse_policy_set(
    packaged: PackagedPolicies, overrides: Overrides, tier: str, *, where: str = "breakers"
) -> PolicySet:
    """Lay overrides over the packaged policies: a tier's, then what is called, then one breaker's own.

    Raises `ConfigError` with the key and the reason for the first that cannot be; nothing is taken then.
    """
    of_policies = {name: fields for name, fields in overrides.items() if OWN_MARK not in name}
    callees = tomllib.loads(packaged.callees)
    known = [*tomllib.loads(packaged.tiers), *callees]
    for name in of_policies:
        if name not in known:
            raise ConfigError(
                f"{where}.{name}: no such policy; there are {', '.join(known)}, and a breaker's own by its "
                f'name: {where}."source{OWN_MARK}CHAIN{OWN_MARK}NAME"'
            )
    named = parse_policies(packaged.tiers, of_policies, callees=packaged.callees, tier=tier, where=where)
    singles = {name: fields for name, fields in overrides.items() if OWN_MARK in name}
    own = {name: _own(named, name, fields, where) for name, fields in singles.items()}
    for name, policy in [*named.items(), *own.items()]:
        check_trials(name, policy, f"{where}.{_key(name)}.")
    figures_of = {name: frozenset(_paths(fields)) for name, fields in callees.items()}
    return PolicySet(named, own, tier, figures_of)


def check_trials(name: str, policy: Policy, where: str = "") -> None:
    """Refuse more than one trial for what makes only one call; `name` is the policy's or a breaker's own."""
    kind = name.partition(OWN_MARK)[0]
    if kind in CALLED_ONCE and policy.half_open_calls != 1:
        raise ConfigError(
            f"{where}half_open_calls = {policy.half_open_calls}; want 1: a {kind} makes one call, its "
            "connection, and a second trial would never come"
        )


def _own(named: Mapping[str, Policy], name: str, fields: Mapping[str, Any], where: str) -> Policy:
    place = f"{where}.{_key(name)}"
    kind = name.partition(OWN_MARK)[0]
    if kind not in named:
        raise ConfigError(f"{place}: a breaker's name begins with what it calls, as in source:CHAIN:NAME")
    try:
        return msgspec.structs.replace(policy_with(named[kind], fields), name=name)
    except ConfigError as error:
        raise ConfigError(f"{place}.{error}") from error


def _key(name: str) -> str:
    return f'"{name}"' if OWN_MARK in name else name


def _paths(fields: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in fields.items():
        if isinstance(value, Mapping):
            yield from _paths(value, f"{prefix}{name}.")
        else:
            yield prefix + name
