"""Writes what the pages on breakers take from the code: the state diagram, and the tables of policies.

    python -m tests.breaker_pages

The test of the documentation compares the pages with what this writes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from sprint.core.breaker.policy import Policy
from sprint.core.breaker.rounds import Intervals
from sprint.core.breaker.transitions import mermaid
from sprint.tools.breaker import packaged_policies

DOCS = Path(__file__).resolve().parent.parent / "docs"
MACHINE_PAGE = DOCS / "explanation" / "breaker-machine.md"
REFERENCE_PAGE = DOCS / "reference" / "breakers.md"


def diagram() -> str:
    return f"```mermaid\n{mermaid()}\n```"


def policy_table() -> str:
    """Every figure of a policy: its default, and each tier's."""
    tiers = packaged_policies()
    figures = {name: dict(fields(policy)) for name, policy in tiers.items()}
    rows = ["| key | default | " + " | ".join(tiers) + " |", "| --- " * (len(tiers) + 2) + "|"]
    for key, default in fields(Policy()):
        if key != "name":
            cells = (shown(figures[tier][key], default) for tier in tiers)
            rows.append(f"| `{key}` | {shown(default)} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def interval_table() -> str:
    rows = ["| key | default |", "| --- | --- |"]
    return "\n".join([*rows, *(f"| `{key}` | {shown(value)} |" for key, value in fields(Intervals()))])


def fields(record: msgspec.Struct, prefix: str = "") -> Iterator[tuple[str, object]]:
    """Each field of a record and of those within, by its dotted key."""
    for field in msgspec.structs.fields(record):
        value = getattr(record, field.name)
        if isinstance(value, msgspec.Struct):
            yield from fields(value, f"{prefix}{field.name}.")
        else:
            yield prefix + field.name, value


def shown(value: object, default: object = ...) -> str:
    """A value as it is written in TOML; nothing where it is the default."""
    if value == default:
        return ""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, int | float) else f"`{value}`"


def filled(page: Path) -> str:
    """The page with its generated parts as they should be."""
    text = page.read_text(encoding="utf-8")
    for name, part in (("diagram", diagram), ("policies", policy_table), ("intervals", interval_table)):
        begin, end = f"<!-- {name}: begin -->\n\n", f"\n\n<!-- {name}: end -->"
        if begin in text:
            head, _, rest = text.partition(begin)
            text = head + begin + part() + end + rest.partition(end)[2]
    return text


def main() -> None:
    for page in (MACHINE_PAGE, REFERENCE_PAGE):
        page.write_text(filled(page), encoding="utf-8")


if __name__ == "__main__":
    main()
