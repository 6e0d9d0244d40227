"""A breaker's row as a transition leaves it, for who can't wait for the row that follows.

A relay tells a transition at once, and the row with the next delta, up to 250 ms later.
"""

from __future__ import annotations

import msgspec

from sprint.core.monitor.codec import Delta
from sprint.core.monitor.rows import BreakerRow, TransitionRow


def early_delta(row: BreakerRow, transition: TransitionRow) -> Delta | None:
    """Return what a transition says of its row before the relay does; None where the row has it, or later."""
    if transition.shadow or transition.at <= row.since or transition.to_state == row.state:
        return None
    fields = {
        "name": row.name,
        "state": transition.to_state,
        "since": transition.at,
        "reason": transition.evidence.text,
        "evidence": msgspec.to_builtins(transition.evidence),
        "next_trial_at": None,
    }
    return Delta(seq=0, at=transition.at, changed=(fields,), removed=())
