"""Where each value comes from: flag > environment > file > tier > default."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import msgspec

from sprint.core.breaker.policy_set import PolicySet
from sprint.core.config.breakers import BreakerSettings
from sprint.core.config.formats import key_text
from sprint.core.config.sections import Config
from sprint.core.relay.tiers import TierPolicy

OriginKind = Literal["flag", "environment", "file", "tier", "default"]


class Origin(NamedTuple):
    """The layer a value comes from, and its name there: an option, a variable, a file, a tier."""

    kind: OriginKind
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}".rstrip()


class Setting(NamedTuple):
    """A value that one layer gives to a key, by the key's dotted name."""

    name: str
    value: Any
    origin: Origin


DEFAULT = Origin("default")


class Resolved(msgspec.Struct, frozen=True, kw_only=True):
    """A config with all layers laid over each other, and the origin of every value that isn't a default.

    `tiers` are the packaged ones with the config's fields in place, `policies` those of breakers. `notes`
    say what was accepted and counts for nothing.
    """

    config: Config
    tiers: dict[str, TierPolicy]
    breakers: BreakerSettings
    policies: PolicySet
    origins: dict[str, Origin]
    notes: tuple[str, ...] = ()

    def origin(self, name: str) -> Origin:
        """Return where the value of a dotted name comes from."""
        known = self.origins.get(name)
        if known is not None:
            return known
        section, _, rest = name.partition(".")
        return Origin("tier", rest.partition(".")[0]) if section == "tiers" else DEFAULT

    def figure_origin(self, policy: str, figure: str) -> Origin:
        """Return where a figure of a breaker's policy comes from: its own, or below."""
        known = self.origins.get(f"breakers.{key_text(policy)}.{figure}")
        if known is not None:
            return known
        below = self.policies.laid_under(policy, figure)
        if below is not None:
            return self.figure_origin(below, figure)
        return Origin("tier", policy) if policy == self.policies.tier else DEFAULT
