"""Where each value comes from: flag > environment > file > tier > default."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import msgspec

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

    `tiers` are the packaged ones with the config's fields in place. `notes` say what was accepted and
    counts for nothing.
    """

    config: Config
    tiers: dict[str, TierPolicy]
    origins: dict[str, Origin]
    notes: tuple[str, ...] = ()

    def origin(self, name: str) -> Origin:
        """Return where the value of a dotted name comes from."""
        known = self.origins.get(name)
        if known is not None:
            return known
        section, _, rest = name.partition(".")
        return Origin("tier", rest.partition(".")[0]) if section == "tiers" else DEFAULT
