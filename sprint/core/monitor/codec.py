"""What is said to those who watch breakers: all rows once, then what has changed.

Every message has `seq`, one more than the message before it, so that a missing one shows. A delta lays fields
over the rows that are known; a new breaker comes with all of its fields. `applied` is the other side of
`delta_between`: a snapshot with the deltas laid over it is the next snapshot.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from sprint.core.monitor.rows import BreakerRow, MetricsPoint, TransitionRow

Fields = Mapping[str, Any]
_NAMES = BreakerRow.__struct_fields__


class Change(msgspec.Struct, frozen=True):
    """What it takes to come from some rows to others: parts of rows, each with its `name`, and names gone."""

    changed: tuple[dict[str, Any], ...] = ()
    removed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.changed or self.removed)


class Snapshot(msgspec.Struct, frozen=True, kw_only=True, tag="snapshot", tag_field="type"):
    """All rows as they are; the first message."""

    seq: int
    at: str
    breakers: tuple[BreakerRow, ...]


class Delta(msgspec.Struct, frozen=True, kw_only=True, tag="delta", tag_field="type"):
    """What has changed since the message before."""

    seq: int
    at: str
    changed: tuple[dict[str, Any], ...]
    removed: tuple[str, ...]


class TransitionTold(msgspec.Struct, frozen=True, kw_only=True, tag="transition", tag_field="type"):
    """One transition, told at once; the row follows with the next delta."""

    seq: int
    at: str
    transition: TransitionRow


class Metrics(msgspec.Struct, frozen=True, kw_only=True, tag="metrics", tag_field="type"):
    """The figures of all breakers, by name."""

    seq: int
    at: str
    points: dict[str, MetricsPoint]


Message = Snapshot | Delta | TransitionTold | Metrics

encode = msgspec.json.Encoder().encode


def decode(message: bytes | str) -> Message:
    """Read a message; msgspec.DecodeError where it is none."""
    found: Message = msgspec.json.decode(message, type=Message)
    return found


def delta_between(before: Mapping[str, BreakerRow], after: Mapping[str, BreakerRow]) -> Change:
    """Return what has changed: of a row that differs the fields that do, and `name` with them."""
    changed = []
    for name, row in after.items():
        known = before.get(name)
        if known is None:
            changed.append(row_fields(row))
        elif known != row:
            differing = [each for each in _NAMES if getattr(known, each) != getattr(row, each)]
            told: dict[str, Any] = {each: msgspec.to_builtins(getattr(row, each)) for each in differing}
            changed.append({"name": name, **told})
    return Change(tuple(changed), tuple(name for name in before if name not in after))


def applied(rows: Mapping[str, Fields], change: Change | Delta) -> dict[str, Fields]:
    """Return the rows, by name, with a change laid over them. Of an unknown name it makes a row."""
    laid = dict(rows)
    for fields in change.changed:
        name = fields["name"]
        laid[name] = {**laid.get(name, {}), **fields}
    for name in change.removed:
        laid.pop(name, None)
    return laid


def row_fields(row: BreakerRow) -> dict[str, Any]:
    """Return a row as plain data."""
    fields: dict[str, Any] = msgspec.to_builtins(row)
    return fields
