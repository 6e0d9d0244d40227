"""When a source may be tried: the seam around every connection attempt.

It is a backoff that doubles, with jitter, and starts afresh after a connection that held: `HELD_AFTER_S`, not
a mere handshake, since a node that shakes hands and hangs up would else be tried several times a second for
ever. A source that misbehaved waits longer than one that could not be reached.

Where no other source of its chain is ready, one that is needed waits for a few seconds at most, so that it is
there soon after the last of the others is lost; one that misbehaved for `WAIT_MAX_S`: all bad, all are used.

Beside its own waits stands the word of the source's breaker, which is told what each call came to and opens
for other reasons: whichever is longer holds.
"""

from __future__ import annotations

from typing import Literal

WAIT_FIRST_S = 0.25
WAIT_MAX_S = 30.0
WAIT_NEEDED_MAX_S = 4.0
BLOCK_FIRST_S = 10.0
BLOCK_MAX_S = 3600.0
HELD_AFTER_S = 60.0

# How an attempt ended: a connection that was lost, none that came about, a source that was shut out.
Ending = Literal["lost", "failed", "misbehaved"]


class SourceGate:
    """Decides when the next attempt of one source may start."""

    def __init__(self) -> None:
        self._wait_s = WAIT_FIRST_S
        self._block_s = BLOCK_FIRST_S
        self._open_at = 0.0
        self._open_if_needed_at = 0.0
        self._shut_out = False

    def __repr__(self) -> str:
        return f"SourceGate(open_at={self._open_at:.3f}, wait_s={self._wait_s})"

    def admit(self, now: float, *, needed: bool = False, breaker_s: float = 0.0) -> float:
        """Return how long to wait before an attempt, 0 to go ahead. `needed`: no other source is ready.

        `breaker_s` is how long the breaker lets nothing through, infinity where it does not say.
        """
        return max(0.0, (self._open_if_needed_at if needed else self._open_at) - now, breaker_s)

    def bring_forward(self) -> None:
        """Let the next attempt begin at once, with the backoff afresh, as an operator has said.

        One that misbehaved is waited for all the same: that was its own doing, not that it was gone.
        """
        if not self._shut_out:
            self._open_at = self._open_if_needed_at = 0.0
            self._wait_s = WAIT_FIRST_S

    def shut_out_s(self, held_s: float) -> float:
        """Return how long at most a source is shut out that misbehaves now, after it has held so long."""
        return BLOCK_FIRST_S if held_s >= HELD_AFTER_S else self._block_s

    def record(self, outcome: Ending, *, held_s: float, now: float, jitter: float) -> None:
        """Note how an attempt ended; `jitter` in 0 to 1 shortens the wait by up to half.

        `held_s` is how long the connection was ready: one that held starts the backoff afresh.
        """
        if held_s >= HELD_AFTER_S:
            self._wait_s = WAIT_FIRST_S
            self._block_s = BLOCK_FIRST_S
        self._shut_out = outcome == "misbehaved"
        if self._shut_out:
            wait_s, self._block_s = self._block_s, min(self._block_s * 2, BLOCK_MAX_S)
        else:
            wait_s, self._wait_s = self._wait_s, min(self._wait_s * 2, WAIT_MAX_S)
        self._open_at = now + wait_s * (1 - jitter / 2)
        needed_max_s = WAIT_MAX_S if self._shut_out else WAIT_NEEDED_MAX_S
        self._open_if_needed_at = now + min(wait_s, needed_max_s) * (1 - jitter / 2)
