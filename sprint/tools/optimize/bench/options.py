"""What a run of `sprint optimize bench` was asked for."""

from __future__ import annotations

import msgspec

from sprint.core.errors import ConfigError
from sprint.core.optimize.levels import LEVELS, LevelName
from sprint.core.optimize.verdict import ROUNDS_MAX

SECONDS_MIN = 0.05
SECONDS_MAX = 60.0
SECONDS = 0.5
# The least that gives an interval to each of ten figures, so that all of them hold with 95 % together.
ROUNDS = 6


class BenchOptions(msgspec.Struct, frozen=True, kw_only=True):
    """`seconds` is of each round of each scene, `rounds` of each side.

    The settings of `settings_of` are measured one by one too; None measures levels alone. Without `relay` no
    relay is started.
    """

    levels: tuple[LevelName, ...] = tuple(LEVELS)
    settings_of: LevelName | None = None
    seconds: float = SECONDS
    rounds: int = ROUNDS
    relay: bool = True

    def __post_init__(self) -> None:
        if not SECONDS_MIN <= self.seconds <= SECONDS_MAX:
            raise ConfigError(f"--seconds {self.seconds:g}; want {SECONDS_MIN:g} to {SECONDS_MAX:g}")
        if not ROUNDS <= self.rounds <= ROUNDS_MAX or self.rounds % 2:
            raise ConfigError(f"--rounds {self.rounds}; want an even number of {ROUNDS} to {ROUNDS_MAX}")
