"""The dependency map of a relay: which sources, breakers, chains, tiers and subscribers hang on what.

`blast_radius` says before a fault whom it will reach, out of the map alone; afterwards the same is worked out
from what was seen, and the two are held side by side.
"""

from __future__ import annotations

import msgspec


class MappedSource(msgspec.Struct, frozen=True):
    """A source. `address` is the `host:port` it connects to; `usable` whether its state is `ready`."""

    chain: str
    name: str
    url: str
    address: str
    provider: str
    breaker: str
    usable: bool


class MappedTier(msgspec.Struct, frozen=True):
    """A tier's listener and who hangs on it."""

    tier: str
    url: str
    subscribers: int


class DependencyMap(msgspec.Struct, frozen=True):
    """All of a relay. `admin_url` is where it was asked."""

    admin_url: str
    sources: tuple[MappedSource, ...]
    tiers: tuple[MappedTier, ...]
    breakers: tuple[str, ...]


class BlastRadius(msgspec.Struct, frozen=True):
    """Whom a fault reaches: `chains_cut` have no usable source left, `chains_weakened` have fewer.

    `sources` and `breakers` by name, sources as `CHAIN:NAME`; `subscribers` are those who hang on a chain
    that is cut.
    """

    sources: tuple[str, ...] = ()
    breakers: tuple[str, ...] = ()
    chains_weakened: tuple[str, ...] = ()
    chains_cut: tuple[str, ...] = ()
    tiers: tuple[str, ...] = ()
    subscribers: int = 0
