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
    """A breaker at a moment. `withheld`: why it would be open if another could stand in, or nothing."""

    name: str
    state: str
    reason: str
    withheld: str = ""
    shadow: bool = False


class Sample(msgspec.Struct, frozen=True):
    """The relay at `at_s` of the run's monotonic clock; `answered` False where it gave no answer."""

    at_s: float
    answered: bool
    health: str = ""
    heights: dict[str, int] = {}
    sources: tuple[SourceSeen, ...] = ()
    breakers: tuple[BreakerSeen, ...] = ()


class TransitionSeen(msgspec.Struct, frozen=True):
    """A breaker's transition with the relay's own evidence, and the detector that gave it."""

    at_s: float
    breaker: str
    before: str
    after: str
    evidence: str
    detector: str = ""
    shadow: bool = False


class BlockSeen(msgspec.Struct, frozen=True):
    """A block event as a subscriber was given it."""

    at_s: float
    chain: str
    position: int
    hash: str
    parent: str
    height: int
    late: bool = False


class ReorgSeen(msgspec.Struct, frozen=True):
    """A reorg event: `removed` from the old tip down, `added` from above the fork up."""

    at_s: float
    chain: str
    position: int
    fork_height: int
    removed: tuple[str, ...]
    added: tuple[str, ...]


class GapSeen(msgspec.Struct, frozen=True):
    """A gap event: the heights that were passed over."""

    at_s: float
    chain: str
    position: int
    from_height: int
    to_height: int
    reason: str


class OtherSeen(msgspec.Struct, frozen=True):
    """An event of another type: only its position counts here."""

    at_s: float
    chain: str
    position: int
    type: str


EventSeen = BlockSeen | ReorgSeen | GapSeen | OtherSeen


class SubscriberLoss(msgspec.Struct, frozen=True):
    """The observer's own subscriber lost its connection; `final` where it could not come back."""

    at_s: float
    reason: str
    final: bool = False


class Phases(msgspec.Struct, frozen=True):
    """When what began, on the run's clock; None where it did not come to that."""

    began_s: float
    injected_s: float | None = None
    removed_s: float | None = None
    steady_s: float | None = None
    ended_s: float | None = None


class Observed(msgspec.Struct, frozen=True):
    """All of a run. `left_out` counts what came over a limit, by what it was; nothing else is missing."""

    phases: Phases
    samples: tuple[Sample, ...]
    transitions: tuple[TransitionSeen, ...]
    blocks: tuple[BlockSeen, ...]
    subscriber_losses: tuple[SubscriberLoss, ...] = ()
    left_out: dict[str, int] = {}
