"""What the relay's commands print: an event a line, a table of checked sources, where it serves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

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

HASH_SHOWN = 8  # of its end: on a main network every hash begins with the same zeros
_KILO = 1_000
_MEGA = 1_000_000


def line_of(event: Event) -> str:
    """An event as a person reads it; those of blocks fit a terminal of 80 columns."""
    return f"{event.chain:16} {event.seq:>6} {_words(event)}"


def _words(event: Event) -> str:
    data = event.data
    match data:
        case BlockData():
            level = "" if data.validation == "full" else f" {data.validation} only"
            late = " late" if data.late else ""
            return (
                f"block     {data.height:>7} {_short(data.hash)} {data.tx_count} tx {_size(data.size)} "
                f"by {data.agreed_by} {data.relay_time_ms:.3g} ms{level}{late}"
            )
        case HeaderData():
            return f"header    {data.height:>7} {_short(data.hash)} its body is being fetched"
        case HeaderWithdrawnData():
            return f"withdrawn {data.height:>7} {_short(data.hash)} {data.reason}"
        case ReorgData():
            return f"reorg     {data.fork_height:>7} {data.depth} removed, {len(data.added)} added"
        case FinalizedData():
            return f"finalized {data.height:>7} {_short(data.hash)} with all below it"
        case GapData():
            return f"gap       {data.from_height:>7} to {data.to_height}: {data.reason}"
        case ChainStatusData():
            return f"{data.status}: {data.reason}"
        case _:
            return f"source {data.source} {data.status}: {data.reason}"


def _short(block_hash: str) -> str:
    return f"…{block_hash[-HASH_SHOWN:]}"


def _size(size_bytes: int) -> str:
    """A size in few digits; block limits are in thousands and millions of bytes too."""
    if size_bytes < _KILO:
        return f"{size_bytes} B"
    if size_bytes < _MEGA:
        return f"{size_bytes / _KILO:.0f} kB"
    return f"{size_bytes / _MEGA:.1f} MB"


def serving_lines(line: Serving, *, devnet: bool, command: str) -> list[str]:
    """Say where the relay serves, and what to do next; `command` is what is typed for `sprint`."""
    lines = [f"serving {listener.tier:10} {listener.url}" for listener in line.listeners]
    lines += [f"        admin      {line.admin}", f"        metrics    {line.metrics}"]
    lines += [f"        log        {line.log}", ""]
    lines.append(f"watch it:    {command} relay tail --url {line.listeners[0].url}")
    if devnet:
        lines += [
            "this is the embedded devnet; with a node of yours:",
            f"             {command} relay --source bitcoin=p2p://127.0.0.1:8333",
            f"             {command} relay --source litecoin:regtest=p2p://127.0.0.1:19444",
        ]
    return lines


def typed_command(program: Path, folder: Path) -> str:
    """Return what is typed in `folder` to run `program` again: in a clone its script, else `sprint`.

    A clone's own environment is on nobody's PATH.
    """
    environment = program.absolute().parent.parent
    script = environment.parent / "scripts" / "sprint"
    if environment.name != ".venv" or not script.is_file():
        return "sprint"
    return "scripts/sprint" if folder == environment.parent else str(script)


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
