"""How a run gets on, in the few words that a line of a terminal has room for."""

from __future__ import annotations

from sprint.core.chaos.observation import Sample

OPEN_SHOWN_MAX = 3


def status_parts(
    sample: Sample | None, faulty_s: float | None, blocks: int, duration_s: float | None = None
) -> list[str]:
    """Return parts of a line; `sample` is the newest, `faulty_s` how long the faults have been on.

    `duration_s` is how long they are held at least, where that is known: they are seen by probes first.

    Short ones, the important ones first: what doesn't fit is cut off at the end.
    """
    parts = [] if faulty_s is None else [_faults(faulty_s, duration_s)]
    if sample is None:
        return parts
    if not sample.answered:
        return [*parts, "the relay gives no answer"]
    return [*parts, _breakers(sample), f"health {sample.health}", f"{blocks} blocks"]


def _faults(faulty_s: float, duration_s: float | None) -> str:
    told = f"faults on for {faulty_s:.0f} s"
    if duration_s is None:
        return told
    left_s = duration_s - faulty_s
    return f"{told}, {left_s:.0f} s left" if left_s > 0 else f"{told}, soon off"


def _breakers(sample: Sample) -> str:
    """Return which breakers are not closed, else how many are."""
    odd = [each for each in sample.breakers if each.state != "closed"]
    if not odd:
        return f"{len(sample.breakers)} breakers closed"
    told = [f"{each.name.rpartition(':')[2]} {each.state}" for each in odd[:OPEN_SHOWN_MAX]]
    more = len(odd) - len(told)
    return ", ".join(told) + (f" and {more} more" if more else "")
