"""Durations as people write them: `300s`, `5m`, `1h30m`, `1.5s`, `200ms`, or a plain number of seconds."""

from __future__ import annotations

import re
from fractions import Fraction

from sprint.core.errors import ConfigError

SECOND_NS = 1_000_000_000
NUMBER_DIGITS_MAX = 12

_UNITS_NS = {
    "h": 3_600 * SECOND_NS,
    "m": 60 * SECOND_NS,
    "s": SECOND_NS,
    "ms": SECOND_NS // 1_000,
}
_NUMBER = rf"[0-9]{{1,{NUMBER_DIGITS_MAX}}}(?:\.[0-9]{{1,{NUMBER_DIGITS_MAX}}})?"
_PART = re.compile(rf"({_NUMBER})(h|ms|m|s)")
_PLAIN = re.compile(_NUMBER)


def parse_duration_ns(text: str, *, option: str = "--duration") -> int:
    """Return a duration in nanoseconds; ConfigError names the option and the forms there are."""
    stripped = text.strip()
    if _PLAIN.fullmatch(stripped):
        return int(Fraction(stripped) * SECOND_NS)
    parts = _PART.findall(stripped)
    units = [unit for _, unit in parts]
    rising = [unit for unit in _UNITS_NS if unit in units]
    if not parts or "".join(number + unit for number, unit in parts) != stripped or units != rising:
        raise ConfigError(f"{option} {text!r}: no duration; write it as 300s, 5m, 1h30m or 200ms")
    return sum(int(Fraction(number) * _UNITS_NS[unit]) for number, unit in parts)


def parse_duration_s(text: str, *, option: str, least_s: float, most_s: float) -> float:
    """Return a duration in seconds; ConfigError where it is shorter or longer than it may be."""
    seconds = parse_duration_ns(text, option=option) / SECOND_NS
    if not least_s <= seconds <= most_s:
        raise ConfigError(f"{option} {text}: {seconds:g} s; want {least_s:g} s to {most_s:g} s")
    return seconds


def duration_text(duration_ns: int) -> str:
    """Return a duration as `parse_duration_ns` reads it, to the millisecond."""
    left, parts = duration_ns, []
    for unit, unit_ns in _UNITS_NS.items():
        count, left = divmod(left, unit_ns)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
