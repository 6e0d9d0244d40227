"""`sprint relay verify`: files in, each block's checks and verdict out."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sprint.cli import exits

if TYPE_CHECKING:
    from sprint.core.relay.block_file import Unreadable
    from sprint.core.relay.block_report import BlockReport

VERIFY_HELP = """Check blocks offline: raw, in hex, as a node's JSON answer, or a node's blk file.

\b
sprint relay verify bitcoin block.json
sprint relay verify dogecoin --network testnet 1.hex 2.hex
bitcoin-cli getblock HASH 0 | sprint relay verify bitcoin -
"""
LABEL_WIDTH = 12
OUTCOMES = ("ok", "refused", "not checked")
HEIGHT_BY = {
    "genesis": "from genesis",
    "checkpoint": "from a checkpoint",
    "coinbase": "as its coinbase states",
    "answer": "as the answer states, not checked",
}


def verify(
    chain: Annotated[
        str, typer.Argument(help="The chain: its name, an alias, or an id as litecoin-regtest.")
    ],
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Files; - is standard input.")],
    network: Annotated[str | None, typer.Option(help="The chain's network (main).")] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print a line for each refused block, no more.")
    ] = False,
) -> None:
    """Check blocks offline. Exit 1 if one is refused, 3 if a file holds none."""
    with exits.errors_end_the_command():
        import msgspec

        from sprint.tools.relay.verify import verify_files

        reports, unreadable = verify_files(chain, network, files)
        if json_output:
            print(msgspec.json.encode(reports).decode())
        else:
            for line in _lines(reports, quiet=quiet):
                print(line)
        for each in unreadable:
            print(f"error: {_place(each)}: {each.reason}", file=sys.stderr)
    raise typer.Exit(_exit_code(reports, unreadable))


def _exit_code(reports: list[BlockReport], unreadable: list[Unreadable]) -> int:
    if not all(report.passed for report in reports):
        return exits.NOT_MET
    return exits.COULD_NOT_RUN if unreadable else exits.DONE


def _lines(reports: list[BlockReport], *, quiet: bool) -> Iterator[str]:
    for report in reports:
        if not quiet:
            yield from _of_block(report)
        elif not report.passed:
            yield f"{_place(report)}: {report.hash or 'no hash'} refused: {report.reason}"
    if not quiet and len(reports) > 1:
        refused = sum(not report.passed for report in reports)
        yield f"{len(reports)} blocks, {refused} refused"


def _of_block(report: BlockReport) -> Iterator[str]:
    yield f"{report.hash or 'no hash'}  {_place(report)}"
    if report.height is not None:
        yield _row("height", f"{report.height}, {HEIGHT_BY[report.height_by]}")
    if report.tx_count is not None:
        plural = "" if report.tx_count == 1 else "s"
        yield _row("body", f"{report.tx_count} transaction{plural}, {report.size} bytes")
    for (outcome, why), checks in groupby(
        sorted(report.checks, key=lambda check: (OUTCOMES.index(check.outcome), check.why)),
        key=lambda check: (check.outcome, check.why),
    ):
        names = ", ".join(check.name for check in checks)
        yield _row(outcome, f"{names}: {why}" if why else names)
    if report.doubt:
        yield _row("doubtful", report.doubt)
    verdict = "passed" if report.passed else "refused"
    yield _row("verdict", f"{verdict}, level {report.level}")
    yield ""


def _row(label: str, text: str) -> str:
    return f"  {label:{LABEL_WIDTH}} {text}"


def _place(thing: BlockReport | Unreadable) -> str:
    return f"{thing.file} at byte {thing.offset}" if thing.offset else thing.file
