"""Figures as people read them: three digits, with the unit that fits."""

from __future__ import annotations

NOTHING = "-"
_KILO = 1_000
_BYTE_UNITS = ("B", "kB", "MB", "GB", "TB")
_SHARE_LEAST = 0.000_01  # what is nearer to 0 or to 1 is told as nearer
# Where three digits would round up to the next unit.
_ROUNDS_UP = 999.5


def time_text(value_ms: float | None) -> str:
    """Return milliseconds as `35 ns`, `420 µs`, `12.3 ms`, `1.50 s`."""
    if value_ms is None:
        return NOTHING
    if value_ms < _ROUNDS_UP / _KILO / _KILO:
        return f"{value_ms * _KILO * _KILO:.0f} ns"
    if value_ms < _ROUNDS_UP / _KILO:
        return f"{digits_text(value_ms * _KILO)} µs"
    if value_ms < _ROUNDS_UP:
        return f"{digits_text(value_ms)} ms"
    return f"{digits_text(value_ms / _KILO)} s"


def digits_text(value: float) -> str:
    """Return a number with three significant digits, and no power of ten."""
    if abs(value) >= 99.95:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 9.995 else f"{value:.2f}"


def share_text(share: float | None) -> str:
    """Return a share in percent; what is not nothing, or not all, is never shown as that."""
    if share is None:
        return NOTHING
    if not share:
        return "0 %"
    if share < _SHARE_LEAST:
        return f"< {_SHARE_LEAST:.3%}"
    if 1 - _SHARE_LEAST < share < 1:
        return f"> {1 - _SHARE_LEAST:.3%}"
    return f"{share * 100:.5g} %" if share > 0.9 else f"{share * 100:.3g} %"


def bytes_text(count: float) -> str:
    """Return bytes with a unit of thousands."""
    for unit in _BYTE_UNITS[:-1]:
        if count < _ROUNDS_UP or (unit == "B" and count < _KILO):
            return f"{count:.0f} B" if unit == "B" else f"{digits_text(count)} {unit}"
        count /= _KILO
    return f"{digits_text(count)} {_BYTE_UNITS[-1]}"


def limit_text(value: float | None, unit: str) -> str:
    """Return the value of a threshold or a comparison, by its unit."""
    if value is None:
        return NOTHING
    if unit == "ms":
        return time_text(value)
    if unit == "share":
        return share_text(value)
    return f"{digits_text(value)}/s" if unit == "per_s" else f"{value:,.0f}"


def seconds_text(value_s: float) -> str:
    """Return seconds as `12.5 s`, `5 min 30 s`, `2 h 5 min`."""
    if value_s < 60:
        return f"{value_s:.3g} s"
    minutes, seconds = divmod(round(value_s), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "min"), (0 if hours else seconds, "s"))
    return " ".join(f"{count} {unit}" for count, unit in parts if count)
