"""Figures as people read them."""

from __future__ import annotations

from sprint.core.chaos.timeline import Lane

NOTHING = "-"


def seconds_text(value_s: float | None) -> str:
    """Return seconds as `0.12 s`, `12.3 s`, `5 min 30 s`."""
    if value_s is None:
        return NOTHING
    if value_s < 60:
        return f"{value_s:.2f} s" if value_s < 10 else f"{value_s:.1f} s"
    minutes, seconds = divmod(round(value_s), 60)
    return f"{minutes} min {seconds} s"


def lane_name(lane: Lane) -> str:
    """Return what a lane is called: its kind, and a breaker's name without the word for that."""
    if lane.kind == "health":
        return lane.name
    return f"{lane.kind} {lane.name}" if lane.kind == "source" else _of_breaker(lane)


def _of_breaker(lane: Lane) -> str:
    name = lane.name.replace("source:", "")
    return name if lane.kind == "fault" else f"breaker {name}"
