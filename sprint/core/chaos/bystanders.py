"""Who was hit that should not have been: sources, breakers, chains, the subscriber; and false opens.

What lies within the predicted blast radius is expected to be hit; everything else is a bystander.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from sprint.core.chaos.observation import BreakerSeen, Observed, Sample, SourceSeen, TransitionSeen
from sprint.core.chaos.topology import BlastRadius

# A transition is told a moment after the fault is off; one that late is still of the fault.
GRACE_S = 1.0
# With fewer blocks to be expected, none may come by chance: with five it happens once in 150 times.
BLOCKS_EXPECTED_MIN = 5.0
USABLE_STATES = frozenset({"ready"})

# When a fault was on: its begin and its end, None while it is.
Window = tuple[float, float | None]


class Hit(msgspec.Struct, frozen=True):
    """A bystander that was hit: when first, and what was seen of it."""

    at_s: float
    name: str
    text: str


class FalseOpen(msgspec.Struct, frozen=True):
    """A breaker that opened with no fault upon it."""

    at_s: float
    breaker: str
    detector: str
    evidence: str


class Contained(msgspec.Struct, frozen=True, kw_only=True):
    """Who stood beside the faults, and which of them were hit while one was on.

    `chains_stopped` gave no block although, by the rate before, `BLOCKS_EXPECTED_MIN` at least were due.
    `answered_share` is the share of samples, 0 to 1, that the relay answered.
    """

    sources: int = 0
    sources_hit: tuple[Hit, ...] = ()
    breakers: int = 0
    breakers_hit: tuple[Hit, ...] = ()
    chains: int = 0
    chains_stopped: tuple[Hit, ...] = ()
    subscriber_losses: tuple[Hit, ...] = ()
    samples: int = 0
    answered_share: float = 1.0
    relay_aimed_at: bool = False


def contained(
    observed: Observed, windows: Sequence[Window], predicted: BlastRadius, *, relay_aimed_at: bool = False
) -> Contained:
    """Say which bystanders there were, and which of them were hit while a fault was on.

    `relay_aimed_at`: that it gives no answer then, and drops its subscribers, is the fault itself.
    """
    on = [each for each in observed.samples if _within(each.at_s, windows)]
    before = next(
        (each for each in reversed(observed.samples) if each.answered and _before(each, windows)), None
    )
    answered = [each for each in on if each.answered]
    ready = {f"{each.chain}:{each.name}" for each in _sources(before) if each.state in USABLE_STATES}
    aside = ready - set(predicted.sources)
    closed = {each.name for each in (before.breakers if before else ()) if each.state == "closed"}
    closed -= set(predicted.breakers)
    chains = set(before.heights if before else ()) - set(predicted.chains_cut)
    return Contained(
        sources=len(aside),
        sources_hit=_sources_hit(answered, aside),
        breakers=len(closed),
        breakers_hit=_breakers_hit(answered, closed),
        chains=len(chains),
        chains_stopped=_chains_stopped(observed, windows, chains),
        subscriber_losses=tuple(
            Hit(each.at_s, "subscriber", each.reason)
            for each in observed.subscriber_losses
            if _within(each.at_s, windows)
        ),
        samples=len(on),
        answered_share=len(answered) / len(on) if on else 1.0,
        relay_aimed_at=relay_aimed_at,
    )


def false_opens(
    transitions: Sequence[TransitionSeen], aimed: Sequence[tuple[str, float, float | None]]
) -> tuple[FalseOpen, ...]:
    """Return how breakers opened from closed with no fault aimed at them. `aimed`: breaker, begin, end.

    A half-open breaker that opens again goes on with what opened it; an order is no detector's doing.
    """
    return tuple(
        FalseOpen(each.at_s, each.breaker, each.detector, each.evidence)
        for each in transitions
        if each.before == "closed"
        and each.after == "open"
        and not each.shadow
        and not any(
            name == each.breaker and begin_s <= each.at_s and (end_s is None or each.at_s <= end_s + GRACE_S)
            for name, begin_s, end_s in aimed
        )
    )


def _within(at_s: float, windows: Sequence[Window]) -> bool:
    return any(begin_s <= at_s and (end_s is None or at_s <= end_s) for begin_s, end_s in windows)


def _before(sample: Sample, windows: Sequence[Window]) -> bool:
    return not windows or sample.at_s < min(begin_s for begin_s, _ in windows)


def _sources(sample: Sample | None) -> Sequence[SourceSeen]:
    return () if sample is None else sample.sources


def _sources_hit(samples: Sequence[Sample], aside: set[str]) -> tuple[Hit, ...]:
    hits: dict[str, Hit] = {}
    for sample in samples:
        for each in sample.sources:
            name = f"{each.chain}:{each.name}"
            if name in aside and each.state not in USABLE_STATES:
                hits.setdefault(name, Hit(sample.at_s, name, _text(each)))
    return tuple(hits.values())


def _breakers_hit(samples: Sequence[Sample], closed: set[str]) -> tuple[Hit, ...]:
    hits: dict[str, Hit] = {}
    for sample in samples:
        for each in sample.breakers:
            if each.name in closed and each.state != "closed":
                hits.setdefault(each.name, Hit(sample.at_s, each.name, _text(each)))
    return tuple(hits.values())


def _text(seen: SourceSeen | BreakerSeen) -> str:
    return f"{seen.state}: {seen.reason}" if seen.reason else seen.state


def _chains_stopped(observed: Observed, windows: Sequence[Window], chains: set[str]) -> tuple[Hit, ...]:
    """Return the chains that gave no block while a fault was on, where by the rate before some were due."""
    if not windows:
        return ()
    begin_s = min(begin for begin, _ in windows)
    last_s = observed.samples[-1].at_s if observed.samples else begin_s
    end_s = max(last_s if end is None else end for _, end in windows)
    span_before_s = begin_s - observed.phases.began_s
    stopped = []
    for chain in sorted(chains):
        blocks = [each.at_s for each in observed.blocks if each.chain == chain]
        before = sum(observed.phases.began_s <= at_s < begin_s for at_s in blocks)
        due = before / span_before_s * (end_s - begin_s) if span_before_s > 0 else 0.0
        if due >= BLOCKS_EXPECTED_MIN and not any(begin_s <= at_s <= end_s for at_s in blocks):
            text = f"no block in {end_s - begin_s:.1f} s, {due:.0f} were due by the rate before"
            stopped.append(Hit(begin_s, chain, text))
    return tuple(stopped)
