"""Permits of calls, and the trials of HALF_OPEN with their leases.

A trial that hangs would hold its place for ever: so it has a lease, and gives its place back when that ends.
Places that are under way or have succeeded count against the budget, as resilience4j's permitted number does;
a trial that told nothing gives its place back.
"""

from __future__ import annotations


class Permit:
    """Leave for one call. `trial` is the number of its lease, 0 for none; a `ghost` is of a shadow."""

    __slots__ = ("generation", "ghost", "settled", "trial")

    def __init__(self, generation: int, *, trial: int = 0, ghost: bool = False) -> None:
        self.generation = generation
        self.trial = trial
        self.ghost = ghost
        self.settled = False

    def __repr__(self) -> str:
        return f"Permit(generation={self.generation}, trial={self.trial}, settled={self.settled})"


class Trials:
    """The trials of one HALF_OPEN. `budget` is how many may be under way or have succeeded."""

    def __init__(self, now: float, *, budget: int, lease_s: float) -> None:
        self.budget = budget
        self.lease_s = lease_s
        self.since = now
        self.successes = 0
        self.slow = 0
        self.undecided = 0
        self.expired = 0
        self._ends: dict[int, float] = {}  # when each lease ends, by number; the budget bounds it
        self._admitted = 0

    def __repr__(self) -> str:
        return f"Trials({len(self._ends)} under way, {self.successes} of {self.budget} succeeded)"

    @property
    def under_way(self) -> int:
        """How many hold a lease."""
        return len(self._ends)

    @property
    def admitted(self) -> int:
        """How many were let through in all."""
        return self._admitted

    def admit(self, now: float) -> int:
        """Return the number of a new lease, 0 where the budget is used up."""
        if len(self._ends) + self.successes >= self.budget:
            return 0
        self._admitted += 1
        self._ends[self._admitted] = now + self.lease_s
        return self._admitted

    def expire(self, now: float) -> int:
        """Take back the leases that have ended, at their end itself; return how many."""
        ended = [number for number, end in self._ends.items() if now >= end]
        for number in ended:
            del self._ends[number]
        self.expired += len(ended)
        return len(ended)

    def renew(self, now: float) -> None:
        """Begin all leases and the time for a verdict again: meanwhile the caller itself could not go on."""
        self.since = now
        self._ends = dict.fromkeys(self._ends, now + self.lease_s)

    def give_back(self, number: int) -> bool:
        """End a lease; False where it had ended before, so that what the trial tells is void."""
        return self._ends.pop(number, None) is not None

    def place_free_in_s(self, now: float) -> float:
        """Return after how long a lease ends at the latest and a place may be free."""
        return max(0.0, min(self._ends.values(), default=now) - now)
