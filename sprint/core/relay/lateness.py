"""When an answer that a node owes becomes late: told every few seconds, long before it ends a connection.

A connection is closed for an answer that never came after a minute or two, as Bitcoin Core does. What guards
the source has to know sooner. What is on its way is not late: a node that sends a block over a slow line owes
an answer behind it all the while.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

# Any node answers within a fraction of it, unless it is busy, gone, or was never there.
LATE_AFTER_S = 4.0


class Late(msgspec.Struct, frozen=True):
    """An answer to `what` that was owed for `seconds`, in which nothing of it has come."""

    what: str
    seconds: float

    @property
    def why(self) -> str:
        """The same in words, as a breaker's evidence has it."""
        return f"no answer to {self.what} for {self.seconds:.0f} s"


class Lateness:
    """Looks at what one connection owes, when something was asked and as long as anything is owed.

    Whatever is late is told once every `LATE_AFTER_S`: a pause of a moment holds up many answers at once.
    """

    def __init__(self) -> None:
        self._look_at: float | None = None
        self._told_at = -LATE_AFTER_S

    def __repr__(self) -> str:
        return f"Lateness(look_at={self._look_at})"

    def asked(self, now: float) -> None:
        """Note that something was asked: it is looked at once it may be late, whatever else is owed.

        A call that waits for a block is late only after its wait; another, made meanwhile, is so before it.
        """
        look_at = now + LATE_AFTER_S
        self._look_at = look_at if self._look_at is None else min(self._look_at, look_at)

    def next_timer(self) -> float | None:
        """Return when `check` has something to do; None while nothing is owed."""
        return self._look_at

    def check(self, owed: Mapping[str, float], heard_at: float, now: float) -> Late | None:
        """Return the answer that is late by now, once every `LATE_AFTER_S`.

        `owed` has since when each answer is; `heard_at` is when a part of one came last.
        """
        if self._look_at is None or now < self._look_at:
            return None
        if not owed:
            self._look_at = None
            return None
        what = min(owed, key=owed.__getitem__)
        since = max(owed[what], heard_at)
        due = max(since, self._told_at) + LATE_AFTER_S
        if now < due:
            self._look_at = due
            return None
        self._told_at, self._look_at = now, now + LATE_AFTER_S
        return Late(what, now - since)

    def overdue(self, what: str, seconds: float, heard_at: float, now: float) -> Late | None:
        """Return an answer that was found late elsewhere, unless one was told, or a part came, just now."""
        if now < max(self._told_at, heard_at) + LATE_AFTER_S:
            return None
        self._told_at = now
        return Late(what, seconds)
