"""What was seen while an experiment ran: samples of the relay, blocks as a subscriber was given them.

Taken by the observer, which puts no fault on; `facts` reads out of them what the score, the blast radius and
the report stand on.
"""

from __future__ import annotations

import msgspec


class SourceSeen(msgspec.Struct, frozen=True):
    """A source at a moment."""

    chain: str
    name: str
    state: str
    reason: str


class BreakerSeen(msgspec.Struct, frozen=True):
    """A breaker at a moment."""

    name: str
    state: str
    reason: str


class Sample(msgspec.Struct, frozen=True):
    """The relay at `at_s` of the run's monotonic clock; `answered` False where it gave no answer."""

    at_s: float
    answered: bool
    health: str = ""
    heights: dict[str, int] = {}
    sources: tuple[SourceSeen, ...] = ()
    breakers: tuple[BreakerSeen, ...] = ()


class TransitionSeen(msgspec.Struct, frozen=True):
    """A breaker's transition with the relay's own evidence."""

    at_s: float
    breaker: str
    before: str
    after: str
    evidence: str


class BlockSeen(msgspec.Struct, frozen=True):
    """A block event as a subscriber was given it."""

    at_s: float
    chain: str
    position: int
    hash: str
    parent: str
    height: int


class Phases(msgspec.Struct, frozen=True):
    """When what began, on the run's clock; None where it did not come to that."""

    began_s: float
    injected_s: float | None = None
    removed_s: float | None = None
    steady_s: float | None = None
    ended_s: float | None = None


class Observed(msgspec.Struct, frozen=True):
    """All of a run."""

    phases: Phases
    samples: tuple[Sample, ...]
    transitions: tuple[TransitionSeen, ...]
    blocks: tuple[BlockSeen, ...]
