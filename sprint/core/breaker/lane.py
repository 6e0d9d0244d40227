"""Successes that are counted later, because none of them can change a decision.

While a breaker is closed, the last call did not fail, and every rate is believed or of nothing bad, a success
that is fast enough only lowers rates. Until the window's bucket ends, such successes are gathered in a lane:
whoever guards the call adds the latency to a list, and the machine counts them together. That is what makes a
guarded call cost less than a microsecond with everything on.
"""

from __future__ import annotations

import math

# So many are counted together at most. Each takes a float, so a lane holds some 16 KB.
LANE_CALLS_MAX = 512
# And from so short a time, also where buckets are longer or there are none.
LANE_S_MAX = 5.0


class Lane:
    """Where calls of one generation may add latencies, in seconds, that end before `until`.

    One is shut by setting `until` to minus infinity. All lanes of a generation share `latencies`, so that a
    thread which was stopped between its look and its addition adds to what is still counted; those of an
    older generation are counted nowhere.
    """

    __slots__ = ("generation", "latencies", "latency_s_max", "since", "until")

    def __init__(
        self,
        generation: int,
        latencies: list[float],
        *,
        since: float = 0.0,
        until: float = -math.inf,
        latency_s_max: float = 0.0,
    ) -> None:
        self.generation = generation
        self.latencies = latencies
        self.since = since
        self.until = until
        self.latency_s_max = latency_s_max

    def __repr__(self) -> str:
        return f"Lane(generation={self.generation}, until={self.until:.3f}, {len(self.latencies)} waiting)"

    def take(self) -> list[float]:
        """Return what was gathered; what another thread adds meanwhile stays for the next time."""
        taken = self.latencies[:]
        del self.latencies[: len(taken)]
        return taken
