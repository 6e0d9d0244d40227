"""What the relay's commands print: an event a line, a table of checked sources, where it serves."""

from __future__ import annotations

from collections.abc import Sequence

from sprint.core.model import (
    BlockData,
    ChainStatusData,
    Event,
    FinalizedData,
    GapData,
    HeaderData,
    HeaderWithdrawnData,
    ReorgData,
)
from sprint.tools.relay.check import SourceCheck
from sprint.tools.relay.service import Serving
from sprint.tools.relay.view import ServiceView

HASH_SHOWN = 16


def line_of(event: Event) -> str:
    """An event as a person reads it."""
    return f"{event.chain:18} {event.seq:>7} {_words(event)}"


def _words(event: Event) -> str:
    data = event.data
    match data:
        case BlockData():
            late = " late" if data.late else ""
            return (
                f"block     {data.height:>8} {data.hash[:HASH_SHOWN]}… {data.tx_count} tx {data.size} B "
                f"{data.validation} by {data.agreed_by} in {data.relay_time_ms:.2f} ms{late}"
            )
        case HeaderData():
            return f"header    {data.height:>8} {data.hash[:HASH_SHOWN]}… its body is being fetched"
        case HeaderWithdrawnData():
            return f"withdrawn {data.height:>8} {data.hash[:HASH_SHOWN]}… {data.reason}"
        case ReorgData():
            return f"reorg     {data.fork_height:>8} {data.depth} removed, {len(data.added)} added"
        case FinalizedData():
            return f"finalized {data.height:>8} {data.hash[:HASH_SHOWN]}… with all below it"
        case GapData():
            return f"gap       {data.from_height:>8} to {data.to_height}: {data.reason}"
        case ChainStatusData():
            return f"{data.status}: {data.reason}"
        case _:
            return f"source {data.source} {data.status}: {data.reason}"


def serving_lines(line: Serving, *, devnet: bool) -> list[str]:
    """Say where the relay serves, and what to do next."""
    lines = [f"serving {listener.tier:10} {listener.url}" for listener in line.listeners]
    lines += [f"        admin      {line.admin}", f"        metrics    {line.metrics}"]
    lines += [f"        log        {line.log}", ""]
    lines.append(f"watch it:    sprint relay tail --url {line.listeners[0].url}")
    if devnet:
        lines += [
            "this is the embedded devnet; with a node of yours:",
            "             sprint relay --source bitcoin=p2p://127.0.0.1:8333",
            "             sprint relay --source litecoin:regtest=p2p://127.0.0.1:19444",
        ]
    return lines


def status_line(view: ServiceView | None) -> str:
    """Say in one line where each chain is and how many listen; nothing before the relay serves."""
    if view is None:
        return ""
    chains = [
        f"{chain.chain} {'-' if chain.height is None else chain.height} "
        f"{chain.sources_ready}/{chain.sources} sources"
        + ("" if chain.status == "following" else f" {chain.status}")
        for chain in view.summary()
    ]
    return " | ".join([*chains, f"{view.subscribers()} subscribers"])


def table_lines(rows: Sequence[SourceCheck]) -> list[str]:
    """Return one line a source, aligned."""
    header = ("source", "chain", "url", "state", "height", "ms", "node", "note")
    table = [header, *(_cells(row) for row in rows)]
    widths = [max(len(line[i]) for line in table) for i in range(len(header))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in table
    ]


def _cells(row: SourceCheck) -> tuple[str, ...]:
    return (
        row.name,
        row.chain,
        row.url,
        "usable" if row.usable else "unusable",
        "" if row.height is None else str(row.height),
        "" if row.latency_ms is None else f"{row.latency_ms:g}",
        row.user_agent,
        row.reason,
    )
