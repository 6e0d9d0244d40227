"""Puts a breaker around each source, and tells the sources of one provider what concerns them all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
        self._breakers.registry.group(chain_id).stands_in = _stands_in(chain_id, intake)
        return SourceGuard(breaker, partial(self._share_with_provider, breaker.name))

    def remove(self, chain_id: str, name: str) -> None:
        """Forget the breaker of a source that is removed for good."""
        self._specs.pop(source_breaker_name(chain_id, name), None)
        self._breakers.remove_source(chain_id, name)

    def _share_with_provider(self, name: str, why: str) -> None:
        """Count a refusal for the others that log in to the same provider: they will meet it too."""
        for other, spec in _of_provider(name, self._specs).items():
            breaker = self._breakers.registry.find(other)
            if breaker is not None and SCHEMES[spec.scheme].asked:
                breaker.tend(partial(_share_failure, f"{self._specs[name][1].name}: {why}"))


def _stands_in(chain_id: str, intake: Intake) -> Callable[[str], bool]:
    prefix = source_breaker_name(chain_id, "")
    return lambda breaker_name: intake.serves_without(breaker_name.removeprefix(prefix))


def _of_provider(name: str, specs: Mapping[str, tuple[str, SourceSpec]]) -> dict[str, SourceSpec]:
    """Return the other sources of a chain that a source shares its provider with."""
    chain_id, spec = specs[name]
    return {
        other: other_spec
        for other, (other_chain, other_spec) in specs.items()
        if other != name and (other_chain, other_spec.provider) == (chain_id, spec.provider)
    }


def _share_failure(why: str, machine: Machine, now: float) -> None:
    machine.share("failure", 0.0, now, why)
