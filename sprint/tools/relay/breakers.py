"""The breakers of one relay: one around each source, one around the store's writer.

Their policies are those of the highest tier served, with the figures of what is called laid over them. The
sources of a chain are a group, of which one is never cut off.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from sprint.core.breaker.outcomes import Rng
from sprint.core.breaker.policy_set import OWN_MARK, PolicySet, parse_policy_set
from sprint.core.breaker.transitions import Transition
from sprint.core.config import BreakerSettings
from sprint.core.relay.source_url import SourceSpec
from sprint.tools import runtime
from sprint.tools.breaker import BreakerRegistry, CircuitBreaker
from sprint.tools.breaker.registry import packaged_texts
from sprint.tools.breaker.workers import BreakerWorkers
from sprint.tools.runtime import log_fields

SOURCE_POLICY = "source"
STORE_POLICY = "store"
STORE_NAME = "store"
RESUMED = "the source is resumed"
_OF_TRIALS = ("trial_due", "trial_failed", "trials_undecided")
log = logging.getLogger(__name__)


def source_breaker_name(chain_id: str, source: str) -> str:
    """Return what the breaker of a source is called."""
    return f"source:{chain_id}:{source}"


class RelayBreakers:
    """The registry of a relay's breakers, and their background work."""

    def __init__(
        self,
        tier: str,
        settings: BreakerSettings | None = None,
        *,
        clock: Callable[[], float] = runtime.clock,
        rng: Rng = runtime.jitter,
    ) -> None:
        self.tier = tier
        self._settings = settings or BreakerSettings()
        policies = self.policies(self._settings)
        self.registry = BreakerRegistry(policies.named, own=policies.own, clock=clock, rng=rng)
        self.workers = BreakerWorkers(self.registry, self._settings.intervals)
        self.registry.listen(_log_transition)

    def __repr__(self) -> str:
        return f"RelayBreakers({self.tier}, {self.registry!r})"

    def source(self, chain_id: str, spec: SourceSpec) -> CircuitBreaker:
        """Return the breaker of a source. Its chain is its group: the last that serves is not cut off.

        One that rested is back in the group, with a clean record: an operator wants it tried.
        """
        self.registry.set_ejection(chain_id, self._settings.group_ejected_percent_max)
        breaker = self.registry.get(source_breaker_name(chain_id, spec.name), SOURCE_POLICY, group=chain_id)
        if self.registry.join(breaker.name, chain_id) and breaker.state in ("open", "half_open"):
            breaker.reset(RESUMED)
        return breaker

    def rest_source(self, chain_id: str, name: str) -> None:
        """Keep the breaker of a source that rests, outside of its group: it takes nobody's place there."""
        self.registry.leave(source_breaker_name(chain_id, name))

    def store(self) -> CircuitBreaker:
        """Return the breaker of the store's writer."""
        return self.registry.get(STORE_NAME, STORE_POLICY)

    def remove_source(self, chain_id: str, name: str) -> None:
        """Forget the breaker of a source that is removed."""
        self.registry.remove(source_breaker_name(chain_id, name))

    def policies(self, settings: BreakerSettings) -> PolicySet:
        """Return the policies that settings come to under this relay's tier; ConfigError if they can't be."""
        return parse_policy_set(packaged_texts(), settings.overrides, self.tier)

    def adopt(self, settings: BreakerSettings) -> int:
        """Go by other settings, from the next call on, with all that was counted; all of them or none.

        Return how many breakers go by another policy now. One whose figures say the same as before goes on
        by what an operator gave it, and one whose figures differ forgets that.
        """
        policies = self.policies(settings)
        changed = self.registry.adopt(policies.named, policies.own)
        self._settings = settings
        for group in self.registry.groups:
            self.registry.set_ejection(group, settings.group_ejected_percent_max)
        self.workers.adopt(settings.intervals)
        self._say_who_is_absent()
        return changed

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Do the background work while within."""
        self._say_who_is_absent()
        async with self.workers.running():
            yield

    def _say_who_is_absent(self) -> None:
        """Name the figures of a single breaker that there is none of: it may be a slip of the pen."""
        for name in self._settings.overrides:
            if OWN_MARK in name and self.registry.find(name) is None:
                reason = "there is no such source; they count once there is one"
                log_fields(log, logging.WARNING, "figures of no breaker", breaker=name, reason=reason)


def _log_transition(transition: Transition) -> None:
    """Log what changes how things are. A node that is gone is tried in vain every half a minute for days."""
    level = logging.WARNING if transition.to_state in ("open", "force_open") else logging.INFO
    log_fields(
        log,
        logging.DEBUG if transition.reason in _OF_TRIALS else level,
        f"breaker {transition.to_state.replace('_', ' ')}",
        breaker=transition.breaker,
        was=transition.from_state.replace("_", " "),
        cause=transition.reason,
        evidence=transition.evidence.text,
    )
