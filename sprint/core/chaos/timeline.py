"""A run over time, short enough for a report: what was in which state when, and how many blocks came."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Literal

import msgspec

from sprint.core.chaos.facts import FaultSpan
from sprint.core.chaos.observation import BlockSeen, Observed, Sample

LANES_MAX = 80
SPANS_PER_LANE_MAX = 400
BINS_MAX = 240

LaneKind = Literal["fault", "health", "source", "breaker"]


class Span(msgspec.Struct, frozen=True):
    """From when until when something was in a state, in seconds of the run's clock; `text` says why."""

    from_s: float
    to_s: float
    state: str
    text: str = ""


class Lane(msgspec.Struct, frozen=True):
    """One thing over time. `cut` counts states that came after `SPANS_PER_LANE_MAX`."""

    kind: LaneKind
    name: str
    spans: tuple[Span, ...]
    cut: int = 0


class Delivered(msgspec.Struct, frozen=True):
    """Blocks of a chain in each `width_s`, from the run's begin on."""

    chain: str
    counts: tuple[int, ...]


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """The whole. `lanes_left_out`: those beyond `LANES_MAX`, of which what never changed goes first."""

    from_s: float = 0.0
    to_s: float = 0.0
    width_s: float = 1.0
    lanes: tuple[Lane, ...] = ()
    delivered: tuple[Delivered, ...] = ()
    lanes_left_out: int = 0


def timeline_of(observed: Observed, faults: Sequence[FaultSpan]) -> Timeline:
    """Return a run over time."""
    from_s = observed.phases.began_s
    to_s = max([from_s, *_ends(observed)])
    lanes = [_fault_lane(each, to_s) for each in faults] + _state_lanes(observed.samples, to_s)
    kept = sorted(lanes, key=lambda lane: len(lane.spans) <= 1 and lane.kind in {"source", "breaker"})[
        :LANES_MAX
    ]
    width_s = max(1.0, math.ceil((to_s - from_s) / BINS_MAX))
    return Timeline(
        from_s=from_s,
        to_s=to_s,
        width_s=width_s,
        lanes=tuple(lane for lane in lanes if lane in kept),
        delivered=_delivered(observed.blocks, from_s, to_s, width_s),
        lanes_left_out=max(len(lanes) - LANES_MAX, 0),
    )


def _ends(observed: Observed) -> list[float]:
    ends = [observed.phases.ended_s] if observed.phases.ended_s is not None else []
    return ends + [each.at_s for each in observed.samples[-1:]] + [each.at_s for each in observed.blocks[-1:]]


def _fault_lane(fault: FaultSpan, to_s: float) -> Lane:
    end_s = to_s if fault.removed_s is None else fault.removed_s
    return Lane("fault", f"{fault.kind} {fault.target}", (Span(fault.injected_s, end_s, "on", fault.says),))


def _state_lanes(samples: Sequence[Sample], to_s: float) -> list[Lane]:
    """Return health, each source and each breaker; while the relay gave no answer all are `no answer`."""
    moments: dict[tuple[LaneKind, str], list[tuple[float, str, str]]] = {}
    for sample in samples:
        for key, state, text in _states(sample):
            moments.setdefault(key, []).append((sample.at_s, state, text))
        if not sample.answered:
            for seen in moments.values():
                seen.append((sample.at_s, "no answer", ""))
    order = {"health": 0, "source": 1, "breaker": 2}
    return [
        _lane(kind, name, seen, to_s)
        for (kind, name), seen in sorted(moments.items(), key=lambda each: (order[each[0][0]], each[0][1]))
    ]


def _states(sample: Sample) -> Iterable[tuple[tuple[LaneKind, str], str, str]]:
    if sample.answered:
        yield ("health", "health"), sample.health, ""
    for source in sample.sources:
        yield ("source", f"{source.chain}:{source.name}"), source.state, source.reason
    for breaker in sample.breakers:
        yield ("breaker", breaker.name), breaker.state, breaker.reason


def _lane(kind: LaneKind, name: str, seen: Sequence[tuple[float, str, str]], to_s: float) -> Lane:
    begins = [seen[0]] + [after for before, after in pairwise(seen) if before[1] != after[1]]
    ends = [at_s for at_s, _, _ in begins[1:]] + [to_s]
    spans = [Span(at_s, end_s, state, text) for (at_s, state, text), end_s in zip(begins, ends, strict=True)]
    return Lane(kind, name, tuple(spans[:SPANS_PER_LANE_MAX]), max(len(spans) - SPANS_PER_LANE_MAX, 0))


def _delivered(
    blocks: Sequence[BlockSeen], from_s: float, to_s: float, width_s: float
) -> tuple[Delivered, ...]:
    bins = max(1, math.ceil((to_s - from_s) / width_s))
    counts: dict[str, list[int]] = {}
    for block in blocks:
        place = min(max(int((block.at_s - from_s) / width_s), 0), bins - 1)
        counts.setdefault(block.chain, [0] * bins)[place] += 1
    return tuple(Delivered(chain, tuple(each)) for chain, each in sorted(counts.items()))
