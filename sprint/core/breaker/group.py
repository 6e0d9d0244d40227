"""Breakers that stand for each other: how many may be out at once, so that the last is never cut off."""

from __future__ import annotations

from collections.abc import Callable

from sprint.core.errors import ConfigError

MEMBERS_MAX = 10_000


class BreakerGroup:
    """The members of a group by name, and which of them are out: open, half open, or forced open.

    At most `ejected_percent_max` of the members are opened by their own detectors, rounded down, and never
    all of them (as Envoy's `max_ejection_percent`, which does let the last one go). An operator's word counts
    without being asked.
    """

    # Whether anybody but these can be called now. A group that is told nothing of that goes by numbers alone,
    # and its last member may then be one that is just as dead.
    somebody_but: Callable[[frozenset[str]], bool] | None = None

    def __init__(self, name: str, *, ejected_percent_max: float = 100.0) -> None:
        self.name = name
        self.allow(ejected_percent_max)
        self._members: set[str] = set()
        self._out: set[str] = set()

    def __repr__(self) -> str:
        return f"BreakerGroup({self.name!r}, {len(self._out)} of {len(self._members)} out)"

    @property
    def members(self) -> frozenset[str]:
        """The names of all members."""
        return frozenset(self._members)

    @property
    def out(self) -> frozenset[str]:
        """The names of those that are out."""
        return frozenset(self._out)

    @property
    def out_max(self) -> int:
        """How many may be out by their detectors: never all."""
        members = len(self._members)
        return max(0, min(int(members * self.ejected_percent_max / 100.0), members - 1))

    def allow(self, ejected_percent_max: float) -> None:
        """Let so many percent be out from now on; who is out stays so."""
        if not 0.0 <= ejected_percent_max <= 100.0:
            raise ConfigError(
                f"group {self.name!r}: {ejected_percent_max} percent may be out; it is 0 to 100"
            )
        self.ejected_percent_max = ejected_percent_max

    def add(self, name: str) -> None:
        """Take a member in."""
        if name not in self._members and len(self._members) >= MEMBERS_MAX:
            raise ConfigError(f"group {self.name!r} has {MEMBERS_MAX} members, its limit; remove one first")
        self._members.add(name)

    def remove(self, name: str) -> None:
        """Let a member go; one that is out gives its place back."""
        self._members.discard(name)
        self._out.discard(name)

    def reserve(self, name: str) -> bool:
        """Take a place among those that are out; False where the member has to stay.

        Who has left the group, and is still held by somebody, takes none.
        """
        if name in self._out or name not in self._members:
            return True
        if len(self._out) >= self.out_max:
            return False
        # One that went a moment ago may still look as if it could be called.
        if self.somebody_but is not None and not self.somebody_but(frozenset({name, *self._out})):
            return False
        self._out.add(name)
        return True

    def note(self, name: str) -> None:
        """Count a member as out whether there is a place or not."""
        if name in self._members:
            self._out.add(name)

    def give_back(self, name: str) -> None:
        """Count a member as in again."""
        self._out.discard(name)
