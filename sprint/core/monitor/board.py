"""What is known of the breakers of some relays: the one model that page, terminal, alerts and metrics show.

A probe hands in what its relay says, message by message, and what became of its connection. What a relay said
last stays while it cannot be reached, and is marked as such: a breaker that nobody sees is not a closed one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec

from sprint.core.monitor.codec import Delta, Message, Metrics, Snapshot, TransitionTold, row_fields
from sprint.core.monitor.happened import RECENT_MAX, Happened, Happenings, Key
from sprint.core.monitor.history import MetricsHistory
from sprint.core.monitor.rows import BreakerRow, MetricsPoint, TransitionRow

__all__ = ["RECENT_MAX", "Board", "Connection", "Happened", "Key", "RelaySeen"]

RELAYS_MAX = 64
BREAKERS_MAX = 20_000
# Between relay and breaker in the key of a history: no name has it.
_BETWEEN = "\x1f"

Connection = Literal["connecting", "live", "lost"]


class RelaySeen(msgspec.Struct, frozen=True, kw_only=True):
    """A relay: whether it is heard, since when, and why not. `health` and `sources` as its admin API says."""

    name: str
    url: str
    connection: Connection
    since: str
    reason: str = ""
    health: dict[str, Any] = {}
    sources: dict[str, list[dict[str, Any]]] = {}


class Board:
    """All of it. `version` rises with each change, so that who draws knows whether there is anything new."""

    def __init__(self) -> None:
        self.version = 0
        self.relays: dict[str, RelaySeen] = {}
        self.rows: dict[Key, BreakerRow] = {}
        self.left_out = 0
        self._points = MetricsHistory()
        self._happenings = Happenings()

    def __repr__(self) -> str:
        return f"Board({len(self.relays)} relays, {len(self.rows)} breakers)"

    @property
    def recent(self) -> deque[Happened]:
        """The newest transitions of all, the newest last; to be read only."""
        return self._happenings.recent

    def connected(self, relay: RelaySeen) -> None:
        """Take down how a relay is reached; what it said before stays."""
        if self.relays.get(relay.name) != relay:
            self.relays[relay.name] = relay
            self.version += 1

    def told(self, relay: str, message: Message, unix_s: float) -> None:
        """Take in what a relay says, at `unix_s`. Rows beyond BREAKERS_MAX are counted in `left_out`.

        msgspec.ValidationError where a delta makes no whole row.
        """
        match message:
            case Snapshot():
                self._only(relay, {row.name for row in message.breakers})
                for row in message.breakers:
                    self._put(Key(relay, row.name), row)
            case Delta():
                self._lay_over(relay, message)
            case TransitionTold(transition=transition):
                self.happened(relay, transition)
            case Metrics(points=points):
                for name, point in points.items():
                    if Key(relay, name) in self.rows:
                        self._points.add(_joined(Key(relay, name)), _unix_s(point.at, unix_s), point)
        self.version += 1

    def happened(self, relay: str, transition: TransitionRow) -> bool:
        """Keep a transition, also one that was read from a history after a loss. False: it is known."""
        new = self._happenings.add(relay, transition)
        self.version += new
        return new

    def measured(self, key: Key, points: Sequence[MetricsPoint]) -> None:
        """Put figures that were read from a relay's history among those that are known."""
        if key not in self.rows:
            return
        whole = {point.at: point for point in (*points, *self.points(key))}
        self._points.forget(_joined(key))
        for at in sorted(whole):
            self._points.add(_joined(key), _unix_s(at, 0.0), whole[at])
        self.version += 1

    def transitions(self, key: Key, limit: int = RECENT_MAX) -> list[TransitionRow]:
        """Return a breaker's newest transitions, oldest first."""
        return self._happenings.rows(key, limit)

    def points(self, key: Key, limit: int = 720) -> list[MetricsPoint]:
        """Return a breaker's newest figures, oldest first."""
        return self._points.points(_joined(key), limit)

    def removed(self, relay: str) -> None:
        """Forget a relay and all that it said."""
        self._only(relay, set())
        self.relays.pop(relay, None)
        self._happenings.forget(relay)
        self.version += 1

    def find(self, breaker: str, relay: str = "") -> list[Key]:
        """Return the breakers of that name, of one relay where it is given."""
        return [key for key in self.rows if key.breaker == breaker and relay in {"", key.relay}]

    def of(self, relay: str) -> Iterator[tuple[Key, BreakerRow]]:
        """Yield the breakers of a relay."""
        return ((key, row) for key, row in self.rows.items() if key.relay == relay)

    def _put(self, key: Key, row: BreakerRow) -> None:
        if key not in self.rows and len(self.rows) >= BREAKERS_MAX:
            self.left_out += 1
            return
        self.rows[key] = row

    def _lay_over(self, relay: str, delta: Delta) -> None:
        for fields in delta.changed:
            if not isinstance(fields.get("name"), str):
                raise msgspec.ValidationError("a row of a delta has no name")
            key = Key(relay, fields["name"])
            known = self.rows.get(key)
            whole = fields if known is None else {**row_fields(known), **fields}
            self._put(key, msgspec.convert(whole, BreakerRow))
        for name in delta.removed:
            self.rows.pop(Key(relay, name), None)
            self._points.forget(_joined(Key(relay, name)))
        if delta.removed:
            self._happenings.forget_gone(iter(self.rows), relay)

    def _only(self, relay: str, names: set[str]) -> None:
        """Forget the breakers of a relay that are not among these, with all that was theirs."""
        self.rows = {key: row for key, row in self.rows.items() if key.relay != relay or key.breaker in names}
        self._points.keep_only({_joined(key) for key in self.rows})
        self._happenings.forget_gone(iter(self.rows), relay)


def _joined(key: Key) -> str:
    return f"{key.relay}{_BETWEEN}{key.breaker}"


def _unix_s(at: str, otherwise: float) -> float:
    """Return the seconds since 1970 of what a relay says is a time."""
    try:
        return datetime.fromisoformat(at).timestamp()
    except ValueError:
        return otherwise
