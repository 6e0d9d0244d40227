"""What `sprint optimize` prints: a table of settings for 80 columns and more, and what is said below it.

Each state has a shape as well as a word, so that it is told without colours.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sprint.core.optimize.health import Finding
    from sprint.core.optimize.told import Row

SHAPES = {
    "applied": ("●", "green"),
    "kept": ("●", "green"),
    "would change": ("○", "cyan"),
    "unsupported": ("·", "dim"),
    "denied": ("✗", "red"),
    "drifted": ("▲", "yellow"),
}
# From this width on there is room for the reasons beside the values.
WIDE_COLUMNS = 110
VALUE_WIDTH_MAX = 22


def print_json(value: object) -> None:
    """Print a value as one line of JSON."""
    import msgspec

    print(msgspec.json.encode(value).decode(), flush=True)


def print_rows(rows: Sequence[Row]) -> None:
    """Print settings as a table, and below it what is to be said of those that are not as wanted."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, emoji=False)
    wide = console.width >= WIDE_COLUMNS
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("setting", "now", "wanted", "state", *(("why",) if wide else ())):
        table.add_column(name, overflow="fold", max_width=None if name == "why" else VALUE_WIDTH_MAX)
    for row in rows:
        shape, style = SHAPES[row.state]
        state = f"[{style}]{shape} {row.state}[/]"
        cells = [row.setting.removeprefix("sysctl:"), row.now, row.wanted]
        table.add_row(*map(_plain, cells), state, *((_plain(row.why),) if wide else ()))
    console.print(table)
    for line in remarks(rows):
        console.print(_plain(line), soft_wrap=False)


def _plain(text: str) -> str:
    """Return a text in which nothing is taken for a style."""
    return text.replace("[", "\\[")


def remarks(rows: Iterable[Row]) -> list[str]:
    """Return lines for what is not as wanted, one a reason: why it isn't, and what would permit it."""
    reasons: dict[tuple[str, str, str], list[str]] = {}
    for row in rows:
        if row.state not in ("applied", "kept"):
            name = f"{row.setting} (required)" if row.required else row.setting
            reasons.setdefault((SHAPES[row.state][0], _reason(row), row.remedy), []).append(name)
    lines = []
    for (shape, reason, remedy), names in reasons.items():
        lines.append(f"{shape} {', '.join(names)}: {reason}")
        if remedy:
            lines.append(f"    permitted by {remedy}")
    return lines


def _reason(row: Row) -> str:
    """Say why a setting is not as wanted; of one that would be set, what for."""
    if row.state == "would change":
        return row.why
    said = [f"{row.error} (errno {row.errno})"] if row.error else []
    return ": ".join([*said, *([row.says] if row.says else [])]) or row.why


def print_findings(found: Iterable[Finding]) -> None:
    """Print what was checked, a line each."""
    shapes = {"ok": "●", "alert": "▲", "failed": "✗"}
    for finding in found:
        print(f"{shapes[finding.word]} {finding.word:7} {finding.what}: {finding.says}")


def say(text: str) -> None:
    """Say something that is no data."""
    print(text, file=sys.stderr, flush=True)


def level_said(level: str, origin: str, origins: dict[str, str], changes: dict[str, Any]) -> str:
    """Say which level holds, where it comes from, and which fields were set otherwise."""
    from sprint.core.optimize.levels import LEVELS

    is_for = next(each.is_for for each in LEVELS.values() if each.name == level)
    lines = [f"level {level} ({is_for}), from {origin}"]
    lines += [f"  {name} = {value}, from {origins.get(name, '?')}" for name, value in changes.items()]
    return "\n".join(lines)
