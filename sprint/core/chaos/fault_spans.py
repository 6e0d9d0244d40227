"""When each fault of a run was on, read out of its journal: the journal is what is true of faults."""

from __future__ import annotations

from sprint.core.chaos.facts import FaultSpan
from sprint.core.chaos.journal import Journal, Planned, Undone
from sprint.core.chaos.topology import BlastRadius
from sprint.core.chaos.undo import EndDevnetFault

SOURCE_PREFIX = "source:"
BREAKER_PREFIX = "breaker:"
ITSELF = "itself"


def fault_spans(journal: Journal, began_unix_s: float, predicted: BlastRadius) -> tuple[FaultSpan, ...]:
    """Return the faults that were put on, in seconds since `began_unix_s`, in their order.

    One whose target is `source:CHAIN:NAME` or `breaker:NAME` is aimed at that; of any other the predicted
    radius says whom it reaches.
    """
    spans = []
    for number in sorted(journal.injected):
        planned, undone = journal.planned[number], journal.undone.get(number)
        sources, breakers = _aimed(planned.target, predicted)
        spans.append(
            FaultSpan(
                fault=number,
                kind=planned.kind,
                target=planned.target,
                says=planned.says,
                ttl_s=planned.ttl_s,
                # What it does begins before its journal says that it is on: an order opens a breaker at once.
                injected_s=planned.at - began_unix_s,
                removed_s=None if undone is None else undone.at - began_unix_s,
                removed_by="" if undone is None else _removed_by(planned, undone),
                sources=sources,
                breakers=breakers,
            )
        )
    return tuple(spans)


def _removed_by(planned: Planned, undone: Undone) -> str:
    """Return who took a fault off: nobody where it has no undo, or where the devnet had ended it before."""
    devnets = any(isinstance(each, EndDevnetFault) for each in planned.undo)
    return ITSELF if not planned.undo or (devnets and undone.says) else undone.by


def _aimed(target: str, predicted: BlastRadius) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the sources and the breakers at which a fault is aimed."""
    breaker = target.removeprefix(BREAKER_PREFIX)
    if breaker.startswith(SOURCE_PREFIX):
        return (breaker.removeprefix(SOURCE_PREFIX),), (breaker,)
    if breaker != target:
        return (), (breaker,)
    return predicted.sources, predicted.breakers
