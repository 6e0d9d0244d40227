"""Which sources an experiment is put on.

A fault of one source takes one of each chain that has at least two usable ones, so that no chain is cut by an
experiment that doesn't mean to; a partition leaves one of each. The seed decides which, the same each time.
Sources that the user names are taken as they are, be they the last of their chain.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b

from sprint.core.chaos.topology import MappedSource
from sprint.core.chaos.wiring import NotPossible, Request, key_of
from sprint.core.errors import ConfigError

# Why a source can't be taken; empty where it can.
Lack = Callable[[MappedSource], str]


def one_of_each_chain(request: Request, lack: Lack) -> tuple[MappedSource, ...]:
    """Return one source of each chain with two usable ones. NotPossible says why there is none."""
    if request.wishes.sources:
        return _named(request, lack)
    chosen, reasons = [], []
    for chain, sources in _usable(request).items():
        fitting = [each for each in sources if not lack(each)]
        if len(sources) > 1 and fitting:
            chosen.append(fitting[_drawn(request, chain) % len(fitting)])
        else:
            reasons.append(_reason(chain, sources, lack))
    return _some(request, chosen, reasons)


def all_but_one_of_each_chain(request: Request, lack: Lack) -> tuple[MappedSource, ...]:
    """Return all sources but one of each chain with two usable ones. NotPossible says why there is none."""
    if request.wishes.sources:
        return _named(request, lack)
    chosen, reasons = [], []
    for chain, sources in _usable(request).items():
        unfit = [each for each in sources if lack(each)]
        kept = unfit or [sources[_drawn(request, chain) % len(sources)]] if sources else []
        if len(sources) > 1 and len(kept) == 1:
            chosen += [each for each in sources if each not in kept]
        else:
            reasons.append(_reason(chain, sources, lack))
    return _some(request, chosen, reasons)


def proxy_lack(request: Request) -> Lack:
    """Return what says that no fault proxy stands before a source."""

    def lack(source: MappedSource) -> str:
        if key_of(source) in request.wiring.proxies:
            return ""
        return "has no fault proxy in the way; name one with --proxy, or let a detour be made"

    return lack


def _named(request: Request, lack: Lack) -> tuple[MappedSource, ...]:
    known = {key_of(each): each for each in request.relay.sources}
    for key in request.wishes.sources:
        if key not in known:
            raise ConfigError(f"source {key!r}: the relay has {', '.join(sorted(known)) or 'none'}")
        reason = lack(known[key])
        if reason:
            raise NotPossible(f"{request.name}: {key} {reason}")
    return tuple(known[key] for key in dict.fromkeys(request.wishes.sources))


def _usable(request: Request) -> dict[str, list[MappedSource]]:
    by_chain: dict[str, list[MappedSource]] = {each.chain: [] for each in request.relay.sources}
    for each in request.relay.sources:
        if each.usable:
            by_chain[each.chain].append(each)
    return {chain: sorted(by_chain[chain], key=key_of) for chain in sorted(by_chain)}


def _drawn(request: Request, chain: str) -> int:
    """Return a number that seed, experiment and chain decide: the same in each process."""
    text = f"{request.wishes.seed}:{request.name}:{chain}".encode()
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big")


def _reason(chain: str, sources: list[MappedSource], lack: Lack) -> str:
    if len(sources) < 2:
        least = "of two that an experiment needs to leave one; name sources to hit the last one all the same"
        return f"{chain} has {len(sources)} usable source{'' if len(sources) == 1 else 's'} {least}"
    by_lack: dict[str, list[str]] = {}
    for each in sources:
        by_lack.setdefault(lack(each), []).append(key_of(each))
    return "; ".join(f"{', '.join(keys)} {reason}" for reason, keys in by_lack.items() if reason)


def _some(request: Request, chosen: list[MappedSource], reasons: list[str]) -> tuple[MappedSource, ...]:
    if not chosen:
        raise NotPossible(f"{request.name}: {'; '.join(reasons) or 'the relay has no source'}")
    return tuple(chosen)
