"""When each fault of a run was on, read out of its journal: the journal is what is true of faults."""

from __future__ import annotations

from sprint.core.chaos.facts import FaultSpan
from sprint.core.chaos.journal import Journal
from sprint.core.chaos.topology import BlastRadius

SOURCE_PREFIX = "source:"


def fault_spans(journal: Journal, began_unix_s: float, predicted: BlastRadius) -> tuple[FaultSpan, ...]:
    """Return the faults that were put on, in seconds since `began_unix_s`, in their order.

    One whose target is a source's breaker is aimed at that source; of any other the predicted radius says
    whom it reaches.
    """
    spans = []
    for number, injected in sorted(journal.injected.items()):
        planned, undone = journal.planned[number], journal.undone.get(number)
        one = planned.target.startswith(SOURCE_PREFIX)
        source = planned.target.removeprefix(SOURCE_PREFIX)
        spans.append(
            FaultSpan(
                fault=number,
                kind=planned.kind,
                target=planned.target,
                says=planned.says,
                ttl_s=planned.ttl_s,
                injected_s=injected.at - began_unix_s,
                removed_s=None if undone is None else undone.at - began_unix_s,
                removed_by="" if undone is None else undone.by,
                sources=(source,) if one else predicted.sources,
                breakers=(planned.target,) if one else predicted.breakers,
            )
        )
    return tuple(spans)
