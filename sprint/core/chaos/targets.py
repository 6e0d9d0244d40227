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

# Of sources that all lack the same.
SHOWN_MAX = 3

# Why a source can't be taken; empty where it can.
Lack = Callable[[MappedSource], str]


def one_of_each_chain(request: Request, lack: Lack) -> tuple[MappedSource, ...]:
    """Return one source of each chain with two usable ones. NotPossible says why there is none."""
    if request.wishes.sources:
        return _named(request, lack)
    chosen: list[MappedSource] = []
    reasons: list[tuple[str, str]] = []
    for chain, sources in _usable(request).items():
        fitting = [each for each in sources if not lack(each)]
        if len(sources) > 1 and fitting:
            chosen.append(fitting[_drawn(request, chain) % len(fitting)])
        else:
            reasons += _reasons(chain, sources, lack)
    return _some(request, chosen, reasons)


def all_but_one_of_each_chain(request: Request, lack: Lack) -> tuple[MappedSource, ...]:
    """Return all sources but one of each chain with two usable ones. NotPossible says why there is none."""
    if request.wishes.sources:
        return _named(request, lack)
    chosen: list[MappedSource] = []
    reasons: list[tuple[str, str]] = []
    for chain, sources in _usable(request).items():
        unfit = [each for each in sources if lack(each)]
        kept = unfit or [sources[_drawn(request, chain) % len(sources)]] if sources else []
        if len(sources) > 1 and len(kept) == 1:
            chosen += [each for each in sources if each not in kept]
        else:
            reasons += _reasons(chain, sources, lack)
    return _some(request, chosen, reasons)


def proxy_lack(request: Request) -> Lack:
    """Return what says that no fault proxy stands before a source."""

    def lack(source: MappedSource) -> str:
        if key_of(source) in request.wiring.proxies:
            return ""
        return (
            "has no fault proxy in the way, and none can be led there, as in a relay's own devnet; name one "
            "with --proxy, or leave out --target for a devnet with proxies"
        )

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


def _reasons(chain: str, sources: list[MappedSource], lack: Lack) -> list[tuple[str, str]]:
    """Return who can't be hit, each with what it lacks."""
    if len(sources) < 2:
        least = "of two that an experiment needs to leave one; name sources to hit the last one all the same"
        return [(chain, f"has {len(sources)} usable source{'' if len(sources) == 1 else 's'} {least}")]
    return [(key_of(each), lack(each)) for each in sources]


def _some(
    request: Request, chosen: list[MappedSource], reasons: list[tuple[str, str]]
) -> tuple[MappedSource, ...]:
    if chosen:
        return tuple(chosen)
    by_lack: dict[str, list[str]] = {}
    for who, reason in reasons:
        by_lack.setdefault(reason, []).append(who)
    told = [f"{_first(whos)} {reason}" for reason, whos in by_lack.items() if reason]
    raise NotPossible(f"{request.name}: {'; '.join(told) or 'the relay has no source'}")


def _first(whos: list[str]) -> str:
    """Return the first of many: what all of them lack is said of each."""
    if len(whos) == 1:
        return whos[0]
    more = len(whos) - SHOWN_MAX
    return f"each of {', '.join(whos[:SHOWN_MAX])}" + (f" and {more} more" if more > 0 else "")
