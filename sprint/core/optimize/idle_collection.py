"""When a collection of garbage is due, where it is not left to CPython to begin one in the middle of a block.

`due` is asked some times a second with what was measured since. It says which generation to collect now, or
none. Nothing grows without an end: what is not collected while idle is collected when it has waited or grown
for too long, busy or not.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Generation = Literal[0, 1, 2]

IDLE_SHARE_MAX = 0.2  # of the loop's thread, since it was asked last
FULL_EVERY_S = 10.0  # while idle; sooner where a round takes long, since it looks at all that came in between
FULL_EVERY_S_LEAST = 0.5
LONG_ROUND_S = 0.01
SHORT_ROUND_S = 0.003
FULL_WAIT_S_MAX = 60.0
GROWTH_BYTES_MAX = 64 << 20
YOUNG_WHILE_IDLE_MIN = 2_000
YOUNG_MAX = 50_000


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What is known when it is asked.

    `busy_share` is the CPU time of the loop's thread over the time passed. `young_objects` counts what was
    made and not freed since the last collection of generation 0 (`gc.get_count()[0]`). `since_full_s` and
    `grown_bytes` run from the last full collection. `over_limit`: the process has more memory than its level
    allows. `full_every_s` is how long full rounds are apart while idle.
    """

    busy_share: float
    young_objects: int
    since_full_s: float
    grown_bytes: int
    over_limit: bool = False
    full_every_s: float = FULL_EVERY_S


def next_full_every_s(every_s: float, took_s: float) -> float:
    """Return how long the next full round waits, by how long the last took: half after a long one."""
    if took_s > LONG_ROUND_S:
        return max(FULL_EVERY_S_LEAST, every_s / 2)
    return min(FULL_EVERY_S, every_s * 2) if took_s < SHORT_ROUND_S else every_s


def due(measured: Measured, *, automatic: bool) -> Generation | None:
    """Return the generation to collect now. `automatic`: CPython collects the younger two by itself."""
    if _full_is_due(measured):
        return 2
    if automatic:
        return None
    idle = measured.busy_share < IDLE_SHARE_MAX
    return 1 if measured.young_objects > (YOUNG_WHILE_IDLE_MIN if idle else YOUNG_MAX) else None


def _full_is_due(measured: Measured) -> bool:
    """Tell whether all is to be collected: rested and idle, or waited or grown for too long."""
    if measured.since_full_s >= FULL_WAIT_S_MAX or measured.grown_bytes >= GROWTH_BYTES_MAX:
        # Growth that a collection doesn't end would otherwise have one made at every question.
        return measured.since_full_s >= 1.0
    rested = measured.since_full_s >= (1.0 if measured.over_limit else measured.full_every_s)
    return rested and (measured.over_limit or measured.busy_share < IDLE_SHARE_MAX)
