"""What happened to all breakers, a page of it at a time, the newest first.

A page is asked for by the `next` of the page before: the time, number and relay of its last event. So it
stays where it was while new events come and the oldest are forgotten.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

from sprint.core.errors import RequestError
from sprint.core.monitor.board import Happened

LIMIT_MAX = 500
CURSOR_LENGTH_MAX = 160
_BETWEEN = "~"


class EventsPage(NamedTuple):
    """Some events, the newest first; `next` asks for those before them, None where there are no more."""

    events: list[Happened]
    next: str | None


def events_page(recent: Sequence[Happened], before: str, limit: int) -> EventsPage:
    """Return the newest `limit` of what happened, or those before the cursor `before`.

    `recent` is in order, the newest last. RequestError for a cursor that no page gave.
    """
    end = _end_of(recent, before) if before else len(recent)
    first = max(0, end - limit)
    events = [recent[at] for at in range(end - 1, first - 1, -1)]
    return EventsPage(events, _cursor(events[-1]) if first > 0 else None)


def _end_of(recent: Sequence[Happened], cursor: str) -> int:
    """Return where the event of a cursor stands, or would stand if it were not forgotten."""
    place, relay = _place_of(cursor)
    places = [_place(each) for each in recent]
    at = first = bisect_left(places, place)
    while at < len(recent) and places[at] == place:  # two relays may count alike at one time
        if recent[at].relay == relay:
            return at
        at += 1
    return first


def _place(happened: Happened) -> tuple[str, int]:
    return happened.transition.at, happened.transition.number


def _cursor(happened: Happened) -> str:
    at, number = _place(happened)
    return f"{at}{_BETWEEN}{number}{_BETWEEN}{happened.relay}"


def _place_of(cursor: str) -> tuple[tuple[str, int], str]:
    at, _, rest = cursor.partition(_BETWEEN)
    number, between, relay = rest.partition(_BETWEEN)
    if len(cursor) > CURSOR_LENGTH_MAX or not between or not (number.isascii() and number.isdigit()):
        raise RequestError("bad_query", f"before {cursor[:64]!a}: want the `next` of the page before it")
    return (at, int(number)), relay
