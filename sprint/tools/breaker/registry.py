"""The breakers of a process by name, with the groups they are in, under policies that can be changed.

registry = BreakerRegistry()
registry.get("node-1", "business").call(fetch)
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib import resources
from typing import Any

from sprint.core.breaker.group import BreakerGroup
from sprint.core.breaker.machine import Machine
from sprint.core.breaker.outcomes import Outcome, Rng
from sprint.core.breaker.policy import Policy
from sprint.core.breaker.policy_set import PackagedPolicies
from sprint.core.breaker.policy_table import parse_policies
from sprint.core.breaker.registry import Registry
from sprint.tools import runtime
from sprint.tools.breaker.circuit_breaker import CircuitBreaker
from sprint.tools.breaker.judge import Judge
from sprint.tools.breaker.listeners import Listener


def packaged_policies(
    overrides: Mapping[str, Mapping[str, Any]] | None = None, *, tier: str = ""
) -> dict[str, Policy]:
    """Return the policy of each tier, with a config's `[breakers.NAME]` laid over it field by field.

    With `tier` there are those of what a relay of that tier calls as well, `source` and `store`.
    """
    callees = _packaged("callees.toml") if tier else ""
    return parse_policies(_packaged("policies.toml"), overrides, callees=callees, tier=tier)


def packaged_texts() -> PackagedPolicies:
    """Return the packaged tables as they are."""
    return PackagedPolicies(_packaged("policies.toml"), _packaged("callees.toml"))


def _packaged(file: str) -> str:
    return resources.files("sprint.core.breaker").joinpath(file).read_text(encoding="utf-8")


class LockedGroup(BreakerGroup):
    """A group whose members belong to several threads: two that trip at once must not both be the last."""

    def __init__(self, name: str, *, ejected_percent_max: float = 100.0) -> None:
        super().__init__(name, ejected_percent_max=ejected_percent_max)
        self._lock = threading.Lock()

    def add(self, name: str) -> None:
        with self._lock:
            super().add(name)

    def remove(self, name: str) -> None:
        with self._lock:
            super().remove(name)

    def reserve(self, name: str) -> bool:
        with self._lock:
            return super().reserve(name)

    def note(self, name: str) -> None:
        with self._lock:
            super().note(name)

    def give_back(self, name: str) -> None:
        with self._lock:
            super().give_back(name)


class BreakerRegistry:
    """Makes each breaker once, tells one set of listeners of all, and hands on new policies.

    `own` are policies of single breakers by the breaker's name, in the place of the one it is made of.
    """

    def __init__(
        self,
        policies: Mapping[str, Policy] | None = None,
        *,
        own: Mapping[str, Policy] | None = None,
        judge: Judge | None = None,
        clock: Callable[[], float] = runtime.clock,
        rng: Rng = runtime.jitter,
    ) -> None:
        self.clock = clock
        self._judge = judge or Judge()
        self._rng = rng
        self._lock = threading.RLock()  # a listener may ask for a breaker
        self._registry = Registry(packaged_policies() if policies is None else policies, self._make, own)
        self._groups: dict[str, LockedGroup] = {}
        self._group_of: dict[str, LockedGroup] = {}
        self._listeners: tuple[Listener, ...] = ()

    def __repr__(self) -> str:
        return f"Breaker{self._registry!r}"

    def __len__(self) -> int:
        return len(self._registry)

    def __iter__(self) -> Iterator[CircuitBreaker]:
        with self._lock:
            return iter(self._registry)

    def get(self, name: str, policy_name: str, *, group: str = "", kept: bool = True) -> CircuitBreaker:
        """Return the breaker of a name, made of a policy and put into a group if there is none yet.

        One that is not `kept` is dropped once nobody has asked for it for the workers' `idle_s`.
        """
        with self._lock:
            known = self._registry.find(name) is not None
            breaker = self._registry.get(name, policy_name, now=self.clock(), kept=kept)
            if not known and group:
                self._join(breaker, group)
        return breaker

    def find(self, name: str) -> CircuitBreaker | None:
        """Return a breaker that there is."""
        return self._registry.find(name)

    def remove(self, name: str) -> bool:
        """Forget a breaker. False: there is none."""
        with self._lock:
            self._leave_group(name)
            return self._registry.remove(name)

    def join(self, name: str, group: str) -> bool:
        """Put a breaker that there is into a group; it counts as out where it is. False: it is in one."""
        with self._lock:
            breaker = self._registry.find(name)
            if breaker is None or name in self._group_of:
                return False
            self._join(breaker, group)
            if breaker.state not in ("closed", "force_close"):
                self._group_of[name].note(name)
            return True

    def leave(self, name: str) -> None:
        """Take a breaker out of its group: nobody calls what it guards, so it stands in for no one."""
        with self._lock:
            self._leave_group(name)

    def group(self, name: str, *, ejected_percent_max: float = 100.0) -> LockedGroup:
        """Return a group, made if there is none. `ejected_percent_max` of its members may be out at once."""
        with self._lock:
            return self._group(name, ejected_percent_max)

    @property
    def groups(self) -> tuple[str, ...]:
        """The names of all groups."""
        with self._lock:
            return tuple(self._groups)

    def set_ejection(self, group: str, ejected_percent_max: float) -> None:
        """Change how many of a group may be out at once; who is out stays so until it is back by itself."""
        with self._lock:
            self._group(group).allow(ejected_percent_max)

    def share(self, group: str, outcome: Outcome, latency_s: float = 0.0, *, but: str = "") -> int:
        """Tell all members of a group of what concerns them all, as a provider's refusal; return how many.

        `but` names the one that has counted it already.
        """
        found = self._groups.get(group)
        members = sorted(found.members - {but}) if found else []
        for name in members:
            breaker = self.find(name)
            if breaker is not None:
                breaker.tend(partial(_share, outcome, latency_s))
        return len(members)

    def adopt(self, policies: Mapping[str, Policy], own: Mapping[str, Policy] | None = None) -> int:
        """Take new policies, all or none, and return how many breakers go by another one now.

        One whose policy says the same as before goes on as it does, also by what somebody gave it alone.
        Raises `ConfigError` and changes nothing where a breaker's policy is missing.
        """
        with self._lock:
            changes = self._registry.adopt(policies, own)
        for breaker, policy in changes:
            breaker.adopt(policy)
        return len(changes)

    def listen(self, listener: Listener) -> None:
        """Tell a listener of the transitions of every breaker there is and will be."""
        with self._lock:
            self._listeners = (*self._listeners, listener)
            for breaker in self._registry:
                breaker.listen(listener)

    def drop_idle(self, idle_s: float) -> int:
        """Drop closed breakers that need not be kept and that nobody has asked for; return how many."""
        with self._lock:
            dropped = self._registry.drop_idle(
                self.clock(), idle_s, lambda breaker: breaker.state == "closed"
            )
            for name in [name for name in self._group_of if self._registry.find(name) is None]:
                self._leave_group(name)
        return dropped

    def _make(self, name: str, policy: Policy) -> CircuitBreaker:
        breaker = CircuitBreaker(name, policy, judge=self._judge, clock=self.clock, rng=self._rng)
        for listener in self._listeners:
            breaker.listen(listener)
        return breaker

    def _group(self, name: str, ejected_percent_max: float = 100.0) -> LockedGroup:
        if name not in self._groups:
            self._groups[name] = LockedGroup(name, ejected_percent_max=ejected_percent_max)
        return self._groups[name]

    def _join(self, breaker: CircuitBreaker, group: str) -> None:
        joined = self._group(group)
        joined.add(breaker.name)
        self._group_of[breaker.name] = joined
        breaker.tend(lambda machine, _: setattr(machine, "ejection", joined))

    def _leave_group(self, name: str) -> None:
        left = self._group_of.pop(name, None)
        if left is not None:
            left.remove(name)
            if not left.members:
                self._groups.pop(left.name, None)


def _share(outcome: Outcome, latency_s: float, machine: Machine, now: float) -> None:
    machine.share(outcome, latency_s, now)
