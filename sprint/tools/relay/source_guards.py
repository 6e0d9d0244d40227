"""Puts a breaker around each source, and tells the sources of one provider what concerns them all."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from sprint.core.breaker.machine import Machine
from sprint.core.relay.source_url import SCHEMES, SourceSpec
from sprint.tools.relay.breakers import RelayBreakers, source_breaker_name
from sprint.tools.relay.intake import Intake
from sprint.tools.relay.sources.guard import SourceGuard


class SourceGuards:
    """The guards of all sources. While no other source of a chain serves, none of it is cut off."""

    def __init__(self, breakers: RelayBreakers) -> None:
        self._breakers = breakers
        self._specs: dict[str, tuple[str, SourceSpec]] = {}  # by the breaker's name

    def __repr__(self) -> str:
        return f"SourceGuards({len(self._specs)})"

    def guard(self, chain_id: str, spec: SourceSpec, intake: Intake) -> SourceGuard:
        """Return what stands around a source."""
        breaker = self._breakers.source(chain_id, spec)
        self._specs[breaker.name] = (chain_id, spec)
        self._breakers.registry.group(chain_id).somebody_but = _somebody_but(chain_id, intake)
        return SourceGuard(breaker, partial(self._share_with_provider, breaker.name))

    def rest(self, chain_id: str, name: str) -> None:
        """Leave a source out of account that rests, until it has a guard again."""
        self._specs.pop(source_breaker_name(chain_id, name), None)
        self._breakers.rest_source(chain_id, name)

    def remove(self, chain_id: str, name: str) -> None:
        """Forget the breaker of a source that is removed for good."""
        self._specs.pop(source_breaker_name(chain_id, name), None)
        self._breakers.remove_source(chain_id, name)

    def _share_with_provider(self, name: str, why: str) -> None:
        """Count a refusal for the others that log in to the provider with the same: they will meet it too."""
        chain_id, spec = self._specs[name]
        for other, known in self._specs.items():
            breaker = self._breakers.registry.find(other) if other != name else None
            if breaker is not None and _known_by(*known) == _known_by(chain_id, spec):
                breaker.tend(partial(_share_failure, f"{spec.name}: {why}"))


def _somebody_but(chain_id: str, intake: Intake) -> Callable[[frozenset[str]], bool]:
    prefix = source_breaker_name(chain_id, "")
    return lambda breakers: intake.serves_without({name.removeprefix(prefix) for name in breakers})


def _known_by(chain_id: str, spec: SourceSpec) -> tuple[object, ...]:
    """Return what a provider knows the caller by; one that is not logged in to is like no other."""
    if not SCHEMES[spec.scheme].asked:
        return (chain_id, spec.name)
    return (chain_id, spec.provider, spec.login, spec.path)


def _share_failure(why: str, machine: Machine, now: float) -> None:
    machine.share("failure", 0.0, now, why)
