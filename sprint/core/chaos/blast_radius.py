"""Whom a fault reaches: said beforehand out of the dependency map, read afterwards out of what was seen.

A fault on the way to a source reaches that source; one on an address or a provider all that stand behind it.
A chain whose last usable source is reached is cut, and with it all tiers and subscribers: which chains a
subscriber follows is not known, so that each counts as following all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import msgspec

from sprint.core.chaos.observation import Observed, Sample
from sprint.core.chaos.topology import BlastRadius, DependencyMap, MappedSource
from sprint.core.chaos.wiring import key_of
from sprint.core.errors import ConfigError

TARGETS_MAX = 1_024
USABLE = "ready"
STORE = "store"
# A sample may be missed by a busy machine; so many in a row are not.
UNANSWERED_IN_A_ROW = 3

Kind = Literal["source", "address", "provider", "breaker", "chain", "machine", "relay"]


class Target(msgspec.Struct, frozen=True):
    """What a fault is put on.

    `name`: of a source `CHAIN:NAME`, of an address `host:port`, of a chain its id. `machine` and `relay`
    have none: a machine that is short of something may slow all and need not fail anything.
    """

    kind: Kind
    name: str = ""


def predicted(relay: DependencyMap, targets: Sequence[Target]) -> BlastRadius:
    """Return whom faults on these would reach. ConfigError for a target that the relay has not."""
    if len(targets) > TARGETS_MAX:
        raise ConfigError(f"{len(targets)} targets of faults, limit {TARGETS_MAX}")
    if any(each.kind == "relay" or (each.kind, each.name) == ("breaker", STORE) for each in targets):
        return whole(relay)
    hit = {key_of(source) for target in targets for source in _behind(relay, target)}
    slowed = relay if any(target.kind == "machine" for target in targets) else None
    return _radius(
        relay,
        hit,
        breakers={source.breaker for source in relay.sources if key_of(source) in hit},
        slowed=slowed,
    )


def observed(relay: DependencyMap, samples: Iterable[Sample], before: Sample | None = None) -> BlastRadius:
    """Return whom faults were seen to reach in the samples taken while they were on.

    `relay` is the map from before; `before` the last sample from then, whose breakers that were not closed
    are left out. A relay that gives no answer is reached as a whole.
    """
    usable = {key_of(source) for source in relay.sources if source.usable}
    not_closed = {each.name for each in (before.breakers if before else ()) if each.state != "closed"}
    hit: set[str] = set()
    breakers: set[str] = set()
    cut: set[str] = set()
    unanswered = 0
    for sample in samples:
        unanswered = 0 if sample.answered else unanswered + 1
        if unanswered >= UNANSWERED_IN_A_ROW:
            return whole(relay)
        if not sample.answered:
            continue
        ready = {f"{each.chain}:{each.name}" for each in sample.sources if each.state == USABLE}
        hit |= usable - ready
        cut |= {source.chain for source in relay.sources if source.usable} - _chains_of(sample)
        breakers |= {each.name for each in sample.breakers if each.state != "closed"}
    return _radius(relay, hit, breakers=breakers - not_closed, cut=cut)


def observed_radius(relay: DependencyMap, seen: Observed) -> BlastRadius:
    """Return whom a run's faults were seen to reach, from the first one on until the last was off."""
    begin_s, end_s = seen.phases.injected_s, seen.phases.removed_s
    if begin_s is None:
        return BlastRadius()
    during = [each for each in seen.samples if begin_s <= each.at_s and (end_s is None or each.at_s <= end_s)]
    before = [each for each in seen.samples if each.answered and each.at_s < begin_s]
    return observed(relay, during, before[-1] if before else None)


def whole(relay: DependencyMap) -> BlastRadius:
    """Return the radius of a fault that takes the relay itself away."""
    return BlastRadius(
        sources=tuple(sorted(key_of(source) for source in relay.sources)),
        breakers=tuple(sorted(relay.breakers)),
        chains_cut=tuple(sorted({source.chain for source in relay.sources})),
        tiers=tuple(tier.tier for tier in relay.tiers),
        subscribers=sum(tier.subscribers for tier in relay.tiers),
    )


def _behind(relay: DependencyMap, target: Target) -> list[MappedSource]:
    """Return the sources that a target reaches, a machine none by itself."""
    fits: dict[str, Callable[[MappedSource], bool]] = {
        "source": lambda source: key_of(source) == target.name,
        "address": lambda source: source.address == target.name,
        "provider": lambda source: source.provider == target.name,
        "breaker": lambda source: source.breaker == target.name,
        "chain": lambda source: source.chain == target.name,
        "machine": lambda _: False,
    }
    found = [source for source in relay.sources if fits[target.kind](source)]
    if not found and target.kind != "machine":
        known = ", ".join(sorted({_name_of(source, target.kind) for source in relay.sources})) or "none"
        raise ConfigError(f"{target.kind} {target.name!r}: the relay has {known}")
    return found


def _name_of(source: MappedSource, kind: Kind) -> str:
    names = {"address": source.address, "provider": source.provider, "breaker": source.breaker}
    return {**names, "chain": source.chain}.get(kind, key_of(source))


def _chains_of(sample: Sample) -> set[str]:
    """Return the chains that have a usable source in a sample."""
    return {each.chain for each in sample.sources if each.state == USABLE}


def _radius(
    relay: DependencyMap,
    hit: set[str],
    *,
    breakers: set[str],
    cut: set[str] | None = None,
    slowed: DependencyMap | None = None,
) -> BlastRadius:
    """Return the radius of these sources. `cut` None: the chains of which they are the last usable ones."""
    usable = [source for source in relay.sources if source.usable]
    reached = {source.chain for source in usable if key_of(source) in hit}
    left = {source.chain for source in usable if key_of(source) not in hit}
    cut = reached - left if cut is None else cut
    slow = {source.chain for source in slowed.sources} if slowed else set()
    tiers = relay.tiers if cut or slowed else ()
    return BlastRadius(
        sources=tuple(sorted(hit)),
        breakers=tuple(sorted(breakers)),
        chains_weakened=tuple(sorted((reached | slow) - cut)),
        chains_cut=tuple(sorted(cut)),
        tiers=tuple(tier.tier for tier in tiers),
        subscribers=sum(tier.subscribers for tier in relay.tiers) if cut else 0,
    )
