"""Operators' own rules: read from a config's section, checked, and laid over the packaged ones.

A rule of a packaged one's name changes that one: what it does not give stays. Any other is added.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence

import msgspec

from sprint.core.duration import parse_duration_s
from sprint.core.errors import ConfigError
from sprint.core.monitor.alerts.figures import BREAKER_FIGURES, RELAY_FIGURES
from sprint.core.monitor.alerts.rules import ANY, LEVELS, RULES, Rule, Step

OWN_RULES_MAX = 100
NAME_LENGTH_MAX = 64
PATTERN_LENGTH_MAX = 256
CALLS_MAX = 1_000_000
DURATION_S_MAX = 24 * 3_600.0
FIGURES = (*BREAKER_FIGURES, *RELAY_FIGURES)


class RuleGiven(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[[monitor.alerts.rules]]`: a level's key gives the value from which on it is reached."""

    name: str
    off: bool = False
    reads: str | None = None
    relay: str | None = None
    breaker: str | None = None
    calls_min: int | None = None
    info: float | None = None
    warning: float | None = None
    critical: float | None = None
    emergency: float | None = None
    falling: bool | None = None
    margin: float | None = None
    hold: str | None = None
    clear: str | None = None


def rules_of(given: Sequence[RuleGiven], packaged: Sequence[Rule] = RULES) -> tuple[Rule, ...]:
    """Return the rules that hold. ConfigError names the rule, the key, and what would be right."""
    if len(given) > OWN_RULES_MAX:
        raise ConfigError(f"monitor.alerts.rules: {len(given)} rules, limit {OWN_RULES_MAX}")
    known = {rule.name: rule for rule in packaged}
    rules, seen = dict(known), set[str]()
    for number, each in enumerate(given):
        place = f"monitor.alerts.rules[{number}]"
        _check_name(each.name, place)
        place = f"{place} ({each.name})"
        if each.name in seen:
            raise ConfigError(f"{place}: a second rule of that name; a rule has one place")
        seen.add(each.name)
        if each.off:
            if each.name not in known:
                raise ConfigError(f"{place}.off: there is no packaged rule of that name; {_those_of(known)}")
            del rules[each.name]
        else:
            rules[each.name] = _rule_of(each, known.get(each.name), place)
    return tuple(rules.values())


def _rule_of(given: RuleGiven, packaged: Rule | None, place: str) -> Rule:
    """Return one rule, checked."""
    base = packaged or Rule(name=given.name, steps=())
    fields = ("reads", "relay", "breaker", "calls_min", "falling", "margin")
    said = {name: getattr(given, name) for name in fields if getattr(given, name) is not None}
    for key, text in (("hold", given.hold), ("clear", given.clear)):
        if text is not None:
            option = f"{place}.{key}"
            said[f"{key}_s"] = parse_duration_s(text, option=option, least_s=0.0, most_s=DURATION_S_MAX)
    rule: Rule = msgspec.structs.replace(base, **said)
    steps = tuple(Step(level, at) for level in LEVELS if (at := getattr(given, level)) is not None)
    rule = msgspec.structs.replace(rule, steps=steps or rule.steps)
    _check_reads(rule, place)
    _check_patterns(rule, place)
    _check_steps(rule, place)
    return rule


def _check_name(name: str, place: str) -> None:
    known = name.isascii() and name.replace("-", "_").isidentifier() and name == name.lower()
    if not known or len(name) > NAME_LENGTH_MAX:
        raise ConfigError(
            f"{place}.name: {name[:NAME_LENGTH_MAX]!a}; want up to {NAME_LENGTH_MAX} of a-z, 0-9, _ and -, a "
            "letter first"
        )


def _check_reads(rule: Rule, place: str) -> None:
    if rule.reads in FIGURES:
        return
    near = difflib.get_close_matches(rule.reads[:NAME_LENGTH_MAX], FIGURES, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there is {', '.join(FIGURES)}"
    what = repr(rule.reads[:NAME_LENGTH_MAX]) if rule.reads else "nothing"
    raise ConfigError(f"{place}.reads: {what}; {hint}")


def _check_patterns(rule: Rule, place: str) -> None:
    for key, pattern in (("relay", rule.relay), ("breaker", rule.breaker)):
        if not pattern or not pattern.isprintable() or len(pattern) > PATTERN_LENGTH_MAX:
            raise ConfigError(
                f"{place}.{key}: {pattern[:NAME_LENGTH_MAX]!a}; want a pattern of 1 to {PATTERN_LENGTH_MAX} "
                "printable characters"
            )
    if rule.reads in RELAY_FIGURES and (rule.breaker != ANY or rule.calls_min):
        raise ConfigError(f"{place}: {rule.reads} is a relay's; leave out breaker and calls_min")
    if not 0 <= rule.calls_min <= CALLS_MAX:
        raise ConfigError(f"{place}.calls_min: {rule.calls_min}; want 0 to {CALLS_MAX}")


def _check_steps(rule: Rule, place: str) -> None:
    """Refuse levels that could never be reached in their order."""
    if not rule.steps:
        raise ConfigError(f"{place}: no level; give a value for one of {', '.join(LEVELS)}")
    for key, value in (*rule.steps, ("margin", rule.margin)):
        if not math.isfinite(value):
            raise ConfigError(f"{place}.{key}: {value}; want a finite number")
    if rule.margin < 0:
        raise ConfigError(f"{place}.margin: {rule.margin:g}; want 0 or more")
    for lower, higher in zip(rule.steps, rule.steps[1:], strict=False):
        if (higher.at >= lower.at) if rule.falling else (higher.at <= lower.at):
            wanted = "less" if rule.falling else "more"
            hint = "" if rule.falling else ", or falling = true where low values are the bad ones"
            raise ConfigError(
                f"{place}.{higher.level}: {higher.at:g}; want {wanted} than {lower.level}, {lower.at:g}{hint}"
            )


def _those_of(known: dict[str, Rule]) -> str:
    return f"there is {', '.join(known)}"
