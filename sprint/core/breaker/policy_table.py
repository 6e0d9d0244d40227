"""Reading policies: the packaged table with a config's laid over it, taken whole or refused whole."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from functools import lru_cache
from types import NoneType
from typing import Any, Literal, get_args, get_origin

import msgspec

from sprint.core.breaker.policy import Policy
from sprint.core.errors import ConfigError

POLICIES_MAX = 256
NONE_WORD = "none"


def parse_policies(
    text: str,
    overrides: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    callees: str = "",
    tier: str = "",
    where: str = "breakers",
) -> dict[str, Policy]:
    """Read a table of policies, by name, with `overrides` laid over it field by field.

    `callees` is a table of what is called: each is the policy of `tier` with its own figures laid over it. A
    name that neither has is a policy of its own, over the record's defaults. Raises `ConfigError` with the
    key and the reason, `where` before it, for the first that cannot be; nothing is taken then.
    """
    over = dict(overrides or {})
    table = _read(text, where)
    own = _read(callees, where)
    for name in [name for name in over if name not in own]:
        table[name] = _laid_over(table.get(name, {}), over[name])
    if own and tier not in table:
        raise ConfigError(f"{where}: no policy of a tier {tier!r}; there are {', '.join(table)}")
    for name, fields in own.items():
        table[name] = _laid_over(_laid_over(table[tier], fields), over.get(name, {}))
    if len(table) > POLICIES_MAX:
        raise ConfigError(f"{where}: {len(table)} policies, limit {POLICIES_MAX}; merge some")
    return {name: _policy(f"{where}.{name}", name, fields) for name, fields in table.items()}


def check_policy(policy: Policy, where: str) -> Policy:
    """Return the policy, or raise `ConfigError` where a figure can't be or some can't hold together.

    A record made in a program was not looked at; one without trials, for instance, would never close again.
    """
    found = _first_wrong(policy)
    if found:
        raise ConfigError(f"{where}{found}")
    return policy


@lru_cache(maxsize=POLICIES_MAX)
def _first_wrong(policy: Policy) -> str:
    """Say what is wrong, empty for nothing. Breakers by the thousand have the same few policies."""
    try:
        msgspec.convert(msgspec.to_builtins(policy), Policy)
    except msgspec.ValidationError as error:
        return f": {error}"
    backoff, adaptive, recovery = policy.backoff, policy.adaptive, policy.recovery
    longest_s, lease_s = policy.half_open_longest_s, policy.trial_lease_s
    base, needed = recovery.base, recovery.trial_from
    for wrong, key, value, why in (
        (
            backoff.longest_s < backoff.base_s,
            *("backoff.longest_s", backoff.longest_s, f"is below backoff.base_s = {backoff.base_s:g}"),
        ),
        (longest_s < lease_s, "half_open_longest_s", longest_s, f"is below trial_lease_s = {lease_s:g}"),
        (adaptive.least > 1.0, "adaptive.least", adaptive.least, "is above 1, so that the base can't hold"),
        (
            adaptive.greatest < 1.0,
            *("adaptive.greatest", adaptive.greatest, "is below 1, so that the base can't hold"),
        ),
        (base >= needed, "recovery.base", base, f"reaches recovery.trial_from = {needed:g}"),
        (_weights(policy) <= 0.0, "health.weight_…", 0.0, "in all; one at least has to count"),
    ):
        if wrong:
            return f".{key} = {value:g} {why}"
    return ""


def _weights(policy: Policy) -> float:
    health = policy.health
    of_calls = health.weight_success_rate + health.weight_latency + health.weight_error_rate
    return of_calls + health.weight_resources + health.weight_throughput


def _read(text: str, where: str) -> dict[str, Mapping[str, Any]]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{where}: {error}") from error


def _laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of both; records within are merged, not replaced."""
    merged = dict(below)
    for key, value in above.items():
        inner = merged.get(key)
        merged[key] = {**inner, **value} if isinstance(inner, dict) and isinstance(value, Mapping) else value
    return merged


def _policy(where: str, name: str, fields: Mapping[str, Any]) -> Policy:
    if not isinstance(fields, Mapping):
        raise ConfigError(f"{where}: {fields!r} is no table")
    if "name" in fields:
        raise ConfigError(f"{where}.name: a policy is called as its table; leave it out")
    _check_keys(where, fields, Policy)
    try:
        policy = msgspec.convert({"name": name, **switched_off(fields, Policy)}, Policy)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{where}: {error}") from error
    return check_policy(policy, where)


def switched_off(fields: Mapping[str, Any], record: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the fields with None for the word, where a figure may be off: TOML has no null."""
    kinds = _kinds(record)
    found: dict[str, Any] = {}
    for key, value in fields.items():
        kind = kinds[key]
        if isinstance(value, Mapping) and isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            found[key] = switched_off(value, kind)
        else:
            found[key] = None if value == NONE_WORD and NoneType in get_args(kind) else value
    return found


def choices_said(kind: Any, value: object) -> str:
    """Say what a figure may be that has few values, or that may be off; empty where its limits say it."""
    if get_origin(kind) is Literal:
        return ", ".join(get_args(kind))
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return f'a number or "{NONE_WORD}"' if NoneType in get_args(kind) and not is_number else ""


def kind_of(path: str) -> Any:
    """Return the type of a policy's figure by its dotted path; None where there is none so."""
    record: Any = Policy
    for name in path.split("."):
        record = _kinds(record).get(name) if isinstance(record, type) else None
    return record


@lru_cache
def _kinds(record: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the types of a record's fields; to work them out takes a tenth of a millisecond each time."""
    return {field.name: field.type for field in msgspec.structs.fields(record)}


def _check_keys(where: str, fields: Mapping[str, Any], record: type[msgspec.Struct]) -> None:
    """Refuse a key that is not known, with the nearest that is."""
    known = _kinds(record)
    for key, value in fields.items():
        if key not in known:
            settable = [name for name in known if name != "name"]
            near = difflib.get_close_matches(key, settable, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(settable)}"
            raise ConfigError(f"unknown key {where}.{key}; {hint}")
        inner = known[key]
        if isinstance(value, Mapping) and isinstance(inner, type) and issubclass(inner, msgspec.Struct):
            _check_keys(f"{where}.{key}", value, inner)
