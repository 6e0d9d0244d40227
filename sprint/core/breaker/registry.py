"""Breakers by name: each made of a named policy, bounded in number, and given new policies all or none.

`Made` is what whoever owns the registry makes of a name and a policy: a machine, or a face of `sprint.tools`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Generic, TypeVar

from sprint.core.breaker.policy import Policy
from sprint.core.breaker.policy_table import check_policy
from sprint.core.errors import ConfigError

# At some 20 KB each this is 200 MB; whoever makes one for every address it meets has a leak, and is told.
BREAKERS_MAX = 10_000

Made = TypeVar("Made")


class Entry(Generic[Made]):
    """One breaker and what it was made of. One that is not `kept` may be dropped when it idles."""

    __slots__ = ("asked_at", "breaker", "kept", "policy_name")

    def __init__(self, breaker: Made, policy_name: str, *, kept: bool, now: float) -> None:
        self.breaker = breaker
        self.policy_name = policy_name
        self.kept = kept
        self.asked_at = now


class Registry(Generic[Made]):
    """The breakers of a process. `make` is called once for each name.

    `own` are policies of single breakers by the breaker's name, in the place of the one it is made of.
    """

    def __init__(
        self,
        policies: Mapping[str, Policy],
        make: Callable[[str, Policy], Made],
        own: Mapping[str, Policy] | None = None,
    ) -> None:
        self._policies = dict(policies)
        self._own = dict(own or {})
        self._make = make
        self._entries: dict[str, Entry[Made]] = {}

    def __repr__(self) -> str:
        return f"Registry({len(self._entries)} of {BREAKERS_MAX} breakers)"

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Made]:
        """Give each breaker, as they are now: more may be made meanwhile."""
        return iter([entry.breaker for entry in self._entries.values()])

    @property
    def policies(self) -> Mapping[str, Policy]:
        """The policies by name."""
        return dict(self._policies)

    def find(self, name: str) -> Made | None:
        """Return a breaker that there is."""
        entry = self._entries.get(name)
        return None if entry is None else entry.breaker

    def get(self, name: str, policy_name: str, *, now: float, kept: bool = True) -> Made:
        """Return the breaker of a name, made of the policy if there is none yet."""
        entry = self._entries.get(name)
        if entry is None:
            entry = self._entries[name] = self._made(name, policy_name, now, kept=kept)
        entry.asked_at = now
        return entry.breaker

    def remove(self, name: str) -> bool:
        """Forget a breaker; whoever holds it may go on with it. False: there is none."""
        return self._entries.pop(name, None) is not None

    def adopt(
        self, policies: Mapping[str, Policy], own: Mapping[str, Policy] | None = None
    ) -> list[tuple[Made, Policy]]:
        """Take new policies; return which breaker has to take which. Refused whole if one had none.

        A breaker whose policy says the same as before is left alone, also where somebody has given it
        another one meanwhile.
        """
        gone = sorted({entry.policy_name for entry in self._entries.values()} - policies.keys())
        if gone:
            raise ConfigError(f"breakers.{gone[0]}: breakers in use are made of it; it can't be left out")
        for name, policy in [*policies.items(), *(own or {}).items()]:
            check_policy(policy, f"breakers.{name}")
        before = {name: self._policy_of(name, entry.policy_name) for name, entry in self._entries.items()}
        self._policies, self._own = dict(policies), dict(own or {})
        after = {name: self._policy_of(name, entry.policy_name) for name, entry in self._entries.items()}
        return [
            (self._entries[name].breaker, policy)
            for name, policy in after.items()
            if policy is not None and policy != before[name]
        ]

    def _policy_of(self, name: str, policy_name: str) -> Policy | None:
        return self._own.get(name) or self._policies.get(policy_name)

    def drop_idle(self, now: float, idle_s: float, idles: Callable[[Made], bool]) -> int:
        """Drop those that nobody has asked for in `idle_s`, that need not be kept and that `idles`."""
        dropped = [
            name
            for name, entry in self._entries.items()
            if not entry.kept and now - entry.asked_at >= idle_s and idles(entry.breaker)
        ]
        for name in dropped:
            del self._entries[name]
        return len(dropped)

    def _made(self, name: str, policy_name: str, now: float, *, kept: bool) -> Entry[Made]:
        policy = self._policy_of(name, policy_name) if policy_name in self._policies else None
        if policy is None:
            raise ConfigError(
                f"breaker {name!r}: no policy {policy_name!r}; there are {', '.join(self._policies)}"
            )
        if len(self._entries) >= BREAKERS_MAX:
            raise ConfigError(f"breaker {name!r}: {BREAKERS_MAX} are the limit; name them by what is called")
        return Entry(self._make(name, policy), policy_name, kept=kept, now=now)
