"""What the relay's own log says of a chain's events: what an operator would look for, nothing of each block.

Blocks, headers and finality are the stream's own matter and counted in the metrics. A line of the log has the
event's words as its message and its figures as fields, so that one can be searched for the other.
"""

from __future__ import annotations

import logging

from sprint.core.model import ChainStatusData, GapData, ReorgData, SourceStatusData
from sprint.tools.runtime import log_fields

log = logging.getLogger(__name__)

Noted = ReorgData | GapData | ChainStatusData | SourceStatusData

# What is as it should be again; everything else is worth a look.
GOOD_NEWS = ("ready", "re-admitted", "recovered")


def note(chain: str, data: Noted) -> None:
    """Log one event of a chain."""
    match data:
        case ReorgData():
            fields: dict[str, object] = {"fork_height": data.fork_height, "removed": data.depth}
            log_fields(log, logging.WARNING, "reorg", chain=chain, **fields, added=len(data.added))
        case GapData():
            fields = {"from_height": data.from_height, "to_height": data.to_height, "reason": data.reason}
            log_fields(log, logging.WARNING, "gap", chain=chain, **fields)
        case ChainStatusData():
            level = _level_of(data.status)
            log_fields(log, level, f"chain {data.status}", chain=chain, reason=data.reason)
        case SourceStatusData():
            level = _level_of(data.status)
            fields = {"source": data.source, "reason": data.reason}
            log_fields(log, level, f"source {data.status}", chain=chain, **fields)


def _level_of(status: str) -> int:
    return logging.INFO if status in GOOD_NEWS else logging.WARNING
