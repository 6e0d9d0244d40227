"""Experiments that are run one after another: sets of named ones, and all."""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from sprint.core.chaos.named import NAMED, near
from sprint.core.errors import ConfigError


class Series(msgspec.Struct, frozen=True):
    """A set of named experiments. `shuffled`: their order follows from the seed."""

    says: str
    names: tuple[str, ...]
    shuffled: bool = False


LIBRARY: dict[str, Series] = {
    "high_load": Series(
        "a busy machine and thin, slow lines",
        ("resource-exhaustion-cpu", "resource-exhaustion-memory", "bandwidth", "latency"),
    ),
    "circuit_test": Series(
        "what opens a breaker, and what holds one", ("errors", "upstream-stall", "force-open", "force-close")
    ),
    "chaos": Series(
        "bad networks and bad nodes, in an order that the seed decides",
        (
            "network-partition",
            "latency",
            "packet-loss",
            "reset-peer",
            "upstream-stall",
            "upstream-lies",
            "cascade",
        ),
        shuffled=True,
    ),
    # What a variant does alone is seen alone; together they are `resource-exhaustion`.
    "all": Series("each of them", tuple(NAMED)),
}


def names_of(wanted: str, seed: int = 0) -> tuple[str, ...]:
    """Return the experiments that a name stands for, in their order. ConfigError shows names like it."""
    if wanted in NAMED:
        return (wanted,)
    series = LIBRARY.get(wanted)
    if series is None:
        raise ConfigError(f"experiment {wanted!r}: no such name; near it: {_near(wanted)}")
    if not series.shuffled:
        return series.names
    return tuple(sorted(series.names, key=lambda name: blake2b(f"{seed}:{name}".encode()).digest()))


def _near(wanted: str) -> str:
    return ", ".join(name for name in LIBRARY if name[:2] == wanted[:2]) or near(wanted, NAMED)
