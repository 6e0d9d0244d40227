"""What happened to the breakers of some relays: transitions in the order of their times, each kept once.

They come as they happen, and from a relay's history after a connection was lost: late, and those that are
known as well. A relay that was restarted counts from 1 again, so that a transition is told from another
by its number and its time together, and never by the number alone.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from sprint.core.monitor.history import KEPT_MIN, TRANSITIONS_PER_BREAKER_MAX
from sprint.core.monitor.rows import TransitionRow

RECENT_MAX = 1_000
# Of all breakers of all relays together; at some 600 bytes each 12 MB.
TRANSITIONS_MAX = 20_000


class Key(NamedTuple):
    """A breaker of a relay."""

    relay: str
    breaker: str


class Happened(msgspec.Struct, frozen=True):
    """A transition and whose."""

    relay: str
    transition: TransitionRow


class Happenings:
    """The newest transitions of each breaker, and in `recent` the newest of all, the newest last."""

    def __init__(self) -> None:
        self.recent: deque[Happened] = deque(maxlen=RECENT_MAX)
        self._of: dict[Key, list[TransitionRow]] = {}

    def __repr__(self) -> str:
        return f"Happenings({len(self._of)} breakers)"

    def add(self, relay: str, transition: TransitionRow) -> bool:
        """Keep a transition; False where it is known, or older than all that are kept of many."""
        kept = self._of.setdefault(Key(relay, transition.breaker), [])
        if not kept or _place(kept[-1]) < _place(transition):
            kept.append(transition)
        elif any(_place(each) == _place(transition) for each in kept):
            return False
        else:
            insort(kept, transition, key=_place)
        del kept[: max(0, len(kept) - self._kept_max())]
        self._add_recent(Happened(relay, transition))
        return any(each is transition for each in reversed(kept))

    def rows(self, key: Key, limit: int) -> list[TransitionRow]:
        """Return a breaker's newest transitions, oldest first."""
        kept = self._of.get(key, [])
        return kept[max(0, len(kept) - limit) :]

    def forget(self, relay: str) -> None:
        """Forget all of a relay."""
        self._of = {key: kept for key, kept in self._of.items() if key.relay != relay}
        self.recent = deque((each for each in self.recent if each.relay != relay), maxlen=RECENT_MAX)

    def forget_gone(self, known: Iterator[Key], relay: str) -> None:
        """Forget a relay's breakers that are not among the known ones: names must not pile up."""
        stays = set(known)
        self._of = {key: kept for key, kept in self._of.items() if key.relay != relay or key in stays}

    def _kept_max(self) -> int:
        return max(KEPT_MIN, min(TRANSITIONS_PER_BREAKER_MAX, TRANSITIONS_MAX // len(self._of)))

    def _add_recent(self, happened: Happened) -> None:
        recent, place = self.recent, _place(happened.transition)
        later = 0
        while later < len(recent) and _place(recent[-1 - later].transition) > place:
            later += 1
        if len(recent) == RECENT_MAX:
            if later == RECENT_MAX:
                return
            recent.popleft()
        recent.insert(len(recent) - later, happened)


def _place(transition: TransitionRow) -> tuple[str, int]:
    """Return what orders transitions; times of RFC 3339 in UTC and of one length sort as text."""
    return transition.at, transition.number
