"""A relay's answers read into what is kept of a run: a sample of its admin API, an event of its stream."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from sprint.core.chaos.observation import (
    BlockSeen,
    BreakerSeen,
    EventSeen,
    GapSeen,
    OtherSeen,
    ReorgSeen,
    Sample,
    SourceSeen,
    TransitionSeen,
)
from sprint.core.model import BlockEvent, Event, GapEvent, ReorgEvent

REASON_LENGTH_MAX = 300
Row = TypeVar("Row", SourceSeen, BreakerSeen)


class _Health(msgspec.Struct):
    status: str


class _Source(msgspec.Struct):
    name: str
    state: str
    reason: str | None = None


class _Sources(msgspec.Struct):
    sources: dict[str, list[_Source]]


class _Breaker(msgspec.Struct):
    name: str
    state: str
    reason: str = ""
    withheld: str | None = None
    shadow: bool = False


class _Breakers(msgspec.Struct):
    breakers: list[_Breaker]


class _Evidence(msgspec.Struct):
    detector: str = ""
    text: str = ""


class TransitionRow(msgspec.Struct, rename={"before": "from", "after": "to"}):
    """A transition as the admin API tells it, the fields that are kept."""

    number: int
    breaker: str
    before: str
    after: str
    at: str
    evidence: _Evidence
    shadow: bool = False


class AdminAnswers(msgspec.Struct, frozen=True):
    """The bodies of `/api/health`, `/api/sources` and `/api/breakers`."""

    health: bytes
    sources: bytes
    breakers: bytes


def sample_of(at_s: float, answers: AdminAnswers, heights: dict[str, int]) -> Sample:
    """Read a sample; msgspec.DecodeError where an answer is not a relay's."""
    health = msgspec.json.decode(answers.health, type=_Health)
    sources = msgspec.json.decode(answers.sources, type=_Sources).sources
    breakers = msgspec.json.decode(answers.breakers, type=_Breakers).breakers
    return Sample(
        at_s,
        answered=True,
        health=health.status,
        heights=heights,
        sources=tuple(
            SourceSeen(chain, each.name, each.state, (each.reason or "")[:REASON_LENGTH_MAX])
            for chain, rows in sorted(sources.items())
            for each in rows
        ),
        breakers=tuple(
            BreakerSeen(
                each.name,
                each.state,
                each.reason[:REASON_LENGTH_MAX],
                (each.withheld or "")[:REASON_LENGTH_MAX],
                each.shadow,
            )
            for each in breakers
        ),
    )


def sharing(sample: Sample, before: Sample | None) -> Sample:
    """Return a sample that stands on the rows of the one before where they are the same: most are."""
    if before is None:
        return sample
    return msgspec.structs.replace(
        sample,
        heights=before.heights if before.heights == sample.heights else sample.heights,
        sources=_shared(sample.sources, before.sources),
        breakers=_shared(sample.breakers, before.breakers),
    )


def _shared(rows: Sequence[Row], before: Sequence[Row]) -> tuple[Row, ...]:
    if tuple(rows) == tuple(before):
        return tuple(before)
    known = dict(zip(before, before, strict=True))
    return tuple(known.get(row, row) for row in rows)


def transition_seen(at_s: float, row: TransitionRow) -> TransitionSeen:
    """Return a transition as it is kept."""
    return TransitionSeen(
        at_s,
        row.breaker,
        row.before,
        row.after,
        row.evidence.text[:REASON_LENGTH_MAX],
        row.evidence.detector,
        row.shadow,
    )


def event_seen(at_s: float, event: Event) -> EventSeen:
    """Return an event as the stream's check takes it."""
    match event:
        case BlockEvent(chain=chain, seq=position, data=block):
            return BlockSeen(at_s, chain, position, block.hash, block.parent, block.height, block.late)
        case ReorgEvent(chain=chain, seq=position, data=reorg):
            return ReorgSeen(at_s, chain, position, reorg.fork_height, reorg.removed, reorg.added)
        case GapEvent(chain=chain, seq=position, data=gap):
            reason = gap.reason[:REASON_LENGTH_MAX]
            return GapSeen(at_s, chain, position, gap.from_height, gap.to_height, reason)
        case _:
            return OtherSeen(at_s, event.chain, event.seq, str(event.__struct_config__.tag))
