"""Where a subscriber starts: `latest`, `earliest`, a cursor, or a list of cursors, one a chain.

A single cursor names a place in the whole log, so every chain goes on from there. In a list each cursor
speaks for its own chain, and chains that are not named start at the latest.

A cursor older than what is kept is refused with the earliest one, or, where the subscriber asked to skip,
replaced by it. It is then told of the loss by one `gap` per chain before anything else: `seq` is that of
the last event lost (0 where none of the chain is kept), `cursor` the place it goes on from, `to_height` the
height below the first block kept, `from_height` 0, since the log no longer knows where the loss began.
These gaps are not in the log: their numbers are those of the events they stand for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

import msgspec

from sprint.core.errors import CursorExpired, CursorUnknown
from sprint.core.model import GapData, GapEvent
from sprint.core.relay.event_log import Cursor, LoggedEvent, parse_cursor
from sprint.tools.store import LogBounds

CURSORS_MAX = 64

Start = str | tuple[str, ...]


class StartAsked(msgspec.Struct, frozen=True):
    """What a subscriber asked to start from, for which chains (never empty)."""

    chains: frozenset[str]
    start: Start = "latest"
    skip_expired: bool = False


class EventReader(Protocol):
    """What replay needs of a store. Called from a reader thread."""

    def bounds(self) -> LogBounds:
        """Return the kept range of positions."""

    def read_events(
        self, after: int, upto: int, chains: Collection[str], types: Collection[str], limit: int
    ) -> list[LoggedEvent]:
        """Events with after < position <= upto, oldest first; empty collections mean all."""


class Gap(msgspec.Struct, frozen=True):
    """An encoded gap that stands for events no longer kept."""

    body: bytes
    cursor: str


class Place(msgspec.Struct, frozen=True):
    """A resolved start: for each chain the position after which its events are wanted.

    `cursor` is where to resume from if nothing comes: the lowest of the places.
    """

    floors: Mapping[str, int]
    cursor: str
    gaps: tuple[Gap, ...] = ()

    @property
    def position(self) -> int:
        return min(self.floors.values())

    @staticmethod
    def cursor_at(log_id: str, position: int) -> str:
        """Encode a place in the whole log."""
        return Cursor(log_id, position).encode()

    @classmethod
    def of_log(cls, log_id: str, chains: Collection[str], position: int) -> Place:
        """Return the one place from which all chains start."""
        return cls(dict.fromkeys(chains, position), cls.cursor_at(log_id, position))


def locate(store: EventReader, log_id: str, latest: int, asked_for: StartAsked) -> Place:
    """Resolve a start against what the store keeps. `latest` is the published position."""
    chains, start = asked_for.chains, asked_for.start
    earliest = store.bounds().earliest
    if start == "latest":
        return Place.of_log(log_id, chains, latest)
    if start == "earliest":
        return Place.of_log(log_id, chains, min(earliest, latest))
    if isinstance(start, str):
        asked = dict.fromkeys(chains, _position(start, log_id, latest)[1])
    else:
        asked = dict.fromkeys(chains, latest) | _positions(start, log_id, latest, chains)
    expired = [chain for chain, position in asked.items() if position < earliest]
    if not expired:
        return Place(asked, Place.cursor_at(log_id, min(asked.values())))
    if not asked_for.skip_expired:
        raise CursorExpired(
            f"cursor at position {min(asked.values())}, the earliest kept is {earliest}; "
            'start from it, or subscribe with "on_expired": "skip"',
            earliest=Place.cursor_at(log_id, earliest),
        )
    floors = {chain: max(position, earliest) for chain, position in asked.items()}
    gaps = tuple(_gap(store, log_id, chain, earliest, latest) for chain in expired)
    return Place(floors, Place.cursor_at(log_id, min(floors.values())), gaps)


def _position(text: str, log_id: str, latest: int) -> tuple[str, int]:
    """Return chain and position of a cursor; CursorUnknown where it is ahead of what was published."""
    cursor = parse_cursor(text, log_id)
    if cursor.position > latest:
        raise CursorUnknown(f"cursor at position {cursor.position}, the log is at {latest}")
    return cursor.chain, cursor.position


def _positions(cursors: tuple[str, ...], log_id: str, latest: int, chains: Collection[str]) -> dict[str, int]:
    """Return the position for each chain that a list of cursors names."""
    found: dict[str, int] = {}
    for text in cursors:
        chain, position = _position(text, log_id, latest)
        if chain not in chains:
            raise CursorUnknown(
                f"a cursor of chain {chain!r} in a list for {', '.join(sorted(chains))}; "
                "a list takes one cursor for each chain subscribed"
            )
        if chain in found:
            raise CursorUnknown(f"two cursors of chain {chain!r} in one list; give the one you are at")
        found[chain] = position
    return found


def _gap(store: EventReader, log_id: str, chain: str, earliest: int, latest: int) -> Gap:
    first = store.read_events(earliest, latest, (chain,), (), 1)
    block = store.read_events(earliest, latest, (chain,), ("block",), 1)
    height = block[0].height if block else None
    event = GapEvent(
        chain=chain,
        seq=first[0].seq - 1 if first else 0,
        cursor=Cursor(log_id, earliest, chain).encode(),
        data=GapData(from_height=0, to_height=max(0, (height or 0) - 1), reason="cursor_expired"),
    )
    return Gap(msgspec.json.encode(event), event.cursor)
