"""When a collection of garbage is due, where it is not left to CPython to begin one in the middle of a block.

`due` is asked some times a second with what was measured since. It says which round to make now, or none:

young   what was made since the last one
full    all that is not frozen; soon after enough has outlived young rounds, so that it never takes long
whole   what was frozen too: a frozen object that has died is freed by no other

What a full round finds alive is frozen where it is much (`freezes`): the next then looks at new objects only.
Nothing grows without an end: what is not collected while idle is collected when it has waited or grown for
too long, busy or not.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Round = Literal["young", "full", "whole"]

IDLE_SHARE_MAX = 0.2  # of the loop's thread, since it was asked last
FULL_EVERY_S = 10.0  # while idle
FULL_WAIT_S_MAX = 60.0
GROWTH_WAIT_S_MIN = 1.0  # growth that a round doesn't end would otherwise have one made at every question
OVER_LIMIT_EVERY_S = 10.0
GROWTH_BYTES_MAX = 64 << 20
YOUNG_WHILE_IDLE_MIN = 2_000
YOUNG_MAX = 50_000
GROWN_WHILE_IDLE_MIN = 10_000  # about 2 ms to look at
GROWN_MAX = 100_000
GROWN_SHARE = 0.25  # of what the last full round left unfrozen: CPython's own rule against ever more work
FREEZE_MIN = 50_000  # less is looked at in 10 ms, and what dies frozen stays till the next whole round
# So many take 20 ms. A real-time thread that computes for 200 is taken for one that has run wild.
AT_ITS_PRIORITY_MAX = 50_000
WHOLE_EVERY_S = 600.0  # while idle
WHOLE_BUSY = 2.0  # times each of these where the loop is never idle
FROZEN_MIN = 500_000
FROZEN_SHARE = 0.5  # of what was alive at the last whole round: so many may be frozen until the next
WHOLE_GROWTH_BYTES = 256 << 20  # a frozen object that has died may hold a whole block


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What is known when it is asked.

    `busy_share` is the CPU time of the loop's thread over the time passed. `young_objects` counts what was
    made and not freed since the last young round (`gc.get_count()[0]`), `grown_objects` what has outlived
    young rounds since the last full one, which left `alive_objects` unfrozen. `since_full_s` and
    `grown_bytes` run from the last full round too.
    `frozen_objects` were frozen since the last whole round, `since_whole_s` ago, which left `whole_objects`;
    memory has grown by `whole_grown_bytes` since that.
    `over_limit`: the process has more memory than its level allows.
    """

    busy_share: float
    young_objects: int = 0
    grown_objects: int = 0
    alive_objects: int = 0
    since_full_s: float = 0.0
    grown_bytes: int = 0
    frozen_objects: int = 0
    whole_objects: int = 0
    whole_grown_bytes: int = 0
    since_whole_s: float = 0.0
    over_limit: bool = False

    @property
    def is_idle(self) -> bool:
        return self.busy_share < IDLE_SHARE_MAX


def due(measured: Measured, *, automatic: bool) -> Round | None:
    """Return the round to make now. `automatic`: CPython makes the young ones by itself."""
    if _whole_is_due(measured):
        return "whole"
    if _full_is_due(measured):
        return "full"
    if automatic:
        return None
    most = YOUNG_WHILE_IDLE_MIN if measured.is_idle else YOUNG_MAX
    return "young" if measured.young_objects > most else None


def due_over_limit(measured: Measured) -> Round | None:
    """Return the round to make now where only memory is watched, and CPython collects by itself."""
    return "full" if measured.over_limit and measured.since_full_s >= OVER_LIMIT_EVERY_S else None


def keeps_priority(objects: int) -> bool:
    """Tell whether a round over so many objects is made at the thread's own priority, real-time or not.

    At an ordinary one a short round waits for others that run, and the loop with it.
    """
    return objects <= AT_ITS_PRIORITY_MAX


def freezes(unfrozen_objects: int) -> bool:
    """Tell whether what a full round found alive is frozen."""
    return unfrozen_objects >= FREEZE_MIN


def frozen_objects_max(whole_objects: int) -> int:
    """Return how many objects may be frozen beyond those that the last whole round left, while idle."""
    return max(FROZEN_MIN, int(whole_objects * FROZEN_SHARE))


def _whole_is_due(measured: Measured) -> bool:
    """Tell whether frozen garbage may have grown, or waited, for too long; busy or not for twice that."""
    if measured.frozen_objects == 0:
        return False
    if measured.over_limit:
        return measured.since_whole_s >= OVER_LIMIT_EVERY_S
    share = max(
        measured.since_whole_s / WHOLE_EVERY_S,
        measured.frozen_objects / frozen_objects_max(measured.whole_objects),
        measured.whole_grown_bytes / WHOLE_GROWTH_BYTES,
    )
    return share >= (1.0 if measured.is_idle else WHOLE_BUSY)


def _full_is_due(measured: Measured) -> bool:
    """Tell whether a full round is due: rested and idle, or waited or grown for too long."""
    share = int(measured.alive_objects * GROWN_SHARE)
    if measured.since_full_s >= FULL_WAIT_S_MAX or measured.grown_objects >= max(GROWN_MAX, share):
        return True
    if measured.grown_bytes >= GROWTH_BYTES_MAX and measured.since_full_s >= GROWTH_WAIT_S_MIN:
        return True
    if measured.over_limit:
        return measured.since_full_s >= OVER_LIMIT_EVERY_S
    grown = measured.grown_objects >= max(GROWN_WHILE_IDLE_MIN, share)
    return measured.is_idle and (grown or measured.since_full_s >= FULL_EVERY_S)
