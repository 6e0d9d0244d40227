"""`--max-blast-radius`: how much a fault may reach before nothing is put on.

chains=1,sources=2,subscribers=100      so many of each at most
sources=50%,chains=1                    a share of those that the relay has
50%                                     of the sources
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from sprint.core.chaos.topology import BlastRadius, DependencyMap
from sprint.core.errors import ConfigError

KEYS = ("sources", "breakers", "chains", "chains_cut", "tiers", "subscribers")
SAYS = f"want KEY=NUMBER or KEY=SHARE%, as in sources=2,chains=1 or 50%; KEY is one of {', '.join(KEYS)}"
NUMBER_MAX = 1_000_000
TEXT_LENGTH_MAX = 200
_OPTION = "--max-blast-radius"


class Most(msgspec.Struct, frozen=True):
    """At most `number`, or of all `percent`."""

    number: int
    percent: bool = False

    def __str__(self) -> str:
        return f"{self.number}%" if self.percent else str(self.number)


class RadiusLimit(msgspec.Struct, frozen=True):
    """What may be reached at most; a key that is not there has no limit."""

    most: Mapping[str, Most] = {}


def limit_of(text: str) -> RadiusLimit:
    """Read a limit; empty text limits nothing. ConfigError says what is wrong and what would be right."""
    if len(text) > TEXT_LENGTH_MAX:
        raise ConfigError(f"{_OPTION} of {len(text)} characters, limit {TEXT_LENGTH_MAX}")
    most: dict[str, Most] = {}
    for part in text.split(",") if text.strip() else ():
        key, equals, value = part.strip().partition("=")
        if not equals:
            key, value = "sources", key
            if not value.endswith("%"):
                raise ConfigError(f"{_OPTION} {part.strip()!r}: {SAYS}")
        if key not in KEYS:
            raise ConfigError(f"{_OPTION} {key!r}: no such key; {SAYS}")
        if key in most:
            raise ConfigError(f"{_OPTION}: {key} stands twice")
        most[key] = _most(key, value)
    return RadiusLimit(most)


def exceeds(radius: BlastRadius, limit: RadiusLimit, relay: DependencyMap) -> str:
    """Say which limit a radius passes, with both figures; empty where it passes none."""
    reached, there = _counts(radius), _totals(relay)
    for key, most in limit.most.items():
        allowed = there[key] * most.number / 100 if most.percent else most.number
        if reached[key] > allowed:
            share = f" of {there[key]}" if most.percent else ""
            return (
                f"{reached[key]}{share} {key.replace('_', ' ')} would be reached, {_OPTION} has {key}={most}"
            )
    return ""


def _counts(radius: BlastRadius) -> dict[str, int]:
    return {
        "sources": len(radius.sources),
        "breakers": len(radius.breakers),
        "chains": len({*radius.chains_cut, *radius.chains_weakened}),
        "chains_cut": len(radius.chains_cut),
        "tiers": len(radius.tiers),
        "subscribers": radius.subscribers,
    }


def _totals(relay: DependencyMap) -> dict[str, int]:
    chains = len({source.chain for source in relay.sources})
    return {
        "sources": len(relay.sources),
        "breakers": len(relay.breakers),
        "chains": chains,
        "chains_cut": chains,
        "tiers": len(relay.tiers),
        "subscribers": sum(tier.subscribers for tier in relay.tiers),
    }


def _most(key: str, value: str) -> Most:
    percent = value.endswith("%")
    digits = value.removesuffix("%")
    most = 100 if percent else NUMBER_MAX
    if not (digits.isascii() and digits.isdigit() and len(digits) <= len(str(NUMBER_MAX))):
        raise ConfigError(f"{_OPTION} {key}={value!r}: {SAYS}")
    if int(digits) > most:
        raise ConfigError(f"{_OPTION} {key}={value}: want 0 to {most}{'%' if percent else ''}")
    return Most(int(digits), percent)
