"""What a monitor tells those who watch several relays: the messages of one relay with `relay` added.

A snapshot comes in parts of so many rows, each a message of its own; the first has the relays too. Then come
deltas, each with the rows and the relays that have changed since. `FleetChanges` finds them, `lay_on` puts
what was told, or recorded, on a board again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from sprint.core.monitor.board import Board, Key, RelaySeen
from sprint.core.monitor.codec import Delta, Metrics, Snapshot, TransitionTold, delta_between
from sprint.core.monitor.rows import BreakerRow, MetricsPoint, TransitionRow

# A part is some 330 kB, so that one who reads takes it before the next.
ROWS_PER_PART_MAX = 500


class Gone(msgspec.Struct, frozen=True):
    """A breaker that a relay has no more."""

    relay: str
    name: str


class FleetSnapshot(msgspec.Struct, frozen=True, kw_only=True, tag="snapshot", tag_field="type"):
    """All rows as they are, each with `relay`.

    The first of `parts` has the relays, and what was known before it is void.
    """

    seq: int
    at: str
    part: int
    parts: int
    demo: bool
    read_only: bool
    relays: tuple[RelaySeen, ...]
    breakers: tuple[dict[str, Any], ...]


class FleetDelta(msgspec.Struct, frozen=True, kw_only=True, tag="delta", tag_field="type"):
    """What has changed since the message before: of rows the fields that did, with `relay` and `name`."""

    seq: int
    at: str
    relays: tuple[RelaySeen, ...]
    changed: tuple[dict[str, Any], ...]
    removed: tuple[Gone, ...]


class FleetTransition(msgspec.Struct, frozen=True, kw_only=True, tag="transition", tag_field="type"):
    """One transition, told at once; the row follows with the next delta."""

    seq: int
    at: str
    relay: str
    transition: TransitionRow


class FleetMetrics(msgspec.Struct, frozen=True, kw_only=True, tag="metrics", tag_field="type"):
    """Figures of a relay's breakers, by name."""

    seq: int
    at: str
    relay: str
    points: dict[str, MetricsPoint]


class FleetAlert(msgspec.Struct, frozen=True, kw_only=True, tag="alert", tag_field="type"):
    """An alert as it is by now."""

    seq: int
    at: str
    alert: dict[str, Any]


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """A recording that is shown: its file, how fast, whether it stands still, whether it is at its end.

    `reason` is why it can't be shown beyond that, empty where it has no more.
    """

    file: str
    speed: float
    paused: bool
    ended: bool
    reason: str = ""


class FleetTape(msgspec.Struct, frozen=True, kw_only=True, tag="tape", tag_field="type"):
    """Whether what is told is being recorded, and to which file; whether it comes of a recording itself."""

    seq: int
    at: str
    recording: str | None = None
    replay: Replayed | None = None


FleetMessage = FleetSnapshot | FleetDelta | FleetTransition | FleetMetrics | FleetAlert | FleetTape

encode_fleet = msgspec.json.Encoder().encode
_decoder: msgspec.json.Decoder[FleetMessage] = msgspec.json.Decoder(FleetMessage)


def decode_fleet(message: bytes | str) -> FleetMessage:
    """Read a message; msgspec.DecodeError where it is none."""
    return _decoder.decode(message)


class FleetChanges:
    """What a board was when it was told last, and so what is to be told of it now."""

    def __init__(self) -> None:
        self._rows: dict[Key, BreakerRow] = {}
        self._relays: dict[str, RelaySeen] = {}
        self._version = -1

    def __repr__(self) -> str:
        return f"FleetChanges({len(self._rows)} rows)"

    def delta(self, board: Board, seq: int, at: str) -> FleetDelta | None:
        """Return what has changed since the last call, None where nothing has."""
        if board.version == self._version:
            return None
        before, rows = self._rows, dict(board.rows)
        changed = tuple(
            row_told(key, row) if key not in before else _differing(key, before[key], row)
            for key, row in rows.items()
            if before.get(key) is not row and before.get(key) != row
        )
        removed = tuple(Gone(key.relay, key.breaker) for key in before if key not in rows)
        relays = tuple(seen for name, seen in board.relays.items() if self._relays.get(name) != seen)
        self._rows, self._relays, self._version = rows, dict(board.relays), board.version
        if not (changed or removed or relays):
            return None
        return FleetDelta(seq=seq, at=at, relays=relays, changed=changed, removed=removed)

    def snapshot(self, seq: int, at: str, *, demo: bool, read_only: bool) -> Iterator[FleetSnapshot]:
        """Yield the parts of all that was told last."""
        rows = [row_told(key, row) for key, row in self._rows.items()]
        parts = max(1, -(-len(rows) // ROWS_PER_PART_MAX))
        for part in range(parts):
            first = part * ROWS_PER_PART_MAX
            yield FleetSnapshot(
                seq=seq,
                at=at,
                part=part + 1,
                parts=parts,
                demo=demo,
                read_only=read_only,
                relays=() if part else tuple(self._relays.values()),
                breakers=tuple(rows[first : first + ROWS_PER_PART_MAX]),
            )


def row_told(key: Key, row: BreakerRow) -> dict[str, Any]:
    """Return a row as it is told, with whose it is."""
    return {"relay": key.relay, **msgspec.structs.asdict(row)}


def lay_on(board: Board, message: FleetMessage, unix_s: float) -> None:
    """Put a message on a board. msgspec.ValidationError where its rows are none."""
    match message:
        case FleetSnapshot():
            _lay_snapshot(board, message, unix_s)
        case FleetDelta():
            for seen in message.relays:
                board.connected(seen)
            for relay in {each.relay for each in message.removed} | _relays_of(message.changed):
                changed = tuple(fields for fields in message.changed if fields.get("relay") == relay)
                removed = tuple(each.name for each in message.removed if each.relay == relay)
                board.told(relay, Delta(seq=0, at=message.at, changed=changed, removed=removed), unix_s)
        case FleetTransition():
            told = TransitionTold(seq=0, at=message.at, transition=message.transition)
            board.told(message.relay, told, unix_s)
        case FleetMetrics():
            board.told(message.relay, Metrics(seq=0, at=message.at, points=message.points), unix_s)
        case FleetAlert() | FleetTape():
            pass


def _lay_snapshot(board: Board, message: FleetSnapshot, unix_s: float) -> None:
    """Lay a part over what is known; the first one puts an end to all that it doesn't name."""
    if message.part == 1:
        for relay in [name for name in board.relays if name not in {each.name for each in message.relays}]:
            board.removed(relay)
        for seen in message.relays:
            board.connected(seen)
            board.told(seen.name, Snapshot(seq=0, at=message.at, breakers=()), unix_s)
    for relay in _relays_of(message.breakers):
        rows = tuple(fields for fields in message.breakers if fields.get("relay") == relay)
        board.told(relay, Delta(seq=0, at=message.at, changed=rows, removed=()), unix_s)


def _relays_of(rows: Iterable[dict[str, Any]]) -> set[str]:
    relays = {fields.get("relay") for fields in rows}
    if not all(isinstance(relay, str) for relay in relays):
        raise msgspec.ValidationError("a row has no relay")
    return {str(relay) for relay in relays}


def _differing(key: Key, before: BreakerRow, after: BreakerRow) -> dict[str, Any]:
    change = delta_between({key.breaker: before}, {key.breaker: after})
    return {"relay": key.relay, **change.changed[0]}
