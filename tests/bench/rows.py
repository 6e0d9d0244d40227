"""One row of the summary: what a benchmark found, written and read back as a line of text.

A benchmark calls `tell` once for each of its targets, or `skip` with the reason. The lines stand in its
output among all that it says besides, so that a kept result carries its rows with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import msgspec

from tests.bench.targets import Target

_MARK = "row"
_SEPARATOR = " | "
_FIELDS = 5
HEADINGS = ("row", "ours", "peer", "found", "target", "reached")


class Row(msgspec.Struct, frozen=True):
    """`found` is in the target's unit; None says that it was not measured, and `ours` says why."""

    name: str
    ours: str
    peer: str
    found: float | None


def tell(
    name: str, found: float, *, ours: str, peer: str = "-", write: Callable[[str], object] = print
) -> None:
    """Print what was found for the target `name`: in its unit, which for a ratio is how many times."""
    write(_line_of(name, ours, peer, repr(float(found))))


def skip(name: str, reason: str, *, write: Callable[[str], object] = print) -> None:
    """Print that the target `name` could not be measured here, and why."""
    write(_line_of(name, reason, "-", "-"))


def _line_of(*fields: str) -> str:
    line = _SEPARATOR.join((_MARK, *fields))
    if len(line.split(_SEPARATOR)) != _FIELDS or "\n" in line:
        raise ValueError(f"{line!r}: a field holds the separator {_SEPARATOR!r} or a line's end")
    return line


def rows_in(text: str) -> Iterator[Row]:
    """Find the rows that a benchmark's output holds."""
    for line in text.splitlines():
        fields = line.split(_SEPARATOR)
        if fields[0] == _MARK and len(fields) == _FIELDS:
            _, name, ours, peer, found = fields
            yield Row(name, ours, peer, None if found == "-" else float(found))


def table(targets: Sequence[Target], rows: Sequence[Row], features: frozenset[str]) -> list[str]:
    """Return the summary: a line for each target, also for those that nothing was told of."""
    told = {row.name: row for row in rows}
    lines = [HEADINGS, *(_line(target, told.get(target.name), features) for target in targets)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join(field.ljust(width) for field, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]


def _line(target: Target, row: Row | None, features: frozenset[str]) -> tuple[str, ...]:
    goal = target.text(features)
    if row is None:
        return target.name, "-", "-", "-", goal, "not measured"
    if row.found is None:
        return target.name, "-", "-", "-", goal, f"skipped: {row.ours}"
    reached = target.reached(row.found, features)
    verdict = "-" if reached is None else "yes" if reached else "no"
    return target.name, row.ours, row.peer, f"{row.found:.3g}{target.unit}", goal, verdict
