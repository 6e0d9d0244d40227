"""Numbers that look random and are the same for one seed: SplitMix64 (Steele, Lea and Flood, 2014)."""

from __future__ import annotations

_MASK = (1 << 64) - 1
_STEP = 0x9E3779B97F4A7C15
_SHARE = 1.0 / (1 << 53)


class SeededNumbers:
    """Each call gives the next number of 0 <= x < 1."""

    __slots__ = ("_state",)

    def __init__(self, seed: int) -> None:
        self._state = seed & _MASK

    def __repr__(self) -> str:
        return f"SeededNumbers({self._state:#x})"

    def __call__(self) -> float:
        self._state = mixed = (self._state + _STEP) & _MASK
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
        return ((mixed ^ (mixed >> 31)) >> 11) * _SHARE
