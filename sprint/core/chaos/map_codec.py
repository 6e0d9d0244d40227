"""A relay's dependency map out of what its admin API answers."""

from __future__ import annotations

from typing import Any

import msgspec

from sprint.core.chaos.sampling import AdminAnswers
from sprint.core.chaos.topology import DependencyMap, MappedSource, MappedTier

SOURCES_MAX = 4_096


class _Breaker(msgspec.Struct):
    name: str


class _Source(msgspec.Struct):
    name: str
    url: str
    provider: str
    state: str
    breaker: _Breaker | None = None


class _Sources(msgspec.Struct):
    sources: dict[str, list[_Source]]


class _Breakers(msgspec.Struct):
    breakers: list[_Breaker]


class _Health(msgspec.Struct):
    """`listeners` may be missing: the tiers are not known then."""

    status: str
    chains: dict[str, Any]
    listeners: list[MappedTier] = []


def map_of(admin_url: str, answers: AdminAnswers) -> DependencyMap:
    """Read a map. msgspec.DecodeError, with the key, where an answer is not a relay's."""
    health = msgspec.json.decode(answers.health, type=_Health)
    listed = msgspec.json.decode(answers.sources, type=_Sources).sources
    rows = [(chain, source) for chain, sources in sorted(listed.items()) for source in sources]
    if len(rows) > SOURCES_MAX:
        raise msgspec.ValidationError(f"{len(rows)} sources, limit {SOURCES_MAX}")
    return DependencyMap(
        admin_url=admin_url,
        sources=tuple(_mapped(chain, source) for chain, source in rows),
        tiers=tuple(health.listeners),
        breakers=tuple(
            sorted(each.name for each in msgspec.json.decode(answers.breakers, type=_Breakers).breakers)
        ),
    )


def _mapped(chain: str, source: _Source) -> MappedSource:
    return MappedSource(
        chain=chain,
        name=source.name,
        url=source.url,
        address=source.url.partition("://")[2],
        provider=source.provider,
        breaker=source.breaker.name if source.breaker else f"source:{chain}:{source.name}",
        usable=source.state == "ready",
    )
